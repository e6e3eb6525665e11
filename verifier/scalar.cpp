// SPDX-License-Identifier: MIT
//
// How the facets of a scalar tighten each other, and the set operations.
//
// Reduction works on sets: each step removes only numbers that violate another facet, so it can
// stop anywhere and stay sound; "empty" is claimed only when no number satisfies two facets. The
// workhorse raises (lowers) one end of an interval to the next number whose low n bits lie in a
// cyclic interval. With n = W it relates signed and unsigned order; with n = H it relates the word
// to its low half.
#include "verifier/scalar.h"

#include <algorithm>
#include <cassert>

namespace bpfaot::verifier {
namespace {

constexpr int kRounds = 4; // of reduction; more never helped in the exhaustive tests

constexpr uint64_t low_ones(unsigned n) {
  return n == 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
}

// Numbers whose low `width` bits lie in [first, last], counted upwards modulo 2^width.
struct Cycle {
  uint64_t first, last;
  unsigned width;
  bool holds(uint64_t low) const {
    return ((low - first) & low_ones(width)) <= ((last - first) & low_ones(width));
  }
};

// Least y >= x in the cycle with y <= limit.
std::optional<uint64_t> at_least(const Cycle& cycle, uint64_t x, uint64_t limit) {
  const uint64_t mask = low_ones(cycle.width);
  const uint64_t low = x & mask;
  if (cycle.holds(low))
    return x;
  uint64_t y = (x & ~mask) | cycle.first;
  if (low > cycle.first) {
    if (cycle.width == 64 || y + mask + 1 < y)
      return std::nullopt;
    y += mask + 1;
  }
  return y <= limit ? std::optional(y) : std::nullopt;
}

// Greatest y <= x in the cycle.
std::optional<uint64_t> at_most(const Cycle& cycle, uint64_t x) {
  const uint64_t mask = low_ones(cycle.width);
  const uint64_t low = x & mask;
  if (cycle.holds(low))
    return x;
  uint64_t y = (x & ~mask) | cycle.last;
  if (low < cycle.last) {
    if (cycle.width == 64 || y < mask + 1)
      return std::nullopt;
    y -= mask + 1;
  }
  return y;
}

// An interval of B-bit numbers in unsigned order; signed ones are shifted by 2^(B-1) ("biased").
struct Interval {
  uint64_t low, high;
  bool meet(const Cycle& cycle) {
    const std::optional<uint64_t> first = at_least(cycle, low, high);
    const std::optional<uint64_t> last = at_most(cycle, high);
    if (!first || !last || *first > *last)
      return false;
    low = *first;
    high = *last;
    return true;
  }
  bool meet(Tnum bits) {
    const std::optional<uint64_t> first = tnum_at_least(bits, low);
    const std::optional<uint64_t> last = tnum_at_most(bits, high);
    if (!first || !last || *first > *last)
      return false;
    low = *first;
    high = *last;
    return true;
  }
};

template <unsigned B> uint64_t bias(int64_t x) {
  return (static_cast<uint64_t>(x) ^ View<B>::kSign) & ones<B>();
}
template <unsigned B> int64_t unbias(uint64_t x) {
  return sign_extended<B>(x ^ View<B>::kSign);
}
template <unsigned B> Tnum bias(Tnum t) {
  return (t.mask & View<B>::kSign) != 0 ? t : Tnum{t.value ^ View<B>::kSign, t.mask};
}

template <unsigned B> Interval unsigned_interval(const View<B>& v) {
  return {v.umin, v.umax};
}
template <unsigned B> Interval signed_interval(const View<B>& v) {
  return {bias<B>(v.smin), bias<B>(v.smax)};
}
template <unsigned B> void set_signed(View<B>& v, const Interval& i) {
  v.smin = unbias<B>(i.low);
  v.smax = unbias<B>(i.high);
}

// If all of [low, high] (in a biased or plain order) share the bits above n, the low n bits range
// over a cycle.
std::optional<Cycle> low_cycle(uint64_t low, uint64_t high, unsigned n) {
  const uint64_t mask = low_ones(n);
  if (high - low > mask)
    return std::nullopt;
  return Cycle{low & mask, high & mask, n};
}

template <unsigned B> bool meet_cycle(View<B>& v, const Cycle& cycle) {
  Interval u = unsigned_interval(v);
  if (!u.meet(cycle))
    return false;
  v.umin = u.low;
  v.umax = u.high;
  Interval s = signed_interval(v);
  Cycle biased = cycle;
  if (cycle.width == B) { // biasing moves the top bit, which is inside the cycle only at full width
    biased.first = cycle.first ^ View<B>::kSign;
    biased.last = cycle.last ^ View<B>::kSign;
  }
  if (!s.meet(biased))
    return false;
  set_signed(v, s);
  return true;
}

} // namespace

template <unsigned B> View<B> View<B>::constant(uint64_t x) {
  x &= kOnes;
  return {x, x, sign_extended<B>(x), sign_extended<B>(x), tnum_constant(x)};
}

template <unsigned B> bool View<B>::contains(uint64_t x) const {
  const int64_t s = sign_extended<B>(x);
  return x >= umin && x <= umax && s >= smin && s <= smax && bits.contains(x);
}

template <unsigned B> bool View<B>::clamp_unsigned(uint64_t low, uint64_t high) {
  umin = std::max(umin, low);
  umax = std::min(umax, high);
  return umin <= umax;
}

template <unsigned B> bool View<B>::clamp_signed(int64_t low, int64_t high) {
  smin = std::max(smin, low);
  smax = std::min(smax, high);
  return smin <= smax;
}

template <unsigned B> bool View<B>::clamp_bits(Tnum known) {
  const std::optional<Tnum> both = tnum_meet(bits, known);
  if (!both)
    return false;
  bits = *both;
  return true;
}

template <unsigned B> bool View<B>::reduce() {
  if (umin > umax || smin > smax)
    return false;
  for (int round = 0; round < kRounds; ++round) {
    const View before = *this;
    if (!meet_cycle(*this, Cycle{umin, umax, B}) ||
        !meet_cycle(*this, Cycle{static_cast<uint64_t>(smin) & kOnes,
                                 static_cast<uint64_t>(smax) & kOnes, B}))
      return false;
    if (!clamp_bits(tnum_range(umin, umax)))
      return false;
    Interval s = signed_interval(*this);
    const Tnum common = tnum_range(s.low, s.high);
    if (!clamp_bits(bias<B>(common)))
      return false;
    Interval u = unsigned_interval(*this);
    if (!u.meet(bits) || !s.meet(bias<B>(bits)))
      return false;
    umin = u.low;
    umax = u.high;
    set_signed(*this, s);
    if (*this == before)
      break;
  }
  return true;
}

namespace {

template <unsigned W> void assign(BasicScalar<W>& s, const View<W>& full, const View<W / 2>& low) {
  s.bits = full.bits;
  s.umin = full.umin;
  s.umax = full.umax;
  s.smin = full.smin;
  s.smax = full.smax;
  s.u32_min = static_cast<uint32_t>(low.umin);
  s.u32_max = static_cast<uint32_t>(low.umax);
  s.s32_min = static_cast<int32_t>(low.smin);
  s.s32_max = static_cast<int32_t>(low.smax);
}

// One exchange between the word and its half in both directions.
template <unsigned W> bool exchange(View<W>& full, View<W / 2>& low) {
  constexpr unsigned H = W / 2;
  if (const auto cycle = low_cycle(full.umin, full.umax, H); cycle && !meet_cycle(low, *cycle))
    return false;
  const Interval s = signed_interval(full);
  if (const auto cycle = low_cycle(s.low, s.high, H); cycle && !meet_cycle(low, *cycle))
    return false;
  if (!low.clamp_bits(full.bits.truncated(ones<H>())) || !low.reduce())
    return false;
  const uint64_t upper = ones<W>() & ~ones<H>();
  if (!full.clamp_bits({low.bits.value, low.bits.mask | upper}))
    return false;
  return meet_cycle(full, Cycle{low.umin, low.umax, H}) &&
         meet_cycle(full, Cycle{static_cast<uint64_t>(low.smin) & ones<H>(),
                                static_cast<uint64_t>(low.smax) & ones<H>(), H}) &&
         full.reduce();
}

template <unsigned W> bool settle(BasicScalar<W>& s, View<W> full, View<W / 2> low) {
  if (!full.reduce() || !low.reduce())
    return false;
  for (int round = 0; round < kRounds; ++round) {
    const View<W> full_before = full;
    const View<W / 2> low_before = low;
    if (!exchange<W>(full, low))
      return false;
    if (full == full_before && low == low_before)
      break;
  }
  assign(s, full, low);
  return true;
}

} // namespace

template <unsigned W> bool BasicScalar<W>::reduce() {
  return settle(*this, full(), low());
}

template <unsigned W> BasicScalar<W> BasicScalar<W>::constant(uint64_t x) {
  BasicScalar result;
  assign(result, View<W>::constant(x), View<H>::constant(x));
  return result;
}

template <unsigned W> BasicScalar<W> BasicScalar<W>::unsigned_range(uint64_t low, uint64_t high) {
  BasicScalar result;
  View<W> view;
  view.umin = low;
  view.umax = high;
  [[maybe_unused]] const bool some = result.meet_full(view);
  assert(some);
  return result;
}

template <unsigned W> BasicScalar<W> BasicScalar<W>::signed_range(int64_t low, int64_t high) {
  BasicScalar result;
  View<W> view;
  view.smin = low;
  view.smax = high;
  [[maybe_unused]] const bool some = result.meet_full(view);
  assert(some);
  return result;
}

template <unsigned W> BasicScalar<W> BasicScalar<W>::from_low(const View<H>& low) {
  BasicScalar result;
  View<W> view;
  view.umin = low.umin;
  view.umax = low.umax;
  view.bits = low.bits;
  [[maybe_unused]] const bool some = settle(result, view, low);
  assert(some);
  return result;
}

template <unsigned W> BasicScalar<W> BasicScalar<W>::loaded(unsigned width, bool sign_extend) {
  if (width >= W)
    return {};
  if (sign_extend) {
    const auto limit = static_cast<int64_t>(uint64_t{1} << (width - 1));
    return signed_range(-limit, limit - 1);
  }
  return unsigned_range(0, low_ones(width));
}

template <unsigned W> bool BasicScalar<W>::contains(uint64_t x) const {
  return full().contains(x) && low().contains(x & ones<H>());
}

template <unsigned W> bool BasicScalar<W>::includes(const BasicScalar& other) const {
  return umin <= other.umin && other.umax <= umax && smin <= other.smin && other.smax <= smax &&
         u32_min <= other.u32_min && other.u32_max <= u32_max && s32_min <= other.s32_min &&
         other.s32_max <= s32_max && bits.includes(other.bits);
}

template <unsigned W> bool BasicScalar<W>::meet_full(const View<W>& view) {
  View<W> mine = full();
  return mine.clamp_unsigned(view.umin, view.umax) && mine.clamp_signed(view.smin, view.smax) &&
         mine.clamp_bits(view.bits) && settle(*this, mine, low());
}

template <unsigned W> bool BasicScalar<W>::meet_low(const View<H>& view) {
  View<H> mine = low();
  return mine.clamp_unsigned(view.umin, view.umax) && mine.clamp_signed(view.smin, view.smax) &&
         mine.clamp_bits(view.bits) && settle(*this, full(), mine);
}

template <unsigned W> bool BasicScalar<W>::meet(const BasicScalar& other) {
  return meet_full(other.full()) && meet_low(other.low());
}

template <unsigned W> BasicScalar<W> join(const BasicScalar<W>& a, const BasicScalar<W>& b) {
  BasicScalar<W> result;
  result.bits = tnum_join(a.bits, b.bits);
  result.umin = std::min(a.umin, b.umin);
  result.umax = std::max(a.umax, b.umax);
  result.smin = std::min(a.smin, b.smin);
  result.smax = std::max(a.smax, b.smax);
  result.u32_min = std::min(a.u32_min, b.u32_min);
  result.u32_max = std::max(a.u32_max, b.u32_max);
  result.s32_min = std::min(a.s32_min, b.s32_min);
  result.s32_max = std::max(a.s32_max, b.s32_max);
  return result;
}

std::string describe(const Scalar& value) {
  if (value.is_constant()) {
    const auto number = static_cast<int64_t>(value.umin);
    return "the number " + std::to_string(number);
  }
  const auto range = [](const std::string& low, const std::string& high) {
    return "a number in [" + low + ", " + high + "]";
  };
  if (value.umin != 0 || value.umax != UINT64_MAX)
    if (value.smin >= 0 || value.smin == INT64_MIN)
      return range(std::to_string(value.umin), std::to_string(value.umax));
  if (value.smin != INT64_MIN || value.smax != INT64_MAX)
    return range(std::to_string(value.smin), std::to_string(value.smax));
  if (value.u32_min != 0 || value.u32_max != UINT32_MAX)
    return "a number whose low 32 bits are in [" + std::to_string(value.u32_min) + ", " +
           std::to_string(value.u32_max) + "]";
  return "any number";
}

template struct View<2>;
template struct View<4>;
template struct View<8>;
template struct View<32>;
template struct View<64>;
template struct BasicScalar<4>;
template struct BasicScalar<8>;
template struct BasicScalar<64>;
template BasicScalar<4> join(const BasicScalar<4>&, const BasicScalar<4>&);
template BasicScalar<8> join(const BasicScalar<8>&, const BasicScalar<8>&);
template BasicScalar<64> join(const BasicScalar<64>&, const BasicScalar<64>&);

} // namespace bpfaot::verifier
