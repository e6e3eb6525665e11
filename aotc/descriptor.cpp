// SPDX-License-Identifier: MIT
#include "aotc/descriptor.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/GlobalVariable.h>
#include <llvm/IR/Module.h>
#include <llvm/Transforms/Utils/ModuleUtils.h>

#include <cstring>

namespace bpfaot::aotc {
namespace {

class Layout {
public:
  template <class T> bpfaot_table table(const std::vector<T>& entries) {
    align(8);
    const bpfaot_table place{.off = size(),
                             .count = static_cast<uint32_t>(entries.size()),
                             .entry_size = sizeof(T),
                             .reserved = 0};
    append(entries.data(), entries.size() * sizeof(T));
    return place;
  }
  bpfaot_blob blob(const void* data, size_t bytes) {
    align(8);
    const bpfaot_blob place{.off = size(), .size = static_cast<uint32_t>(bytes)};
    append(data, bytes);
    return place;
  }
  void append(const void* data, size_t bytes) {
    const auto* from = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), from, from + bytes);
  }
  void align(size_t to) { bytes_.resize((bytes_.size() + to - 1) / to * to); }
  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }
  std::vector<uint8_t>& bytes() { return bytes_; }

private:
  std::vector<uint8_t> bytes_;
};

struct Hole { // an int64_t: distance from the descriptor to a symbol
  uint32_t offset;
  llvm::Constant* symbol;
};

llvm::Constant* distance(llvm::Constant* to, llvm::Constant* from) {
  llvm::Type* word = llvm::Type::getInt64Ty(to->getContext());
  return llvm::ConstantExpr::getSub(llvm::ConstantExpr::getPtrToInt(to, word),
                                    llvm::ConstantExpr::getPtrToInt(from, word));
}

// A packed struct of byte strings and distances. Its type is known before the distances are, which
// refer to the global that has this type.
llvm::GlobalVariable* make_global(llvm::Module& module, const std::vector<uint8_t>& bytes,
                                  const std::vector<Hole>& holes) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* word = llvm::Type::getInt64Ty(context);
  std::vector<llvm::Constant*> parts;
  const auto add_bytes = [&](size_t begin, size_t end) {
    parts.push_back(llvm::ConstantDataArray::get(
        context, llvm::ArrayRef<uint8_t>(bytes.data() + begin, end - begin)));
  };
  size_t at = 0;
  for (const Hole& hole : holes) {
    add_bytes(at, hole.offset);
    parts.push_back(llvm::ConstantInt::get(word, 0));
    at = hole.offset + sizeof(int64_t);
  }
  add_bytes(at, bytes.size());
  std::vector<llvm::Type*> types;
  for (const llvm::Constant* part : parts)
    types.push_back(part->getType());
  auto* type = llvm::StructType::get(context, types, true);
  auto* global = new llvm::GlobalVariable(module, type, true, llvm::GlobalValue::ExternalLinkage,
                                          nullptr, BPFAOT_DESC_SYMBOL);
  for (size_t i = 0; i < holes.size(); ++i)
    parts[2 * i + 1] = distance(holes[i].symbol, global);
  global->setInitializer(llvm::ConstantStruct::get(type, parts));
  global->setAlignment(llvm::Align(16));
  global->setDSOLocal(true); // distances to it are constants
  global->setVisibility(llvm::GlobalValue::DefaultVisibility);
  return global;
}

void make_note(llvm::Module& module, llvm::GlobalVariable* descriptor, uint32_t machine) {
  struct {
    uint32_t name_size = sizeof(BPFAOT_NOTE_NAME);
    uint32_t desc_size = sizeof(bpfaot_note);
    uint32_t type = BPFAOT_NOTE_TYPE;
    char name[8] = BPFAOT_NOTE_NAME;
    uint32_t abi_version = BPFAOT_ABI_VERSION;
    uint32_t machine = 0;
  } head;
  static_assert(sizeof(head) == 12 + 8 + offsetof(bpfaot_note, desc_off));
  head.machine = machine;
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* word = llvm::Type::getInt64Ty(context);
  std::vector<uint8_t> bytes(sizeof(head));
  std::memcpy(bytes.data(), &head, sizeof(head));
  llvm::Constant* text = llvm::ConstantDataArray::get(context, llvm::ArrayRef<uint8_t>(bytes));
  auto* type = llvm::StructType::get(context, {text->getType(), word}, true);
  auto* note = new llvm::GlobalVariable(module, type, true, llvm::GlobalValue::InternalLinkage,
                                        nullptr, "note");
  // In bounds, or LLVM takes the distance for a relocation and the note for writable data.
  llvm::Constant* field = llvm::ConstantExpr::getInBoundsGetElementPtr(
      llvm::Type::getInt8Ty(context), note, llvm::ConstantInt::get(word, sizeof(head)));
  note->setInitializer(llvm::ConstantStruct::get(type, {text, distance(descriptor, field)}));
  note->setSection(".note.bpfaot");
  note->setAlignment(llvm::Align(4));
  llvm::appendToCompilerUsed(module, {note});
}

} // namespace

void emit_descriptor(llvm::Module& module, Manifest& manifest,
                     const std::vector<llvm::Function*>& entries) {
  bpfaot_desc& head = manifest.head;
  Layout layout;
  layout.append(&head, sizeof(head));
  head.programs = layout.table(manifest.programs);
  head.maps = layout.table(manifest.maps);
  head.variables = layout.table(manifest.variables);
  head.types = layout.table(manifest.types.types());
  head.members = layout.table(manifest.types.members());
  head.enumerators = layout.table(manifest.types.enumerators());
  head.events = layout.table(manifest.events);
  head.helpers = layout.table(manifest.helpers);
  head.map_values = layout.table(manifest.map_values);
  head.initial = layout.blob(manifest.initial.data(), manifest.initial.size());
  head.strings = layout.blob(manifest.strings.bytes().data(), manifest.strings.bytes().size());
  layout.align(8);
  std::memcpy(head.magic, BPFAOT_MAGIC, sizeof(head.magic));
  head.size = sizeof(bpfaot_desc);
  head.total_size = layout.size();
  head.abi_version = BPFAOT_ABI_VERSION;
  std::memcpy(layout.bytes().data(), &head, sizeof(head));

  std::vector<Hole> holes = {
      {static_cast<uint32_t>(offsetof(bpfaot_desc, rt_off)), module.getNamedGlobal("__bpfaot_rt")}};
  for (size_t i = 0; i < entries.size(); ++i)
    holes.push_back({static_cast<uint32_t>(head.programs.off + i * sizeof(bpfaot_program) +
                                           offsetof(bpfaot_program, entry_off)),
                     entries[i]});
  make_note(module, make_global(module, layout.bytes(), holes), head.machine);
}

} // namespace bpfaot::aotc
