// SPDX-License-Identifier: MIT
//
// Packet loads of the first instruction set (LD_ABS, LD_IND): r0 becomes bytes of the packet, which
// are in network order there. Outside of the packet the whole program ends with 0.
#include "aotc/function_lowering.h"

#include <bpfaot/abi.h>

#include <llvm/IR/Intrinsics.h>

namespace bpfaot::aotc {
namespace {

// Offsets from here on count from the network header, or below that from the link-layer header:
// SKF_NET_OFF and SKF_LL_OFF of linux/filter.h.
constexpr int32_t kFromNetwork = -0x100000, kFromLink = -0x200000;

} // namespace

// Where the load starts counting, and how far from there it reads; a null start is outside. For a
// constant offset LLVM leaves one of the cases.
std::pair<llvm::Value*, llvm::Value*> FunctionLowering::packet_place(llvm::Value* offset) {
  const auto address = [this](uint64_t field) {
    llvm::Value* place = b_.CreateConstGEP1_64(b_.getInt8Ty(), get_ptr(bpf::Reg{6}), field);
    return b_.CreateAlignedLoad(b_.getInt64Ty(), place, llvm::Align(8));
  };
  const auto from = [&](int32_t limit) { return b_.CreateICmpSGE(offset, b_.getInt32(limit)); };
  llvm::Value* start =
      b_.CreateSelect(from(kFromLink), address(offsetof(bpfaot_packet, mac)), b_.getInt64(0));
  start = b_.CreateSelect(from(kFromNetwork), address(offsetof(bpfaot_packet, network)), start);
  start = b_.CreateSelect(from(0), address(offsetof(bpfaot_packet, data)), start);
  llvm::Value* distance =
      b_.CreateSelect(from(kFromNetwork), b_.CreateSub(offset, b_.getInt32(kFromNetwork)),
                      b_.CreateSub(offset, b_.getInt32(kFromLink)));
  distance = b_.CreateSelect(from(0), offset, distance);
  return {start, b_.CreateZExt(distance, b_.getInt64Ty())};
}

Status FunctionLowering::lower(const bpf::LegacyPacketLoad& insn) {
  const uint32_t size = bytes(insn.size);
  llvm::Value* offset = b_.getInt32(static_cast<uint32_t>(insn.imm));
  if (insn.indirect) // 32 bits, signed, and wraps
    offset = b_.CreateAdd(narrow(get_int(insn.src), 32), offset);
  const auto [start, distance] = packet_place(offset);
  llvm::Value* end =
      b_.CreateAlignedLoad(b_.getInt64Ty(),
                           b_.CreateConstGEP1_64(b_.getInt8Ty(), get_ptr(bpf::Reg{6}),
                                                 offsetof(bpfaot_packet, data_end)),
                           llvm::Align(8));
  // start != 0, start + distance + size <= end, in an order that cannot wrap.
  llvm::Value* room = b_.CreateSub(end, start);
  llvm::Value* inside =
      b_.CreateAnd(b_.CreateICmpNE(start, b_.getInt64(0)), b_.CreateICmpULE(start, end));
  inside = b_.CreateAnd(inside, b_.CreateICmpUGE(room, b_.getInt64(size)));
  inside = b_.CreateAnd(inside, b_.CreateICmpULE(distance, b_.CreateSub(room, b_.getInt64(size))));
  auto* load = llvm::BasicBlock::Create(b_.getContext(), "packet", function_);
  auto* outside = llvm::BasicBlock::Create(b_.getContext(), "outside", function_);
  b_.CreateCondBr(inside, load, outside);
  b_.SetInsertPoint(outside);
  b_.CreateRet(b_.getInt64(0)); // the verifier allows these loads in the program's first function
  b_.SetInsertPoint(load);
  llvm::Value* address = b_.CreateIntToPtr(b_.CreateAdd(start, distance), b_.getPtrTy());
  llvm::Value* value = b_.CreateAlignedLoad(int_type(size * 8), address, llvm::Align(1));
  if (size > 1)
    value = b_.CreateUnaryIntrinsic(llvm::Intrinsic::bswap, value);
  set_int(bpf::Reg{0}, value);
  return {};
}

} // namespace bpfaot::aotc
