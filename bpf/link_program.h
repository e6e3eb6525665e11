// SPDX-License-Identifier: MIT
//
// From an object to one program: the entry and every subprogram it reaches, decoded, relocated and
// laid out in one slot numbering. Each program links on its own, so what one cannot have does not
// hide the others.
#pragma once

#include "bpf/core_resolve.h"
#include "bpf/object.h"
#include "bpf/program.h"

#include <memory>

namespace bpfaot::bpf {

struct LinkOptions {
  CtxMachine ctx_arch = CtxMachine::unknown; // --ctx-arch: used when the object does not say
  // --btf: what CO-RE records are resolved against.
  std::shared_ptr<const CoreTypes> types;
  // What a process has of the kernel's types. Goes before `types` where those are a kernel's. With it,
  // what neither describes keeps the object's own layout.
  std::shared_ptr<const CoreTypes> process;
};

// `program_index` is a position in object->programs. Diagnostics carry slot, instruction and source
// line where there is one.
Result<std::shared_ptr<const Program>> link_program(std::shared_ptr<const Object> object,
                                                    size_t program_index,
                                                    const LinkOptions& options = {});

// Which machine's register layout a struct of this name in the object's types has.
CtxMachine ctx_machine_of_types(const Btf& btf);
std::string_view ctx_machine_name(CtxMachine machine); // "x86_64", "unknown"

} // namespace bpfaot::bpf
