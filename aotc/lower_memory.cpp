// SPDX-License-Identifier: MIT
//
// Loads, stores, atomics, and the context: where the object's view of a machine's registers becomes
// the target's.
#include "aotc/function_lowering.h"

#include <bpfaot/abi.h>

#include <algorithm>
#include <bit>

namespace bpfaot::aotc {

using bpf::AtomicOp;
using bpf::Reg;
using verifier::Kind;

namespace {

// Alignment of base + off, when base has `align`.
llvm::Align alignment(uint32_t align, int16_t off) {
  uint32_t known = std::bit_floor(std::clamp(align, 1u, 4096u));
  if (off != 0)
    known =
        std::min(known, 1u << std::countr_zero(static_cast<uint32_t>(static_cast<uint16_t>(off))));
  return llvm::Align(known);
}

bool is_packet_kind(uint32_t kind) {
  return kind == BPFAOT_KIND_SOCKET || kind == BPFAOT_KIND_TC || kind == BPFAOT_KIND_XDP;
}

// Fields of __sk_buff that the kernel keeps in 16 bits: queue_mapping, tc_index, tc_classid.
uint32_t kept_bits(int16_t off) {
  return off == 12 || off == 44 || off == 72 ? 16 : 64;
}

} // namespace

// The fact about `reg` after this instruction, when the next one is what follows.
bool FunctionLowering::next_is_pointer(Reg reg) const {
  const bpf::InsnIndex next = at_.next();
  return next < source_.end &&
         is_pointer(program_.facts().insns[next.value].before[reg.number].kind);
}

Result<FunctionLowering::Access> FunctionLowering::access(Reg base, int16_t off, uint32_t size,
                                                          bool is_store) {
  const verifier::RegFact& base_fact = fact(base);
  if (base_fact.kind == Kind::ctx)
    return context_access(base_fact, base, off, size, is_store);
  Access result{.address = nullptr, .size = size, .align = alignment(base_fact.align, off)};
  result.address = b_.CreateGEP(b_.getInt8Ty(), get_ptr(base),
                                llvm::ConstantInt::getSigned(b_.getInt64Ty(), off));
  switch (base_fact.kind) {
  case Kind::stack: result.frame = true; break;
  case Kind::memory: result.shared = base_fact.shared; break;
  case Kind::packet: break;
  case Kind::map_value: {
    const bpf::MapDef* map =
        base_fact.map.valid() ? &program_.module.object().maps[base_fact.map.value] : nullptr;
    const bool sealed = map != nullptr && (map->section == bpf::MapSection::rodata ||
                                           map->section == bpf::MapSection::kconfig);
    result.shared = !sealed;
    result.invariant = sealed;
    break;
  }
  default:
    result.shared = true;
    if (!is_pointer(base_fact.kind))
      result.address = b_.CreateGEP(b_.getInt8Ty(), b_.CreateIntToPtr(get_int(base), b_.getPtrTy()),
                                    llvm::ConstantInt::getSigned(b_.getInt64Ty(), off));
  }
  return result;
}

// A program reads offset N of the register file of the machine that it was compiled for; the code
// reads the register that means the same on the target.
Result<FunctionLowering::Access>
FunctionLowering::context_access(const verifier::RegFact& base_fact, Reg base, int16_t off,
                                 uint32_t size, bool is_store) {
  Access result{.address = nullptr, .size = size, .align = llvm::Align(1)};
  if (is_packet_kind(program_.result.kind))
    return packet_context_access(base, off, size, is_store);
  if (!has_registers(program_.result.kind)) {
    result.address = b_.CreateGEP(b_.getInt8Ty(), get_ptr(base),
                                  llvm::ConstantInt::getSigned(b_.getInt64Ty(), off));
    result.align = alignment(base_fact.align, off);
    return result;
  }
  const targets::Target* source = machine_of(program_.program().ctx_machine);
  if (source == nullptr)
    return program_.fail_at(at_, Code::kCtxArchUnknown,
                            "the object does not tell which machine's registers it reads");
  if (!base_fact.range.is_constant() || is_store)
    return program_.fail_at(at_, Code::kLowering,
                            "the register file is accessed in a way that cannot be mapped");
  const uint64_t offset = base_fact.range.umin + static_cast<uint64_t>(int64_t{off});
  const targets::Target& target = program_.module.target();
  // struct bpf_perf_event_data: two words behind the registers.
  const bool behind = program_.result.kind == BPFAOT_KIND_PERF_EVENT &&
                      offset >= source->pt_regs_size &&
                      offset + size <= uint64_t{source->pt_regs_size} + 16;
  if (behind) {
    const uint64_t place = offset - source->pt_regs_size + target.pt_regs_size;
    result.address = b_.CreateGEP(b_.getInt8Ty(), get_ptr(base),
                                  b_.getInt64(place - base_fact.range.umin));
    return result;
  }
  const targets::RegSlot* slot =
      offset <= UINT32_MAX ? targets::slot_at(*source, static_cast<uint32_t>(offset)) : nullptr;
  if (slot == nullptr || offset + size > slot->offset + slot->size)
    return program_.fail_at(at_, Code::kCtxNoCounterpart,
                            "offset " + std::to_string(offset) + " is no register of " +
                                std::string(source->name));
  const targets::RegSlot* own =
      targets::counterpart(*source, *slot, target, moment_of(program_.program().kind));
  if (own == nullptr)
    return program_.fail_at(at_, Code::kCtxNoCounterpart,
                            "register " + std::string(slot->user_name) + " of " +
                                std::string(source->name) + " has no counterpart on " +
                                std::string(target.name));
  const uint64_t place = own->offset + (offset - slot->offset);
  program_.result.ctx_reads |= uint64_t{1} << (own - target.pt_regs.data());
  // From the context's start, whatever the program added to the pointer before.
  const uint64_t delta = place - base_fact.range.umin;
  result.address = b_.CreateGEP(b_.getInt8Ty(), get_ptr(base), b_.getInt64(delta));
  result.align = llvm::Align(uint64_t{1} << std::countr_zero(place | 8));
  return result;
}

// A number of the kernel's view, at its place in the copy of it behind the packet's addresses.
Result<FunctionLowering::Access>
FunctionLowering::packet_context_access(Reg base, int16_t off, uint32_t size, bool is_store) {
  const uint64_t place = offsetof(bpfaot_packet, view) + static_cast<uint64_t>(int64_t{off});
  Access result{.address = nullptr, .size = size, .align = llvm::Align(size)};
  result.address = b_.CreateGEP(b_.getInt8Ty(), get_ptr(base), b_.getInt64(place));
  if (is_store && program_.result.kind == BPFAOT_KIND_TC)
    result.kept_bits = kept_bits(off);
  return result;
}

// Offset in struct bpfaot_packet of the address that this load of a context field means.
std::optional<uint64_t> FunctionLowering::packet_address(const bpf::Load& insn) const {
  if (fact(insn.base).kind != Kind::ctx || !is_packet_kind(program_.result.kind))
    return std::nullopt;
  const bool xdp = program_.result.kind == BPFAOT_KIND_XDP;
  if (insn.off == (xdp ? 0 : 76))
    return offsetof(bpfaot_packet, data);
  if (insn.off == (xdp ? 4 : 80))
    return offsetof(bpfaot_packet, data_end);
  if (insn.off == (xdp ? 8 : 140))
    return offsetof(bpfaot_packet, data_meta);
  return std::nullopt;
}

llvm::Value* FunctionLowering::load(const Access& access) {
  llvm::Type* type = int_type(access.size * 8);
  if (!access.shared) {
    llvm::LoadInst* load = b_.CreateAlignedLoad(type, access.address, access.align);
    if (access.invariant)
      load->setMetadata(llvm::LLVMContext::MD_invariant_load,
                        llvm::MDNode::get(b_.getContext(), {}));
    return load;
  }
  if (access.align.value() >= access.size) {
    llvm::LoadInst* load = b_.CreateAlignedLoad(type, access.address, llvm::Align(access.size));
    load->setAtomic(llvm::AtomicOrdering::Unordered);
    return load;
  }
  llvm::Value* value = llvm::ConstantInt::get(type, 0);
  for (uint32_t i = 0; i < access.size; ++i) {
    llvm::Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), access.address, i);
    llvm::LoadInst* byte = b_.CreateAlignedLoad(b_.getInt8Ty(), place, llvm::Align(1));
    byte->setAtomic(llvm::AtomicOrdering::Unordered);
    value = b_.CreateOr(value, b_.CreateShl(b_.CreateZExt(byte, type), uint64_t{8} * i));
  }
  return value;
}

void FunctionLowering::store(const Access& access, llvm::Value* value) {
  if (!access.shared) {
    b_.CreateAlignedStore(value, access.address, access.align);
    return;
  }
  if (access.align.value() >= access.size) {
    b_.CreateAlignedStore(value, access.address, llvm::Align(access.size))
        ->setAtomic(llvm::AtomicOrdering::Unordered);
    return;
  }
  for (uint32_t i = 0; i < access.size; ++i) {
    llvm::Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), access.address, i);
    llvm::Value* byte = narrow(b_.CreateLShr(value, uint64_t{8} * i), 8);
    b_.CreateAlignedStore(byte, place, llvm::Align(1))->setAtomic(llvm::AtomicOrdering::Unordered);
  }
}

Status FunctionLowering::lower(const bpf::Load& insn) {
  if (const std::optional<uint64_t> field = packet_address(insn)) {
    llvm::Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), get_ptr(insn.base), *field);
    set_ptr(insn.dst, b_.CreateAlignedLoad(b_.getPtrTy(), place, llvm::Align(8)));
    return {};
  }
  const Access from = TRY(access(insn.base, insn.off, bytes(insn.size), false));
  if (from.frame && insn.size == bpf::Size::b8 && next_is_pointer(insn.dst)) {
    set_ptr(insn.dst,
            b_.CreateAlignedLoad(b_.getPtrTy(), from.address, from.align)); // a filled spill
    return {};
  }
  llvm::Value* value = load(from);
  set_int(insn.dst, insn.sign_extend ? b_.CreateSExt(value, b_.getInt64Ty()) : value);
  return {};
}

Status FunctionLowering::lower(const bpf::Store& insn) {
  const Access to = TRY(access(insn.base, insn.off, bytes(insn.size), true));
  const Reg* src = std::get_if<Reg>(&insn.src);
  if (to.frame && insn.size == bpf::Size::b8 && src != nullptr && is_pointer(fact(*src).kind)) {
    b_.CreateAlignedStore(get_ptr(*src), to.address, to.align); // a spill
    return {};
  }
  llvm::Value* value = operand(insn.src, to.size * 8);
  if (to.kept_bits < to.size * 8)
    value = b_.CreateAnd(value, llvm::ConstantInt::get(value->getType(),
                                                       (uint64_t{1} << to.kept_bits) - 1));
  store(to, value);
  return {};
}

// LLVM's sequential consistency orders atomics among each other; the kernel's fetching atomics are
// barriers for all accesses.
void FunctionLowering::fence_after_fetch(bool compare_exchange) {
  using targets::FetchFence;
  const FetchFence fence = program_.module.options().fetch_fence;
  if (fence == FetchFence::all || (fence == FetchFence::compare_exchange && compare_exchange))
    b_.CreateFence(llvm::AtomicOrdering::SequentiallyConsistent);
}

// Without fetch: relaxed, as in the kernel. With: fully ordered. Natural alignment is the
// verifier's promise.
Status FunctionLowering::lower(const bpf::Atomic& insn) {
  const Access at = TRY(access(insn.base, insn.off, bytes(insn.size), true));
  const llvm::Align align(at.size);
  llvm::Value* value = narrow(get_int(insn.src), at.size * 8);
  if (insn.op == AtomicOp::compare_exchange) {
    const Reg r0{0};
    llvm::Value* pair = b_.CreateAtomicCmpXchg(at.address, narrow(get_int(r0), at.size * 8), value,
                                               align, llvm::AtomicOrdering::SequentiallyConsistent,
                                               llvm::AtomicOrdering::SequentiallyConsistent);
    fence_after_fetch(true);
    set_int(r0, b_.CreateExtractValue(pair, 0));
    return {};
  }
  const auto op = [&] {
    switch (insn.op) {
    case AtomicOp::add: return llvm::AtomicRMWInst::Add;
    case AtomicOp::bit_or: return llvm::AtomicRMWInst::Or;
    case AtomicOp::bit_and: return llvm::AtomicRMWInst::And;
    case AtomicOp::bit_xor: return llvm::AtomicRMWInst::Xor;
    case AtomicOp::exchange:
    case AtomicOp::compare_exchange: break;
    }
    return llvm::AtomicRMWInst::Xchg;
  }();
  const bool ordered = insn.fetch || insn.op == AtomicOp::exchange;
  llvm::Value* old = b_.CreateAtomicRMW(op, at.address, value, align,
                                        ordered ? llvm::AtomicOrdering::SequentiallyConsistent
                                                : llvm::AtomicOrdering::Monotonic);
  if (ordered) {
    fence_after_fetch(false);
    set_int(insn.src, old);
  }
  return {};
}

Status FunctionLowering::lower(const bpf::LoadAcquire& insn) {
  const Access from = TRY(access(insn.base, insn.off, bytes(insn.size), false));
  llvm::LoadInst* load =
      b_.CreateAlignedLoad(int_type(from.size * 8), from.address, llvm::Align(from.size));
  load->setAtomic(llvm::AtomicOrdering::Acquire);
  set_int(insn.dst, load);
  return {};
}

Status FunctionLowering::lower(const bpf::StoreRelease& insn) {
  const Access to = TRY(access(insn.base, insn.off, bytes(insn.size), true));
  b_.CreateAlignedStore(narrow(get_int(insn.src), to.size * 8), to.address, llvm::Align(to.size))
      ->setAtomic(llvm::AtomicOrdering::Release);
  return {};
}

} // namespace bpfaot::aotc
