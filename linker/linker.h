// SPDX-License-Identifier: MIT
//
// From the relocatable object that code generation made to the finished image: link_shared() runs
// lld in this process, finalise() writes what is only known at the end, check_layout() proves the
// promises of docs/abi.md on the finished bytes.
#pragma once

#include "support/result.h"
#include "targets/target.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::linker {

struct LinkOptions {
  bool debug = false;                      // keep debug information and the names of functions
  std::span<const std::string> extra = {}; // arguments of the user
};

// ET_REL bytes to ET_DYN bytes, with what they need of the object file `library` ("" = nothing).
// [link] carries lld's own words.
Result<std::vector<uint8_t>> link_shared(const targets::Target& target,
                                         std::span<const uint8_t> object,
                                         const std::string& library,
                                         const LinkOptions& options = {});
// The arguments that link_shared() gives to lld, for -###.
std::vector<std::string> link_arguments(const targets::Target& target, const std::string& object,
                                        const std::string& library, const std::string& output,
                                        const LinkOptions& options = {});
std::string lld_version();

// Patches sizes, worst-case stacks (by program index) and the digest into the descriptor.
Status finalise(std::vector<uint8_t>& image, std::span<const uint32_t> program_stacks);

// Every promise that can be read off the file: [layout] names the first one broken.
Status check_layout(const targets::Target& target, std::span<const uint8_t> image);

} // namespace bpfaot::linker
