// SPDX-License-Identifier: MIT
//
// aarch64 as data. Register order: struct user_pt_regs of arch/arm64/include/uapi/asm/ptrace.h,
// with which the kernel's pt_regs begins; argument registers: AAPCS64 6.4; relocation numbers: ELF
// for the Arm 64-bit architecture.
#include "targets/aarch64/cpu_features.h"
#include "targets/rows.h"

namespace bpfaot::targets {
namespace {

using enum RegMeaning;

constexpr RegSlot kSlots[] = {
    {"regs[0]", "x0", 0, 8, arg1, ret},
    {"regs[1]", "x1", 8, 8, arg2},
    {"regs[2]", "x2", 16, 8, arg3},
    {"regs[3]", "x3", 24, 8, arg4, syscall_arg4},
    {"regs[4]", "x4", 32, 8, arg5},
    {"regs[5]", "x5", 40, 8, arg6},
    {"regs[6]", "x6", 48, 8, arg7},
    {"regs[7]", "x7", 56, 8, arg8},
    {"regs[8]", "x8", 64, 8, syscall_nr},
    {"regs[9]", "x9", 72, 8, other},
    {"regs[10]", "x10", 80, 8, other},
    {"regs[11]", "x11", 88, 8, other},
    {"regs[12]", "x12", 96, 8, other},
    {"regs[13]", "x13", 104, 8, other},
    {"regs[14]", "x14", 112, 8, other},
    {"regs[15]", "x15", 120, 8, other},
    {"regs[16]", "x16", 128, 8, other},
    {"regs[17]", "x17", 136, 8, other},
    {"regs[18]", "x18", 144, 8, other},
    {"regs[19]", "x19", 152, 8, other},
    {"regs[20]", "x20", 160, 8, other},
    {"regs[21]", "x21", 168, 8, other},
    {"regs[22]", "x22", 176, 8, other},
    {"regs[23]", "x23", 184, 8, other},
    {"regs[24]", "x24", 192, 8, other},
    {"regs[25]", "x25", 200, 8, other},
    {"regs[26]", "x26", 208, 8, other},
    {"regs[27]", "x27", 216, 8, other},
    {"regs[28]", "x28", 224, 8, other},
    {"regs[29]", "x29", 232, 8, fp},
    {"regs[30]", "x30", 240, 8, link},
    {"sp", "sp", 248, 8, sp},
    {"pc", "pc", 256, 8, ip},
    {"pstate", "pstate", 264, 8, other},
};

constexpr uint32_t kRelocations[] = {1027}; // R_AARCH64_RELATIVE

constexpr CpuRow kCpus[] = {{"generic", 0}};

} // namespace

const Target kAarch64 = {
    .name = "aarch64",
    .aliases = "arm64",
    .triple = "aarch64-unknown-linux-gnu",
    .e_machine = 183,
    .e_flags = 0,
    .default_cpu = "generic",
    .cpus = kCpus,
    .features = aarch64::kFeatures,
    .cpu_features = aarch64::cpu_features,
    .attached_features = "-neon,-fp-armv8",
    .buffer_features = "+neon,+fp-armv8",
    .lld_emulation = "aarch64elf",
    .page_size = 65536,
    .pt_regs = kSlots,
    .pt_regs_size = 272,
    .allowed_dynamic_relocations = kRelocations,
    .bpf_arch_macro = "__TARGET_ARCH_arm64",
    .fetch_fence = FetchFence::all, // the default processor has no single instructions for them
    // Those of ARMv8.1 with acquire and release order all accesses around them, as the kernel's own
    // barriers-included atomics rely on.
    .fenceless_features = BPFAOT_CPUFEAT_AARCH64_LSE,
    .qemu = "qemu-aarch64",
    .preserves_registers = false,
};

} // namespace bpfaot::targets
