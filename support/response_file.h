// SPDX-License-Identifier: MIT
//
// @FILE on a command line stands for the words in FILE, as compilers and linkers have it. Files come
// from build systems, but also from strangers who ask for help: nesting and size are bounded.
#pragma once

#include "support/result.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot {

// Words of a text: separated by white space; '…' keeps all, "…" keeps all but \" and \\, and outside
// of quotes a backslash keeps the next character. [usage] for a quote that does not end.
Result<std::vector<std::string>> split_words(std::string_view text);
// How such a text spells one word.
std::string quote_word(std::string_view word);
// Replaces each word "@FILE" by the words of FILE, which may name others; words after "--" stay as
// they are. [usage] when a file cannot be read, is too large, or names itself.
Result<std::vector<std::string>> expand_response_files(std::span<const std::string> arguments);

} // namespace bpfaot
