// SPDX-License-Identifier: MIT
//
// What a comparison that came out one way says about its operands. Works on copies of both and
// claims "impossible" only when a facet is left without members.
#include "verifier/scalar.h"

#include <utility>

namespace bpfaot::verifier {
namespace {

using bpf::Cond;

template <unsigned B> struct Pair {
  View<B> a, b;

  bool equal() {
    return a.clamp_unsigned(b.umin, b.umax) && a.clamp_signed(b.smin, b.smax) &&
           a.clamp_bits(b.bits) && a.reduce() && ((b = a), true);
  }
  // An end of `v` that is the excluded number moves inwards.
  static bool exclude(View<B>& v, uint64_t number) {
    if (v.is_constant())
      return v.umin != number;
    v.umin += v.umin == number;
    v.umax -= v.umax == number;
    const int64_t number_signed = sign_extended<B>(number);
    v.smin += v.smin == number_signed && v.smin < v.smax;
    v.smax -= v.smax == number_signed && v.smin < v.smax;
    return v.reduce();
  }
  bool different() {
    if (b.is_constant() && !exclude(a, b.umin))
      return false;
    return !a.is_constant() || exclude(b, a.umin);
  }
  // a < b, or a <= b, unsigned. `first` and `second` are a and b or swapped.
  static bool below(View<B>& first, View<B>& second, bool strict) {
    if (strict && (second.umax == 0 || first.umin == ones<B>()))
      return false;
    return first.clamp_unsigned(0, second.umax - strict) &&
           second.clamp_unsigned(first.umin + strict, ones<B>()) && first.reduce() &&
           second.reduce();
  }
  static bool less(View<B>& first, View<B>& second, bool strict) {
    if (strict && (second.smax == View<B>::kMin || first.smin == View<B>::kMax))
      return false;
    return first.clamp_signed(View<B>::kMin, second.smax - strict) &&
           second.clamp_signed(first.smin + strict, View<B>::kMax) && first.reduce() &&
           second.reduce();
  }
  bool shares_a_bit() {
    const uint64_t common = a.bits.max() & b.bits.max();
    if (common == 0)
      return false;
    // Which of several bits it is stays unknown. That only one of them is possible is used, as in
    // the kernel, only where the mask itself is a single constant bit.
    if (!b.is_constant() || !std::has_single_bit(b.umin))
      return true;
    return a.clamp_bits({common, ones<B>() & ~common}) &&
           b.clamp_bits({common, ones<B>() & ~common}) && a.reduce() && b.reduce();
  }
  bool shares_no_bit() {
    return a.clamp_bits({0, ones<B>() & ~b.bits.value}) &&
           b.clamp_bits({0, ones<B>() & ~a.bits.value}) && a.reduce() && b.reduce();
  }

  bool hold(Cond cond) {
    switch (cond) {
    case Cond::eq: return equal();
    case Cond::ne: return different();
    case Cond::ugt: return below(b, a, true);
    case Cond::uge: return below(b, a, false);
    case Cond::ult: return below(a, b, true);
    case Cond::ule: return below(a, b, false);
    case Cond::sgt: return less(b, a, true);
    case Cond::sge: return less(b, a, false);
    case Cond::slt: return less(a, b, true);
    case Cond::sle: return less(a, b, false);
    case Cond::set: return shares_a_bit();
    }
    return true;
  }
};

// `set` has no opposite among the conditions.
Cond opposite(Cond cond) {
  switch (cond) {
  case Cond::eq: return Cond::ne;
  case Cond::ne: return Cond::eq;
  case Cond::ugt: return Cond::ule;
  case Cond::uge: return Cond::ult;
  case Cond::ult: return Cond::uge;
  case Cond::ule: return Cond::ugt;
  case Cond::sgt: return Cond::sle;
  case Cond::sge: return Cond::slt;
  case Cond::slt: return Cond::sge;
  case Cond::sle: return Cond::sgt;
  case Cond::set: break;
  }
  return cond;
}

template <unsigned B> bool decide(Pair<B>& pair, Cond cond, bool taken) {
  if (taken)
    return pair.hold(cond);
  return cond == Cond::set ? pair.shares_no_bit() : pair.hold(opposite(cond));
}

} // namespace

template <unsigned W> std::optional<Refined<W>>
refine(Cond cond, bool wide, bool taken, const BasicScalar<W>& a, const BasicScalar<W>& b) {
  Refined<W> r{a, b};
  if (wide) {
    // Equality also relates the halves; every other condition speaks of whole words only.
    const bool equal = (cond == Cond::eq && taken) || (cond == Cond::ne && !taken);
    if (equal && (!r.a.meet(b) || !r.b.meet(a)))
      return std::nullopt;
    Pair<W> pair{r.a.full(), r.b.full()};
    if (!decide(pair, cond, taken) || !r.a.meet_full(pair.a) || !r.b.meet_full(pair.b))
      return std::nullopt;
    return r;
  }
  Pair<W / 2> pair{a.low(), b.low()};
  if (!decide(pair, cond, taken) || !r.a.meet_low(pair.a) || !r.b.meet_low(pair.b))
    return std::nullopt;
  return r;
}

template std::optional<Refined<4>> refine(Cond, bool, bool, const BasicScalar<4>&,
                                          const BasicScalar<4>&);
template std::optional<Refined<8>> refine(Cond, bool, bool, const BasicScalar<8>&,
                                          const BasicScalar<8>&);
template std::optional<Refined<64>> refine(Cond, bool, bool, const BasicScalar<64>&,
                                           const BasicScalar<64>&);

} // namespace bpfaot::verifier
