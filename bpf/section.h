// SPDX-License-Identifier: MIT
//
// The SEC() grammar of libbpf as data: what a section name says about a program.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace bpfaot::bpf {

// Families of program kinds. What we can run has a kind in include/bpfaot/abi.h; the rest is
// recognised so that it can be refused by name.
enum class ProgramKind : uint8_t {
  probe,       // kprobe, kretprobe, uprobe, uretprobe, their .s and .multi forms: ctx is pt_regs
  usdt, ksyscall, tracepoint, raw_tracepoint, tp_btf, perf_event, syscall,
  socket_filter, xdp, tc,
  kernel_only, // everything else libbpf knows (fentry, lsm, cgroup, sk_lookup, struct_ops, …)
  unknown,
};

struct SectionInfo {
  ProgramKind kind = ProgramKind::unknown;
  std::string prefix;   // the row of the table that matched, e.g. "uretprobe.s"
  bool is_return = false;
  bool optional = false;  // leading '?': not loaded unless asked for
  bool sleepable = false;
  bool multi = false;
  std::string path;     // uprobe/PATH:SYMBOL+OFF
  std::string symbol;   // also the function of kprobe/FUNC, category/name of a tracepoint
  uint64_t offset = 0;  // after the symbol, or file offset when there is no symbol
};

// Programs that may call each other by tail calls: of one program type of the kernel and with one
// form of context.
enum class TailFamily : uint8_t {
  none, // the kernel has no tail calls there (always sleepable), or we no programs
  probe, tracepoint, raw_tracepoint, perf_event, socket, xdp, xdp_frags, tc, action,
};
TailFamily tail_family(const SectionInfo& info);

// Never fails: an unknown section has kind unknown. A known prefix with a malformed rest is an
// error [section-name].
Result<SectionInfo> parse_section(std::string_view name);

} // namespace bpfaot::bpf
