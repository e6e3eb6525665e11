// SPDX-License-Identifier: MIT
//
// A switch, found again. eBPF has no jump table, so clang's back end for it makes a tree of
// comparisons of every switch; LLVM makes a table, or a better tree, of a switch but not of a tree.
//
// A tree is a set of conditional jumps that compare one register with constants and follow each
// other with nothing in between; the register has the same value in all of them. Each way through
// it ends at an instruction and is taken for a set of numbers. Comparing has no effect, so the
// first jump can be replaced by a switch that goes where the ways end, wherever else inner jumps
// are jumped to from.
#include "aotc/function_lowering.h"

#include <algorithm>
#include <map>
#include <optional>

namespace bpfaot::aotc {
namespace {

using bpf::Cond;
using bpf::InsnIndex;

constexpr uint32_t kMinComparisons = 4, kMaxComparisons = 512;
constexpr uint64_t kMaxCases = 512; // numbers that do not go the most frequent way

struct Interval {
  uint64_t first, last; // both inside
};
using Numbers = std::vector<Interval>; // disjoint, ascending

Numbers intersect(const Numbers& a, const Numbers& b) {
  Numbers both;
  for (const Interval& x : a)
    for (const Interval& y : b)
      if (x.first <= y.last && y.first <= x.last)
        both.push_back({std::max(x.first, y.first), std::min(x.last, y.last)});
  return both; // ascending, as the pairs are met in order
}

Numbers complement(const Numbers& numbers, uint64_t max) {
  Numbers others;
  uint64_t next = 0;
  for (const Interval& x : numbers) {
    if (x.first > next)
      others.push_back({next, x.first - 1});
    if (x.last == max)
      return others;
    next = x.last + 1;
  }
  others.push_back({next, max});
  return others;
}

// How many numbers; saturates.
uint64_t count(const Numbers& numbers) {
  uint64_t total = 0;
  for (const Interval& x : numbers) {
    const uint64_t more = x.last - x.first;
    if (more >= UINT64_MAX - total - 1)
      return UINT64_MAX;
    total += more + 1;
  }
  return total;
}

Numbers from_to(uint64_t first, uint64_t last) {
  return first <= last ? Numbers{{first, last}} : Numbers{};
}

// Numbers of `max`'s width above `c` as signed: negative ones are the upper half.
Numbers signed_above(uint64_t c, uint64_t max) {
  const uint64_t greatest = max >> 1;
  if (c <= greatest)
    return c == greatest ? Numbers{} : from_to(c + 1, greatest);
  Numbers numbers = from_to(0, greatest);
  if (c != max)
    numbers.push_back({c + 1, max});
  return numbers;
}

// The numbers for which the jump is taken.
Numbers taken_for(Cond cond, uint64_t c, uint64_t max) {
  switch (cond) {
  case Cond::eq: return {{c, c}};
  case Cond::ne: return complement({{c, c}}, max);
  case Cond::ugt: return c == max ? Numbers{} : from_to(c + 1, max);
  case Cond::uge: return from_to(c, max);
  case Cond::ult: return c == 0 ? Numbers{} : from_to(0, c - 1);
  case Cond::ule: return from_to(0, c);
  case Cond::sgt: return signed_above(c, max);
  case Cond::sle: return complement(signed_above(c, max), max);
  case Cond::slt: return complement(taken_for(Cond::sge, c, max), max);
  case Cond::sge: {
    const uint64_t least = (max >> 1) + 1;
    return c == least ? from_to(0, max) : signed_above((c - 1) & max, max);
  }
  case Cond::set: break; // no set of few intervals
  }
  return {};
}

class SwitchTree {
public:
  // Marks the comparisons that it finds in `seen`, by instruction of the function.
  SwitchTree(const bpf::Program& program, const verifier::Facts& facts,
             const bpf::Function& function, const bpf::Branch& root, std::vector<bool>& seen)
      : program_(program), facts_(facts), function_(function), seen_(seen), reg_(root.dst),
        width_(root.width), max_(root.width == bpf::Width::w64 ? UINT64_MAX : UINT32_MAX) {}

  // False: this is no tree, or not one worth a table.
  bool find(InsnIndex root) {
    const verifier::RegFact& fact = facts_.insns[root.value].before[reg_.number];
    if (fact.kind != verifier::Kind::scalar)
      return false;
    const bool is_wide = width_ == bpf::Width::w64;
    walk(root, from_to(is_wide ? fact.range.umin : fact.range.u32_min,
                       is_wide ? fact.range.umax : fact.range.u32_max));
    return !too_large_ && comparisons_ >= kMinComparisons && ways_.size() >= 3 && choose_default();
  }

  bpf::Reg reg() const { return reg_; }
  uint32_t bits() const { return width_ == bpf::Width::w64 ? 64 : 32; }
  InsnIndex most_frequent() const { return default_; }
  // Where each other way ends, and its numbers.
  const std::map<InsnIndex, Numbers>& others() const { return ways_; }

private:
  // The constant that the instruction compares the register with, when that is what it does.
  std::optional<uint64_t> constant_at(InsnIndex at) const {
    if (at >= function_.end)
      return std::nullopt;
    const auto* branch = std::get_if<bpf::Branch>(&program_.at(at).insn);
    const verifier::InsnFacts& facts = facts_.insns[at.value];
    if (branch == nullptr || !facts.reached || program_.at(at).poisoned || branch->dst != reg_ ||
        branch->width != width_ || branch->cond == Cond::set)
      return std::nullopt;
    if (const int32_t* imm = std::get_if<int32_t>(&branch->src))
      return static_cast<uint64_t>(int64_t{*imm}) & max_;
    const verifier::RegFact& src = facts.before[std::get<bpf::Reg>(branch->src).number];
    if (src.kind != verifier::Kind::scalar || !src.range.is_constant())
      return std::nullopt;
    return src.range.umin & max_;
  }

  void walk(InsnIndex at, const Numbers& numbers) {
    if (numbers.empty() || too_large_)
      return;
    const std::optional<uint64_t> constant = constant_at(at);
    if (!constant) {
      Numbers& way = ways_[at];
      way.insert(way.end(), numbers.begin(), numbers.end());
      return;
    }
    seen_[at.value - function_.begin.value] = true;
    if (++comparisons_ > kMaxComparisons) { // also a loop of comparisons
      too_large_ = true;
      return;
    }
    const Numbers taken =
        taken_for(std::get<bpf::Branch>(program_.at(at).insn).cond, *constant, max_);
    walk(program_.at(at).target, intersect(numbers, taken));
    walk(at.next(), intersect(numbers, complement(taken, max_)));
  }

  bool choose_default() {
    auto largest = ways_.begin();
    for (auto way = ways_.begin(); way != ways_.end(); ++way)
      if (count(way->second) > count(largest->second))
        largest = way;
    default_ = largest->first;
    ways_.erase(largest);
    uint64_t cases = 0;
    for (const auto& [end, numbers] : ways_) {
      const uint64_t more = count(numbers);
      if (more > kMaxCases - cases)
        return false;
      cases += more;
    }
    return true;
  }

  const bpf::Program& program_;
  const verifier::Facts& facts_;
  const bpf::Function& function_;
  std::vector<bool>& seen_;
  const bpf::Reg reg_;
  const bpf::Width width_;
  const uint64_t max_;
  uint32_t comparisons_ = 0;
  bool too_large_ = false;
  std::map<InsnIndex, Numbers> ways_;
  InsnIndex default_;
};

} // namespace

bool FunctionLowering::lower_switch(const bpf::Branch& insn) {
  // A comparison belongs to the tree that it was first found in; trying each would take long.
  in_switch_.resize(source_.end.value - source_.begin.value);
  if (in_switch_[at_.value - source_.begin.value])
    return false;
  SwitchTree tree(program_.program(), program_.facts(), source_, insn, in_switch_);
  if (!tree.find(at_))
    return false;
  llvm::IntegerType* type = b_.getIntNTy(tree.bits());
  llvm::SwitchInst* result =
      b_.CreateSwitch(narrow(get_int(tree.reg()), tree.bits()), block_at(tree.most_frequent()));
  for (const auto& [end, numbers] : tree.others())
    for (const Interval& interval : numbers)
      for (uint64_t i = 0; i <= interval.last - interval.first; ++i)
        result->addCase(llvm::ConstantInt::get(type, interval.first + i), block_at(end));
  return true;
}

} // namespace bpfaot::aotc
