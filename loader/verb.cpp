// SPDX-License-Identifier: MIT
//
// Small things that verbs share.
#include "loader/verb.h"

#include <charconv>

namespace bpfaot::loader {

void Console::print(std::string_view text) const { fwrite(text.data(), 1, text.size(), out); }

void Console::report(const Diagnostic& diagnostic) const {
  std::string text = json_errors ? render_json(diagnostic) : render_human(diagnostic, colour);
  if (text.empty() || text.back() != '\n')
    text += '\n';
  fflush(out);
  fwrite(text.data(), 1, text.size(), err);
}

int exit_status(const Diagnostic& diagnostic) {
  switch (code_verdict(diagnostic.code)) {
  case Verdict::usage: return 2;
  case Verdict::internal: return 70;
  default: return 1;
  }
}

std::vector<std::string> option_values(const ParsedArguments& arguments, int id) {
  std::vector<std::string> values;
  for (const ParsedOption& option : arguments.options)
    if (option.id == id)
      values.push_back(option.value);
  return values;
}

Result<std::string> only_positional(const ParsedArguments& arguments, std::string_view what) {
  if (arguments.positional.empty())
    return fail(Code::kUsage, "no " + std::string(what) + " given");
  if (arguments.positional.size() > 1)
    return fail(Code::kUsage, "one " + std::string(what) + " is expected, '" +
                                  arguments.positional[1] + "' is one too many");
  return arguments.positional[0];
}

Result<uint64_t> parse_count_option(const ParsedArguments& arguments, int id, std::string_view name,
                                    uint64_t fallback) {
  if (!arguments.has(id))
    return fallback;
  const std::string_view text = arguments.value(id);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return fail(Code::kUsage, "--" + std::string(name) + " " + std::string(text) +
                                  ": a number is needed");
  return value;
}

} // namespace bpfaot::loader
