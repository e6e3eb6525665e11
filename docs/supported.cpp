// SPDX-License-Identifier: MIT
//
// Prints docs/supported.md from the tables of bpf/, so that the page cannot be wrong. Built and
// compared by a test; `cmake --build build --target supported_md` writes the page anew.
#include "bpf/helpers.h"
#include "bpf/maps.h"
#include "bpf/section.h"
#include "bpfaot/abi.h"

#include <cstdio>
#include <string>

namespace {

using namespace bpfaot;

// What a helper means for the process it runs in, from the capabilities it adds to an image.
std::string notes_of(const bpf::HelperInfo& helper) {
  std::string notes;
  const auto add = [&](bool holds, const char* text) {
    if (holds)
      notes += (notes.empty() ? "" : "; ") + std::string(text);
  };
  add(helper.flags & BPFAOT_CAP_READ_MEMORY, "reads memory of the process");
  add(helper.flags & BPFAOT_CAP_SYSCALLS, "may make a system call");
  add(helper.flags & BPFAOT_CAP_TIME, "reads the vDSO clock");
  add(helper.flags & BPFAOT_CAP_PRINTK, "prints");
  add((helper.flags & bpf::kHelperKinds) == bpf::kHelperXdp, "`xdp` only");
  add((helper.flags & bpf::kHelperKinds) == bpf::kHelperTc, "`tc` only");
  add((helper.flags & bpf::kHelperKinds) == (bpf::kHelperSocket | bpf::kHelperTc), "`socket` and `tc` only");
  add((helper.flags & bpf::kHelperKinds) == (bpf::kHelperXdp | bpf::kHelperTc), "`xdp` and `tc` only");
  add(helper.flags & bpf::kHelperGeneric, "not in probes, raw tracepoints and `socket`");
  add(helper.flags & bpf::kHelperGpl, "needs a GPL-compatible licence");
  add(helper.flags & bpf::kHelperGuard, "a nested hit is counted as missed");
  add(helper.id == 118, "the ticks of the coarse clock, from which the kernel's counter may be some ticks off");
  add(helper.id == 120, "the process's own namespace only");
  add(helper.id == 148, "`syscall` and programs that may sleep (`uprobe.s`) only");
  add(helper.id == 165, "a format of at most 510 bytes");
  return notes;
}

void print_helpers() {
  std::printf("## Helpers\n\n| number | helper | notes |\n|---|---|---|\n");
  for (const bpf::HelperInfo& helper : bpf::all_helpers())
    std::printf("| %d | `bpf_%.*s` | %s |\n", helper.id, static_cast<int>(helper.name.size()),
                helper.name.data(), notes_of(helper).c_str());
  std::printf("\nAny other helper of the kernel is reported by name, as unsupported.\n\n");
}

void print_kfuncs() {
  std::printf("## Kernel functions\n\n| function | notes |\n|---|---|\n");
  for (const bpf::HelperInfo& kfunc : bpf::all_kfuncs())
    std::printf("| `bpf_%.*s` | %s |\n", static_cast<int>(kfunc.name.size()), kfunc.name.data(),
                notes_of(kfunc).c_str());
  std::printf("\nOthers are refused by name where they are called; as `__weak` symbols they are 0.\n\n");
}

void print_maps() {
  std::printf("## Maps\n\n| number | type | values |\n|---|---|---|\n");
  for (const bpf::MapTypeInfo& map : bpf::all_map_types())
    std::printf("| %u | `BPF_MAP_TYPE_%s` | %s |\n", static_cast<unsigned>(map.type),
                [&] {
                  std::string upper;
                  for (const char c : map.name)
                    upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
                  return upper;
                }().c_str(),
                map.per_cpu                                     ? "one for each CPU slot"
                : map.map_class == bpf::map_class::user_ringbuf ? "records from outside"
                : (map.map_class & bpf::map_class::keyed) != 0  ? "shared by all CPUs"
                : map.map_class == bpf::map_class::queue_stack  ? "in order, without keys"
                : map.map_class == bpf::map_class::stack_trace  ? "stacks by their hash"
                : map.map_class == bpf::map_class::prog_array   ? "programs of the same image and kind, for tail calls"
                : map.map_class == bpf::map_class::of_maps      ? "maps of the same image and of the shape that the object gives"
                : map.map_class == bpf::map_class::cgroup_array ? "one implicit cgroup: every task is in it"
                                                                : "records");
  std::printf("\nGlobal variables (`.data`, `.bss`, `.rodata`) are maps too; `--set` writes `.rodata`.\n");
}

struct SectionRow {
  const char* prefix;
  bpf::ProgramKind kind;
};

constexpr SectionRow kSections[] = {
#define BPFAOT_SECTION(prefix, kind, rest, flags) {prefix, bpf::ProgramKind::kind},
#include "bpf/sections.def"
#undef BPFAOT_SECTION
};

// The prefixes of one kind in one cell.
void print_sections(bpf::ProgramKind kind, const char* context, const char* how) {
  std::string prefixes;
  for (const SectionRow& row : kSections)
    if (row.kind == kind)
      prefixes += (prefixes.empty() ? "`" : ", `") + std::string(row.prefix) + "`";
  std::printf("| %s | %s | %s |\n", prefixes.c_str(), context, how);
}

void print_kinds() {
  using bpf::ProgramKind;
  std::printf("## Programs\n\n| section names | context | how they run |\n|---|---|---|\n");
  print_sections(ProgramKind::probe, "`struct pt_regs`", "attached to code of a process, `test-run`");
  print_sections(ProgramKind::syscall, "a buffer", "`test-run`");
  print_sections(ProgramKind::raw_tracepoint, "an array of 64-bit values", "`test-run`");
  print_sections(ProgramKind::socket_filter, "`struct __sk_buff`", "`test-run`, on a [packet](packets.md)");
  print_sections(ProgramKind::usdt, "`struct pt_regs`", "`test-run`; nothing attaches them yet");
  print_sections(ProgramKind::ksyscall, "`struct pt_regs`", "as the row above");
  print_sections(ProgramKind::tracepoint,
                 "the record of a system call (`syscalls/…`, `raw_syscalls/…`; others are left out)",
                 "as the row above");
  print_sections(ProgramKind::perf_event, "`struct bpf_perf_event_data`", "as the row above");
  print_sections(ProgramKind::xdp, "`struct xdp_md`", "`test-run`, on a packet");
  print_sections(ProgramKind::tc, "`struct __sk_buff`", "`test-run`, on a packet");
  std::printf("\nA section name says what a program may read, not where it must go: any program of the "
              "first row can be\nattached anywhere with `--attach`. Other kinds are left out with a "
              "warning that names them:\n\n");
  std::string others;
  for (const SectionRow& row : kSections)
    switch (row.kind) {
    case ProgramKind::probe: case ProgramKind::syscall: case ProgramKind::raw_tracepoint:
    case ProgramKind::socket_filter: case ProgramKind::xdp: case ProgramKind::tc:
    case ProgramKind::usdt: case ProgramKind::ksyscall: case ProgramKind::tracepoint:
    case ProgramKind::perf_event: break;
    default: others += (others.empty() ? "`" : ", `") + std::string(row.prefix) + "`";
    }
  std::printf("%s.\n\n", others.c_str());
}

} // namespace

int main() {
  std::printf("<!-- SPDX-License-Identifier: MIT -->\n"
              "<!-- Generated from bpf/sections.def, helpers.def, kfuncs.def and maps.def: build the target supported_md. -->\n"
              "# What is supported\n\n");
  print_kinds();
  print_helpers();
  print_kfuncs();
  print_maps();
  return 0;
}
