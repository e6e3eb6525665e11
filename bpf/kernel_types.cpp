// SPDX-License-Identifier: MIT
//
// The object made of kernel_types.c, as a part of this program.
#include "bpf/core_resolve.h"

#include "bpf/elf_file.h"

namespace bpfaot::bpf {

extern "C" const uint8_t bpfaot_kernel_types_begin[], bpfaot_kernel_types_end[];
__asm__(".pushsection .rodata\n"
        ".balign 8\n"
        ".globl bpfaot_kernel_types_begin\n"
        "bpfaot_kernel_types_begin:\n"
        ".incbin \"" BPFAOT_KERNEL_TYPES "\"\n"
        ".globl bpfaot_kernel_types_end\n"
        "bpfaot_kernel_types_end:\n"
        ".popsection\n");

Result<std::shared_ptr<const CoreTypes>> CoreTypes::of_a_process() {
  const std::span object(bpfaot_kernel_types_begin, bpfaot_kernel_types_end);
  return std::make_shared<const CoreTypes>(TRY(Btf::read(TRY(find_elf_section(object, ".BTF")))));
}

} // namespace bpfaot::bpf
