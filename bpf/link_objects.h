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

// The bytes of the linked object; at least two paths. Each file is read by our own reader first,
// and libbpf sees the bytes that were checked, in a process of its own. What it says against them
// is the message. [io] [objects-conflict], and the codes of read_object()
Result<std::vector<uint8_t>> link_objects(std::span<const std::string> paths);

} // namespace bpfaot::bpf
