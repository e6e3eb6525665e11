// SPDX-License-Identifier: MIT
//
// Where a program is to be attached, as the command line or the section name says it:
// PROGRAM=uprobe:PATH:SYMBOL[+OFFSET], PROGRAM=uretprobe:PATH:0xFILE_OFFSET.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace bpfaot::loader {

struct AttachSpec {
  std::string program;   // function name
  bool is_return = false;
  std::string path;      // file, or a library's bare name ("libc", "libc.so.6") resolved in the process
  std::string symbol;    // "" = `offset` is a file offset
  uint64_t offset = 0;   // bytes after the symbol, or from the start of the file
  bool operator==(const AttachSpec&) const = default;
};

// [attach-spec] says which part is wrong. The path may contain colons; the symbol may not.
Result<AttachSpec> parse_attach_spec(std::string_view text);
// "SYMBOL+OFFSET" or a number.
Status parse_location(std::string_view text, AttachSpec& into);
// The part after "PROGRAM=".
std::string print_attach_target(const AttachSpec& spec);

} // namespace bpfaot::loader
