// SPDX-License-Identifier: MIT
//
// The SEC() grammar: one line per form.
#include "bpf/section.h"

#include <gtest/gtest.h>

using namespace bpfaot;
using namespace bpfaot::bpf;

namespace {

struct Case {
  const char* name;
  ProgramKind kind;
  const char* prefix;
  const char* path;
  const char* symbol;
  uint64_t offset;
  const char* flags; // r return, s sleepable, m multi, ? optional
};

std::string flags_of(const SectionInfo& info) {
  std::string flags;
  if (info.is_return)
    flags += 'r';
  if (info.sleepable)
    flags += 's';
  if (info.multi)
    flags += 'm';
  if (info.optional)
    flags += '?';
  return flags;
}

using enum ProgramKind;

const Case kCases[] = {
    {"kprobe/do_unlinkat", probe, "kprobe", "", "do_unlinkat", 0, ""},
    {"kprobe/do_unlinkat+0x10", probe, "kprobe", "", "do_unlinkat", 16, ""},
    {"kprobe", probe, "kprobe", "", "", 0, ""},
    {"kprobe/", probe, "kprobe", "", "", 0, ""},
    {"kretprobe/do_unlinkat", probe, "kretprobe", "", "do_unlinkat", 0, "r"},
    {"uprobe//usr/bin/bash:readline", probe, "uprobe", "/usr/bin/bash", "readline", 0, ""},
    {"uprobe/libc.so.6:malloc+4", probe, "uprobe", "libc.so.6", "malloc", 4, ""},
    {"uprobe//bin/x:0x1234", probe, "uprobe", "/bin/x", "", 0x1234, ""},
    {"uprobe//bin/x:4096", probe, "uprobe", "/bin/x", "", 4096, ""},
    {"uprobe/readline", probe, "uprobe", "", "readline", 0, ""},
    {"uprobe//bin/a:b:f", probe, "uprobe", "/bin/a:b", "f", 0, ""},
    {"uprobe", probe, "uprobe", "", "", 0, ""},
    {"uretprobe.s//bin/x:f", probe, "uretprobe.s", "/bin/x", "f", 0, "rs"},
    {"?uretprobe//bin/x:f", probe, "uretprobe", "/bin/x", "f", 0, "r?"},
    {"uprobe.multi//bin/x:foo*", probe, "uprobe.multi", "/bin/x", "foo*", 0, "m"},
    {"uretprobe.multi.s//bin/x:foo*", probe, "uretprobe.multi.s", "/bin/x", "foo*", 0, "rsm"},
    {"kprobe.multi/tcp_*", probe, "kprobe.multi", "", "tcp_*", 0, "m"},
    {"uprobe.session//bin/x:f", kernel_only, "uprobe.session", "/bin/x", "f", 0, "m"},
    {"usdt//bin/x:libc:setjmp", usdt, "usdt", "/bin/x", "libc:setjmp", 0, ""},
    {"usdt", usdt, "usdt", "", "", 0, ""},
    {"ksyscall/openat", ksyscall, "ksyscall", "", "openat", 0, ""},
    {"kretsyscall/openat", ksyscall, "kretsyscall", "", "openat", 0, "r"},
    {"tp/syscalls/sys_enter_openat", tracepoint, "tp", "", "syscalls/sys_enter_openat", 0, ""},
    {"tracepoint/sched/sched_process_exec", tracepoint, "tracepoint", "",
     "sched/sched_process_exec", 0, ""},
    {"tp_btf/sys_enter", tp_btf, "tp_btf", "", "sys_enter", 0, ""},
    {"raw_tp/sys_enter", raw_tracepoint, "raw_tp", "", "sys_enter", 0, ""},
    {"raw_tracepoint.w/x", raw_tracepoint, "raw_tracepoint.w", "", "x", 0, ""},
    {"perf_event", perf_event, "perf_event", "", "", 0, ""},
    {"perf_event/type=0,config=3,frequency=99", perf_event, "perf_event", "",
     "type=0,config=3,frequency=99", 0, ""},
    {"syscall", syscall, "syscall", "", "", 0, ""},
    {"socket", socket_filter, "socket", "", "", 0, ""},
    {"xdp", xdp, "xdp", "", "", 0, ""},
    {"xdp.frags", xdp, "xdp.frags", "", "", 0, ""},
    {"xdp/cpumap", kernel_only, "xdp/cpumap", "", "", 0, ""},
    {"tcx/ingress", tc, "tcx/ingress", "", "", 0, ""},
    {"fentry/do_unlinkat", kernel_only, "fentry", "", "do_unlinkat", 0, ""},
    {"fexit.s/f", kernel_only, "fexit.s", "", "f", 0, "rs"},
    {"lsm.s/file_open", kernel_only, "lsm.s", "", "file_open", 0, "s"},
    {"struct_ops/init", kernel_only, "struct_ops", "", "init", 0, ""},
    {"cgroup/connect4", kernel_only, "cgroup/connect4", "", "", 0, ""},
    {"sk_reuseport/migrate", kernel_only, "sk_reuseport/migrate", "", "", 0, ""},
    {"s_uretprobe:/bin/bash:readline_1", unknown, "", "", "", 0, ""},
    {"syscall/x", unknown, "", "", "", 0, ""},
    {"kprobes/x", unknown, "", "", "", 0, ""},
    {"", unknown, "", "", "", 0, ""},
    {"?", unknown, "", "", "", 0, "?"},
};

} // namespace

TEST(Section, SaysWhatLibbpfSays) {
  for (const Case& want : kCases) {
    const auto info = parse_section(want.name);
    ASSERT_TRUE(info.has_value()) << want.name;
    EXPECT_EQ(info->kind, want.kind) << want.name;
    EXPECT_EQ(info->prefix, want.prefix) << want.name;
    EXPECT_EQ(info->path, want.path) << want.name;
    EXPECT_EQ(info->symbol, want.symbol) << want.name;
    EXPECT_EQ(info->offset, want.offset) << want.name;
    EXPECT_EQ(flags_of(*info), want.flags) << want.name;
  }
}

TEST(Section, RefusesAKnownPrefixWithAMalformedRest) {
  for (const char* name :
       {"uprobe//bin/x:", "uprobe/:f", "uprobe//bin/x:f+", "uprobe//bin/x:f+zz",
        "uprobe//bin/x:12ab", "kprobe/f+-1", "kprobe/+8", "usdt//bin/x", "usdt//bin/x:prov",
        "usdt/a::b", "usdt/a:b:", "uprobe//bin/x:f+99999999999999999999"}) {
    const auto info = parse_section(name);
    ASSERT_FALSE(info.has_value()) << name;
    EXPECT_EQ(info.error().code, Code::kSectionName);
  }
}
