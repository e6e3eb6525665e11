// SPDX-License-Identifier: MIT
//
// x86_64 as data. Register order: struct pt_regs of arch/x86/include/asm/ptrace.h; argument
// registers: System V psABI 3.2.3; relocation numbers: psABI table 4.9.
#include "targets/rows.h"
#include "targets/x86_64/cpu_features.h"

namespace bpfaot::targets {
namespace {

using enum RegMeaning;

constexpr RegSlot kSlots[] = {
    {"r15", "r15", 0, 8, other},        {"r14", "r14", 8, 8, other},
    {"r13", "r13", 16, 8, other},       {"r12", "r12", 24, 8, other},
    {"bp", "rbp", 32, 8, fp},           {"bx", "rbx", 40, 8, other},
    {"r11", "r11", 48, 8, other},       {"r10", "r10", 56, 8, syscall_arg4},
    {"r9", "r9", 64, 8, arg6},          {"r8", "r8", 72, 8, arg5},
    {"ax", "rax", 80, 8, ret},          {"cx", "rcx", 88, 8, arg4},
    {"dx", "rdx", 96, 8, arg3},         {"si", "rsi", 104, 8, arg2},
    {"di", "rdi", 112, 8, arg1},        {"orig_ax", "orig_rax", 120, 8, syscall_nr},
    {"ip", "rip", 128, 8, ip},          {"cs", "cs", 136, 8, other},
    {"flags", "eflags", 144, 8, other}, {"sp", "rsp", 152, 8, sp},
    {"ss", "ss", 160, 8, other},
};

constexpr uint32_t kRelocations[] = {8}; // R_X86_64_RELATIVE

} // namespace

const Target kX86_64 = {
    .name = "x86_64",
    .aliases = "amd64 x86-64 x64",
    .triple = "x86_64-unknown-linux-gnu",
    .e_machine = 62,
    .e_flags = 0,
    .default_cpu = "x86-64-v2",
    .cpus = x86_64::kCpus,
    .features = x86_64::kFeatures,
    .cpu_features = x86_64::cpu_features,
    .attached_features = "-x87,-mmx,-sse",
    .buffer_features = "",
    .lld_emulation = "elf_x86_64",
    .page_size = 4096,
    .pt_regs = kSlots,
    .pt_regs_size = 168,
    .allowed_dynamic_relocations = kRelocations,
    .bpf_arch_macro = "__TARGET_ARCH_x86",
    .fetch_fence = FetchFence::none,
    .qemu = "qemu-x86_64",
    .preserves_registers = true,
    .entry_clobbers = (1u << 0) | (1u << 11), // rax, r11: DWARF numbers 0 and 11
    .abi_name = "",
};

} // namespace bpfaot::targets
