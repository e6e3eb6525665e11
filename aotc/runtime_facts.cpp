// SPDX-License-Identifier: MIT
//
// Without these facts a loop loads the address of a map again after each store into its values, and
// compares it with null each time round.
#include "aotc/runtime_facts.h"

#include <bpfaot/abi.h>

#include <llvm/Analysis/ValueTracking.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

namespace bpfaot::aotc {
namespace {

// What a load reads of the runtime block.
enum class Field : uint8_t { none, other, map_header, map_data };

Field field_of(const llvm::LoadInst& load, const llvm::GlobalVariable* block) {
  const llvm::Value* pointer = load.getPointerOperand();
  if (llvm::getUnderlyingObject(pointer) != block)
    return Field::none;
  int64_t offset = 0;
  const llvm::DataLayout& layout = load.getModule()->getDataLayout();
  if (llvm::GetPointerBaseWithConstantOffset(pointer, offset, layout) != block ||
      offset < static_cast<int64_t>(offsetof(bpfaot_rt, maps)) ||
      layout.getTypeStoreSize(load.getType()) != sizeof(uint64_t))
    return Field::other;
  const uint64_t in_slot =
      (static_cast<uint64_t>(offset) - offsetof(bpfaot_rt, maps)) % sizeof(bpfaot_map_slot);
  if (in_slot == offsetof(bpfaot_map_slot, header))
    return Field::map_header;
  return in_slot == offsetof(bpfaot_map_slot, data) ? Field::map_data : Field::other;
}

llvm::MDNode* number(llvm::LLVMContext& context, uint64_t value) {
  return llvm::MDNode::get(context, llvm::ConstantAsMetadata::get(llvm::ConstantInt::get(
                                        llvm::Type::getInt64Ty(context), value)));
}

// The address as a pointer: minirt's blocks hold addresses as integers, and LLVM follows only
// pointers to what they point to.
llvm::LoadInst* as_pointer(llvm::LoadInst* load) {
  llvm::LLVMContext& context = load->getContext();
  auto* pointer =
      new llvm::LoadInst(llvm::PointerType::getUnqual(context), load->getPointerOperand(),
                         load->getName(), false, load->getAlign(), load->getIterator());
  pointer->setDebugLoc(load->getDebugLoc());
  for (llvm::User* user : llvm::make_early_inc_range(load->users())) {
    if (auto* conversion = llvm::dyn_cast<llvm::IntToPtrInst>(user)) {
      conversion->replaceAllUsesWith(pointer);
      conversion->eraseFromParent();
    }
  }
  if (!load->use_empty()) {
    auto* integer = new llvm::PtrToIntInst(pointer, load->getType(), "", load->getIterator());
    load->replaceAllUsesWith(integer);
  }
  load->eraseFromParent();
  return pointer;
}

// Values of maps begin on cache lines of their own, headers with the session's layout.
constexpr uint64_t kDataAlign = 64, kHeaderAlign = 8;

void describe_address(llvm::LoadInst& load, Field field) {
  llvm::LLVMContext& context = load.getContext();
  load.setMetadata(llvm::LLVMContext::MD_nonnull, llvm::MDNode::get(context, {}));
  if (field == Field::map_header)
    load.setMetadata(llvm::LLVMContext::MD_dereferenceable,
                     number(context, sizeof(bpfaot_map_header)));
  load.setMetadata(llvm::LLVMContext::MD_align,
                   number(context, field == Field::map_header ? kHeaderAlign : kDataAlign));
}

bool points_into_header(const llvm::Value* pointer, const llvm::GlobalVariable* block) {
  const auto* address = llvm::dyn_cast<llvm::LoadInst>(llvm::getUnderlyingObject(pointer));
  return address != nullptr && field_of(*address, block) == Field::map_header;
}

} // namespace

llvm::PreservedAnalyses RuntimeFactsPass::run(llvm::Function& function,
                                              llvm::FunctionAnalysisManager&) {
  const llvm::GlobalVariable* block = function.getParent()->getNamedGlobal("__bpfaot_rt");
  if (block == nullptr)
    return llvm::PreservedAnalyses::all();
  llvm::SmallVector<llvm::LoadInst*, 16> loads; // first, as conversions go while we walk
  for (llvm::Instruction& insn : llvm::instructions(function))
    if (auto* load = llvm::dyn_cast<llvm::LoadInst>(&insn))
      if (load->isSimple() && !load->hasMetadata(llvm::LLVMContext::MD_nonnull))
        loads.push_back(load);
  bool changed = false;
  llvm::MDNode* empty = llvm::MDNode::get(function.getContext(), {});
  for (llvm::LoadInst* load : loads) {
    const Field field = field_of(*load, block);
    const bool is_invariant = load->hasMetadata(llvm::LLVMContext::MD_invariant_load);
    if (field == Field::none) {
      if (!is_invariant && points_into_header(load->getPointerOperand(), block)) {
        load->setMetadata(llvm::LLVMContext::MD_invariant_load, empty);
        changed = true;
      }
      continue;
    }
    if (field == Field::other && is_invariant)
      continue;
    if (field != Field::other) {
      if (load->getType()->isIntegerTy())
        load = as_pointer(load);
      describe_address(*load, field);
    }
    load->setMetadata(llvm::LLVMContext::MD_invariant_load, empty);
    changed = true;
  }
  return changed ? llvm::PreservedAnalyses::none() : llvm::PreservedAnalyses::all();
}

} // namespace bpfaot::aotc
