// SPDX-License-Identifier: MIT
#include "aotc/warnings.h"

#include "support/options.h"

#include <string>
#include <vector>

namespace bpfaot::aotc {
namespace {

constexpr std::string_view kCodes[] = {
#define BPFAOT_CODE(name, text, verdict, summary) text,
#include "support/diagnostics.def"
#undef BPFAOT_CODE
};

Failure unknown(std::string_view code) {
  Diagnostic error = make_error(Code::kUsage, "there is no warning '" + std::string(code) + "'");
  if (const std::string near = nearest(code, kCodes); !near.empty())
    error.hints.push_back("did you mean '" + near + "'?");
  else
    error.hints.push_back("docs/diagnostics.md lists the codes, which messages have in brackets");
  return Failure(std::move(error));
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix))
    return false;
  text.remove_prefix(prefix.size());
  return true;
}

} // namespace

Status WarningPolicy::apply(std::string_view value) {
  using Raise = Choice::Raise;
  std::string_view code = value;
  if (code == "all")
    return {}; // every warning is printed unless something says no
  if (code == "error" || code == "no-error") {
    all_errors_ = code == "error";
    return {};
  }
  if (take_prefix(code, "error=") || take_prefix(code, "no-error=")) {
    const auto known = parse_code(code);
    if (!known)
      return unknown(code);
    Choice& choice = choices_[*known];
    choice.raise = value.starts_with("no-") ? Raise::never : Raise::always;
    choice.shown |= choice.raise == Raise::always;
    return {};
  }
  // Some codes begin with "no-" themselves.
  if (const auto known = parse_code(code)) {
    choices_[*known].shown = true;
    return {};
  }
  if (take_prefix(code, "no-"))
    if (const auto known = parse_code(code)) {
      choices_[*known].shown = false;
      return {};
    }
  return unknown(code);
}

WarningPolicy::Action WarningPolicy::action(Code code) const {
  if (silent_)
    return Action::drop;
  const auto found = choices_.find(code);
  const Choice choice = found == choices_.end() ? Choice{} : found->second;
  if (!choice.shown)
    return Action::drop;
  const bool is_raised = choice.raise == Choice::Raise::always ||
                         (choice.raise == Choice::Raise::as_all && all_errors_);
  return is_raised ? Action::raise : Action::print;
}

} // namespace bpfaot::aotc
