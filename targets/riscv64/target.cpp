// SPDX-License-Identifier: MIT
//
// riscv64 as data. Register order: struct user_regs_struct of arch/riscv/include/uapi/asm/ptrace.h,
// with which the kernel's pt_regs begins; argument registers: RISC-V ELF psABI, calling convention;
// e_flags: RVC and the double-float ABI, without which glibc refuses to open a file.
#include "targets/riscv64/cpu_features.h"
#include "targets/rows.h"

namespace bpfaot::targets {
namespace {

using enum RegMeaning;

constexpr RegSlot kSlots[] = {
    {"epc", "pc", 0, 8, ip},        {"ra", "ra", 8, 8, link},
    {"sp", "sp", 16, 8, sp},        {"gp", "gp", 24, 8, other},
    {"tp", "tp", 32, 8, other},     {"t0", "t0", 40, 8, other},
    {"t1", "t1", 48, 8, other},     {"t2", "t2", 56, 8, other},
    {"s0", "s0", 64, 8, fp},        {"s1", "s1", 72, 8, other},
    {"a0", "a0", 80, 8, arg1, ret}, {"a1", "a1", 88, 8, arg2},
    {"a2", "a2", 96, 8, arg3},      {"a3", "a3", 104, 8, arg4, syscall_arg4},
    {"a4", "a4", 112, 8, arg5},     {"a5", "a5", 120, 8, arg6},
    {"a6", "a6", 128, 8, arg7},     {"a7", "a7", 136, 8, arg8, syscall_nr},
    {"s2", "s2", 144, 8, other},    {"s3", "s3", 152, 8, other},
    {"s4", "s4", 160, 8, other},    {"s5", "s5", 168, 8, other},
    {"s6", "s6", 176, 8, other},    {"s7", "s7", 184, 8, other},
    {"s8", "s8", 192, 8, other},    {"s9", "s9", 200, 8, other},
    {"s10", "s10", 208, 8, other},  {"s11", "s11", 216, 8, other},
    {"t3", "t3", 224, 8, other},    {"t4", "t4", 232, 8, other},
    {"t5", "t5", 240, 8, other},    {"t6", "t6", 248, 8, other},
};

constexpr uint32_t kRelocations[] = {3}; // R_RISCV_RELATIVE

constexpr CpuRow kCpus[] = {{"generic-rv64", 0}};

} // namespace

const Target kRiscv64 = {
    .name = "riscv64",
    .aliases = "riscv64gc rv64gc",
    .triple = "riscv64-unknown-linux-gnu",
    .e_machine = 243,
    .e_flags = 0x5,
    .default_cpu = "generic-rv64",
    .cpus = kCpus,
    .features = riscv64::kFeatures,
    .cpu_features = riscv64::cpu_features,
    .attached_features = "+m,+a,+f,+d,+c",
    .buffer_features = "+m,+a,+f,+d,+c",
    .lld_emulation = "elf64lriscv",
    .page_size = 4096,
    .pt_regs = kSlots,
    .pt_regs_size = 256,
    .allowed_dynamic_relocations = kRelocations,
    .bpf_arch_macro = "__TARGET_ARCH_riscv",
    .fetch_fence = FetchFence::compare_exchange,
    .qemu = "qemu-riscv64",
    .preserves_registers = false,
    .abi_name = "lp64d",
};

} // namespace bpfaot::targets
