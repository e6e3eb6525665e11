// SPDX-License-Identifier: MIT
//
// Packets: pointers into one, what comparisons with its end prove, and what takes the proof away.
//
// A group of packet pointers has the same unknown numbers added to the start of the packet; its
// base is the start plus these numbers. A member is base + delta, and the first `size` bytes from
// the base are known to lie in the packet. Numbers that were added are never negative where a
// member is used, so base + [0, size) begins at or after the start. A packet has at most 65535
// bytes; a group whose base may lie further away proves nothing, since its addresses could wrap.
#include "bpf/object.h"
#include "verifier/walker.h"

#include <algorithm>

namespace bpfaot::verifier {
namespace {

using namespace bpf;

constexpr uint64_t kMaxPacket = 0xffff;

int64_t distance(const RegState& pointer) {
  return static_cast<int64_t>(pointer.delta);
}

// The start of the packet bounds its metadata as the end bounds the packet.
bool ends(const RegState& limit, const RegState& pointer) {
  if (pointer.type == Type::packet)
    return limit.type == Type::packet_end;
  return pointer.type == Type::packet_meta && limit.type == Type::packet && limit.id == 0 &&
         limit.delta == 0 && limit.value == Scalar::constant(0);
}

// In `state`: pointer <= limit, or pointer < limit when `strictly`.
void prove(State& state, const RegState& pointer, bool strictly) {
  const int64_t reach = distance(pointer);
  if (reach < 0 || (reach == 0 && strictly) || pointer.value.smin < 0 ||
      pointer.value.umax > kMaxPacket)
    return;
  const auto bytes = static_cast<uint32_t>(reach + (strictly ? 1 : 0));
  state.for_each_value([&](RegState& member) {
    if (member.type == pointer.type && member.id == pointer.id)
      member.size = std::max(member.size, bytes);
  });
}

uint64_t kind_bit(ProgramKind kind) {
  switch (kind) {
  case ProgramKind::socket_filter: return kHelperSocket;
  case ProgramKind::tc: return kHelperTc;
  case ProgramKind::xdp: return kHelperXdp;
  default: return 0;
  }
}

// The kernel lets these wait, so that only programs may call them that may wait, too.
bool may_wait(int32_t helper) {
  return helper == 148; // copy_from_user
}

bool is_sleepable(const SectionInfo& kind) {
  return kind.sleepable || kind.kind == ProgramKind::syscall;
}

} // namespace

// The address that a field of the context holds, when it holds one.
std::optional<RegState> Walker::packet_field(int64_t off) const {
  for (const CtxField& field : options_.ctx.fields) {
    if (off != field.offset)
      continue;
    switch (field.value) {
    case CtxValue::packet: return RegState::pointer(Type::packet, 0);
    case CtxValue::packet_meta: return RegState::pointer(Type::packet_meta, 0);
    case CtxValue::packet_end: return RegState::pointer(Type::packet_end, 0);
    case CtxValue::number:
    case CtxValue::kernel_pointer: break;
    }
  }
  return std::nullopt;
}

Status Walker::check_packet(Reg base, int64_t off, uint64_t size) {
  const RegState& r = state_.reg(base);
  // The part that is not constant must not lead backwards: only what follows the base is proven.
  const Scalar added = alu(AluOp::sub, true, r.value, Scalar::constant(r.delta));
  if (added.smin < 0)
    return error(Code::kPacketOob, "the offset into the packet may be negative",
                 name(base) + " is " + describe(r), "a number that is not negative");
  const int64_t first = distance(r) + off;
  if (first < 0 || static_cast<uint64_t>(first) + size > r.size)
    return error(Code::kPacketOob,
                 "access of " + std::to_string(size) + " bytes that may lie outside the packet",
                 name(base) + " is " + describe(r) + ", instruction offset " + std::to_string(off),
                 "a comparison with the end of the packet that covers these bytes");
  return {};
}

// `pointer` has its new value already.
void Walker::move_in_packet(RegState& pointer, const Scalar& amount, bool is_sub) {
  if (amount.is_constant()) {
    pointer.delta += is_sub ? uint64_t{0} - amount.umin : amount.umin;
    return;
  }
  pointer.id = new_id();
  pointer.size = 0;
}

void Walker::compare_with_end(const Branch& insn, const RegState& a, const RegState& b,
                              State& taken, State& not_taken) const {
  const bool forward = ends(b, a);
  if (!forward && !ends(a, b))
    return;
  const RegState& pointer = forward ? a : b;
  // As "pointer OP limit".
  Cond cond = insn.cond;
  if (!forward)
    cond = cond == Cond::ugt   ? Cond::ult
           : cond == Cond::ult ? Cond::ugt
           : cond == Cond::uge ? Cond::ule
           : cond == Cond::ule ? Cond::uge
                               : cond;
  switch (cond) {
  case Cond::ugt: return prove(not_taken, pointer, false);
  case Cond::uge: return prove(not_taken, pointer, true);
  case Cond::ult: return prove(taken, pointer, true);
  case Cond::ule: return prove(taken, pointer, false);
  default: return;
  }
}

// The packet may lie elsewhere now: what pointed into it is a number.
void Walker::forget_packet(State& state) {
  state.for_each_value([](RegState& r) {
    if (r.is_packet() || r.type == Type::packet_end)
      r = RegState::scalar({});
  });
}

// Helpers that work on packets need a context that has one; those that look at the registers of a
// process need a context that has these.
Status Walker::check_kind_of(const CallContext& call) const {
  const uint64_t kinds = call.info->flags & kHelperKinds, own = kind_bit(program_.kind.kind);
  const bool needs_registers = (call.info->flags & (kHelperSite | kHelperCtx)) != 0;
  const ProgramKind kind = program_.kind.kind;
  const bool is_generic = kind != ProgramKind::probe && kind != ProgramKind::usdt &&
                          kind != ProgramKind::ksyscall && kind != ProgramKind::raw_tracepoint &&
                          kind != ProgramKind::socket_filter;
  if ((call.info->flags & kHelperGeneric) != 0 && !is_generic)
    return error(Code::kHelperKind,
                 "bpf_" + std::string(call.info->name) + " is not for programs of this kind",
                 "a program of kind " + program_.kind.prefix,
                 "a program of kind tracepoint, perf_event, tc, xdp or syscall");
  if ((kinds != 0 && (kinds & own) == 0) || (needs_registers && own != 0))
    return error(Code::kHelperKind,
                 "bpf_" + std::string(call.info->name) + " is not for programs of this kind",
                 "a program of kind " + program_.kind.prefix,
                 kinds != 0 ? "a program whose context is a packet of the right kind"
                            : "a program whose context is registers");
  if (may_wait(call.info->id) && !is_sleepable(program_.kind))
    return error(Code::kHelperKind,
                 "bpf_" + std::string(call.info->name) + " is for programs that may sleep",
                 "a program of kind " + program_.kind.prefix, "e.g. SEC(\"uprobe.s\")");
  return {};
}

} // namespace bpfaot::verifier
