// SPDX-License-Identifier: MIT
//
// What tests/patch/execution.cpp needs to know of aarch64.
#pragma once

#include "targets/aarch64/patch.h"

namespace machine {

inline const bpfaot::targets::Patcher& kPatcher = bpfaot::targets::aarch64::kPatcher;
constexpr int kSlots = 34;                                 // of pt_regs
constexpr int kArgument = 0, kResult = 0, kStack = 31, kPc = 32;
constexpr int kFlags = 33, kLink = 30;
constexpr uint64_t kFlagBits = 0xf0000000;
constexpr int kValues = 32 + 64;                           // x0 to x30, nzcv, v0 to v31
constexpr int kFlagsValue = 31;
constexpr uint64_t kScratch = 0x7ffff | 1u << 30;          // what programs change, DWARF numbers
constexpr uint64_t kArena = 0x4000000;                     // within reach of code linked at 0x400000
// Slots of pt_regs that hold what call_with put into registers of the same number.
constexpr int kFirstPlain = 0, kLastPlain = 29;
inline int value_of_slot(int slot) { return slot; }

} // namespace machine
