// SPDX-License-Identifier: MIT
#include "aotc/context_layout.h"

#include "verifier/ctx_layout.h"

#include <bpfaot/abi.h>

namespace bpfaot::aotc {
namespace {

constexpr uint32_t kSyscallContext = 65536; // the kernel's limit for SEC("syscall")

verifier::CtxLayout register_file(const targets::Target* machine) {
  verifier::CtxLayout layout;
  if (machine == nullptr) {
    layout.name = "pt_regs of an unknown machine";
    layout.size = 1024;
    return layout;
  }
  layout.name = "pt_regs of " + std::string(machine->name);
  layout.size = machine->pt_regs_size;
  for (const targets::RegSlot& slot : machine->pt_regs)
    layout.fields.push_back({slot.offset, slot.size, false});
  return layout;
}

} // namespace

uint32_t image_kind(const bpf::SectionInfo& kind) {
  switch (kind.kind) {
  case bpf::ProgramKind::probe: return BPFAOT_KIND_PROBE;
  case bpf::ProgramKind::syscall: return BPFAOT_KIND_SYSCALL;
  case bpf::ProgramKind::raw_tracepoint: return BPFAOT_KIND_RAW_TP;
  case bpf::ProgramKind::socket_filter: return BPFAOT_KIND_SOCKET;
  case bpf::ProgramKind::xdp: return BPFAOT_KIND_XDP;
  case bpf::ProgramKind::tc: return BPFAOT_KIND_TC;
  case bpf::ProgramKind::usdt: return BPFAOT_KIND_USDT;
  case bpf::ProgramKind::ksyscall: return BPFAOT_KIND_KSYSCALL;
  case bpf::ProgramKind::perf_event: return BPFAOT_KIND_PERF_EVENT;
  case bpf::ProgramKind::tracepoint:
    // Only the records of system calls are the same everywhere; a process makes these events too.
    return kind.symbol.empty() || kind.symbol.starts_with("syscalls/sys_") ||
                   kind.symbol.starts_with("raw_syscalls/sys_")
               ? BPFAOT_KIND_TRACEPOINT
               : BPFAOT_KIND_NONE;
  case bpf::ProgramKind::tp_btf:
  case bpf::ProgramKind::kernel_only:
  case bpf::ProgramKind::unknown: break;
  }
  return BPFAOT_KIND_NONE;
}

bool is_supported(const bpf::SectionInfo& kind) {
  return image_kind(kind) != BPFAOT_KIND_NONE;
}

bool has_registers(uint32_t kind) {
  return kind == BPFAOT_KIND_PROBE || kind == BPFAOT_KIND_USDT || kind == BPFAOT_KIND_KSYSCALL ||
         kind == BPFAOT_KIND_PERF_EVENT;
}

targets::RegMoment moment_of(const bpf::SectionInfo& kind) {
  if (kind.is_return)
    return targets::RegMoment::at_return;
  return kind.kind == bpf::ProgramKind::ksyscall ? targets::RegMoment::at_syscall
                                                 : targets::RegMoment::entry;
}

const targets::Target* machine_of(bpf::CtxMachine machine) {
  const char* name = nullptr;
  switch (machine) {
  case bpf::CtxMachine::unknown: return nullptr;
  case bpf::CtxMachine::x86_64: name = "x86_64"; break;
  case bpf::CtxMachine::aarch64: name = "aarch64"; break;
  case bpf::CtxMachine::riscv64: name = "riscv64"; break;
  }
  const auto found = targets::find(name);
  return found ? *found : nullptr;
}

verifier::CtxLayout context_layout(const bpf::SectionInfo& kind, bpf::CtxMachine machine) {
  if (kind.kind == bpf::ProgramKind::probe || kind.kind == bpf::ProgramKind::usdt ||
      kind.kind == bpf::ProgramKind::ksyscall)
    return register_file(machine_of(machine));
  if (kind.kind == bpf::ProgramKind::syscall)
    return {.name = "buffer", .size = kSyscallContext, .fields = {}, .writable = true};
  const verifier::CtxLayout registers = register_file(machine_of(machine));
  return verifier::ctx_layout(kind, registers.name, registers.size);
}

} // namespace bpfaot::aotc
