// SPDX-License-Identifier: MIT
//
// Which warnings are printed and which are errors: -W, -Wno-, -Werror, -w. Errors are never affected.
#pragma once

#include "support/result.h"

#include <map>
#include <string_view>

namespace bpfaot::aotc {

class WarningPolicy {
public:
  enum class Action : uint8_t { print, drop, raise };

  // The value of -W: CODE, no-CODE, error, error=CODE, no-error, no-error=CODE, all. What is said
  // later holds. [usage] names the nearest code.
  Status apply(std::string_view value);
  // -w: nothing is a warning any more, whatever -W says.
  void silence() { silent_ = true; }
  // What becomes of a warning with this code.
  Action action(Code code) const;

private:
  struct Choice {
    bool shown = true;
    enum class Raise : uint8_t { as_all, always, never } raise = Raise::as_all;
  };
  std::map<Code, Choice> choices_;
  bool all_errors_ = false, silent_ = false;
};

} // namespace bpfaot::aotc
