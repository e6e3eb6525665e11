// SPDX-License-Identifier: MIT
//
// Reading and printing attach targets.
#include "loader/attach_spec.h"

#include "support/hex.h"

#include <charconv>

namespace bpfaot::loader {
namespace {

Result<uint64_t> parse_number(std::string_view text) {
  const bool is_hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = is_hex ? text.substr(2) : text;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, is_hex ? 16 : 10);
  if (error != std::errc() || end != digits.data() + digits.size())
    return fail(Code::kAttachSpec, "offset '" + std::string(text) + "' is not a number");
  return value;
}

Failure wrong(std::string_view text, const std::string& what) {
  return Failure(make_error(Code::kAttachSpec, "attach target '" + std::string(text) + "' " + what)
                     .hint("write PROGRAM=uprobe:PATH:SYMBOL[+OFFSET] or PROGRAM=uretprobe:PATH:0xFILE_OFFSET"));
}

} // namespace

Status parse_location(std::string_view text, AttachSpec& into) {
  if (text.empty())
    return fail(Code::kAttachSpec, "the symbol or offset is missing");
  if (text.front() >= '0' && text.front() <= '9') {
    into.symbol.clear();
    into.offset = TRY(parse_number(text));
    return {};
  }
  const size_t plus = text.rfind('+');
  into.symbol = text.substr(0, plus);
  into.offset = plus == std::string_view::npos ? 0 : TRY(parse_number(text.substr(plus + 1)));
  if (into.symbol.empty())
    return fail(Code::kAttachSpec, "the symbol before '+' is missing");
  return {};
}

Result<AttachSpec> parse_attach_spec(std::string_view text) {
  AttachSpec spec;
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0)
    return wrong(text, "names no program");
  spec.program = text.substr(0, equals);
  const std::string_view target = text.substr(equals + 1);
  const size_t first = target.find(':'), last = target.rfind(':');
  const std::string_view kind = target.substr(0, first);
  if (kind == "uprobe")
    spec.is_return = false;
  else if (kind == "uretprobe")
    spec.is_return = true;
  else
    return wrong(text, "has kind '" + std::string(kind) + "', known are uprobe and uretprobe");
  if (first == last || first + 1 == last)
    return wrong(text, "lacks the file or the symbol");
  spec.path = target.substr(first + 1, last - first - 1);
  TRY(parse_location(target.substr(last + 1), spec));
  return spec;
}

std::string print_attach_target(const AttachSpec& spec) {
  const std::string offset = hex(spec.offset);
  std::string out = (spec.is_return ? "uretprobe:" : "uprobe:") + spec.path + ":" + spec.symbol;
  if (spec.symbol.empty())
    return out + offset;
  return spec.offset == 0 ? out : out + "+" + offset;
}

} // namespace bpfaot::loader
