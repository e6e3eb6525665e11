// SPDX-License-Identifier: MIT
//
// probe_read and its kin, where the verifier knows that nothing can go wrong: a few bytes, their
// number known, of the program's own stack, of a map's value, of a record, or a register of the context.
// They are copied on the
// spot, as loads and stores of the program would, so that what is copied need never have been in
// memory.
//
// The verifier has checked where such a helper writes but not what it reads, which may be any
// address. So the bounds are looked at here; and bytes of the stack that only such a read reads
// count as unwritten, for which create_frame() asks.
#include "aotc/function_lowering.h"

#include "aotc/context_layout.h"
#include "bpf/helpers.h"

#include <bpfaot/abi.h>

#include <algorithm>
#include <bit>

namespace bpfaot::aotc {
namespace {

using bpf::Reg;
using verifier::Kind;

constexpr uint64_t kMaxInline = 64;              // bytes; more is faster by minirt's loop of words
constexpr int32_t kProbeReads[] = {4, 112, 113}; // probe_read, probe_read_user, probe_read_kernel
constexpr Reg kTo{1}, kSize{2}, kFrom{3};

// A field of the register file, which need not be where the object says: BPF_CORE_READ(ctx, di) and
// the PT_REGS_*_CORE macros. Anything else of the context is not read on the spot.
bool is_register(const bpf::Program& program, const verifier::RegFact& from, uint64_t bytes) {
  const uint32_t kind = image_kind(program.kind);
  if (!has_registers(kind) || !from.range.is_constant() || !std::has_single_bit(bytes) || bytes > 8)
    return false;
  const targets::Target* source = machine_of(program.ctx_machine);
  if (source == nullptr)
    return true; // which is a fault with a name of its own
  const uint64_t offset = from.range.umin;
  if (offset % bytes != 0 || offset >= uint64_t{source->pt_regs_size} + 16)
    return false;
  if (offset >= source->pt_regs_size)
    return kind == BPFAOT_KIND_PERF_EVENT;
  const targets::RegSlot* slot = targets::slot_at(*source, static_cast<uint32_t>(offset));
  return slot != nullptr && offset + bytes <= slot->offset + slot->size;
}

// Bytes that the call at `insn` reads when it can be done on the spot, else 0.
uint32_t inline_bytes(const bpf::Program& program, const verifier::Facts& facts,
                      bpf::InsnIndex insn) {
  const auto* call = std::get_if<bpf::CallHelper>(&program.at(insn).insn);
  const verifier::InsnFacts& at = facts.insns[insn.value];
  if (call == nullptr || !at.reached || program.at(insn).poisoned ||
      std::find(std::begin(kProbeReads), std::end(kProbeReads), call->id) == std::end(kProbeReads))
    return 0;
  const verifier::RegFact& size = at.before[kSize.number];
  const verifier::RegFact& from = at.before[kFrom.number];
  const verifier::RegFact& to = at.before[kTo.number];
  if (size.kind != Kind::scalar || !size.range.is_constant() || size.range.umin == 0 ||
      size.range.umin > kMaxInline || from.maybe_null)
    return 0;
  if (to.maybe_null ||
      (to.kind != Kind::stack && to.kind != Kind::map_value && to.kind != Kind::memory))
    return 0;
  const auto bytes = static_cast<int64_t>(size.range.umin);
  if (from.kind == Kind::ctx)
    return is_register(program, from, size.range.umin) ? static_cast<uint32_t>(bytes) : 0;
  if (from.kind == Kind::stack) {
    if (!from.func.valid() || from.range.smin != from.range.smax || from.range.smin >= 0)
      return 0;
    const auto depth = static_cast<int64_t>(facts.functions[from.func.value].stack_depth);
    const bool inside = from.range.smin >= -depth && from.range.smin + bytes <= 0;
    return inside ? static_cast<uint32_t>(bytes) : 0;
  }
  if (from.kind != Kind::map_value && from.kind != Kind::memory)
    return 0;
  const bool inside = from.range.smin >= 0 && from.range.smax <= int64_t{from.object_size} - bytes;
  return inside ? static_cast<uint32_t>(bytes) : 0;
}

} // namespace

void FunctionLowering::find_stack_reads() {
  const bpf::Program& program = program_.program();
  const verifier::Facts& facts = program_.facts();
  program_.stack_reads.emplace(program.functions.size());
  for (uint32_t i = 0; i < program.insns.size(); ++i) {
    const verifier::RegFact& from = facts.insns[i].before[kFrom.number];
    const uint32_t bytes = inline_bytes(program, facts, bpf::InsnIndex(i));
    if (bytes == 0 || from.kind != Kind::stack)
      continue;
    const auto begin = static_cast<int32_t>(from.range.smin);
    (*program_.stack_reads)[from.func.value].push_back(
        {begin, begin + static_cast<int32_t>(bytes)});
  }
}

bool FunctionLowering::reads_register() const {
  return fact(kFrom).kind == Kind::ctx &&
         inline_bytes(program_.program(), program_.facts(), at_) != 0;
}

// Everything is loaded before anything is stored: the two may overlap.
Result<bool> FunctionLowering::lower_read() {
  const uint32_t bytes = inline_bytes(program_.program(), program_.facts(), at_);
  if (bytes == 0)
    return false;
  struct Part {
    uint32_t offset, size;
    llvm::Value* value;
  };
  std::vector<Part> parts;
  for (uint32_t done = 0; done < bytes;) {
    const uint32_t size = std::min(8u, std::bit_floor(bytes - done));
    const Access from = TRY(access(kFrom, static_cast<int16_t>(done), size, false));
    parts.push_back({done, size, load(from)});
    done += size;
  }
  for (const Part& part : parts)
    store(TRY(access(kTo, static_cast<int16_t>(part.offset), part.size, true)), part.value);
  set_int(Reg{0}, b_.getInt64(0));
  return true;
}

} // namespace bpfaot::aotc
