// SPDX-License-Identifier: MIT
//
// One program ready for verification: the entry function and every subprogram it reaches,
// decoded, relocated, laid out one after the other (entry first) in one slot numbering, with a
// source line per instruction. Immutable once link_program() has made it.
#pragma once

#include "bpf/insn.h"
#include "bpf/map_def.h"
#include "bpf/section.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace bpfaot::bpf {

class Btf;    // bpf/btf.h
struct Object; // bpf/object.h

struct ProgramInsn {
  Insn insn;
  SlotIndex slot;
  InsnIndex target; // Jump, Branch, MayGoto: where a taken branch goes
  FuncId callee;    // CallLocal; LoadImm64 of kind func
  uint32_t line = UINT32_MAX; // index into Program::lines
  bool poisoned = false;      // a relocation that cannot hold; legal only where never reached
};

struct LineInfo {
  std::string file, text;
  uint32_t line = 0, column = 0;
};

struct Function {
  std::string name;
  InsnIndex begin, end; // half-open
  uint32_t btf_type = 0; // FUNC type id, 0 = unknown
  bool is_global = false; // verified by its prototype alone
};

// Where the value that a CO-RE relocation put into an instruction comes from.
struct CoreUse {
  enum class Source : uint8_t {
    given,   // types that the user gave
    process, // what a process has of the kernel's types
    absent,  // a field that a process does not have
    assumed, // the object's own layout: nobody describes the type
  };
  std::string name; // "struct task_struct::tgid"
  Source source{};
};

// Which machine's pt_regs the object was compiled for.
enum class CtxMachine : uint8_t { unknown, x86_64, aarch64, riscv64 };

struct Program {
  std::string name;    // of the entry function
  std::string section; // as written
  SectionInfo kind;    // parsed section name
  std::vector<ProgramInsn> insns;
  std::vector<Function> functions; // [0] is the entry
  std::vector<LineInfo> lines;
  std::map<uint32_t, std::string> poison; // why an instruction is poisoned, by slot
  std::map<uint32_t, CoreUse> core_uses;  // offsets of fields, by slot
  std::shared_ptr<const Object> object; // maps, BTF, licence
  CtxMachine ctx_machine = CtxMachine::unknown;
  FuncId exception_callback; // invalid: what is thrown is what the program returns

  const ProgramInsn& at(InsnIndex index) const { return insns[index.value]; }
  FuncId function_of(InsnIndex index) const;
  const LineInfo* line_of(InsnIndex index) const {
    const uint32_t line = insns[index.value].line;
    return line < lines.size() ? &lines[line] : nullptr;
  }
  uint32_t slot_count() const;
};

} // namespace bpfaot::bpf
