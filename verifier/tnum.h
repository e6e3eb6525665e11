// SPDX-License-Identifier: MIT
//
// Tristate numbers: every bit is 0, 1 or unknown. A tnum stands for the set
// { value | m : m is a subset of mask }; value and mask never share a bit. Addition, subtraction
// and the join follow Vishwanathan, Shachnai, Narayana, Nagarakatte, "Sound, Precise, and Fast
// Abstract Interpretation with Tristate Numbers" (CGO 2022); multiplication is the schoolbook sum
// over the bits of one factor. Functions that can carry out of the width take it as `ones`.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>

namespace bpfaot::verifier {

struct Tnum {
  uint64_t value = 0, mask = 0;

  constexpr bool operator==(const Tnum&) const = default;
  constexpr bool is_constant() const { return mask == 0; }
  constexpr bool contains(uint64_t x) const { return (x & ~mask) == value; }
  constexpr uint64_t max() const { return value | mask; }
  constexpr Tnum truncated(uint64_t ones) const { return {value & ones, mask & ones}; }
  // Every member of `other` is a member of this.
  constexpr bool includes(Tnum other) const {
    return (other.mask & ~mask) == 0 && (other.value & ~mask) == value;
  }
};

constexpr Tnum tnum_constant(uint64_t x) {
  return {x, 0};
}
constexpr Tnum tnum_unknown(uint64_t ones) {
  return {0, ones};
}

// The bits that all of [low, high] have in common.
constexpr Tnum tnum_range(uint64_t low, uint64_t high) {
  const int width = std::bit_width(low ^ high);
  const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
  return {low & ~mask, mask};
}

constexpr Tnum tnum_add(Tnum a, Tnum b, uint64_t ones) {
  const uint64_t least = a.value + b.value;
  const uint64_t carries = (least + a.mask + b.mask) ^ least;
  const uint64_t mask = (carries | a.mask | b.mask) & ones;
  return {least & ~mask & ones, mask};
}

constexpr Tnum tnum_sub(Tnum a, Tnum b, uint64_t ones) {
  const uint64_t difference = a.value - b.value;
  const uint64_t borrows = (difference + a.mask) ^ (difference - b.mask);
  const uint64_t mask = (borrows | a.mask | b.mask) & ones;
  return {difference & ~mask & ones, mask};
}

constexpr Tnum tnum_and(Tnum a, Tnum b) {
  const uint64_t value = a.value & b.value;
  return {value, a.max() & b.max() & ~value};
}

constexpr Tnum tnum_or(Tnum a, Tnum b) {
  const uint64_t value = a.value | b.value;
  return {value, (a.mask | b.mask) & ~value};
}

constexpr Tnum tnum_xor(Tnum a, Tnum b) {
  const uint64_t mask = a.mask | b.mask;
  return {(a.value ^ b.value) & ~mask, mask};
}

constexpr Tnum tnum_lsh(Tnum a, unsigned count, uint64_t ones) {
  return {(a.value << count) & ones, (a.mask << count) & ones};
}

constexpr Tnum tnum_rsh(Tnum a, unsigned count) {
  return {a.value >> count, a.mask >> count};
}

constexpr Tnum tnum_mul(Tnum a, Tnum b, uint64_t ones) {
  Tnum sum{};
  for (uint64_t rest = a.max(); rest != 0; rest &= rest - 1) {
    const auto bit = static_cast<unsigned>(std::countr_zero(rest));
    const Tnum shifted = tnum_lsh(b, bit, ones);
    const bool certain = (a.value >> bit & 1) != 0;
    sum = tnum_add(sum, certain ? shifted : Tnum{0, shifted.max()}, ones);
  }
  return sum;
}

constexpr Tnum tnum_join(Tnum a, Tnum b) {
  const uint64_t mask = a.mask | b.mask | (a.value ^ b.value);
  return {a.value & ~mask, mask};
}

constexpr std::optional<Tnum> tnum_meet(Tnum a, Tnum b) {
  if (((a.value ^ b.value) & ~a.mask & ~b.mask) != 0)
    return std::nullopt;
  const uint64_t mask = a.mask & b.mask;
  return Tnum{(a.value | b.value) & ~mask, mask};
}

// The least member that is >= x, if there is one. Members are value + s with s a subset of mask,
// so this is the least subset >= x - value: the bits of the difference that lie outside the mask
// force a carry into the mask bits above the highest of them.
constexpr std::optional<uint64_t> tnum_at_least(Tnum t, uint64_t x) {
  if (x <= t.value)
    return t.value;
  const uint64_t distance = x - t.value;
  const uint64_t outside = distance & ~t.mask;
  if (outside == 0)
    return t.value | distance;
  const int top = std::bit_width(outside);
  const uint64_t below = top == 64 ? ~uint64_t{0} : (uint64_t{1} << top) - 1;
  const uint64_t filled = distance | ~t.mask | below;
  if (filled == ~uint64_t{0})
    return std::nullopt;
  return t.value | ((filled + 1) & t.mask);
}

// The greatest member that is <= x, if there is one: the mirror image.
constexpr std::optional<uint64_t> tnum_at_most(Tnum t, uint64_t x) {
  const std::optional<uint64_t> mirrored = tnum_at_least({~t.max(), t.mask}, ~x);
  if (!mirrored)
    return std::nullopt;
  return ~*mirrored;
}

} // namespace bpfaot::verifier
