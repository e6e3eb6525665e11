// SPDX-License-Identifier: MIT
//
// Several objects as one, by libbpf's rules of static linking: one strong definition of a name,
// weak ones give way, externs of functions, variables and maps find their definition and must agree
// with it. link_objects.cpp is the only file that includes libbpf.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::bpf {

// What the linker's process may use: far more than the objects of any program.
struct LinkLimits {
  uint64_t seconds = 30;           // of processor time
  uint64_t memory = uint64_t{1} << 30; // bytes, beyond what this process has already
  uint64_t output = uint64_t{1} << 28;
};

// The bytes of the linked object; at least two paths. Each file is read by our own reader first,
// and libbpf sees the bytes that were checked, in a process of its own. What it says against them
// is the message. [io] [objects-conflict] [objects-limit], and the codes of read_object()
Result<std::vector<uint8_t>> link_objects(std::span<const std::string> paths,
                                          const LinkLimits& limits = {});

} // namespace bpfaot::bpf
