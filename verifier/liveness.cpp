// SPDX-License-Identifier: MIT
//
// Two passes per function: forwards, which registers are r10 plus a constant (or a constant, or a
// map); backwards, what is live. Functions are repeated until the registers that each callee reads
// are stable, so that a call uses only those. What is demanded is found by the same two passes.
#include "verifier/liveness.h"

#include "bpf/helpers.h"
#include "bpf/object.h"
#include "verifier/effects.h"

#include <algorithm>
#include <memory>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

// What the forward pass knows about a register.
struct Known {
  enum class Kind : uint8_t { unvisited, other, constant, map, frame, frame_somewhere };
  Kind kind = Kind::unvisited;
  int64_t number = 0; // constant; map index; offset from r10
  bool operator==(const Known&) const = default;
};
using KnownRegs = std::array<Known, 11>;

Known join(const Known& a, const Known& b) {
  if (a == b || b.kind == Known::Kind::unvisited)
    return a;
  if (a.kind == Known::Kind::unvisited)
    return b;
  const auto in_frame = [](const Known& k) {
    return k.kind == Known::Kind::frame || k.kind == Known::Kind::frame_somewhere;
  };
  return {in_frame(a) || in_frame(b) ? Known::Kind::frame_somewhere : Known::Kind::other, 0};
}

Known evaluate(const Alu& alu, const KnownRegs& regs) {
  const auto* src = std::get_if<Reg>(&alu.src);
  const Known right =
      src != nullptr ? regs[src->number] : Known{Known::Kind::constant, std::get<int32_t>(alu.src)};
  const Known left = regs[alu.dst.number];
  const bool wide = alu.width == Width::w64;
  if (alu.op == AluOp::mov && (wide || (right.kind == Known::Kind::constant && right.number >= 0)))
    return right;
  const bool right_small = right.kind == Known::Kind::constant && right.number >= -kStackBytes &&
                           right.number <= kStackBytes;
  if (wide && left.kind == Known::Kind::frame && right_small) {
    const int64_t moved = left.number + (alu.op == AluOp::sub ? -right.number : right.number);
    if ((alu.op == AluOp::add || alu.op == AluOp::sub) && moved >= -2 * kStackBytes &&
        moved <= kStackBytes)
      return {Known::Kind::frame, moved};
  }
  if (left.kind == Known::Kind::frame || left.kind == Known::Kind::frame_somewhere ||
      right.kind == Known::Kind::frame || right.kind == Known::Kind::frame_somewhere)
    return {Known::Kind::frame_somewhere, 0};
  return {Known::Kind::other, 0};
}

void step_forward(const ProgramInsn& at, KnownRegs& regs) {
  if (const auto* alu = std::get_if<Alu>(&at.insn)) {
    regs[alu->dst.number] = evaluate(*alu, regs);
    return;
  }
  if (const auto* load = std::get_if<LoadImm64>(&at.insn)) {
    Known known{Known::Kind::other, 0};
    if (load->kind == Imm64Kind::imm)
      known = {Known::Kind::constant, static_cast<int64_t>(load->imm)};
    else if (load->kind == Imm64Kind::map)
      known = {Known::Kind::map, static_cast<int64_t>(load->imm & UINT32_MAX)};
    regs[load->dst.number] = known;
    return;
  }
  const uint16_t defs = effects_of(at.insn).defs;
  for (size_t r = 0; r < regs.size(); ++r)
    if ((defs >> r & 1) != 0)
      regs[r] = {Known::Kind::other, 0};
}

void set_range(StackBytes& bytes, int64_t begin, int64_t end, bool value) {
  begin = std::max<int64_t>(begin, -kStackBytes);
  for (int64_t offset = begin; offset < std::min<int64_t>(end, 0); ++offset)
    bytes.set(stack_bit(static_cast<int32_t>(offset)), value);
}

class FunctionPass {
public:
  FunctionPass(const Program& program, const Function& function, std::vector<LiveSet>& live)
      : program_(program), function_(function), live_(live) {}
  // For demand. `result_matters`: whether what the function returns does.
  FunctionPass(const Program& program, const Function& function, std::vector<LiveSet>& live,
               const bool& result_matters)
      : program_(program), function_(function), live_(live), result_matters_(&result_matters) {}

  void find_known_registers();
  void propagate(); // until nothing changes

private:
  size_t count() const { return function_.end.value - function_.begin.value; }
  const KnownRegs& known(InsnIndex i) const { return known_[i.value - function_.begin.value]; }
  template <class Fn> void for_each_successor(InsnIndex i, Fn&& fn) const;
  void use(LiveSet& live, const Known& base, int64_t off, int64_t size) const;
  void use_arguments(LiveSet& live, InsnIndex i, const HelperInfo& info) const;
  LiveSet transfer(InsnIndex i, LiveSet after) const;
  LiveSet demand(InsnIndex i, const LiveSet& after) const;

  const Program& program_;
  const Function& function_;
  std::vector<LiveSet>& live_;
  const bool* result_matters_ = nullptr; // null: the question is what is live
  std::vector<KnownRegs> known_;
};

template <class Fn> void FunctionPass::for_each_successor(InsnIndex i, Fn&& fn) const {
  const ProgramInsn& at = program_.at(i);
  const auto inside = [&](InsnIndex to) {
    if (to >= function_.begin && to < function_.end)
      fn(to);
  };
  if (std::holds_alternative<Exit>(at.insn))
    return;
  if (std::holds_alternative<Jump>(at.insn))
    return inside(at.target);
  if (std::holds_alternative<Branch>(at.insn) || std::holds_alternative<MayGoto>(at.insn))
    inside(at.target);
  inside(i.next());
}

void FunctionPass::find_known_registers() {
  known_.assign(count(), {});
  if (count() == 0)
    return;
  known_[0].fill({Known::Kind::other, 0});
  known_[0][kFramePointer.number] = {Known::Kind::frame, 0};
  std::vector<InsnIndex> work{function_.begin};
  while (!work.empty()) {
    const InsnIndex i = work.back();
    work.pop_back();
    KnownRegs regs = known(i);
    step_forward(program_.at(i), regs);
    for_each_successor(i, [&](InsnIndex to) {
      KnownRegs& target = known_[to.value - function_.begin.value];
      KnownRegs merged = target;
      for (size_t r = 0; r < merged.size(); ++r)
        merged[r] = join(merged[r], regs[r]);
      if (merged == target)
        return;
      target = merged;
      work.push_back(to);
    });
  }
}

void FunctionPass::use(LiveSet& live, const Known& base, int64_t off, int64_t size) const {
  if (base.kind == Known::Kind::frame)
    set_range(live.stack, base.number + off, size < 0 ? 0 : base.number + off + size, true);
  else if (base.kind == Known::Kind::frame_somewhere)
    live.stack.set();
}

void FunctionPass::use_arguments(LiveSet& live, InsnIndex i, const HelperInfo& info) const {
  const KnownRegs& regs = known(i);
  const auto map_bytes = [&](bool key) -> int64_t {
    for (size_t a = 0; a < info.args.size(); ++a) {
      const Known& k = regs[a + 1];
      if (info.args[a] != HelperArg::map || k.kind != Known::Kind::map)
        continue;
      if (static_cast<size_t>(k.number) >= program_.object->maps.size())
        return -1;
      const MapDef& map = program_.object->maps[static_cast<size_t>(k.number)];
      return key ? map.key_size : map.value_size;
    }
    return -1;
  };
  for (size_t a = 0; a < info.args.size(); ++a) {
    const Known& base = regs[a + 1];
    switch (info.args[a]) {
    case HelperArg::key: use(live, base, 0, map_bytes(true)); break;
    case HelperArg::value: use(live, base, 0, map_bytes(false)); break;
    case HelperArg::mem_in:
    case HelperArg::mem_in_or_null: {
      const Known& size = a + 2 < regs.size() ? regs[a + 2] : Known{};
      use(live, base, 0, size.kind == Known::Kind::constant ? size.number : -1);
      break;
    }
    case HelperArg::mem_out:
    case HelperArg::mem_out_or_null:
    case HelperArg::u64_out:
    case HelperArg::value_out:
    case HelperArg::num_iterator_new:
    case HelperArg::dynptr_new:
    case HelperArg::scratch_or_null: break;
    case HelperArg::dynptr:
    case HelperArg::dynptr_end: use(live, base, 0, 16); break;
    case HelperArg::num_iterator:
    case HelperArg::num_iterator_end: use(live, base, 0, 8); break;
    default: use(live, base, 0, -1); break; // e.g. the source address of probe_read
    }
  }
}

LiveSet FunctionPass::transfer(InsnIndex i, LiveSet live) const {
  const ProgramInsn& at = program_.at(i);
  const Effects effects = effects_of(at.insn);
  const KnownRegs& regs = known(i);
  if (const auto* store = std::get_if<Store>(&at.insn)) {
    const Known& base = regs[store->base.number];
    if (base.kind == Known::Kind::frame)
      set_range(live.stack, base.number + store->off, base.number + store->off + bytes(store->size),
                false);
  }
  live.regs = static_cast<uint16_t>((live.regs & ~effects.defs) | effects.uses);
  std::visit(
      overloaded{
          [&](const Load& l) { use(live, regs[l.base.number], l.off, bytes(l.size)); },
          [&](const LoadAcquire& l) { use(live, regs[l.base.number], l.off, bytes(l.size)); },
          [&](const Atomic& a) { use(live, regs[a.base.number], a.off, bytes(a.size)); },
          [&](const CallHelper& call) {
            if (const HelperInfo* info = find_helper(call.id))
              use_arguments(live, i, *info);
          },
          [&](const CallKfunc& call) {
            if (const HelperInfo* info = find_kfunc(call.btf_id))
              use_arguments(live, i, *info);
          },
          [&](const CallLocal&) {
            if (!at.callee.valid() || at.callee.value >= program_.functions.size())
              return;
            const InsnIndex entry = program_.functions[at.callee.value].begin;
            live.regs = static_cast<uint16_t>(live.regs | (live_[entry.value].regs & 0x3e));
            for (size_t r = 1; r <= 5; ++r)
              use(live, regs[r], 0, -1);
          },
          [&](const CallIndirect&) {
            for (size_t r = 1; r <= 5; ++r)
              use(live, regs[r], 0, -1);
          },
          [](const auto&) {},
      },
      at.insn);
  live.regs = static_cast<uint16_t>(live.regs | 1u << kFramePointer.number);
  return live;
}

LiveSet FunctionPass::demand(InsnIndex i, const LiveSet& after) const {
  const ProgramInsn& at = program_.at(i);
  const Effects effects = effects_of(at.insn);
  const KnownRegs& regs = known(i);
  LiveSet set = after;
  set.regs = static_cast<uint16_t>(set.regs & ~effects.defs);
  const auto matters = [&after](Reg r) { return (after.regs >> r.number & 1) != 0; };
  const auto need = [&set](Reg r) { set.regs = static_cast<uint16_t>(set.regs | 1u << r.number); };
  const auto need_operand = [&need](const Operand& operand) {
    if (const auto* r = std::get_if<Reg>(&operand))
      need(*r);
  };
  const auto need_all = [&] { set.regs = static_cast<uint16_t>(set.regs | effects.uses); };
  const auto load = [&](Reg dst, Reg base, int16_t off, Size size) {
    need(base);
    if (matters(dst))
      use(set, regs[base.number], off, bytes(size));
  };
  const auto store = [&](Reg base, int16_t off, Size size, const Operand& src) {
    need(base);
    const Known& place = regs[base.number];
    LiveSet written;
    use(written, place, off, bytes(size));
    if ((written.stack & after.stack).any())
      need_operand(src);
    if (place.kind == Known::Kind::frame)
      set.stack &= ~written.stack;
  };
  const auto call = [&](const HelperInfo* info) {
    need_all();
    for (size_t a = 0; info != nullptr && a < info->args.size(); ++a)
      if (info->args[a] == HelperArg::key) // of an array, it is an index
        use(set, regs[a + 1], 0, 4);
  };
  std::visit(overloaded{
                 [&](const Alu& alu) {
                   if (!matters(alu.dst))
                     return;
                   need_operand(alu.src);
                   if (alu.op != AluOp::mov)
                     need(alu.dst);
                 },
                 [&](const Neg& neg) { return matters(neg.dst) ? need(neg.dst) : void(); },
                 [&](const ByteSwap& swap) { return matters(swap.dst) ? need(swap.dst) : void(); },
                 [&](const MovSx& move) { return matters(move.dst) ? need(move.src) : void(); },
                 [&](const Load& l) { load(l.dst, l.base, l.off, l.size); },
                 [&](const LoadAcquire& l) { load(l.dst, l.base, l.off, l.size); },
                 [&](const Store& s) { store(s.base, s.off, s.size, s.src); },
                 [&](const Exit&) {
                   if (*result_matters_)
                     need(Reg{0});
                 },
                 [&](const CallHelper& c) { call(find_helper(c.id)); },
                 [&](const CallKfunc& c) { call(find_kfunc(c.btf_id)); },
                 [&](const CallLocal&) {
                   if (!at.callee.valid() || at.callee.value >= program_.functions.size())
                     return;
                   const InsnIndex entry = program_.functions[at.callee.value].begin;
                   set.regs = static_cast<uint16_t>(set.regs | (live_[entry.value].regs & 0x3e));
                   for (size_t r = 1; r <= 5; ++r)
                     use(set, regs[r], 0, kSlotBytes);
                 },
                 [&](const auto&) { need_all(); },
             },
             at.insn);
  return set;
}

void FunctionPass::propagate() {
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t n = function_.end.value; n > function_.begin.value; --n) {
      const InsnIndex i(n - 1);
      LiveSet after;
      for_each_successor(i, [&](InsnIndex to) {
        after.regs = static_cast<uint16_t>(after.regs | live_[to.value].regs);
        after.stack |= live_[to.value].stack;
      });
      const LiveSet before = result_matters_ != nullptr ? demand(i, after) : transfer(i, after);
      if (before == live_[i.value])
        continue;
      live_[i.value] = before;
      changed = true;
    }
  }
}

} // namespace

Liveness::Liveness(const Program& program, bool all_stack) : before_(program.insns.size()) {
  std::vector<FunctionPass> passes;
  for (const Function& function : program.functions) {
    passes.emplace_back(program, function, before_);
    passes.back().find_known_registers();
  }
  std::vector<uint16_t> entries(program.functions.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t f = passes.size(); f > 0; --f) {
      passes[f - 1].propagate();
      const uint16_t entry = before_[program.functions[f - 1].begin.value].regs;
      changed |= entry != entries[f - 1];
      entries[f - 1] = entry;
    }
  }
  if (all_stack)
    for (LiveSet& live : before_)
      live.stack.set();
}

Demand::Demand(const Program& program) : before_(program.insns.size()) {
  // A result matters when it does after some call of a function of the program. Other results are
  // the program's own, and those of callbacks, which must be 0 or 1.
  const auto results = std::make_unique<bool[]>(program.functions.size());
  std::vector<FunctionPass> passes;
  for (size_t f = 0; f < program.functions.size(); ++f) {
    passes.emplace_back(program, program.functions[f], before_, results[f]);
    passes.back().find_known_registers();
  }
  for (const ProgramInsn& at : program.insns)
    if (const auto* load = std::get_if<LoadImm64>(&at.insn);
        load != nullptr && load->kind == Imm64Kind::func && at.callee.valid() &&
        at.callee.value < program.functions.size())
      results[at.callee.value] = true;
  for (bool changed = true; changed;) {
    const std::vector<LiveSet> old = before_;
    for (size_t f = passes.size(); f > 0; --f)
      passes[f - 1].propagate();
    changed = before_ != old;
    for (size_t i = 0; i + 1 < program.insns.size(); ++i) {
      const FuncId callee = program.insns[i].callee;
      const bool is_call = std::holds_alternative<CallLocal>(program.insns[i].insn) &&
                           callee.valid() && callee.value < program.functions.size();
      if (!is_call || results[callee.value] || (before_[i + 1].regs & 1) == 0)
        continue;
      results[callee.value] = changed = true;
    }
  }
}

} // namespace bpfaot::verifier
