// SPDX-License-Identifier: MIT
//
// Random programs that the verifier mostly accepts and whose result depends on nothing but their
// memory: no address ever becomes a number that is kept. r1 points to 64 bytes of memory.
//
// What they do: arithmetic in both widths with registers and edge constants, division and modulo
// by whatever comes, byte order, sign extension, 64-bit constants; loads, stores and atomics of
// every size on the memory and the stack, at fixed and at computed places, aligned and not; spilled
// numbers and pointers; branches of all kinds, short and long jumps; loops with a counter and with
// may_goto; functions, called directly and through a register, on the memory or on the caller's
// stack.
#pragma once

#include "bpf/insn.h"

#include <cstdint>
#include <string>
#include <vector>

namespace bpfaot::tests {

inline constexpr uint32_t kRandomMemory = 64; // bytes behind r1

// As slots of bytes, for BareModule. The same seed gives the same program everywhere.
std::vector<uint8_t> random_program(uint64_t seed);
// `count` blocks of kRandomMemory bytes, many of them numbers at the edges.
std::vector<uint8_t> random_inputs(uint64_t seed, uint32_t count);
// One instruction a line, with slot numbers.
std::string listing(const std::vector<uint8_t>& code);

} // namespace bpfaot::tests
