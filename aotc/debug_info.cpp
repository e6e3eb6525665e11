// SPDX-License-Identifier: MIT
//
// Version 4 of DWARF: for lines and functions alone it is smaller than version 5, and every reader
// knows it.
#include "aotc/debug_info.h"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/DebugInfoMetadata.h>
#include <llvm/IR/Function.h>

namespace bpfaot::aotc {

DebugInfo::DebugInfo(llvm::Module& module, const std::string& path) : builder_(module) {
  module.addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
  module.addModuleFlag(llvm::Module::Warning, "Dwarf Version", 4);
  unit_ = builder_.createCompileUnit(
      llvm::dwarf::DW_LANG_C99, file(path), "bpf-aotc " BPFAOT_VERSION, true, "", 0, "",
      llvm::DICompileUnit::FullDebug, 0, true, false, llvm::DICompileUnit::DebugNameTableKind::None);
}

// Paths are what the compiler of the object wrote; nothing of this run is added to them.
llvm::DIFile* DebugInfo::file(const std::string& path) {
  llvm::DIFile*& known = files_[path];
  if (known == nullptr)
    known = builder_.createFile(path, "");
  return known;
}

void DebugInfo::describe(llvm::Function& function, const std::string& name,
                         const bpf::LineInfo* begin) {
  llvm::DIFile* home = begin != nullptr ? file(begin->file) : unit_->getFile();
  const unsigned line = begin != nullptr ? begin->line : 0;
  llvm::DISubroutineType* type =
      builder_.createSubroutineType(builder_.getOrCreateTypeArray({}));
  function.setSubprogram(builder_.createFunction(
      unit_, name, "", home, line, type, line, llvm::DINode::FlagPrototyped,
      llvm::DISubprogram::SPFlagDefinition | llvm::DISubprogram::SPFlagLocalToUnit |
          llvm::DISubprogram::SPFlagOptimized));
}

llvm::DebugLoc DebugInfo::location(const llvm::Function& function, const bpf::LineInfo* line) {
  llvm::DISubprogram* subprogram = function.getSubprogram();
  llvm::DIScope* scope = subprogram;
  if (line != nullptr && file(line->file) != subprogram->getFile()) { // inlined from a header
    llvm::DIScope*& known = scopes_[{subprogram, file(line->file)}];
    if (known == nullptr)
      known = builder_.createLexicalBlockFile(subprogram, file(line->file));
    scope = known;
  }
  return llvm::DILocation::get(function.getContext(), line != nullptr ? line->line : 0,
                               line != nullptr ? line->column : 0, scope);
}

void DebugInfo::finish() {
  builder_.finalize();
}

} // namespace bpfaot::aotc
