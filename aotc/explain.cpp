// SPDX-License-Identifier: MIT
#include "aotc/explain.h"

#include "support/diagnostic.h"
#include "support/options.h"

#include <algorithm>

namespace bpfaot::aotc {
namespace {

extern "C" const char bpfaot_diagnostics_begin[], bpfaot_diagnostics_end[];
__asm__(".pushsection .rodata\n"
        ".globl bpfaot_diagnostics_begin\n"
        "bpfaot_diagnostics_begin:\n"
        ".incbin \"" BPFAOT_DIAGNOSTICS_PAGE "\"\n"
        ".globl bpfaot_diagnostics_end\n"
        "bpfaot_diagnostics_end:\n"
        ".popsection\n");

constexpr std::string_view kCodes[] = {
#define BPFAOT_CODE(name, text, verdict, summary) text,
#include "support/diagnostics.def"
#undef BPFAOT_CODE
};

std::string list_of_codes() {
  std::string text;
  for (const std::string_view code : kCodes) {
    const Code known = *parse_code(code);
    std::string line(code);
    line.resize(std::max<size_t>(line.size() + 1, 26), ' ');
    line += verdict_text(code_verdict(known));
    line.resize(std::max<size_t>(line.size() + 1, 39), ' ');
    text += line + std::string(code_summary(known)) + "\n";
  }
  return text;
}

} // namespace

Result<std::string> explanation(std::string_view code) {
  if (code == "help")
    return list_of_codes();
  const auto known = parse_code(code);
  if (!known) {
    Diagnostic error = make_error(Code::kUsage, "there is no code '" + std::string(code) + "'");
    const std::string near = nearest(code, kCodes);
    error.hints.push_back(near.empty() ? "--explain=help lists the codes" : "did you mean '" + near + "'?");
    return Failure(std::move(error));
  }
  const std::string_view page(bpfaot_diagnostics_begin, bpfaot_diagnostics_end);
  const std::string heading = "\n### " + std::string(code) + "\n";
  const size_t found = page.find(heading);
  if (found == std::string_view::npos)
    return fail(Code::kInternal, "the page of diagnostics has no entry '" + std::string(code) + "'");
  std::string_view entry = page.substr(found + heading.size());
  entry = entry.substr(0, std::min(entry.find("\n## "), entry.find("\n### ")));
  while (!entry.empty() && entry.back() == '\n')
    entry.remove_suffix(1);
  return std::string(code) + " (" + std::string(verdict_text(code_verdict(*known))) + "): " +
         std::string(code_summary(*known)) + "\n\n" + std::string(entry) + "\n";
}

} // namespace bpfaot::aotc
