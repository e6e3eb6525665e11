// SPDX-License-Identifier: MIT
//
// Transfer functions of the arithmetic instructions, one per operation, on a View of any width.
// Each computes what it knows about the interval facets and the bits independently and lets
// reduction combine them: every facet alone is sound, so their intersection is. Interval ends are
// computed in 128 bits; a result interval that does not wrap around in one piece is dropped.
#include "verifier/scalar.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>

namespace bpfaot::verifier {
namespace {

using bpf::AluOp;
using Int128 = __int128;

constexpr uint64_t low_ones(unsigned n) {
  return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1;
}

// Accepts the exact interval if all of it is reduced modulo 2^B by the same multiple.
template <unsigned B> void set_unsigned(View<B>& v, Int128 low, Int128 high) {
  if (low >> B != high >> B)
    return;
  v.umin = static_cast<uint64_t>(low) & ones<B>();
  v.umax = static_cast<uint64_t>(high) & ones<B>();
}
template <unsigned B> void set_signed(View<B>& v, Int128 low, Int128 high) {
  const Int128 half = Int128{1} << (B - 1);
  if ((low + half) >> B != (high + half) >> B)
    return;
  v.smin = sign_extended<B>(static_cast<uint64_t>(low));
  v.smax = sign_extended<B>(static_cast<uint64_t>(high));
}

template <unsigned B> View<B> reduced(View<B> v) {
  [[maybe_unused]] const bool some = v.reduce();
  assert(some);
  return v;
}

template <unsigned B> View<B> view_add(const View<B>& a, const View<B>& b) {
  View<B> r;
  set_unsigned(r, Int128{a.umin} + b.umin, Int128{a.umax} + b.umax);
  set_signed(r, Int128{a.smin} + b.smin, Int128{a.smax} + b.smax);
  r.bits = tnum_add(a.bits, b.bits, ones<B>());
  return r;
}

template <unsigned B> View<B> view_sub(const View<B>& a, const View<B>& b) {
  View<B> r;
  set_unsigned(r, Int128{a.umin} - b.umax, Int128{a.umax} - b.umin);
  set_signed(r, Int128{a.smin} - b.smax, Int128{a.smax} - b.smin);
  r.bits = tnum_sub(a.bits, b.bits, ones<B>());
  return r;
}

template <unsigned B> View<B> view_mul(const View<B>& a, const View<B>& b) {
  View<B> r;
  using U128 = unsigned __int128;
  const U128 least = U128{a.umin} * b.umin, most = U128{a.umax} * b.umax;
  if (least >> B == most >> B) {
    r.umin = static_cast<uint64_t>(least) & ones<B>();
    r.umax = static_cast<uint64_t>(most) & ones<B>();
  }
  const Int128 corners[] = {Int128{a.smin} * b.smin, Int128{a.smin} * b.smax,
                            Int128{a.smax} * b.smin, Int128{a.smax} * b.smax};
  set_signed(r, *std::min_element(std::begin(corners), std::end(corners)),
             *std::max_element(std::begin(corners), std::end(corners)));
  r.bits = tnum_mul(a.bits, b.bits, ones<B>());
  return r;
}

// Both signed operands fit in k + 1 bits, hence so does any bitwise combination.
template <unsigned B> void keep_sign_bits(View<B>& r, const View<B>& a, const View<B>& b) {
  const auto magnitude = [](int64_t x) { return static_cast<uint64_t>(x < 0 ? ~x : x); };
  const uint64_t most =
      std::max({magnitude(a.smin), magnitude(a.smax), magnitude(b.smin), magnitude(b.smax)});
  const auto filled = static_cast<int64_t>(low_ones(static_cast<unsigned>(std::bit_width(most))));
  r.smin = ~filled;
  r.smax = filled;
}

template <unsigned B> View<B> view_and(const View<B>& a, const View<B>& b) {
  View<B> r;
  keep_sign_bits(r, a, b);
  r.smax = std::min(r.smax, std::max(a.smax, b.smax) < 0 ? std::min(a.smax, b.smax)
                                                         : std::max(a.smax, b.smax));
  if (a.smin >= 0 || b.smin >= 0) {
    const int64_t most = a.smin < 0 ? b.smax : b.smin < 0 ? a.smax : std::min(a.smax, b.smax);
    r.smin = 0;
    r.smax = std::min(r.smax, most);
  }
  r.umax = std::min(a.umax, b.umax);
  r.bits = tnum_and(a.bits, b.bits);
  return r;
}

template <unsigned B> View<B> view_or(const View<B>& a, const View<B>& b) {
  View<B> r;
  keep_sign_bits(r, a, b);
  r.umin = std::max(a.umin, b.umin);
  r.umax = low_ones(static_cast<unsigned>(std::bit_width(a.umax | b.umax)));
  r.bits = tnum_or(a.bits, b.bits);
  return r;
}

template <unsigned B> View<B> view_xor(const View<B>& a, const View<B>& b) {
  View<B> r;
  keep_sign_bits(r, a, b);
  r.umax = low_ones(static_cast<unsigned>(std::bit_width(a.umax | b.umax)));
  r.bits = tnum_xor(a.bits, b.bits);
  return r;
}

template <unsigned B> View<B> view_join(const View<B>& a, const View<B>& b) {
  return {std::min(a.umin, b.umin), std::max(a.umax, b.umax), std::min(a.smin, b.smin),
          std::max(a.smax, b.smax), tnum_join(a.bits, b.bits)};
}

template <unsigned B> View<B> shift_by(AluOp op, const View<B>& a, unsigned count) {
  View<B> r;
  if (op == AluOp::lsh) {
    using U128 = unsigned __int128;
    const U128 least = U128{a.umin} << count, most = U128{a.umax} << count;
    if (least >> B == most >> B) {
      r.umin = static_cast<uint64_t>(least) & ones<B>();
      r.umax = static_cast<uint64_t>(most) & ones<B>();
    }
    set_signed(r, Int128{a.smin} * (Int128{1} << count), Int128{a.smax} * (Int128{1} << count));
    r.bits = tnum_lsh(a.bits, count, ones<B>());
  } else if (op == AluOp::rsh) {
    r.umin = a.umin >> count;
    r.umax = a.umax >> count;
    r.bits = tnum_rsh(a.bits, count);
  } else {
    r.smin = a.smin >> count;
    r.smax = a.smax >> count;
    const auto shifted = [count](uint64_t x) {
      return static_cast<uint64_t>(sign_extended<B>(x) >> count) & ones<B>();
    };
    r.bits = {shifted(a.bits.value), shifted(a.bits.mask)};
  }
  return reduced(r);
}

// Joins over every count that is possible: at most B of them.
template <unsigned B> View<B> view_shift(AluOp op, const View<B>& a, const View<B>& b) {
  const View<B> count = reduced(view_and(b, View<B>::constant(B - 1)));
  std::optional<View<B>> r;
  for (uint64_t n = count.umin; n <= count.umax; ++n) {
    if (!count.bits.contains(n))
      continue;
    const View<B> one = shift_by(op, a, static_cast<unsigned>(n));
    r = r ? view_join(*r, one) : one;
  }
  return r ? *r : View<B>{};
}

template <unsigned B> View<B> view_div(const View<B>& a, const View<B>& b) {
  View<B> r;
  r.umin = b.umin == 0 ? 0 : a.umin / b.umax;
  r.umax = b.umax == 0 ? 0 : a.umax / std::max<uint64_t>(b.umin, 1);
  return r;
}

template <unsigned B> View<B> view_mod(const View<B>& a, const View<B>& b) {
  if (b.umax == 0 || a.umax < b.umin)
    return a;
  View<B> r;
  r.umax = b.umin == 0 ? a.umax : std::min(a.umax, b.umax - 1);
  if (b.is_constant() && std::has_single_bit(b.umin))
    r.bits = tnum_and(a.bits, tnum_constant(b.umin - 1));
  return r;
}

template <unsigned B> View<B> view_sdiv(const View<B>& a, const View<B>& b) {
  View<B> r;
  if (b.smin == b.smax) {
    const Int128 c = b.smin;
    if (c == 0)
      return View<B>::constant(0);
    const Int128 x = Int128{a.smin} / c, y = Int128{a.smax} / c;
    set_signed(r, std::min(x, y), std::max(x, y));
    return r;
  }
  // Magnitudes only shrink; the one quotient that leaves the range, kMin / -1, wraps to kMin.
  const Int128 most = std::max(-Int128{a.smin}, Int128{a.smax});
  if (most <= View<B>::kMax)
    set_signed(r, -std::max<Int128>(most, -Int128{a.smax}),
               std::max<Int128>(most, -Int128{a.smin}));
  return r;
}

template <unsigned B> View<B> view_smod(const View<B>& a, const View<B>& b) {
  View<B> r;
  r.smin = std::min<int64_t>(a.smin, 0);
  r.smax = std::max<int64_t>(a.smax, 0);
  if (b.smin == b.smax && b.smin != 0) {
    const Int128 magnitude = b.smin < 0 ? -Int128{b.smin} : Int128{b.smin};
    r.smin = static_cast<int64_t>(std::max<Int128>(r.smin, 1 - magnitude));
    r.smax = static_cast<int64_t>(std::min<Int128>(r.smax, magnitude - 1));
  }
  return r;
}

template <unsigned B> View<B> apply(AluOp op, const View<B>& a, const View<B>& b) {
  switch (op) {
  case AluOp::add: return reduced(view_add(a, b));
  case AluOp::sub: return reduced(view_sub(a, b));
  case AluOp::mul: return reduced(view_mul(a, b));
  case AluOp::div: return reduced(view_div(a, b));
  case AluOp::sdiv: return reduced(view_sdiv(a, b));
  case AluOp::mod: return reduced(view_mod(a, b));
  case AluOp::smod: return reduced(view_smod(a, b));
  case AluOp::bit_or: return reduced(view_or(a, b));
  case AluOp::bit_and: return reduced(view_and(a, b));
  case AluOp::bit_xor: return reduced(view_xor(a, b));
  case AluOp::lsh:
  case AluOp::rsh:
  case AluOp::arsh: return reduced(view_shift(op, a, b));
  case AluOp::mov: return b;
  }
  return {};
}

// The low half of the result depends on the low halves of the operands only.
bool commutes_with_truncation(AluOp op) {
  switch (op) {
  case AluOp::add:
  case AluOp::sub:
  case AluOp::mul:
  case AluOp::bit_or:
  case AluOp::bit_and:
  case AluOp::bit_xor: return true;
  default: return false;
  }
}

template <unsigned W> BasicScalar<W> combine(const View<W>& full, const View<W / 2>& low) {
  BasicScalar<W> r;
  [[maybe_unused]] const bool some = r.meet_full(full) && r.meet_low(low);
  assert(some);
  return r;
}

// The low n bits as a range of n-bit numbers, if they do not wrap around within the range.
template <unsigned B> View<B> truncated(const View<B>& a, unsigned n) {
  View<B> r;
  r.umax = low_ones(n);
  if (n < B && a.umin >> n == a.umax >> n) {
    r.umin = a.umin & low_ones(n);
    r.umax = a.umax & low_ones(n);
  }
  if (n < B && a.smin >> n == a.smax >> n) {
    r.umin = std::max(r.umin, static_cast<uint64_t>(a.smin) & low_ones(n));
    r.umax = std::min(r.umax, static_cast<uint64_t>(a.smax) & low_ones(n));
  }
  r.bits = a.bits.truncated(low_ones(n));
  return reduced(r);
}

template <unsigned B> View<B> sign_extended_from(const View<B>& a, unsigned n) {
  View<B> r;
  const int64_t limit = static_cast<int64_t>(uint64_t{1} << (n - 1));
  r.smin = -limit;
  r.smax = limit - 1;
  const Int128 low = Int128{a.smin} + limit, high = Int128{a.smax} + limit;
  if (low >> n == high >> n) {
    const auto wrap = [n](int64_t x) {
      return static_cast<int64_t>(static_cast<uint64_t>(x) << (64 - n)) >> (64 - n);
    };
    r.smin = wrap(a.smin);
    r.smax = wrap(a.smax);
  }
  const auto extend = [n](uint64_t x) {
    return static_cast<uint64_t>(static_cast<int64_t>(x << (64 - n)) >> (64 - n)) & ones<B>();
  };
  r.bits = {extend(a.bits.value), extend(a.bits.mask)};
  return reduced(r);
}

} // namespace

template <unsigned W>
BasicScalar<W> alu(AluOp op, bool wide, const BasicScalar<W>& a, const BasicScalar<W>& b) {
  constexpr unsigned H = W / 2;
  if (!wide)
    return BasicScalar<W>::from_low(apply(op, a.low(), b.low()));
  if (op == AluOp::mov)
    return b;
  const View<W> full = apply(op, a.full(), b.full());
  if (commutes_with_truncation(op))
    return combine<W>(full, apply(op, a.low(), b.low()));
  if (op == AluOp::lsh && b.is_constant() && (b.umin & (W - 1)) < H)
    return combine<W>(full, apply(op, a.low(), View<H>::constant(b.umin & (W - 1))));
  return combine<W>(full, View<H>{});
}

template <unsigned W> BasicScalar<W> negate(bool wide, const BasicScalar<W>& a) {
  return alu(AluOp::sub, wide, BasicScalar<W>::constant(0), a);
}

template <unsigned W>
BasicScalar<W> sign_extend(unsigned width, bool wide, const BasicScalar<W>& a) {
  constexpr unsigned H = W / 2;
  if (!wide)
    return BasicScalar<W>::from_low(width >= H ? a.low() : sign_extended_from(a.low(), width));
  if (width >= W)
    return a;
  if (width == H) {
    View<W> full;
    full.smin = a.s32_min;
    full.smax = a.s32_max;
    return combine<W>(full, a.low());
  }
  View<W> full = sign_extended_from(a.full(), width);
  if (width < H) {
    const View<H> low = sign_extended_from(a.low(), width);
    full.smin = std::max(full.smin, low.smin);
    full.smax = std::min(full.smax, low.smax);
    return combine<W>(full, low);
  }
  return combine<W>(full, a.low());
}

template <unsigned W> BasicScalar<W> zero_extend(unsigned width, const BasicScalar<W>& a) {
  constexpr unsigned H = W / 2;
  if (width >= W)
    return a;
  if (width == H)
    return BasicScalar<W>::from_low(a.low());
  const View<W> full = truncated(a.full(), width);
  return combine<W>(full, width < H ? truncated(a.low(), width) : a.low());
}

Scalar byte_swap(unsigned width, const Scalar& a) {
  const auto swapped = [width](uint64_t x) { return __builtin_bswap64(x) >> (64 - width); };
  Scalar r;
  View<64> view;
  view.bits = {swapped(a.bits.value), swapped(a.bits.mask)};
  [[maybe_unused]] const bool some = r.meet_full(view);
  assert(some);
  return r;
}

#define BPFAOT_INSTANTIATE(W)                                                                      \
  template BasicScalar<W> alu(AluOp, bool, const BasicScalar<W>&, const BasicScalar<W>&);          \
  template BasicScalar<W> negate(bool, const BasicScalar<W>&);                                     \
  template BasicScalar<W> sign_extend(unsigned, bool, const BasicScalar<W>&);                      \
  template BasicScalar<W> zero_extend(unsigned, const BasicScalar<W>&);
BPFAOT_INSTANTIATE(4)
BPFAOT_INSTANTIATE(8)
BPFAOT_INSTANTIATE(64)
#undef BPFAOT_INSTANTIATE

} // namespace bpfaot::verifier
