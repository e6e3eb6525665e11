// SPDX-License-Identifier: MIT
//
// The spellings that printing and parsing share.
#pragma once

#include "bpf/insn.h"

#include <iterator>
#include <optional>
#include <string_view>

namespace bpfaot::bpf {

inline constexpr std::string_view kAluSymbols[] = {
    "+=", "-=", "*=", "/=", "s/=", "%=", "s%=", "|=", "&=", "^=", "<<=", ">>=", "s>>=", "="};
inline constexpr std::string_view kCondSymbols[] = {
    "==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"};
inline constexpr std::string_view kAtomicSymbols[] = {"+=", "|=", "&=", "^="};
inline constexpr std::string_view kAtomicWords[] = {"add", "or", "and", "xor"};
static_assert(std::size(kAluSymbols) == static_cast<size_t>(AluOp::mov) + 1);
static_assert(std::size(kCondSymbols) == static_cast<size_t>(Cond::set) + 1);
static_assert(std::size(kAtomicSymbols) == static_cast<size_t>(AtomicOp::bit_xor) + 1);

constexpr std::string_view alu_symbol(AluOp op) {
  return kAluSymbols[static_cast<size_t>(op)];
}
constexpr std::string_view cond_symbol(Cond cond) {
  return kCondSymbols[static_cast<size_t>(cond)];
}
constexpr std::string_view atomic_symbol(AtomicOp op) {
  return kAtomicSymbols[static_cast<size_t>(op)];
}
constexpr std::string_view atomic_word(AtomicOp op) {
  return kAtomicWords[static_cast<size_t>(op)];
}

template <class Enum, size_t N> constexpr std::optional<Enum>
find_spelling(const std::string_view (&table)[N], std::string_view text) {
  for (size_t i = 0; i < N; ++i)
    if (table[i] == text)
      return static_cast<Enum>(i);
  return std::nullopt;
}

} // namespace bpfaot::bpf
