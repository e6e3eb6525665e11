// SPDX-License-Identifier: MIT
//
// From the line records of the object to DWARF: gdb, perf and addr2line name the line of eBPF source
// that native code came from. Functions and lines only: variables live where LLVM keeps them, and
// the object does not say which registers they were in. Sections of debug information are not
// loaded, so a process that has the image pays nothing.
#pragma once

#include "bpf/program.h"

#include <llvm/IR/DIBuilder.h>
#include <llvm/IR/DebugLoc.h>
#include <llvm/IR/Module.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace bpfaot::aotc {

class DebugInfo {
public:
  // `file` is the source that the unit is named after.
  DebugInfo(llvm::Module& module, const std::string& file);

  // Says what a function is called in the source and where it begins (null = not known).
  void describe(llvm::Function& function, const std::string& name, const bpf::LineInfo* begin);
  // Of an instruction in a described function; line 0 where none is known.
  llvm::DebugLoc location(const llvm::Function& function, const bpf::LineInfo* line);
  // After the last location.
  void finish();

private:
  llvm::DIFile* file(const std::string& path);

  llvm::DIBuilder builder_;
  llvm::DICompileUnit* unit_;
  std::map<std::string, llvm::DIFile*> files_;
  std::map<std::pair<const llvm::DISubprogram*, llvm::DIFile*>, llvm::DIScope*> scopes_;
};

} // namespace bpfaot::aotc
