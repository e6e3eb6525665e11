// SPDX-License-Identifier: MIT
//
// The domain against brute force: at 4 and 8 bits every member of every abstract value is put
// through the concrete operation; at 64 bits members are sampled around the awkward numbers. What
// must hold: no concrete result is ever lost (soundness), least of all by calling a branch dead.
#include "verifier/scalar.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace bpfaot::verifier {
namespace {

using bpf::AluOp;
using bpf::Cond;

constexpr AluOp kOps[] = {AluOp::add, AluOp::sub,  AluOp::mul,    AluOp::div,     AluOp::sdiv,
                          AluOp::mod, AluOp::smod, AluOp::bit_or, AluOp::bit_and, AluOp::bit_xor,
                          AluOp::lsh, AluOp::rsh,  AluOp::arsh,   AluOp::mov};
constexpr Cond kConds[] = {Cond::eq,  Cond::ne,  Cond::ugt, Cond::uge, Cond::ult, Cond::ule,
                           Cond::sgt, Cond::sge, Cond::slt, Cond::sle, Cond::set};

// RFC 9669 on B-bit numbers, written without any of the code under test.
template <unsigned B> uint64_t concrete(AluOp op, uint64_t a, uint64_t b) {
  const uint64_t all = B == 64 ? ~0ull : (1ull << (B % 64)) - 1;
  a &= all;
  b &= all;
  const auto sign = [](uint64_t x) { return static_cast<int64_t>(x << (64 - B)) >> (64 - B); };
  const int64_t sa = sign(a), sb = sign(b);
  switch (op) {
  case AluOp::add: return (a + b) & all;
  case AluOp::sub: return (a - b) & all;
  case AluOp::mul: return (a * b) & all;
  case AluOp::div: return b == 0 ? 0 : a / b;
  case AluOp::mod: return b == 0 ? a : a % b;
  case AluOp::sdiv:
    return sb == 0 ? 0 : sb == -1 ? (0 - a) & all : static_cast<uint64_t>(sa / sb) & all;
  case AluOp::smod: return sb == 0 ? a : sb == -1 ? 0 : static_cast<uint64_t>(sa % sb) & all;
  case AluOp::bit_or: return a | b;
  case AluOp::bit_and: return a & b;
  case AluOp::bit_xor: return a ^ b;
  case AluOp::lsh: return (a << (b % B)) & all;
  case AluOp::rsh: return a >> (b % B);
  case AluOp::arsh: return static_cast<uint64_t>(sa >> (b % B)) & all;
  case AluOp::mov: return b;
  }
  return 0;
}

template <unsigned B> bool concrete(Cond cond, uint64_t a, uint64_t b) {
  const uint64_t all = B == 64 ? ~0ull : (1ull << (B % 64)) - 1;
  a &= all;
  b &= all;
  const auto sign = [](uint64_t x) { return static_cast<int64_t>(x << (64 - B)) >> (64 - B); };
  const int64_t sa = sign(a), sb = sign(b);
  switch (cond) {
  case Cond::eq: return a == b;
  case Cond::ne: return a != b;
  case Cond::ugt: return a > b;
  case Cond::uge: return a >= b;
  case Cond::ult: return a < b;
  case Cond::ule: return a <= b;
  case Cond::sgt: return sa > sb;
  case Cond::sge: return sa >= sb;
  case Cond::slt: return sa < sb;
  case Cond::sle: return sa <= sb;
  case Cond::set: return (a & b) != 0;
  }
  return false;
}

// Every distinct value that one interval, one signed interval or one tnum can describe, reduced.
template <unsigned W> std::vector<BasicScalar<W>> every_simple_value() {
  std::vector<BasicScalar<W>> result;
  const auto keep = [&result](const BasicScalar<W>& value) {
    if (std::find(result.begin(), result.end(), value) == result.end())
      result.push_back(value);
  };
  const uint64_t all = ones<W>();
  for (uint64_t low = 0; low <= all; ++low)
    for (uint64_t high = low; high <= all; ++high) {
      keep(BasicScalar<W>::unsigned_range(low, high));
      keep(BasicScalar<W>::signed_range(static_cast<int64_t>(low) + View<W>::kMin,
                                        static_cast<int64_t>(high) + View<W>::kMin));
    }
  for (uint64_t mask = 0; mask <= all; ++mask)
    for (uint64_t value = 0; value <= all; ++value)
      if ((value & mask) == 0) {
        BasicScalar<W> scalar;
        View<W> view;
        view.bits = {value, mask};
        EXPECT_TRUE(scalar.meet_full(view));
        keep(scalar);
      }
  return result;
}

template <unsigned W> std::vector<uint64_t> members(const BasicScalar<W>& value) {
  std::vector<uint64_t> result;
  for (uint64_t x = 0; x <= ones<W>(); ++x)
    if (value.contains(x))
      result.push_back(x);
  return result;
}

template <unsigned W> uint64_t run(AluOp op, bool wide, uint64_t a, uint64_t b) {
  return wide ? concrete<W>(op, a, b) : concrete<W / 2>(op, a, b);
}

TEST(Tnum, ends_of_a_set_are_exact) {
  for (uint64_t mask = 0; mask < 32; ++mask)
    for (uint64_t value = 0; value < 32; ++value) {
      if ((value & mask) != 0)
        continue;
      for (uint64_t x = 0; x < 34; ++x) {
        std::optional<uint64_t> least, most;
        for (uint64_t y = 0; y < 32; ++y) {
          if ((y & ~mask) != value)
            continue;
          if (y >= x && !least)
            least = y;
          if (y <= x)
            most = y;
        }
        ASSERT_EQ(tnum_at_least({value, mask}, x), least) << value << " " << mask << " " << x;
        ASSERT_EQ(tnum_at_most({value, mask}, x), most) << value << " " << mask << " " << x;
      }
    }
  EXPECT_EQ(tnum_at_least({0, ~0ull}, ~0ull), ~0ull);
  EXPECT_EQ(tnum_at_least({1, ~3ull}, ~0ull), std::nullopt);
  EXPECT_EQ(tnum_at_most({1ull << 63, 1}, 5), std::nullopt);
}

TEST(ScalarExhaustive, operators_lose_no_result_at_4_bits) {
  const auto values = every_simple_value<4>();
  ASSERT_GT(values.size(), 200u);
  for (const auto& a : values) {
    const auto as = members(a);
    for (const auto& b : values) {
      const auto bs = members(b);
      for (const AluOp op : kOps)
        for (const bool wide : {true, false}) {
          const auto result = alu(op, wide, a, b);
          for (const uint64_t x : as)
            for (const uint64_t y : bs)
              ASSERT_TRUE(result.contains(run<4>(op, wide, x, y)))
                  << "op " << int(op) << " wide " << wide << ": " << x << ", " << y;
        }
    }
  }
}

TEST(ScalarExhaustive, comparisons_lose_no_operand_at_4_bits) {
  const auto values = every_simple_value<4>();
  for (const auto& a : values) {
    const auto as = members(a);
    for (const auto& b : values) {
      const auto bs = members(b);
      for (const Cond cond : kConds)
        for (const bool wide : {true, false})
          for (const bool taken : {true, false}) {
            const auto refined = refine(cond, wide, taken, a, b);
            for (const uint64_t x : as)
              for (const uint64_t y : bs) {
                const bool outcome = wide ? concrete<4>(cond, x, y) : concrete<2>(cond, x, y);
                if (outcome != taken)
                  continue;
                ASSERT_TRUE(refined.has_value())
                    << "cond " << int(cond) << " called impossible with " << x << ", " << y;
                ASSERT_TRUE(refined->a.contains(x) && refined->b.contains(y))
                    << "cond " << int(cond) << " wide " << wide << ": " << x << ", " << y;
              }
          }
    }
  }
}

TEST(ScalarExhaustive, set_operations_obey_their_laws_at_4_bits) {
  const auto values = every_simple_value<4>();
  for (const auto& a : values)
    for (const auto& b : values) {
      const auto both = join(a, b);
      ASSERT_TRUE(both.includes(a) && both.includes(b));
      auto common = a;
      const bool some = common.meet(b);
      for (uint64_t x = 0; x < 16; ++x) {
        if (a.contains(x) && b.contains(x)) {
          ASSERT_TRUE(some && common.contains(x));
        }
        if (a.includes(b) && b.contains(x)) {
          ASSERT_TRUE(a.contains(x));
        }
      }
    }
}

template <unsigned W> BasicScalar<W> random_value(std::mt19937_64& random) {
  BasicScalar<W> value;
  for (int facets = static_cast<int>(random() % 4); facets >= 0; --facets) {
    BasicScalar<W> tighter = value;
    View<W> view;
    View<W / 2> low;
    uint64_t x = random() & ones<W>(), y = random() & ones<W>();
    switch (random() % 6) {
    case 0: view.umin = std::min(x, y), view.umax = std::max(x, y); break;
    case 1:
      view.smin = std::min(sign_extended<W>(x), sign_extended<W>(y));
      view.smax = std::max(sign_extended<W>(x), sign_extended<W>(y));
      break;
    case 2: view.bits = {x & ~y & ones<W>(), y}; break;
    case 3:
      low.smin = std::min(sign_extended<W / 2>(x), sign_extended<W / 2>(y));
      low.smax = std::max(sign_extended<W / 2>(x), sign_extended<W / 2>(y));
      break;
    case 4:
      x &= ones<W / 2>(), y &= ones<W / 2>();
      low.umin = std::min(x, y), low.umax = std::max(x, y);
      break;
    default: view = View<W>::constant(x); break;
    }
    if (tighter.meet_full(view) && tighter.meet_low(low))
      value = tighter;
  }
  return value;
}

TEST(ScalarExhaustive, mixed_facets_lose_nothing_at_8_bits) {
  std::mt19937_64 random(20240601);
  for (int i = 0; i < 6000; ++i) {
    const auto a = random_value<8>(random), b = random_value<8>(random);
    const auto as = members(a), bs = members(b);
    ASSERT_FALSE(as.empty());
    const AluOp op = kOps[random() % std::size(kOps)];
    const Cond cond = kConds[random() % std::size(kConds)];
    const bool wide = random() % 2, taken = random() % 2;
    const auto result = alu(op, wide, a, b);
    const auto refined = refine(cond, wide, taken, a, b);
    for (const uint64_t x : as)
      for (const uint64_t y : bs) {
        ASSERT_TRUE(result.contains(run<8>(op, wide, x, y))) << int(op) << " " << x << " " << y;
        if ((wide ? concrete<8>(cond, x, y) : concrete<4>(cond, x, y)) == taken) {
          ASSERT_TRUE(refined && refined->a.contains(x) && refined->b.contains(y))
              << int(cond) << " wide " << wide << " taken " << taken << ": " << x << " " << y;
        }
      }
  }
}

TEST(ScalarExhaustive, extensions_lose_nothing_at_8_bits) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const auto a = random_value<8>(random);
    const unsigned width = 1 + random() % 8;
    const bool wide = random() % 2;
    if (!wide && width > 4)
      continue;
    const auto extended = sign_extend(width, wide, a);
    const auto cut = zero_extend(width, a);
    const auto negative = negate(wide, a);
    for (const uint64_t x : members(a)) {
      const auto s = static_cast<uint64_t>(static_cast<int64_t>(x << (64 - width)) >> (64 - width));
      ASSERT_TRUE(extended.contains(s & (wide ? 255 : 15))) << width << " " << x;
      ASSERT_TRUE(cut.contains(x & ((1u << width) - 1))) << width << " " << x;
      ASSERT_TRUE(negative.contains((0 - x) & (wide ? 255 : 15)));
    }
  }
}

uint64_t awkward_number(std::mt19937_64& random) {
  static constexpr uint64_t kPoints[] = {0,   1ull << 31, 1ull << 32, 1ull << 63,
                                         255, 4096,       1ull << 16};
  switch (random() % 3) {
  case 0: return kPoints[random() % std::size(kPoints)] + random() % 7 - 3;
  case 1: return (1ull << (random() % 64)) + random() % 3 - 1;
  default: return random() >> (random() % 64);
  }
}

// A value that holds at least the given numbers, from random facets.
Scalar value_around(std::mt19937_64& random, const std::vector<uint64_t>& numbers) {
  Scalar value = Scalar::constant(numbers[0]);
  for (const uint64_t x : numbers)
    value = join(value, Scalar::constant(x));
  if (random() % 4 == 0)
    value.bits = tnum_unknown(~0ull);
  if (random() % 4 == 0)
    value.umin = 0, value.umax = UINT64_MAX;
  if (random() % 4 == 0)
    value.smin = INT64_MIN, value.smax = INT64_MAX;
  if (random() % 4 == 0)
    value.u32_min = 0, value.u32_max = UINT32_MAX;
  EXPECT_TRUE(value.reduce());
  return value;
}

TEST(Scalar64, operators_and_comparisons_keep_sampled_members) {
  std::mt19937_64 random(42);
  for (int i = 0; i < 120000; ++i) {
    std::vector<uint64_t> as(1 + random() % 3), bs(1 + random() % 3);
    for (uint64_t& x : as)
      x = awkward_number(random);
    for (uint64_t& x : bs)
      x = random() % 4 == 0 ? as[0] + random() % 5 - 2 : awkward_number(random);
    const Scalar a = value_around(random, as), b = value_around(random, bs);
    const AluOp op = kOps[random() % std::size(kOps)];
    const Cond cond = kConds[random() % std::size(kConds)];
    const bool wide = random() % 2, taken = random() % 2;
    const Scalar result = alu(op, wide, a, b);
    const auto refined = refine(cond, wide, taken, a, b);
    Scalar checked = result;
    ASSERT_TRUE(checked.reduce());
    for (const uint64_t x : as)
      for (const uint64_t y : bs) {
        ASSERT_TRUE(a.contains(x) && b.contains(y));
        ASSERT_TRUE(result.contains(run<64>(op, wide, x, y))) << int(op) << " " << x << " " << y;
        if ((wide ? concrete<64>(cond, x, y) : concrete<32>(cond, x, y)) == taken) {
          ASSERT_TRUE(refined && refined->a.contains(x) && refined->b.contains(y))
              << int(cond) << " wide " << wide << " taken " << taken << ": " << x << " " << y;
        }
      }
  }
}

TEST(Scalar64, extensions_and_byte_swaps_keep_sampled_members) {
  std::mt19937_64 random(43);
  for (int i = 0; i < 60000; ++i) {
    std::vector<uint64_t> as(1 + random() % 3);
    for (uint64_t& x : as)
      x = awkward_number(random);
    const Scalar a = value_around(random, as);
    for (const unsigned width : {8u, 16u, 32u}) {
      const Scalar wide = sign_extend(width, true, a), narrow = sign_extend(width, false, a);
      const Scalar cut = zero_extend(width, a);
      for (const uint64_t x : as) {
        const auto s =
            static_cast<uint64_t>(static_cast<int64_t>(x << (64 - width)) >> (64 - width));
        ASSERT_TRUE(wide.contains(s));
        ASSERT_TRUE(narrow.contains(static_cast<uint32_t>(s)));
        ASSERT_TRUE(cut.contains(x << (64 - width) >> (64 - width)));
      }
    }
    for (const unsigned width : {16u, 32u, 64u})
      for (const uint64_t x : as)
        ASSERT_TRUE(byte_swap(width, a).contains(__builtin_bswap64(x) >> (64 - width)));
  }
}

TEST(Scalar64, bounds_cross_between_widths) {
  // if (w1 < 64) on a zero-extended register bounds the whole register.
  const Scalar zero_extended = Scalar::loaded(32, false);
  const auto small = refine(Cond::ult, false, true, zero_extended, Scalar::constant(64));
  ASSERT_TRUE(small);
  EXPECT_EQ(small->a.umax, 63u);
  // The same comparison says nothing about the upper half of an unknown register.
  const auto unknown = refine(Cond::ult, false, true, Scalar{}, Scalar::constant(64));
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->a.umax, UINT64_MAX - UINT32_MAX + 63);
  EXPECT_EQ(unknown->a.u32_max, 63u);
  // A signed lower bound and an unsigned upper bound meet.
  const auto not_negative = refine(Cond::slt, true, false, Scalar{}, Scalar::constant(0));
  ASSERT_TRUE(not_negative);
  const auto range = refine(Cond::sgt, true, false, not_negative->a, Scalar::constant(15));
  ASSERT_TRUE(range);
  EXPECT_EQ(range->a.umax, 15u);
  EXPECT_EQ(range->a.bits.mask, 15u);
}

TEST(Scalar64, a_dead_branch_is_recognised) {
  const Scalar even = alu(AluOp::bit_and, true, Scalar{}, Scalar::constant(~1ull));
  EXPECT_FALSE(refine(Cond::eq, true, true, even, Scalar::constant(5)));
  EXPECT_TRUE(refine(Cond::eq, true, true, even, Scalar::constant(6)));
  EXPECT_FALSE(refine(Cond::set, true, true, even, Scalar::constant(1)));
}

} // namespace
} // namespace bpfaot::verifier
