// SPDX-License-Identifier: MIT
//
// A forward pass over each function says which registers and stack slots may hold the number: it comes
// from the context (by a load, or by probe_read into the stack), and copies, spills, widening shifts
// and arguments of the program's own functions carry it on. Arithmetic ends it: what is compared then
// is no number any more. A miss costs a warning, nothing else.
#include "aotc/syscall_numbers.h"

#include "aotc/context_layout.h"
#include "bpf/helpers.h"
#include "targets/syscalls.h"

#include <algorithm>
#include <bitset>
#include <string>

namespace bpfaot::aotc {
namespace {

using namespace bpf;
using verifier::Kind;
using verifier::RegFact;

constexpr uint32_t kStackSlots = 64; // of 8 bytes
constexpr int32_t kProbeReads[] = {4, 112, 113};

// What may hold the number.
struct Held {
  std::bitset<11> regs;
  std::bitset<kStackSlots> slots;
  bool reached = false;
  bool merge(const Held& other) { // whether that changed anything
    const Held before = *this;
    regs |= other.regs;
    slots |= other.slots;
    reached |= other.reached;
    return regs != before.regs || slots != before.slots || reached != before.reached;
  }
};

class Search {
public:
  Search(const verifier::VerifiedProgram& verified)
      : program_(verified.program()), facts_(verified.facts()), before_(program_.insns.size()),
        returns_(program_.functions.size()) {
    before_[program_.functions[0].begin.value].reached = true;
  }

  void run() {
    for (bool changed = true; changed;) {
      changed = false;
      for (uint32_t i = 0; i < program_.insns.size(); ++i)
        if (before_[i].reached && facts_.insns[i].reached)
          changed |= step(InsnIndex(i));
    }
  }

  // The constant that the number is compared with at `insn`.
  std::optional<uint64_t> compared(InsnIndex insn) const {
    const auto* branch = std::get_if<Branch>(&program_.at(insn).insn);
    const Held& held = before_[insn.value];
    if (branch == nullptr || !held.reached || branch->cond == Cond::set)
      return std::nullopt;
    const bool left = held.regs[branch->dst.number];
    std::optional<int64_t> other;
    if (const auto* imm = std::get_if<int32_t>(&branch->src)) {
      if (left)
        other = *imm;
    } else {
      const Reg src = std::get<Reg>(branch->src);
      if (left != held.regs[src.number])
        other = constant(fact(insn, left ? src : branch->dst));
    }
    // "Is it one at all?" is the same question everywhere.
    const bool is_signed = branch->cond == Cond::slt || branch->cond == Cond::sle ||
                           branch->cond == Cond::sgt || branch->cond == Cond::sge;
    if (!other || *other < 0 || (is_signed && *other == 0) ||
        (branch->width == Width::w32 && static_cast<int32_t>(*other) < 0))
      return std::nullopt;
    return static_cast<uint64_t>(*other);
  }

private:
  const RegFact& fact(InsnIndex insn, Reg reg) const {
    return facts_.insns[insn.value].before[reg.number];
  }
  static std::optional<int64_t> constant(const RegFact& fact) {
    if (fact.kind != Kind::scalar || !fact.range.is_constant())
      return std::nullopt;
    return static_cast<int64_t>(fact.range.umin);
  }

  // Whether `size` bytes at `offset` of the context are the number.
  bool is_number(uint64_t offset, uint32_t size) const {
    constexpr uint64_t kTraceNumber = 8, kRawNumber = 8; // args[1] of a raw tracepoint
    switch (program_.kind.kind) {
    case ProgramKind::tracepoint: return offset == kTraceNumber && size >= 4;
    case ProgramKind::raw_tracepoint:
      return program_.kind.symbol == "sys_enter" && offset == kRawNumber && size >= 4;
    default: break;
    }
    const targets::Target* source = machine_of(program_.ctx_machine);
    if (!has_registers(image_kind(program_.kind)) || source == nullptr || offset > UINT32_MAX || size < 4)
      return false;
    const targets::RegSlot* slot = targets::slot_at(*source, static_cast<uint32_t>(offset));
    return slot != nullptr && slot->offset == offset &&
           (slot->meaning == targets::RegMeaning::syscall_nr ||
            (slot->second == targets::RegMeaning::syscall_nr &&
             program_.kind.kind == ProgramKind::ksyscall));
  }

  bool is_number_at(InsnIndex insn, Reg base, int64_t off, uint32_t size) const {
    const RegFact& from = fact(insn, base);
    return from.kind == Kind::ctx && from.range.is_constant() &&
           is_number(from.range.umin + static_cast<uint64_t>(off), size);
  }

  // The slot of the function's own frame that an address is the start of.
  std::optional<size_t> slot_at(InsnIndex insn, Reg base, int64_t off) const {
    const RegFact& to = fact(insn, base);
    if (to.kind != Kind::stack || to.func != program_.function_of(insn) || to.range.smin != to.range.smax)
      return std::nullopt;
    const int64_t place = to.range.smin + off;
    if (place >= 0 || place < -int64_t{8 * kStackSlots} || place % 4 != 0)
      return std::nullopt;
    return static_cast<size_t>((-place - 1) / 8);
  }

  bool step(InsnIndex insn) {
    const ProgramInsn& item = program_.at(insn);
    Held held = before_[insn.value];
    bool changed = false;
    const auto define = [&](Reg reg, bool holds) { held.regs[reg.number] = holds; };
    if (const auto* alu = std::get_if<Alu>(&item.insn)) {
      if (const auto* src = std::get_if<Reg>(&alu->src))
        define(alu->dst, alu->op == AluOp::mov && held.regs[src->number]);
      else if (alu->op != AluOp::lsh && alu->op != AluOp::rsh && alu->op != AluOp::arsh &&
               alu->op != AluOp::bit_and)
        define(alu->dst, false);
    } else if (const auto* move = std::get_if<MovSx>(&item.insn)) {
      define(move->dst, move->bits == 32 && held.regs[move->src.number]);
    } else if (const auto* load = std::get_if<Load>(&item.insn)) {
      const auto slot = slot_at(insn, load->base, load->off);
      define(load->dst, is_number_at(insn, load->base, load->off, bytes(load->size)) ||
                            (slot && bytes(load->size) >= 4 && held.slots[*slot]));
    } else if (const auto* store = std::get_if<Store>(&item.insn)) {
      if (const auto slot = slot_at(insn, store->base, store->off)) {
        const auto* src = std::get_if<Reg>(&store->src);
        held.slots[*slot] = src != nullptr && held.regs[src->number];
      }
    } else if (const auto* wide = std::get_if<LoadImm64>(&item.insn)) {
      define(wide->dst, false);
    } else if (const auto* neg = std::get_if<Neg>(&item.insn)) {
      define(neg->dst, false);
    } else if (const auto* swap = std::get_if<ByteSwap>(&item.insn)) {
      define(swap->dst, false);
    } else if (std::holds_alternative<CallLocal>(item.insn)) {
      Held inside;
      inside.reached = true;
      for (uint8_t r = 1; r <= 5; ++r)
        inside.regs[r] = held.regs[r];
      changed |= before_[program_.functions[item.callee.value].begin.value].merge(inside);
      clobber(held);
      define(Reg{0}, returns_[item.callee.value]);
    } else if (const auto* call = std::get_if<CallHelper>(&item.insn)) {
      const auto size = constant(fact(insn, Reg{2}));
      const auto slot = slot_at(insn, Reg{1}, 0);
      const bool is_read = std::find(std::begin(kProbeReads), std::end(kProbeReads), call->id) !=
                           std::end(kProbeReads);
      if (is_read && slot && size && *size > 0 && *size <= 8)
        held.slots[*slot] = is_number_at(insn, Reg{3}, 0, static_cast<uint32_t>(*size));
      clobber(held);
    } else if (std::holds_alternative<CallKfunc>(item.insn) ||
               std::holds_alternative<CallIndirect>(item.insn) ||
               std::holds_alternative<LegacyPacketLoad>(item.insn)) {
      clobber(held);
    } else if (std::holds_alternative<Exit>(item.insn)) {
      auto returns = returns_[program_.function_of(insn).value];
      changed |= held.regs[0] && !returns;
      returns = returns || held.regs[0];
      returns_[program_.function_of(insn).value] = returns;
      return changed;
    }
    return leave(insn, held) || changed;
  }

  static void clobber(Held& held) {
    for (uint8_t r = 0; r <= 5; ++r)
      held.regs[r] = false;
  }

  bool leave(InsnIndex insn, const Held& held) {
    const ProgramInsn& item = program_.at(insn);
    bool changed = false;
    if (item.target.valid())
      changed |= before_[item.target.value].merge(held);
    if (!std::holds_alternative<Jump>(item.insn) && insn.value + 1 < before_.size())
      changed |= before_[insn.value + 1].merge(held);
    return changed;
  }

  const Program& program_;
  const verifier::Facts& facts_;
  std::vector<Held> before_;
  std::vector<bool> returns_; // whether the function's result may be the number
};

std::string named(const targets::Target& target, uint64_t number) {
  const std::string_view name = targets::syscall_name(target, number);
  return (name.empty() ? "no call" : std::string(name)) + " on " + std::string(target.name);
}

} // namespace

std::vector<Diagnostic> syscall_number_warnings(const verifier::VerifiedProgram& verified,
                                                std::span<const targets::Target* const> targets) {
  std::vector<Diagnostic> warnings;
  const Program& program = verified.program();
  const targets::Target* known = machine_of(program.ctx_machine);
  const targets::Target& source = known != nullptr ? *known : targets::host();
  if (std::all_of(targets.begin(), targets.end(), [&](const auto* target) { return target == &source; }))
    return warnings;
  Search search(verified);
  search.run();
  for (uint32_t i = 0; i < program.insns.size(); ++i) {
    const auto number = search.compared(InsnIndex(i));
    if (!number)
      continue;
    const std::string_view name = targets::syscall_name(source, *number);
    std::string elsewhere, right;
    for (const targets::Target* target : targets) {
      if (targets::syscall_name(*target, *number) == name)
        continue;
      elsewhere += ", " + named(*target, *number);
      if (const auto own = name.empty() ? std::nullopt : targets::syscall_number(*target, name))
        right += (right.empty() ? "" : ", ") + std::to_string(*own) + " on " + std::string(target->name);
    }
    if (elsewhere.empty())
      continue;
    Diagnostic warning = make_warning(
        Code::kSyscallNumber, "a system call number is compared with " + std::to_string(*number) +
                                  ", which is " + named(source, *number) + elsewhere);
    if (!right.empty())
      warning.notes.push_back(std::string(name) + " is number " + right);
    if (known == nullptr)
      warning.notes.push_back("the object does not tell its machine and is taken to be of this one, " +
                              std::string(source.name));
    warning.hints.push_back("compile an object for each machine, with its <asm/unistd.h>");
    warning.subject = program.name;
    warning.slot = program.insns[i].slot.value;
    warning.insn = print(program.insns[i].insn);
    if (const LineInfo* line = program.line_of(InsnIndex(i)))
      warning.location = SourceLocation{line->file, line->line, line->column, line->text};
    warnings.push_back(std::move(warning));
  }
  return warnings;
}

} // namespace bpfaot::aotc
