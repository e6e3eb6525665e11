// SPDX-License-Identifier: MIT
//
// Reads and writes per kind of instruction.
#include "verifier/effects.h"

#include "bpf/helpers.h"

namespace bpfaot::verifier {
namespace {

constexpr uint16_t bit(bpf::Reg r) {
  return static_cast<uint16_t>(1u << r.number);
}
constexpr uint16_t bit(const bpf::Operand& operand) {
  const auto* r = std::get_if<bpf::Reg>(&operand);
  return r != nullptr ? bit(*r) : uint16_t{0};
}
constexpr uint16_t join(uint16_t a, uint16_t b) {
  return static_cast<uint16_t>(a | b);
}
constexpr uint16_t kCallClobbers = 0x3f;

} // namespace

Effects effects_of(const bpf::Insn& insn) {
  using namespace bpf;
  return std::visit(
      overloaded{
          [](const Alu& i) -> Effects {
            return {join(bit(i.src), i.op == AluOp::mov ? uint16_t{0} : bit(i.dst)), bit(i.dst)};
          },
          [](const Neg& i) -> Effects { return {bit(i.dst), bit(i.dst)}; },
          [](const MovSx& i) -> Effects { return {bit(i.src), bit(i.dst)}; },
          [](const ByteSwap& i) -> Effects { return {bit(i.dst), bit(i.dst)}; },
          [](const AddrSpaceCast& i) -> Effects { return {bit(i.src), bit(i.dst)}; },
          [](const LoadImm64& i) -> Effects { return {0, bit(i.dst)}; },
          [](const Load& i) -> Effects { return {bit(i.base), bit(i.dst)}; },
          [](const Store& i) -> Effects { return {join(bit(i.base), bit(i.src)), 0}; },
          [](const Atomic& i) -> Effects {
            if (i.op == AtomicOp::compare_exchange)
              return {join(join(bit(i.base), bit(i.src)), 1), 1};
            return {join(bit(i.base), bit(i.src)), i.fetch ? bit(i.src) : uint16_t{0}};
          },
          [](const LoadAcquire& i) -> Effects { return {bit(i.base), bit(i.dst)}; },
          [](const StoreRelease& i) -> Effects { return {join(bit(i.base), bit(i.src)), 0}; },
          [](const LegacyPacketLoad& i) -> Effects {
            return {join(1u << 6, i.indirect ? bit(i.src) : uint16_t{0}), kCallClobbers};
          },
          [](const Jump&) -> Effects { return {}; },
          [](const Branch& i) -> Effects { return {join(bit(i.dst), bit(i.src)), 0}; },
          [](const MayGoto&) -> Effects { return {}; },
          [](const CallHelper& i) -> Effects {
            const HelperInfo* info = find_helper(i.id);
            const unsigned count = info != nullptr ? info->arg_count() : 0;
            return {static_cast<uint16_t>(((1u << count) - 1) << 1), kCallClobbers};
          },
          [](const CallLocal&) -> Effects { return {0, kCallClobbers}; },
          [](const CallKfunc& i) -> Effects {
            const HelperInfo* info = find_kfunc(i.btf_id);
            const unsigned count = info != nullptr ? info->arg_count() : 5;
            return {static_cast<uint16_t>(((1u << count) - 1) << 1), kCallClobbers};
          },
          [](const CallIndirect& i) -> Effects {
            return {join(bit(i.target), 0x3e), kCallClobbers};
          },
          [](const Exit&) -> Effects { return {1, 0}; },
      },
      insn);
}

int result_register(const bpf::Insn& insn) {
  using namespace bpf;
  if (const auto* atomic = std::get_if<Atomic>(&insn))
    return atomic->op == AtomicOp::compare_exchange ? 0 : atomic->fetch ? atomic->src.number : -1;
  const uint16_t defs = effects_of(insn).defs;
  if (defs == 0)
    return -1;
  return defs == kCallClobbers ? 0 : std::countr_zero(defs);
}

} // namespace bpfaot::verifier
