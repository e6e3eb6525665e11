// SPDX-License-Identifier: MIT
//
// Command lines from a table: parsing, help text and unknown-option suggestions come from one list
// of rows (each tool's options.def). Knows nothing of any tool.
#pragma once

#include "support/result.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot {

enum class OptionArg : uint8_t { none, required, optional }; // --x, --x=V or --x V, --x[=V]

struct OptionRow {
  int id;
  char short_name;            // 0 = none
  std::string_view long_name; // without dashes, "" = none
  OptionArg arg;
  std::string_view arg_name;  // "FILE"
  std::string_view help;      // one sentence, lower case
  std::string_view group;     // heading in --help; "" = hidden
};

struct ParsedOption {
  int id;
  std::string value;
};

struct ParsedArguments {
  std::vector<ParsedOption> options;  // in order
  std::vector<std::string> positional; // before "--", options may stand anywhere among them
  std::vector<std::string> rest;       // after "--"
  bool has_separator = false;
  bool has(int id) const;
  // Last one given, or `fallback`.
  std::string_view value(int id, std::string_view fallback = {}) const;
};

// [usage]: names the unknown option and the nearest known one.
Result<ParsedArguments> parse_arguments(std::span<const OptionRow> table, std::span<const std::string> arguments);
std::string format_options(std::span<const OptionRow> table);
// Nearest of `candidates` within a small edit distance, "" when none is near.
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

} // namespace bpfaot
