// SPDX-License-Identifier: MIT
//
// What the loader needs to know of a machine to put a probe into running code: decode, cover, move
// and jump, as pure functions from bytes and addresses to bytes, and where things are in the
// register set that ptrace hands out. One Patcher per folder of targets/; a machine without one
// cannot be attached to and says so. Nothing here reads a process.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace bpfaot::targets {

enum class InsnClass : uint8_t {
  other,
  nop,
  landing_pad, // endbr64, bti: an indirect branch may arrive here
  breakpoint,
  trap,          // ud2, hlt: does not go on
  jump,          // direct, unconditional
  branch,        // direct, conditional
  call,          // direct
  indirect_jump,
  indirect_call,
  ret,
  syscall,
};

struct Insn {
  uint8_t length = 0;
  InsnClass kind = InsnClass::other;
  bool pc_relative = false; // has an operand in memory addressed from the pc
  bool has_target = false;
  uint64_t target = 0; // of jump, branch and call; the address of a pc-relative operand
};

// Control never reaches the byte behind it.
inline bool ends_flow(InsnClass kind) {
  return kind == InsnClass::jump || kind == InsnClass::indirect_jump || kind == InsnClass::ret ||
         kind == InsnClass::trap;
}

// Where a probe is wanted. `code` starts at the function's first byte (or, when no function is
// known, at the probe address) and goes on behind it, so that padding can be seen.
struct SiteRequest {
  std::span<const uint8_t> code;
  uint64_t pc = 0;            // of code[0]
  uint64_t function_size = 0; // of the function in `code`; 0 = unknown
  uint64_t room = 0;          // bytes from pc to the next thing that has a name; 0 = unknown
  uint64_t at = 0;            // address of the probe
  uint32_t need = 0;          // bytes to replace; 0 = the machine's jump_size
};

// Registers that jumps may clobber, as the machine numbers them, on machines where a long jump has to
// clobber one: whatever it holds, nobody wants it there. 0 = none, which may be all that is needed.
struct Scratch {
  uint8_t in = 0;  // at the covered bytes
  uint8_t out = 0; // wherever they lead to
};

// What will be overwritten: whole instructions from patch_pc.
struct SiteCover {
  uint64_t patch_pc = 0;        // the probe address, behind a landing pad when there is one
  uint32_t size = 0;            // bytes covered
  std::vector<uint8_t> starts;  // offsets of the instructions in it
  bool at_entry = false;        // of the function: only then are argument registers arguments
  bool falls_out = false;       // control goes on behind the covered bytes
  Scratch scratch;
  uint8_t signing = 0;          // the machine's own: what the landing pad did to the return address
};

struct MovedInsn {
  uint8_t from; // offset in the covered bytes
  uint32_t to;  // offset in the moved code
};

struct MovedCode {
  std::vector<uint8_t> bytes;
  std::vector<MovedInsn> map;
};

struct LongBranch {
  uint64_t target = 0, from = 0;
  bool certain = false; // several instructions that are one branch together; decode() sees no target
  auto operator<=>(const LongBranch&) const = default;
};

// One program called at a site.
struct ProbeCall {
  uint64_t entry = 0;     // address of uint64_t entry(void *ctx) in the process
  uint64_t site = 0;      // address of its struct bpfaot_site
  uint64_t ctx_reads = 0; // slots of pt_regs; ~0 = all
  uint64_t clobbers = 0;  // DWARF numbers of registers that entry may change
  bool needs_site = false;
};

// Addresses of the support code's entries in a process.
struct SupportEntries {
  uint64_t push_slow = 0, pop_slow = 0, sweep = 0;
};

// Everything a trampoline is generated from.
struct TrampolineRequest {
  uint64_t pc = 0;       // where it will be
  uint64_t probe_pc = 0; // what programs see as instruction pointer
  SiteCover cover;
  std::span<const uint8_t> original; // the covered bytes
  std::vector<ProbeCall> at_entry;
  std::vector<ProbeCall> at_return;
  bool sweeps = false; // an unwinder starts here: put all return addresses back first
  // For return probes; addresses in the process.
  uint64_t thread_base = 0;
  uint32_t thread_capacity_log2 = 0;
  SupportEntries support;
  bool has_fast_thread_pointer = false; // user space may read it by an instruction of its own
  bool signs_returns = false;           // the processor may sign return addresses
  // Address of the arena's `armed` word; when BPFAOT_DISARMED (bit 30) is set in it the programs, at
  // entry and at return, are passed by, and frames are pushed and popped all the same. 0: no such test.
  uint64_t armed = 0;
};

struct Trampoline {
  std::vector<uint8_t> bytes;
  std::vector<MovedInsn> moved; // `to` counts from the trampoline's start
  uint64_t return_point = 0;    // address a probed call returns to; 0 = no return programs
};

// Code that return trampolines share, copied as it is into each arena: position independent, no
// reference outside itself except to the struct bpfaot_arena before it (targets/arena.h).
struct SupportCode {
  std::span<const uint8_t> bytes;
  uint32_t push_slow = 0; // offsets of the entries
  uint32_t pop_slow = 0;
  uint32_t sweep = 0;
  SupportEntries at(uint64_t copy) const { return {copy + push_slow, copy + pop_slow, copy + sweep}; }
};

// What a process of this machine may use, as abi.h numbers it.
struct ProcessFacts {
  uint32_t cpu_method = 0;    // enum bpfaot_cpu_method
  uint32_t thread_method = 0; // enum bpfaot_thread_method
  bool fast_thread_pointer = false;
  bool signs_returns = false;
};

// Registers as PTRACE_GETREGSET(NT_PRSTATUS) stores them.
struct RegisterSet {
  uint32_t size;
  uint32_t pc_offset;
  uint32_t sp_offset;
  uint32_t result_offset; // of a system call
  uint32_t cursor_offset; // what a remote stub takes its table from and leaves a result in
  uint32_t link_offset;   // where links_in_register: of the return address at a function's entry
  // In the frame that a signal handler is called with: from where the kernel has put down the alternate
  // stack (uc_stack) to the stack pointer and the pc of the code that was interrupted.
  uint32_t frame_sp_distance, frame_pc_distance;
};

// Code that a borrowed thread of another process runs to make system calls. It owes nothing to the
// tracer's life: when the calls are made it sends itself a signal that nobody handles, which a tracer
// sees as a stop and takes the thread back at; without a tracer nothing happens, and the stub puts
// back the signal mask and all registers and goes on where the thread was.
//
// It lies in the tail of a page of code that belongs to nobody, which it cannot write. So: position
// dependent, no store into itself, no stack (signals may be unblocked, and memory below the stack
// pointer may be somebody's); flags and vector registers as they were.
//
// A thread that stopped in a system call which the kernel would restart must be sent to that restart:
// `registers` show the call as interrupted, or as rewound already, as the kernel of the machine has it.
struct RemoteStubRequest {
  uint64_t pc = 0;                    // where the stub will be; 16-aligned
  std::span<const uint8_t> registers; // of the thread at its stop, as ptrace gives them
  std::span<const std::vector<uint8_t>> more; // Patcher::more_regsets, in order; empty where the thread has none
  uint64_t signal_mask = 0;           // of the thread
  uint32_t signal = 0;                // to send itself; 0 = none, the tracer watches system calls
  // Where RemoteStub::frame will be, 16-aligned; 0 = behind the code, which makes the stub larger.
  uint64_t frame = 0;
};

struct RemoteStub {
  std::vector<uint8_t> bytes;
  // What a thread finds back by, on machines where that is not code; only when the request asked for it
  // apart. The kernel reads it.
  std::vector<uint8_t> frame;
  // Entries, as offsets. `single` makes the one call whose number and six arguments are the words at
  // `single_call`, and leaves its result in the cursor register. `batch` makes the calls of the table
  // of struct bpfaot_remote_call that the cursor register points to.
  uint32_t single = 0, single_call = 0, batch = 0;
  uint32_t done = 0; // the pc, as an offset, when the signal arrives
};

struct Patcher {
  std::string_view name;
  uint16_t e_machine;
  uint32_t jump_size;  // bytes written at a site
  uint64_t reach;      // of that jump, either way
  uint32_t short_jump_size; // of a jump that needs fewer bytes, 0 = there is none
  uint64_t short_reach;
  uint32_t code_align; // of trampolines
  RegisterSet registers;
  // Calls leave the return address in a register: the guards of unwinders look for where functions have
  // kept it, and on other threads than the first with system calls (targets/support_link.h).
  bool links_in_register;
  uint32_t irelative_relocation; // type of the one that calls a resolver

  // Nothing when the bytes are no instruction or end in the middle of one. Never reads further.
  std::optional<Insn> (*decode)(std::span<const uint8_t> bytes, uint64_t pc);
  // [attach-short], [attach-decode], [attach-branch], [attach-breakpoint], [attach-register],
  // [attach-exclusive]
  Result<SiteCover> (*cover)(const SiteRequest& request);
  // Bytes of the instruction at the start when it is one of those that fill gaps, else 0.
  uint32_t (*padding)(std::span<const uint8_t> bytes);
  // Every long direct branch in `text` that may lead into the middle of a site, looked for in the
  // raw bytes at every offset: it may report one that is not there, never miss one.
  std::vector<LongBranch> (*find_long_branches)(std::span<const uint8_t> text, uint64_t pc);
  // Those of them that lead into [low, high), much faster when that is narrow: the start of a command
  // waits for it. nullptr when this machine has no better way than to find all.
  std::vector<LongBranch> (*find_branches_into)(std::span<const uint8_t> text, uint64_t pc, uint64_t low,
                                                uint64_t high);
  // [attach-move]
  Result<MovedCode> (*move)(std::span<const uint8_t> covered, uint64_t from, uint64_t to, Scratch scratch);
  // Exactly jump_size bytes. [attach-reach]
  Result<std::vector<uint8_t>> (*encode_jump)(uint64_t from, uint64_t to, Scratch scratch);
  // Where a jump leads that encode_jump or encode_short_jump has written.
  std::optional<uint64_t> (*jump_target)(std::span<const uint8_t> bytes, uint64_t from);
  // Exactly short_jump_size bytes, for a long jump in a gap close by. [attach-reach]
  Result<std::vector<uint8_t>> (*encode_short_jump)(uint64_t from, uint64_t to);
  Result<Trampoline> (*make_trampoline)(const TrampolineRequest& request);
  // Empty when this build does not run on the machine.
  SupportCode (*support)();
  // From the processor this runs on and the process's AT_HWCAP2.
  ProcessFacts (*facts)(uint64_t hwcap2);

  // Changes `regs` so that the thread executes the system call instruction at `insn`.
  void (*prepare_syscall)(std::span<uint8_t> regs, uint64_t insn, uint64_t number,
                          std::span<const uint64_t> args);
  RemoteStub (*make_remote_stub)(const RemoteStubRequest& request);
  // Where a process has no room for the stub, calls are made one by one rather than refused; a tracer
  // that dies within one harms the process. For a stub that is larger than what small programs leave.
  bool stub_may_be_missing;
  // Types of register sets (elf.h) besides NT_PRSTATUS that a system call changes or a remote stub
  // needs: whoever borrows a thread reads them before and writes them back after.
  std::span<const uint32_t> more_regsets;
  std::span<const uint8_t> syscall_insn;
  std::span<const uint8_t> breakpoint_insn;
  uint32_t breakpoint_pc_bias; // pc minus address when a breakpoint is reported
};

// Of the machine that this program is built for. What uses only this one is linked without the others'.
const Patcher& host_patcher();

// Of any machine; null when sites of that machine cannot be patched.
const Patcher* find_patcher(uint16_t e_machine);

} // namespace bpfaot::targets
