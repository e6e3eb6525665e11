// SPDX-License-Identifier: MIT
//
// Joining. A constant zero joined with a pointer is that pointer being null: the walk turns a
// nullable pointer into the number zero on the branch where it is null, and programs that test it
// again after the paths have met must still see a pointer.
#include "verifier/collector.h"

#include "bpf/object.h"

#include <algorithm>
#include <bit>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr size_t kResult = 11; // index behind the registers
// What every object's start is aligned to: r10 and the context by the lowering, map values and
// ring-buffer records because minirt rounds element, key and record-header sizes to 8, as the
// kernel does.
constexpr uint32_t kObjectAlign = 8;

// Slices of dynptrs have nothing of a record but their bounds.
Kind kind_of(const RegState& reg) {
  if (reg.unaligned)
    return Kind::pointer;
  switch (reg.type) {
  case Type::none: return Kind::none;
  case Type::scalar: return Kind::scalar;
  case Type::ctx: return Kind::ctx;
  case Type::map_handle: return Kind::map_handle;
  case Type::map_value: return Kind::map_value;
  case Type::stack: return Kind::stack;
  case Type::memory: return Kind::memory;
  case Type::function: return Kind::function;
  case Type::dynptr: return Kind::pointer;
  case Type::packet:
  case Type::packet_meta:
  case Type::packet_end: return Kind::packet;
  }
  return Kind::none;
}

bool is_pointer_kind(Kind kind) {
  return kind != Kind::none && kind != Kind::scalar && kind != Kind::mixed;
}

Range64 range_of(const Scalar& v) {
  return {v.smin, v.smax, v.umin, v.umax, v.u32_min, v.u32_max, ~v.bits.mask, v.bits.value};
}

} // namespace

Collector::Collector(const Program& program)
    : program_(program), insns_(program.insns.size()), functions_(program.functions.size()) {}

uint32_t Collector::object_size(const RegState& reg) const {
  switch (reg.type) {
  case Type::map_value: return program_.object->maps[reg.object].value_size;
  case Type::memory: return reg.size;
  default: return 0;
  }
}

void Collector::join(Joined& joined, const State& state, const RegState& reg) const {
  RegFact& fact = joined.fact;
  const Kind kind = kind_of(reg);
  const bool unaligned = kind == Kind::packet || reg.unaligned;
  RegFact next;
  next.kind = kind;
  next.maybe_null = reg.maybe_null;
  if (reg.type == Type::map_handle || reg.type == Type::map_value || reg.type == Type::memory)
    next.map = MapId(reg.object);
  if (reg.type == Type::function)
    next.func = FuncId(reg.object);
  if (reg.type == Type::stack)
    next.func = state.frames[reg.object].func;
  next.object_size = object_size(reg);
  if (!joined.seen) {
    joined = {true,      reg.type != Type::none, reg.is_pointer(), next,
              reg.value, unaligned,              reg.unaligned,    reg.argument};
    return;
  }
  const bool null_constant = reg.is_zero() && is_pointer_kind(fact.kind);
  if (null_constant) {
    fact.maybe_null = true;
    return;
  }
  const bool was_null = fact.kind == Kind::scalar && joined.value == Scalar::constant(0);
  if (was_null && reg.is_pointer()) {
    next.maybe_null = true;
    joined = {true, true, true, next, reg.value, unaligned, reg.unaligned, reg.argument};
    return;
  }
  joined.unaligned |= unaligned;
  joined.shared |= reg.unaligned;
  if (reg.argument != 0 && joined.argument != 0 && reg.argument != joined.argument)
    joined.unaligned = joined.shared = true;
  if (reg.argument != 0)
    joined.argument = reg.argument;
  if (fact.kind != kind)
    fact.kind = is_pointer_kind(fact.kind) && is_pointer_kind(kind) ? Kind::pointer : Kind::mixed;
  fact.maybe_null |= next.maybe_null;
  if (fact.map != next.map)
    fact.map = {};
  if (fact.func != next.func)
    fact.func = {};
  if (reg.is_pointer()) {
    fact.object_size =
        joined.sized ? std::min(fact.object_size, next.object_size) : next.object_size;
    joined.sized = true;
  }
  if (reg.type != Type::none) {
    joined.value = joined.value_seen ? verifier::join(joined.value, reg.value) : reg.value;
    joined.value_seen = true;
  }
}

void Collector::before(const State& state, uint16_t live_regs) {
  PerInsn& at = insns_[state.pc.value];
  at.reached = true;
  if (at.regs.empty())
    at.regs.resize(kResult + 1);
  for (size_t r = 0; r < kResult; ++r)
    if ((live_regs >> r & 1) != 0)
      join(at.regs[r], state, state.top().regs[r]);
}

void Collector::after(InsnIndex insn, const State& state, const RegState& result) {
  join(insns_[insn.value].regs[kResult], state, result);
}

void Collector::branch(InsnIndex insn, bool taken, bool not_taken) {
  insns_[insn.value].taken |= taken;
  insns_[insn.value].not_taken |= not_taken;
}

void Collector::stack_used(FuncId func, int64_t lowest_offset) {
  uint32_t& depth = functions_[func.value].depth;
  if (lowest_offset < 0)
    depth = std::max(depth, static_cast<uint32_t>(-lowest_offset));
}

void Collector::unwritten(FuncId func, const StackBytes& bytes) {
  functions_[func.value].unwritten |= bytes;
}

void Collector::output(InsnIndex insn, MapId map, uint64_t size_min, uint64_t size_max) {
  for (OutputFact& known : outputs_)
    if (known.insn == insn && known.map == map) {
      known.size_min = std::min(known.size_min, size_min);
      known.size_max = std::max(known.size_max, size_max);
      return;
    }
  outputs_.push_back({insn, map, size_min, size_max});
}

RegFact Collector::exported(const Joined& joined) const {
  RegFact fact = joined.fact;
  if (!joined.seen)
    return {};
  if (fact.kind == Kind::mixed || !joined.value_seen)
    return fact;
  fact.range = range_of(joined.value);
  if (is_pointer_kind(fact.kind) && fact.kind != Kind::function && fact.kind != Kind::packet) {
    const uint64_t unaligned = joined.value.bits.max();
    fact.align =
        joined.unaligned ? 1
        : unaligned == 0
            ? kObjectAlign
            : std::min<uint32_t>(kObjectAlign, 1u << std::min(std::countr_zero(unaligned), 3));
    if (joined.argument != 0)
      fact.align = std::min(fact.align, arguments_[joined.argument].first);
  }
  fact.shared = joined.shared || (joined.argument != 0 && arguments_[joined.argument].second);
  return fact;
}

Facts Collector::finish(uint64_t steps) const {
  Facts facts;
  facts.insns.resize(insns_.size());
  for (size_t i = 0; i < insns_.size(); ++i) {
    const PerInsn& from = insns_[i];
    InsnFacts& to = facts.insns[i];
    to.reached = from.reached;
    to.branch_taken = from.taken;
    to.branch_not_taken = from.not_taken;
    if (from.regs.empty())
      continue;
    for (size_t r = 0; r < kResult; ++r)
      to.before[r] = exported(from.regs[r]);
    to.result = exported(from.regs[kResult]);
  }
  for (const PerFunction& function : functions_) {
    FunctionFacts out;
    out.stack_depth = function.depth;
    out.tail_calls = function.tail_calls;
    for (int32_t offset = -kStackBytes; offset < 0; ++offset) {
      if (!function.unwritten.test(stack_bit(offset)))
        continue;
      if (!out.unwritten.empty() && out.unwritten.back().end == offset)
        out.unwritten.back().end = offset + 1;
      else
        out.unwritten.push_back({offset, offset + 1});
    }
    facts.functions.push_back(std::move(out));
  }
  facts.outputs = outputs_;
  facts.helpers.assign(helpers_.begin(), helpers_.end());
  facts.ctx_reads.assign(ctx_reads_.begin(), ctx_reads_.end());
  facts.raw_ctx.assign(raw_ctx_.begin(), raw_ctx_.end());
  facts.ctx_escapes = ctx_escapes_;
  facts.steps = steps;
  return facts;
}

} // namespace bpfaot::verifier
