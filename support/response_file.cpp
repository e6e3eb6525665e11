// SPDX-License-Identifier: MIT
#include "support/response_file.h"

#include "support/files.h"

namespace bpfaot {
namespace {

constexpr uint64_t kLargestFile = 1u << 20;
constexpr size_t kMostWords = 1u << 16;
constexpr unsigned kDeepest = 16; // files that name files; a file that names itself ends here

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

Status expand(std::span<const std::string> arguments, unsigned depth,
              std::vector<std::string>& words) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") { // ends the options of the tool
      words.insert(words.end(), arguments.begin() + static_cast<ptrdiff_t>(i), arguments.end());
      return {};
    }
    if (argument.size() < 2 || argument[0] != '@') {
      words.push_back(argument);
    } else {
      const std::string path = argument.substr(1);
      if (depth == kDeepest)
        return fail(Code::kUsage, "response files are nested too deeply: '" + path + "'");
      const auto bytes = read_file(path, kLargestFile);
      if (!bytes)
        return fail(Code::kUsage,
                    "response file '" + path + "' cannot be read: " + bytes.error().message);
      const std::vector<std::string> inner = TRY(split_words(
          std::string_view(reinterpret_cast<const char*>(bytes->data()), bytes->size())));
      TRY(expand(inner, depth + 1, words));
    }
    if (words.size() > kMostWords)
      return fail(Code::kUsage, "response files with more than " + std::to_string(kMostWords) +
                                    " words");
  }
  return {};
}

} // namespace

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool has_next = i + 1 < text.size();
    if (quote == '\'') {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (quote == '"') {
      if (c == quote)
        quote = 0;
      else if (c == '\\' && has_next && (text[i + 1] == '"' || text[i + 1] == '\\'))
        word += text[++i];
      else
        word += c;
    } else if (is_space(c)) {
      if (in_word)
        words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      in_word = true;
      if (c == '\'' || c == '"')
        quote = c;
      else if (c == '\\' && has_next)
        word += text[++i];
      else
        word += c;
    }
  }
  if (quote != 0)
    return fail(Code::kUsage, std::string("a quote ") + quote + " of a response file does not end");
  if (in_word)
    words.push_back(std::move(word));
  return words;
}

std::string quote_word(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                      "-_=+./,:%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(word);
  std::string text = "\"";
  for (const char c : word) {
    if (c == '"' || c == '\\')
      text += '\\';
    text += c;
  }
  return text + "\"";
}

Result<std::vector<std::string>> expand_response_files(std::span<const std::string> arguments) {
  std::vector<std::string> words;
  TRY(expand(arguments, 0, words));
  return words;
}

} // namespace bpfaot
