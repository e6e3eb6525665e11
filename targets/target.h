// SPDX-License-Identifier: MIT
//
// What generic code may know about a machine: one Target per folder of targets/, data and small
// functions, no LLVM. A new machine is one folder and one row in target.cpp.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bpfaot::targets {

// Meaning of a pt_regs slot, so that an object compiled for one machine serves all.
enum class RegMeaning : uint8_t {
  none,
  arg1,
  arg2,
  arg3,
  arg4,
  arg5,
  arg6,
  arg7,
  arg8, // integer arguments of the C convention
  ret,
  sp,
  fp,
  ip,
  link,       // return address register
  syscall_nr, // number at system call entry
  syscall_arg4, // where a system call has its fourth argument
  other,      // exists on this machine only
};

struct RegSlot {                        // one field of the machine's kernel pt_regs
  std::string_view name;                // kernel name, e.g. "di"
  std::string_view user_name;           // uapi name, e.g. "rdi"
  uint32_t offset, size;                // bytes
  RegMeaning meaning;                   // preferred
  RegMeaning second = RegMeaning::none; // aarch64 x0 and riscv64 a0 are arg1 and ret
};

// When a program looks at the registers: what some of them mean depends on it.
enum class RegMoment : uint8_t { entry, at_return, at_syscall };

// Which atomics that return the old value are no full barrier by themselves, as the kernel's are:
// those that are pairs of an exclusive load and store, whose store later accesses may pass.
enum class FetchFence : uint8_t { none, compare_exchange, all };

struct CpuRow {          // a value of --mcpu
  std::string_view name; // LLVM's name
  uint64_t features;     // BPFAOT_CPUFEAT_* of include/bpfaot/abi.h that its code needs
  uint64_t own = 0;      // of these, the bit that stands for this level
  uint64_t members = 0;  // the features that this bit stands for
};

struct FeatureRow {      // a name that --mattr takes
  std::string_view name; // LLVM's
  uint64_t bit;          // BPFAOT_CPUFEAT_* of the feature itself
  uint64_t includes;     // of those that come with it
  bool is_vector;        // of registers that attached programs never use
  std::string_view help;
};

struct FeatureChoice { // one word of --mattr
  std::string name;
  bool on = true;
};

struct Target {
  std::string_view name;    // "x86_64"
  std::string_view aliases; // space separated, "amd64 x86-64"
  std::string_view triple;  // "x86_64-unknown-linux-gnu"
  uint16_t e_machine;
  uint32_t e_flags;
  std::string_view default_cpu;
  std::span<const CpuRow> cpus; // the default is among them
  std::span<const FeatureRow> features;
  uint64_t (*cpu_features)(); // BPFAOT_CPUFEAT_* of this processor; 0 on other machines
  std::string_view
      attached_features; // LLVM features of programs attached to processes: no vector registers
  std::string_view buffer_features; // of programs that run on buffers
  std::string_view lld_emulation;   // "elf_x86_64"
  uint32_t page_size;               // largest page size that images are laid out for
  std::span<const RegSlot> pt_regs;
  uint32_t pt_regs_size;
  std::span<const uint32_t> allowed_dynamic_relocations; // R_*_RELATIVE
  std::string_view bpf_arch_macro;                       // "__TARGET_ARCH_x86"
  FetchFence fetch_fence;
  uint64_t fenceless_features = 0; // BPFAOT_CPUFEAT_* with any of which it is none
  std::string_view qemu;                                 // "qemu-x86_64"
  bool preserves_registers; // entries are compiled to keep all registers but scratch ones
  uint64_t entry_clobbers =
      0; // registers an entry may change when it preserves the rest, DWARF numbers
  std::string_view abi_name; // LLVM's name of the C ABI, "" = default
};

std::span<const Target* const> all();
const Target& host();
uint64_t host_cpu_features(); // BPFAOT_CPUFEAT_* that this processor has
const FeatureRow* find_feature(const Target& target, std::string_view name); // null when unknown
// BPFAOT_CPUFEAT_* that code for `cpu` with these choices may use; without vector registers, only
// the choices that concern others count.
uint64_t required_features(const Target& target, std::string_view cpu,
                           std::span<const FeatureChoice> choices, bool uses_vectors);
// "x86-64-v3, lzcnt"; bits without a name as a number.
std::string feature_names(const Target& target, uint64_t features);
// By name, alias or triple ("aarch64-linux-musl"). [target-unknown] lists what exists.
Result<const Target*> find(std::string_view name);
const Target* find_machine(uint16_t e_machine); // null when unknown

// The slot of `target` that means the same as `slot` of `source`, null when there is none. A
// register that is both first argument and result (aarch64 x0, riscv64 a0) is read as the result in
// programs that run at return, as the argument otherwise; the fourth argument of a system call has a
// register of its own on x86_64 (r10).
const RegSlot* counterpart(const Target& source, const RegSlot& slot, const Target& target,
                           RegMoment moment = RegMoment::entry);
// The slot that contains the byte at `offset`, null when there is none.
const RegSlot* slot_at(const Target& target, uint32_t offset);

} // namespace bpfaot::targets
