// SPDX-License-Identifier: MIT
//
// State embedding: whatever the verifier accepts is executed by the reference interpreter, on
// random inputs, and every register is compared with the facts about it before each instruction. A
// value outside its range, an access outside its object, an instruction that was called
// unreachable: any of these is a hole in the verifier, whether or not it would crash.
//
// Programs are random, from a grammar that keeps about half of them acceptable: unknown numbers
// from the context and from map memory, arithmetic in both widths, bounds checks, masks, spills,
// bounded loops, and accesses to the stack and to a map value at computed offsets.
#include "unit/verifier/assemble.h"

#include "bpf/object.h"
#include "tests/tools/interpreter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace bpfaot::verifier::test {
namespace {

using namespace bpf;

constexpr uint32_t kValueSize = 64, kCtxSize = 168;

// Compares every register with the facts about it before each instruction.
class Watcher : public tests::World {
public:
  Watcher(const Facts& facts, tests::Memory& memory, std::mt19937_64& random)
      : facts_(facts), random_(random),
        ctx_(memory.add("the context", bytes(kCtxSize, small()), false)),
        value_(memory.add("the map value", bytes(kValueSize, false))) {}

  uint64_t ctx() const { return ctx_.base; }
  uint64_t map_value(MapId) override { return value_.base; }

  // A fresh frame holds anything but what the lowering zeroes.
  void enter(FuncId function, tests::Region& frame) override {
    for (uint8_t& byte : frame.bytes)
      byte = static_cast<uint8_t>(random_());
    for (const ByteRange& range : facts_.functions[function.value].unwritten)
      std::fill(frame.bytes.end() + range.begin, frame.bytes.end() + range.end, uint8_t{0});
  }

  std::string branch(InsnIndex pc, bool taken) override {
    const InsnFacts& facts = facts_.insns[pc.value];
    return (taken ? facts.branch_taken : facts.branch_not_taken)
               ? ""
               : "a branch goes where it was called impossible";
  }

  std::string before(const tests::Interpreter& machine, InsnIndex pc) override {
    const InsnFacts& facts = facts_.insns[pc.value];
    if (!facts.reached)
      return "reached although called unreachable";
    for (uint8_t r = 0; r < 10; ++r) {
      const RegFact& fact = facts.before[r];
      const std::optional<uint64_t> base = base_of(machine, fact);
      if (fact.kind != Kind::scalar && !base)
        continue;
      const uint64_t held = machine.reg(r);
      if (!(fact.maybe_null && held == 0) && !is_inside(fact.range, held - base.value_or(0)))
        return "r" + std::to_string(r) + " = " + std::to_string(held) + " is outside its facts";
      if (base && held % fact.align != 0)
        return "r" + std::to_string(r) + " is not aligned as stated";
    }
    return {};
  }

private:
  bool small() { return random_() % 2 == 0; }
  std::vector<uint8_t> bytes(size_t size, bool few_values) {
    std::vector<uint8_t> result(size);
    for (uint8_t& byte : result)
      byte = static_cast<uint8_t>(few_values ? random_() % 3 : random_());
    return result;
  }

  std::optional<uint64_t> base_of(const tests::Interpreter& machine, const RegFact& fact) const {
    switch (fact.kind) {
    case Kind::stack: return fact.func.valid() ? machine.frame_of(fact.func) : std::nullopt;
    case Kind::map_value: return value_.base;
    case Kind::ctx: return ctx_.base;
    default: return std::nullopt;
    }
  }

  static bool is_inside(const Range64& range, uint64_t x) {
    const auto s = static_cast<int64_t>(x);
    const auto low = static_cast<uint32_t>(x);
    return x >= range.umin && x <= range.umax && s >= range.smin && s <= range.smax &&
           low >= range.u32_min && low <= range.u32_max &&
           (x & range.known_mask) == range.known_value;
  }

  const Facts& facts_;
  std::mt19937_64& random_;
  tests::Region &ctx_, &value_;
};

std::string run(const Program& program, const Facts& facts, std::mt19937_64& random) {
  tests::Memory memory;
  Watcher watcher(facts, memory, random);
  const uint64_t arguments[] = {watcher.ctx()};
  return tests::Interpreter(program, memory, watcher, 100000).run(arguments).problem;
}

class Generator {
public:
  explicit Generator(std::mt19937_64& random) : random_(random) {}

  std::string program() {
    // r6 to r8 unknown numbers, r9 the map value, r2 the stack.
    line("r6 = *(u64 *)(r1 +" + std::to_string(8 * (random_() % 20)) + ")");
    line("r7 = *(u32 *)(r1 +" + std::to_string(4 * (random_() % 40)) + ")");
    line("r8 = *(s16 *)(r1 +" + std::to_string(2 * (random_() % 80)) + ")");
    line("r9 = value .bss 0");
    line("r2 = r10");
    line("r2 += -64");
    line("r3 = 1");
    line("r4 = " + number());
    line("r5 = 0");
    line("r0 = 0");
    for (size_t i = 0, count = 4 + random_() % 24; i < count; ++i)
      statement();
    if (random_() % 3 == 0)
      loop();
    access();
    label("out");
    line("r0 = 0");
    line("exit");
    if (calls_)
      callee();
    return text_;
  }

private:
  void line(const std::string& text) { text_ += text + "\n"; }
  void label(const std::string& name) { text_ += name + ":\n"; }
  template <size_t N> std::string pick(const char* const (&of)[N]) { return of[random_() % N]; }
  std::string scalar() {
    static constexpr const char* kRegs[] = {"r6", "r7", "r8", "r3", "r4", "r5"};
    return pick(kRegs);
  }
  static std::string half(std::string reg) {
    reg[0] = 'w';
    return reg;
  }
  std::string number() {
    static constexpr int64_t kNumbers[] = {
        0, 1, -1, 2, 7, 8, 15, 31, 32, 63, 64, 255, 4096, -8, -64, 0x7fffffff, -0x7fffffff - 1};
    return std::to_string(kNumbers[random_() % std::size(kNumbers)]);
  }
  std::string positive() {
    static constexpr int kNumbers[] = {1, 3, 7, 8, 12, 15, 16, 31, 40, 56, 60, 63};
    return std::to_string(kNumbers[random_() % std::size(kNumbers)]);
  }

  void statement() {
    static constexpr const char* kOps[] = {
        "+=", "-=", "*=", "|=", "&=", "^=", "/=", "%=", "s/=", "s%="};
    static constexpr const char* kShifts[] = {"<<=", ">>=", "s>>="};
    static constexpr const char* kConds[] = {
        "==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"};
    const bool narrow = random_() % 2 == 0;
    std::string a = scalar(), b = scalar();
    if (narrow) {
      a = half(a);
      b = half(b);
    }
    switch (random_() % 17) {
    case 15: ordered(); break;
    case 12: spilled_pointer(); break;
    case 13: variable_store(); break;
    case 14: call(); break;
    case 16: may_goto_loop(); break;
    case 0:
    case 1: line(a + " " + pick(kOps) + " " + b); break;
    case 2: line(a + " &= " + positive()); break;
    case 3: line(a + " += " + number()); break;
    case 4: line(a + " " + pick(kShifts) + " " + std::to_string(random_() % 32)); break;
    case 5: line(a + " = " + b); break;
    case 6: {
      const std::string name = "skip" + std::to_string(labels_++);
      line("if " + a + " " + pick(kConds) + " " + (random_() % 2 ? b : number()) + " goto " + name);
      statement();
      label(name);
      break;
    }
    case 7: line("if " + a + " " + pick(kConds) + " " + positive() + " goto out"); break;
    case 8: {
      const std::string slot = std::to_string(-8 * static_cast<int>(1 + random_() % 8));
      line("*(u64 *)(r10 " + slot + ") = " + scalar());
      line(scalar() + " = *(u" + (random_() % 2 ? "64" : "32") + " *)(r10 " + slot + ")");
      break;
    }
    case 9: {
      const std::string slot = std::to_string(-8 * static_cast<int>(1 + random_() % 8));
      line("*(u32 *)(r10 " + slot + ") = " + scalar());
      line(scalar() + " = *(u" + (random_() % 2 ? "32" : "16") + " *)(r10 " + slot + ")");
      break;
    }
    case 10:
      line(scalar() + " = (s" +
           (random_() % 2   ? "8"
            : random_() % 2 ? "16"
                            : "32") +
           ")" + scalar());
      break;
    default:
      line(scalar() + " = *(u" + (random_() % 2 ? "8" : "64") + " *)(r9 +" +
           std::to_string(8 * (random_() % 8)) + ")");
      break;
    }
  }

  // Atomics, of which the verifier knows only the size.
  void ordered() {
    const std::string place = random_() % 2
                                  ? "(r10 -" + std::to_string(8 * (1 + random_() % 8)) + ")"
                                  : "(r9 +" + std::to_string(8 * (random_() % 8)) + ")";
    const std::string a = scalar();
    switch (random_() % 4) {
    case 0: return line(a + " = atomic_fetch_add((u32 *)" + place + ", " + a + ")");
    case 1: return line(a + " = atomic64_xchg((u64 *)" + place + ", " + a + ")");
    case 2: return line("r0 = atomic_cmpxchg((u32 *)" + place + ", r0, " + a + ")");
    default: return line(a + " = load_acquire((u16 *)" + place + ")");
    }
  }

  // Ends by its budget alone, or by a counter that comes first.
  void may_goto_loop() {
    const std::string head = "may" + std::to_string(labels_++),
                      end = "done" + std::to_string(labels_++);
    const std::string counter = scalar();
    if (random_() % 2)
      line(counter + " = 0");
    label(head);
    line("if " + (random_() % 2 ? half(counter) : counter) + " >= " + positive() + " goto " + end);
    line("may_goto " + end);
    if (random_() % 2)
      line(scalar() + " += " + counter);
    line(counter + " += " + std::to_string(1 + random_() % 3));
    line("goto " + head);
    label(end);
  }

  void spilled_pointer() {
    const std::string slot = random_() % 4 == 0 ? "-64" : "-72";
    line("*(u64 *)(r10 " + slot + ") = r9");
    if (random_() % 2)
      statement();
    line("r9 = *(u64 *)(r10 " + slot + ")");
  }

  void variable_store() {
    line("r1 = " + scalar());
    line("r1 &= " + positive());
    line("r1 += r2");
    line("*(u8 *)(r1 +0) = r3");
  }

  // The callee sees two numbers and a place in this frame.
  void call() {
    calls_ = true;
    line("r1 = " + scalar());
    line("r2 = " + scalar());
    line("r5 = r10");
    line("r5 += -64");
    line("call f");
    line(std::string(random_() % 2 ? "r6" : "r7") + " = r0");
    line("r2 = r10");
    line("r2 += -64");
    line("r3 = 1");
    line("r4 = " + number());
    line("r5 = " + number());
    line("r0 = 0");
  }

  void callee() {
    static constexpr const char* kConds[] = {"==", ">", "<=", "s<", "s>="};
    text_ += "func f:\n";
    const std::string place = std::to_string(8 * (random_() % 8));
    line("r6 = *(u64 *)(r5 +" + place + ")");
    line("*(u64 *)(r10 -8) = r1");
    line("r0 = r1");
    line("if r1 " + pick(kConds) + " r2 goto other");
    line("r0 &= " + positive());
    line("*(u64 *)(r5 +" + std::to_string(8 * (random_() % 8)) + ") = r0");
    label("other");
    line("r7 = *(u64 *)(r10 -" + std::string(random_() % 2 ? "8" : "16") + ")");
    line(random_() % 2 ? "r0 = r7" : "r0 += r6");
    line("exit");
  }

  void loop() {
    const std::string name = "loop" + std::to_string(labels_++), counter = scalar();
    line(counter + " = 0");
    label(name);
    std::string body;
    do
      body = scalar();
    while (body == counter);
    line(body + " += " + counter);
    line(counter + " += " + std::to_string(1 + random_() % 3));
    line("if " + counter + " < " + positive() + " goto " + name);
  }

  // Reads or writes at a computed place, usually bounded first.
  void access() {
    const std::string index = scalar();
    switch (random_() % 5) {
    case 0: line(index + " &= 63"); break;
    case 1: line("if " + index + " > " + positive() + " goto out"); break;
    case 2:
      line("if " + index + " s< 0 goto out");
      line("if " + index + " s> " + positive() + " goto out");
      break;
    case 3:
      line("if " + half(index) + " > " + positive() + " goto out");
      if (random_() % 2)
        line(half(index) + " = " + half(index));
      break;
    default: break;
    }
    if (random_() % 4 == 0)
      line(index + " += " + std::to_string(static_cast<int>(random_() % 9) - 4));
    const std::string base = random_() % 2 ? "r9" : "r2";
    line(base + " += " + index);
    line(random_() % 2 ? "r0 = *(u8 *)(" + base + " +0)" : "*(u8 *)(" + base + " +0) = r3");
  }

  std::mt19937_64& random_;
  std::string text_;
  int labels_ = 0;
  bool calls_ = false;
};

TEST(Embedding, accepted_programs_stay_inside_their_facts) {
  std::mt19937_64 random(11);
  Options options = pt_regs_options();
  options.step_limit = 20000;
  int accepted = 0, finished = 0;
  const int programs = 4000;
  for (int i = 0; i < programs; ++i) {
    const std::string text = Generator(random).program();
    const auto program = assemble(text, {bss(kValueSize)});
    const auto verified = verify(program, options);
    if (!verified)
      continue;
    ++accepted;
    for (int input = 0; input < 12; ++input) {
      const std::string problem = run(*program, verified->facts(), random);
      ASSERT_EQ(problem, "") << text;
      ++finished;
    }
  }
  EXPECT_GT(accepted, programs / 8)
      << "the generator makes too few acceptable programs to say anything";
  EXPECT_EQ(finished, accepted * 12);
}

TEST(Embedding, pruning_accepts_nothing_that_the_full_walk_refuses) {
  std::mt19937_64 random(12);
  Options pruned = pt_regs_options(), full = pt_regs_options();
  pruned.step_limit = full.step_limit = 60000;
  full.prune = false;
  int compared = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = Generator(random).program();
    const auto program = assemble(text, {bss(kValueSize)});
    const auto all_paths = verify(program, full);
    // A load of part of a spilled pointer is refused only where its place is known exactly, which
    // a wider state need not know. It is the kernel's rule and not a matter of safety.
    if (!all_paths && (all_paths.error().code == Code::kStepLimit ||
                       all_paths.error().code == Code::kPartialSpill))
      continue;
    const auto verdict = verify(program, pruned);
    ASSERT_EQ(verdict.has_value(), all_paths.has_value())
        << text << (verdict ? "" : verdict.error().message);
    if (!all_paths)
      continue;
    ++compared;
    // The facts of the pruned walk cover those of the full one wherever both have them.
    for (size_t insn = 0; insn < program->insns.size(); ++insn) {
      const InsnFacts &wide = verdict->facts().insns[insn], &exact = all_paths->facts().insns[insn];
      ASSERT_EQ(wide.reached, exact.reached) << text << insn;
      for (size_t r = 0; r < 10; ++r) {
        if (wide.before[r].kind != Kind::scalar || exact.before[r].kind != Kind::scalar)
          continue;
        ASSERT_LE(wide.before[r].range.umin, exact.before[r].range.umin)
            << text << insn << " r" << r;
        ASSERT_GE(wide.before[r].range.umax, exact.before[r].range.umax)
            << text << insn << " r" << r;
        ASSERT_LE(wide.before[r].range.smin, exact.before[r].range.smin)
            << text << insn << " r" << r;
        ASSERT_GE(wide.before[r].range.smax, exact.before[r].range.smax)
            << text << insn << " r" << r;
      }
    }
  }
  EXPECT_GT(compared, 300);
}

} // namespace
} // namespace bpfaot::verifier::test
