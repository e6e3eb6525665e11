// SPDX-License-Identifier: MIT
//
// State embedding: whatever the verifier accepts is executed by a small interpreter with shadow
// memory, on random inputs, and every register is compared with the facts about it before each
// instruction. A value outside its range, an access outside its object, an instruction that was
// called unreachable: any of these is a hole in the verifier, whether or not it would crash.
//
// Programs are random, from a grammar that keeps about half of them acceptable: unknown numbers
// from the context and from map memory, arithmetic in both widths, bounds checks, masks, spills,
// bounded loops, and accesses to the stack and to a map value at computed offsets.
#include "unit/verifier/assemble.h"

#include "bpf/object.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace bpfaot::verifier::test {
namespace {

using namespace bpf;

constexpr uint32_t kValueSize = 64, kCtxSize = 168, kFrameSize = 512, kFrames = 2,
                   kStackSize = kFrames * kFrameSize;
// Objects live at distinct fake addresses, so a pointer is a number and its owner is found again.
constexpr uint64_t kStackTop = 0x7000'0000'0000, kValueBase = 0x5000'0000'0000,
                   kCtxBase = 0x6000'0000'0000;

class Machine {
public:
  Machine(const Program& program, const Facts& facts, std::mt19937_64& random)
      : program_(program), facts_(facts), random_(random) {
    for (uint8_t& byte : ctx_)
      byte = static_cast<uint8_t>(small() ? random_() % 3 : random_());
    for (uint8_t& byte : value_)
      byte = static_cast<uint8_t>(random_());
    enter(0);
  }

  // The first violation, or "".
  std::string run() {
    regs_[1] = kCtxBase;
    regs_[10] = kStackTop;
    for (uint32_t pc = 0, steps = 0; steps < 100000; ++steps) {
      if (std::string problem = check_facts(pc); !problem.empty())
        return problem;
      const ProgramInsn& at = program_.insns[pc];
      uint32_t next = pc + 1;
      if (std::holds_alternative<Exit>(at.insn)) {
        if (!in_callee_)
          return {};
        in_callee_ = false;
        std::copy(saved_, saved_ + 4, regs_ + 6);
        regs_[10] = kStackTop;
        pc = return_to_;
        continue;
      }
      if (std::holds_alternative<CallLocal>(at.insn)) {
        in_callee_ = true;
        return_to_ = next;
        std::copy(regs_ + 6, regs_ + 10, saved_);
        for (size_t r = 6; r <= 9; ++r)
          regs_[r] = random_(); // not for the callee to read
        regs_[10] = kStackTop - kFrameSize;
        enter(at.callee.value);
        pc = program_.functions[at.callee.value].begin.value;
        continue;
      }
      if (const auto* branch = std::get_if<Branch>(&at.insn)) {
        const bool taken = holds(*branch);
        if (!(taken ? facts_.insns[pc].branch_taken : facts_.insns[pc].branch_not_taken))
          return "a branch goes where it was called impossible, " + where(pc);
        next = taken ? at.target.value : next;
      } else if (std::holds_alternative<Jump>(at.insn)) {
        next = at.target.value;
      } else if (std::string problem = execute(at.insn, pc); !problem.empty()) {
        return problem;
      }
      pc = next;
    }
    return "the program does not end";
  }

private:
  // A fresh frame, with what the lowering zeroes zeroed.
  void enter(uint32_t function) {
    uint8_t* top = stack_ + kStackSize - function * kFrameSize;
    for (uint32_t i = 1; i <= kFrameSize; ++i)
      *(top - i) = static_cast<uint8_t>(random_()); // unwritten memory holds anything
    for (const ByteRange& range : facts_.functions[function].unwritten)
      std::memset(top + range.begin, 0, static_cast<size_t>(range.end - range.begin));
  }
  bool small() { return random_() % 2 == 0; }
  std::string where(uint32_t pc) const {
    return "insn " + std::to_string(pc) + ": " + print(program_.insns[pc].insn);
  }

  // The program's functions are its frames: 0 calls 1.
  static uint64_t base_of(const RegFact& fact) {
    switch (fact.kind) {
    case Kind::stack: return fact.func.valid() ? kStackTop - fact.func.value * kFrameSize : 0;
    case Kind::map_value: return kValueBase;
    case Kind::ctx: return kCtxBase;
    default: return 0;
    }
  }

  std::string check_facts(uint32_t pc) const {
    const InsnFacts& facts = facts_.insns[pc];
    if (!facts.reached)
      return "reached although called unreachable, " + where(pc);
    for (size_t r = 0; r < 10; ++r) {
      const RegFact& fact = facts.before[r];
      const bool is_pointer = base_of(fact) != 0;
      if (fact.kind != Kind::scalar && !is_pointer)
        continue;
      if (fact.maybe_null && regs_[r] == 0)
        continue;
      const uint64_t x = regs_[r] - base_of(fact);
      const auto s = static_cast<int64_t>(x);
      const auto low = static_cast<uint32_t>(x);
      const Range64& range = fact.range;
      if (x < range.umin || x > range.umax || s < range.smin || s > range.smax ||
          low < range.u32_min || low > range.u32_max || (x & range.known_mask) != range.known_value)
        return "r" + std::to_string(r) + " = " + std::to_string(s) + " is outside its facts, " +
               where(pc);
      if (is_pointer && regs_[r] % fact.align != 0)
        return "r" + std::to_string(r) + " is not aligned as stated, " + where(pc);
    }
    return {};
  }

  uint8_t* memory(uint64_t address, uint32_t size) {
    if (address >= kStackTop - kStackSize && address + size <= kStackTop)
      return stack_ + (address - (kStackTop - kStackSize));
    if (address >= kValueBase && address + size <= kValueBase + kValueSize)
      return value_ + (address - kValueBase);
    if (address >= kCtxBase && address + size <= kCtxBase + kCtxSize)
      return ctx_ + (address - kCtxBase);
    return nullptr;
  }

  uint64_t operand(const Operand& o) const {
    const auto* r = std::get_if<Reg>(&o);
    return r != nullptr ? regs_[r->number] : static_cast<uint64_t>(int64_t{std::get<int32_t>(o)});
  }

  template <class U, class S> static U arithmetic(AluOp op, U a, U b) {
    const auto sa = static_cast<S>(a), sb = static_cast<S>(b);
    constexpr unsigned kMask = sizeof(U) * 8 - 1;
    switch (op) {
    case AluOp::add: return a + b;
    case AluOp::sub: return a - b;
    case AluOp::mul: return a * b;
    case AluOp::div: return b == 0 ? 0 : a / b;
    case AluOp::mod: return b == 0 ? a : a % b;
    case AluOp::sdiv: return b == 0 ? 0 : sb == -1 ? U{0} - a : static_cast<U>(sa / sb);
    case AluOp::smod: return b == 0 ? a : sb == -1 ? 0 : static_cast<U>(sa % sb);
    case AluOp::bit_or: return a | b;
    case AluOp::bit_and: return a & b;
    case AluOp::bit_xor: return a ^ b;
    case AluOp::lsh: return a << (b & kMask);
    case AluOp::rsh: return a >> (b & kMask);
    case AluOp::arsh: return static_cast<U>(sa >> (b & kMask));
    case AluOp::mov: return b;
    }
    return 0;
  }

  template <class U, class S> static bool compare(Cond cond, U a, U b) {
    const auto sa = static_cast<S>(a), sb = static_cast<S>(b);
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

  bool holds(const Branch& branch) const {
    const uint64_t a = regs_[branch.dst.number], b = operand(branch.src);
    return branch.width == Width::w64
               ? compare<uint64_t, int64_t>(branch.cond, a, b)
               : compare<uint32_t, int32_t>(branch.cond, static_cast<uint32_t>(a),
                                            static_cast<uint32_t>(b));
  }

  std::string execute(const Insn& insn, uint32_t pc) {
    if (const auto* alu = std::get_if<Alu>(&insn)) {
      uint64_t& dst = regs_[alu->dst.number];
      const uint64_t b = operand(alu->src);
      dst = alu->width == Width::w64
                ? arithmetic<uint64_t, int64_t>(alu->op, dst, b)
                : arithmetic<uint32_t, int32_t>(alu->op, static_cast<uint32_t>(dst),
                                                static_cast<uint32_t>(b));
      return {};
    }
    if (const auto* sx = std::get_if<MovSx>(&insn)) {
      const auto shift = 64 - sx->bits;
      const auto wide =
          static_cast<uint64_t>(static_cast<int64_t>(regs_[sx->src.number] << shift) >> shift);
      regs_[sx->dst.number] = sx->width == Width::w64 ? wide : static_cast<uint32_t>(wide);
      return {};
    }
    if (const auto* load = std::get_if<LoadImm64>(&insn)) {
      regs_[load->dst.number] =
          load->kind == Imm64Kind::map_value ? kValueBase + (load->imm >> 32) : load->imm;
      return {};
    }
    if (const auto* load = std::get_if<Load>(&insn)) {
      const uint32_t size = bytes(load->size);
      const uint8_t* from =
          memory(regs_[load->base.number] + static_cast<uint64_t>(int64_t{load->off}), size);
      if (from == nullptr)
        return "load outside every object, " + where(pc);
      uint64_t x = 0;
      std::memcpy(&x, from, size);
      if (load->sign_extend)
        x = static_cast<uint64_t>(static_cast<int64_t>(x << (64 - size * 8)) >> (64 - size * 8));
      regs_[load->dst.number] = x;
      return {};
    }
    if (const auto* store = std::get_if<Store>(&insn)) {
      const uint32_t size = bytes(store->size);
      uint8_t* to =
          memory(regs_[store->base.number] + static_cast<uint64_t>(int64_t{store->off}), size);
      if (to == nullptr || (to >= ctx_ && to < ctx_ + kCtxSize))
        return "store outside every writable object, " + where(pc);
      const uint64_t x = operand(store->src);
      std::memcpy(to, &x, size);
      return {};
    }
    return "the interpreter does not know " + where(pc);
  }

  const Program& program_;
  const Facts& facts_;
  std::mt19937_64& random_;
  uint64_t regs_[11] = {}, saved_[4] = {};
  uint32_t return_to_ = 0;
  bool in_callee_ = false;
  uint8_t ctx_[kCtxSize], value_[kValueSize], stack_[kStackSize];
};

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
    switch (random_() % 15) {
    case 12: spilled_pointer(); break;
    case 13: variable_store(); break;
    case 14: call(); break;
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
      const std::string problem = Machine(*program, verified->facts(), random).run();
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
