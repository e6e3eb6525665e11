// SPDX-License-Identifier: MIT
//
// The tables behind diagnostic codes, and the sink.
#include "support/diagnostic.h"

#include <array>

namespace bpfaot {
namespace {

struct CodeRow {
  std::string_view text;
  Verdict verdict;
  std::string_view summary;
};

constexpr CodeRow kCodes[] = {
#define BPFAOT_CODE(name, text, verdict, summary) {text, Verdict::verdict, summary},
#include "support/diagnostics.def"
#undef BPFAOT_CODE
};

const CodeRow& row(Code code) { return kCodes[static_cast<size_t>(code)]; }

} // namespace

std::string_view code_text(Code code) { return row(code).text; }
std::string_view code_summary(Code code) { return row(code).summary; }
Verdict code_verdict(Code code) { return row(code).verdict; }

std::optional<Code> parse_code(std::string_view text) {
  for (size_t i = 0; i < std::size(kCodes); ++i)
    if (kCodes[i].text == text)
      return static_cast<Code>(i);
  return std::nullopt;
}

std::string_view verdict_text(Verdict verdict) {
  switch (verdict) {
  case Verdict::reject: return "reject";
  case Verdict::unsupported: return "unsupported";
  case Verdict::refuse: return "refuse";
  case Verdict::usage: return "usage";
  case Verdict::warn: return "warn";
  case Verdict::internal: return "internal";
  }
  return "internal";
}

Diagnostic make_error(Code code, std::string message) {
  Diagnostic result;
  result.level = code_verdict(code) == Verdict::internal ? Level::internal : Level::error;
  result.code = code;
  result.message = std::move(message);
  return result;
}

Diagnostic make_warning(Code code, std::string message) {
  Diagnostic result = make_error(code, std::move(message));
  result.level = Level::warning;
  return result;
}

void DiagSink::add(Diagnostic diagnostic) {
  const bool is_error = diagnostic.level >= Level::error;
  if (is_error && limit_ != 0 && errors_ >= limit_) {
    ++suppressed_;
    return;
  }
  errors_ += is_error;
  all_.push_back(std::move(diagnostic));
}

} // namespace bpfaot
