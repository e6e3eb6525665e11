// SPDX-License-Identifier: MIT
//
// The abstract value of a number: unsigned and signed interval of the whole word and of its low
// half, and the known bits (tnum), each kept as tight as the others allow. A value stands for the
// set of numbers that satisfy all five facets; it is never empty: an operation that finds the set
// empty says so (std::nullopt), which is how an impossible branch is recognised.
//
// The word has W bits and the half H = W/2. Programs need W = 64; the width is a parameter so that
// every operator can be tested exhaustively at 4 and 8 bits by the very code that runs at 64.
#pragma once

#include "bpf/insn.h"
#include "verifier/tnum.h"

#include <cstdint>
#include <optional>
#include <string>

namespace bpfaot::verifier {

template <unsigned B> constexpr uint64_t ones() {
  return B == 64 ? ~uint64_t{0} : (uint64_t{1} << (B % 64)) - 1;
}
template <unsigned B> constexpr int64_t sign_extended(uint64_t x) {
  return static_cast<int64_t>(x << (64 - B)) >> (64 - B);
}

// One width of a scalar: intervals and known bits of B-bit numbers.
template <unsigned B> struct View {
  static constexpr uint64_t kOnes = ones<B>();
  static constexpr uint64_t kSign = uint64_t{1} << (B - 1);
  static constexpr int64_t kMin = sign_extended<B>(kSign);
  static constexpr int64_t kMax = static_cast<int64_t>(kSign - 1);

  uint64_t umin = 0, umax = kOnes;
  int64_t smin = kMin, smax = kMax;
  Tnum bits = tnum_unknown(kOnes);

  bool operator==(const View&) const = default;
  static View constant(uint64_t x);
  bool is_constant() const { return umin == umax; }
  bool contains(uint64_t x) const;
  bool clamp_unsigned(uint64_t low, uint64_t high); // intersect; false: nothing is left
  bool clamp_signed(int64_t low, int64_t high);
  bool clamp_bits(Tnum known);
  bool reduce(); // makes the facets agree; false: the set is empty
};

template <unsigned W> struct BasicScalar {
  static constexpr unsigned H = W / 2;

  Tnum bits = tnum_unknown(ones<W>());
  uint64_t umin = 0, umax = ones<W>();
  int64_t smin = View<W>::kMin, smax = View<W>::kMax;
  uint32_t u32_min = 0, u32_max = static_cast<uint32_t>(ones<H>());
  int32_t s32_min = static_cast<int32_t>(View<H>::kMin),
          s32_max = static_cast<int32_t>(View<H>::kMax);

  bool operator==(const BasicScalar&) const = default;
  static BasicScalar constant(uint64_t x);
  static BasicScalar unsigned_range(uint64_t low, uint64_t high); // low <= high
  static BasicScalar signed_range(int64_t low, int64_t high);
  static BasicScalar from_low(const View<H>& low); // zero-extended
  // What a load of so many bits can give.
  static BasicScalar loaded(unsigned width, bool sign_extend);

  bool is_constant() const { return umin == umax; }
  bool contains(uint64_t x) const;
  // Every number of `other` is one of these, facet by facet.
  bool includes(const BasicScalar& other) const;
  View<W> full() const { return {umin, umax, smin, smax, bits}; }
  View<H> low() const { return {u32_min, u32_max, s32_min, s32_max, bits.truncated(ones<H>())}; }
  // Intersects the facets in and reduces; false: nothing is left, and the value is then unusable.
  bool meet_full(const View<W>& view);
  bool meet_low(const View<H>& view);
  bool meet(const BasicScalar& other);
  bool reduce();
};

using Scalar = BasicScalar<64>;

template <unsigned W> BasicScalar<W> join(const BasicScalar<W>& a, const BasicScalar<W>& b);

// Transfer functions. `wide` is the whole word; otherwise the low half is computed and
// zero-extended. AluOp::mov gives b. Shift counts are masked by the width; division and modulo by
// zero are defined (RFC 9669).
template <unsigned W>
BasicScalar<W> alu(bpf::AluOp op, bool wide, const BasicScalar<W>& a, const BasicScalar<W>& b);
template <unsigned W> BasicScalar<W> negate(bool wide, const BasicScalar<W>& a);
// Sign-extends the low `width` bits to the word, or to the half and then zero-extends.
template <unsigned W>
BasicScalar<W> sign_extend(unsigned width, bool wide, const BasicScalar<W>& a);
// The low `width` bits, zero-extended.
template <unsigned W> BasicScalar<W> zero_extend(unsigned width, const BasicScalar<W>& a);
// Reverses the order of the low width/8 bytes and zero-extends. W = 64 only.
Scalar byte_swap(unsigned width, const Scalar& a);

// Both operands of a comparison after it came out as `taken`; nullopt: it cannot.
template <unsigned W> struct Refined {
  BasicScalar<W> a, b;
};
template <unsigned W> std::optional<Refined<W>>
refine(bpf::Cond cond, bool wide, bool taken, const BasicScalar<W>& a, const BasicScalar<W>& b);

// In words: "the number 5", "a number in [0, 255]", "any number".
std::string describe(const Scalar& value);

} // namespace bpfaot::verifier
