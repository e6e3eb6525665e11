// SPDX-License-Identifier: MIT
//
// What a verb of bpf-aot is. A new verb is a row in verbs.def, its options rows in options.def, and
// one function in loader/verbs/. main.cpp parses, prints help and failures, and exits.
#pragma once

#include "support/options.h"
#include "support/render.h"
#include "support/result.h"

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::loader {

// Which verbs take an option.
enum VerbMask : uint32_t {
  kInfo = 1u << 0,
  kRun = 1u << 1,
  kAttach = 1u << 2,
  kDetach = 1u << 3,
  kList = 1u << 4,
  kMap = 1u << 5,
  kTestRun = 1u << 6,
  kDoctor = 1u << 7,
  kAll = ~0u,
};

enum OptionId : int {
#define BPFAOT_OPTION(id, short_name, long_name, arg, arg_name, verbs, help) id##Option,
#include "loader/options.def"
#undef BPFAOT_OPTION
};

// The two streams of the tool, made by main.
struct Console {
  FILE* out = nullptr;
  FILE* err = nullptr;
  Colour colour = Colour::never;
  bool json_errors = false;

  void print(std::string_view text) const;            // to `out`, as it is
  void report(const Diagnostic& diagnostic) const;    // to `err`
};

// The exit status of bpf-aot, or why it failed (status by the code's verdict, see exit_status()).
using VerbFunction = Result<int> (*)(const ParsedArguments& arguments, const Console& console);

struct Verb {
  uint32_t mask;
  std::string_view name;
  VerbFunction function;
  std::string_view synopsis, summary;
};

#define BPFAOT_VERB(mask, name, function, synopsis, summary)                                       \
  Result<int> function(const ParsedArguments& arguments, const Console& console);
#include "loader/verbs.def"
#undef BPFAOT_VERB

// 2 for usage, 70 for internal, else 1.
int exit_status(const Diagnostic& diagnostic);
// All values of a repeatable option, in order.
std::vector<std::string> option_values(const ParsedArguments& arguments, int id);
// The only positional argument; [usage] says `what` is missing or that there are too many.
Result<std::string> only_positional(const ParsedArguments& arguments, std::string_view what);
Result<uint64_t> parse_count_option(const ParsedArguments& arguments, int id, std::string_view name,
                                    uint64_t fallback);

} // namespace bpfaot::loader
