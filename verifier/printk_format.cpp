// SPDX-License-Identifier: MIT
//
// %[-+ 0#][width][l|ll](d i u x X o p s c) and %%, and the pointer forms %pK %px %ps %pS %pB %pks
// %pus %pi4 %pI4 %pi6 %pI6.
#include "verifier/printk_format.h"

#include <cctype>

namespace bpfaot::verifier {
namespace {

class Cursor {
public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool done() const { return position_ >= text_.size(); }
  char peek() const { return done() ? '\0' : text_[position_]; }
  char next() { return done() ? '\0' : text_[position_++]; }
  bool accept(std::string_view word) {
    if (text_.substr(position_, word.size()) != word)
      return false;
    position_ += word.size();
    return true;
  }
  void skip(std::string_view any) {
    while (!done() && any.find(peek()) != std::string_view::npos)
      ++position_;
  }

private:
  std::string_view text_;
  size_t position_ = 0;
};

void pointer_suffix(Cursor& cursor) {
  for (const std::string_view form : {"ks", "us", "i4", "I4", "i6", "I6", "K", "x", "s", "S", "B"})
    if (cursor.accept(form))
      return;
}

} // namespace

std::optional<std::string> check_printk_format(std::string_view format,
                                               const PrintkLimits& limits) {
  const size_t end = format.find('\0');
  if (end == std::string_view::npos)
    return "the format has no terminator";
  Cursor cursor(format.substr(0, end));
  uint32_t arguments = 0;
  while (!cursor.done()) {
    const char c = cursor.next();
    if (!std::isprint(static_cast<unsigned char>(c)) &&
        !std::isspace(static_cast<unsigned char>(c)))
      return "the format contains a character that is not ASCII text";
    if (c != '%' || cursor.accept("%"))
      continue;
    cursor.skip("-+ 0#");
    cursor.skip("0123456789");
    if (!cursor.accept("ll"))
      cursor.accept("l");
    const char conversion = cursor.next();
    if (conversion == '\0' ||
        std::string_view("diuxXopsc").find(conversion) == std::string_view::npos)
      return std::string("unknown conversion %") +
             (conversion == '\0' ? std::string() : std::string(1, conversion));
    if (conversion == 'p')
      pointer_suffix(cursor);
    ++arguments;
  }
  if (arguments > limits.most_arguments)
    return "the format uses " + std::to_string(arguments) + " arguments, there are at most " +
           std::to_string(limits.most_arguments);
  return std::nullopt;
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, text.find('\0')))
    result += std::isprint(static_cast<unsigned char>(c)) ? c : '.';
  return result;
}

} // namespace bpfaot::verifier
