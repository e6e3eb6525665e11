// SPDX-License-Identifier: MIT
#include "aotc/module_lowering.h"

#include <bpfaot/abi.h>

#include <algorithm>

namespace bpfaot::aotc {
namespace {

bool is_array(const bpf::MapDef& map) {
  return map.type == bpf::MapType::array || map.type == bpf::MapType::percpu_array;
}

uint64_t block_size(uint32_t maps) {
  return sizeof(bpfaot_rt) + uint64_t{maps} * sizeof(bpfaot_map_slot);
}

} // namespace

ModuleLowering::ModuleLowering(llvm::LLVMContext& context, const targets::Target& target,
                               const bpf::Object& object, const Runtime& runtime,
                               LoweringOptions options, const llvm::DataLayout& layout)
    : target_(target), object_(object), runtime_(runtime), options_(std::move(options)),
      module_(std::make_unique<llvm::Module>("probe", context)), descs_(object.maps.size()),
      map_count_(static_cast<uint32_t>(object.maps.size())), tail_calls_(*this) {
  module_->setTargetTriple(std::string(target.triple));
  module_->setDataLayout(layout);
  module_->setPICLevel(llvm::PICLevel::BigPIC);
  // Replaced by a block of the right size when all maps are known.
  llvm::Type* bytes =
      llvm::ArrayType::get(llvm::Type::getInt8Ty(context), block_size(map_count_ + 1));
  rt_ = new llvm::GlobalVariable(*module_, bytes, false, llvm::GlobalValue::ExternalLinkage,
                                 llvm::Constant::getNullValue(bytes), "__bpfaot_rt");
  if (std::any_of(object.maps.begin(), object.maps.end(),
                  [](const bpf::MapDef& map) { return map.inner.has_value(); }))
    make_map_table();
}

void ModuleLowering::finish_runtime_block() {
  llvm::Type* bytes =
      llvm::ArrayType::get(llvm::Type::getInt8Ty(context()), block_size(map_count_));
  auto* block = new llvm::GlobalVariable(*module_, bytes, false, llvm::GlobalValue::ExternalLinkage,
                                         llvm::Constant::getNullValue(bytes));
  rt_->replaceAllUsesWith(block);
  block->takeName(rt_);
  rt_->eraseFromParent();
  rt_ = block;
  block->setVisibility(llvm::GlobalValue::HiddenVisibility);
  block->setDSOLocal(true);
  block->setExternallyInitialized(true); // by the loader: its zeros are not what programs see
  block->setAlignment(llvm::Align(target_.page_size));
  block->setSection(".bss.bpfaot.rt"); // a name of .bss: no bytes in the file
}

void ModuleLowering::need_printk_map() {
  if (!has_printk_map_)
    ++map_count_;
  has_printk_map_ = true;
}

llvm::Constant* ModuleLowering::desc_fields(bpf::MapId id) {
  const bpf::MapDef& map = object_.maps[id.value];
  const uint32_t fields[] = {static_cast<uint32_t>(map.type),
                             map.key_size,
                             map.value_size,
                             options_.fix_maps ? map.max_entries : 0,
                             map.flags,
                             id.value,
                             is_array(map) ? map.max_entries : 0,
                             object_.shape_of(id)};
  static_assert(sizeof(fields) == sizeof(bpfaot_map_desc));
  return llvm::ConstantDataArray::get(context(), fields);
}

// A lookup in a map of maps gives an entry of the table, so all of them are in it.
void ModuleLowering::make_map_table() {
  std::vector<llvm::Constant*> rows;
  for (uint32_t i = 0; i < object_.maps.size(); ++i)
    rows.push_back(desc_fields(bpf::MapId(i)));
  auto* type = llvm::ArrayType::get(rows[0]->getType(), rows.size());
  map_table_ = new llvm::GlobalVariable(*module_, type, true, llvm::GlobalValue::InternalLinkage,
                                        llvm::ConstantArray::get(type, rows), "maps");
  map_table_->setAlignment(llvm::Align(8));
  for (uint32_t i = 0; i < descs_.size(); ++i)
    descs_[i] = llvm::ConstantExpr::getInBoundsGetElementPtr(
        llvm::Type::getInt8Ty(context()), map_table_,
        llvm::ConstantInt::get(llvm::Type::getInt64Ty(context()),
                               uint64_t{i} * sizeof(bpfaot_map_desc)));
}

llvm::Constant* ModuleLowering::map_desc(bpf::MapId id) {
  if (descs_[id.value] != nullptr)
    return descs_[id.value];
  llvm::Constant* value = desc_fields(id);
  auto* desc =
      new llvm::GlobalVariable(*module_, value->getType(), true, llvm::GlobalValue::InternalLinkage,
                               value, "map." + object_.maps[id.value].name);
  desc->setAlignment(llvm::Align(8));
  descs_[id.value] = desc;
  return desc;
}

llvm::Value* ModuleLowering::map_data(llvm::IRBuilder<>& builder, bpf::MapId id) {
  const uint64_t offset = offsetof(bpfaot_rt, maps) + uint64_t{id.value} * sizeof(bpfaot_map_slot) +
                          offsetof(bpfaot_map_slot, data);
  llvm::Value* place = builder.CreateConstGEP1_64(builder.getInt8Ty(), rt_, offset);
  // The loader writes the slot before any program runs and nobody writes it afterwards.
  llvm::LoadInst* address = builder.CreateAlignedLoad(builder.getPtrTy(), place, llvm::Align(8));
  llvm::MDNode* empty = llvm::MDNode::get(context(), {});
  address->setMetadata(llvm::LLVMContext::MD_invariant_load, empty);
  address->setMetadata(llvm::LLVMContext::MD_nonnull, empty);
  return address;
}

llvm::Function* ModuleLowering::runtime_function(const std::string& name) {
  if (llvm::Function* declared = module_->getFunction(name))
    return declared;
  llvm::FunctionType* type = runtime_.function_type(name);
  if (type == nullptr)
    return nullptr;
  return llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, *module_);
}

void ModuleLowering::describe(llvm::Function& function, const std::string& name,
                              const bpf::Program& program, bpf::InsnIndex begin) {
  const bpf::LineInfo* line = program.line_of(begin);
  if (!options_.debug || (debug_ == nullptr && line == nullptr))
    return;
  if (debug_ == nullptr)
    debug_ = std::make_unique<DebugInfo>(*module_, line->file);
  debug_->describe(function, name, line);
}

llvm::DebugLoc ModuleLowering::location(const llvm::Function& function,
                                        const bpf::Program& program, bpf::InsnIndex insn) {
  return function.getSubprogram() == nullptr ? llvm::DebugLoc()
                                             : debug_->location(function, program.line_of(insn));
}

void ModuleLowering::finish_debug_info() {
  if (debug_ != nullptr)
    debug_->finish();
}

llvm::Function* ModuleLowering::create_function(llvm::FunctionType* type, const std::string& name) {
  llvm::Function* function =
      llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, name, *module_);
  set_function_attributes(*function, target_, options_.processor, options_.registers);
  function->setAlignment(llvm::Align(64)); // placement alone is worth 1.6x on short loops
  return function;
}

} // namespace bpfaot::aotc
