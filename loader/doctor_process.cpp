// SPDX-License-Identifier: MIT
//
// One process: whether it can be attached to, and what its binaries tell.
#include "loader/doctor.h"

#include "loader/debug_file.h"
#include "loader/elf.h"
#include "loader/proc_maps.h"
#include "support/files.h"
#include "targets/patch.h"
#include "targets/target.h"

#include <elf.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace bpfaot::loader {
namespace {

std::string link_of(const std::string& path) {
  char text[4096];
  const ssize_t length = readlink(path.c_str(), text, sizeof text);
  return {text, length > 0 ? static_cast<size_t>(length) : 0};
}

// The tracer is a child that ends at once: the kernel lets go without the process ever stopping.
int try_seize(int pid) {
  return ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) != 0 ? errno : 0;
}

std::string c_library(const ElfView& elf) {
  const std::string_view interpreter = elf.interpreter();
  if (interpreter.find("ld-musl") != std::string_view::npos)
    return "musl";
  if (!interpreter.empty())
    return interpreter.find("ld-linux") != std::string_view::npos ? "glibc" : std::string(interpreter);
  // glibc marks its programs; musl marks nothing.
  return elf.find_note("GNU", NT_GNU_ABI_TAG) ? "static, glibc" : "static, without the mark of glibc";
}

bool is_go(const ElfView& elf) {
  return elf.find_note("Go", 4).has_value() ||
         std::any_of(elf.sections().begin(), elf.sections().end(),
                     [](const ElfSection& section) { return section.name == ".gopclntab"; });
}

void add_binary(std::vector<Finding>& list, int pid) {
  const std::string proc = "/proc/" + std::to_string(pid);
  const auto bytes = read_file(proc + "/exe", 1ull << 30);
  if (!bytes) {
    list.push_back({"binary", Health::no, kNeededByAttach, bytes.error().message, "its program cannot be read"});
    return;
  }
  const auto elf = ElfView::open(*bytes);
  if (!elf) {
    list.push_back({"binary", Health::no, kNeededByAttach, elf.error().message, "only 64-bit programs can be attached to"});
    return;
  }
  const targets::Target* machine = targets::find_machine(elf->machine());
  const bool is_own = machine == &targets::host();
  list.push_back({"binary", is_own ? Health::ok : Health::no, kNeededByAttach,
                  link_of(proc + "/exe") + ", " + (machine != nullptr ? std::string(machine->name) : "an unknown machine"),
                  is_own ? "" : "it is for another machine"});
  list.push_back({"c-library", Health::ok, kNobody, c_library(*elf), ""});
  if (is_go(*elf))
    list.push_back({"language", Health::no, kNeededByAttach, "Go", "small stacks that move leave no room for probes"});
  const bool has_all = elf->has_symtab();
  const std::string path = link_of(proc + "/exe");
  const bool has_debug_file = !has_all && find_debug_file(*elf, path, {"", proc + "/root"}).has_value();
  list.push_back({"symbols", has_all || has_debug_file ? Health::ok : Health::limited, kNobody,
                  has_all ? "there" : has_debug_file ? "in a debug file" : "stripped",
                  has_all || has_debug_file ? "" : "only exported functions and file offsets can be named"});
}

} // namespace

std::vector<Finding> examine_process(int pid) {
  std::vector<Finding> list;
  const auto status = read_status(pid);
  const auto maps = status ? read_maps(pid) : Result<std::vector<MapsEntry>>(fail(Code::kProcessGone, "it has ended"));
  if (!status || (!maps && (status->state == 'Z' || geteuid() == 0 || status->uid == geteuid()))) {
    list.push_back({"process", Health::no, kNeededByAttach, !status ? status.error().message : maps.error().message,
                    "there is nothing to attach to"});
    return list;
  }
  list.push_back({"process", Health::ok, kNobody,
                  status->name + ", " + std::to_string(status->threads) + " threads, state " + status->state, ""});
  const bool is_thread = status->tgid != pid;
  if (is_thread)
    list.push_back({"thread", Health::no, kNeededByAttach, "a thread of process " + std::to_string(status->tgid), "give the process"});
  const bool is_own = status->uid == geteuid();
  list.push_back({"owner", is_own ? Health::ok : Health::limited, kNobody, "uid " + std::to_string(status->uid),
                  is_own ? "" : "another user's: needs CAP_SYS_PTRACE"});
  list.push_back({"tracer", status->tracer == 0 ? Health::ok : Health::no, kNeededByAttach,
                  status->tracer == 0 ? "none" : "process " + std::to_string(status->tracer),
                  status->tracer == 0 ? "" : "a process has one tracer at a time: end that one first"});
  list.push_back({"seccomp", status->seccomp == 0 ? Health::ok : Health::limited, kNobody,
                  status->seccomp == 0 ? "off" : status->seccomp == 1 ? "strict" : "a filter",
                  status->seccomp == 0 ? "" : "attaching makes system calls in it, which the filter may refuse or answer with death; "
                                              "bpf-aot suspends the filter when it has CAP_SYS_ADMIN, else it declines"});
  const std::string proc = "/proc/" + std::to_string(pid);
  const int seized = attempted([pid] { return try_seize(pid); });
  list.push_back({"ptrace", seized == 0 ? Health::ok : Health::no, kNeededByAttach, attempt_text(seized),
                  seized == 0 ? "" : "this user may not trace it"});
  for (const char* kind : {"mnt", "pid"}) {
    const std::string own = link_of(std::string("/proc/self/ns/") + kind), its = link_of(proc + "/ns/" + kind);
    const bool is_same = own == its || its.empty();
    list.push_back({kind[0] == 'm' ? "mount-namespace" : "pid-namespace", is_same ? Health::ok : Health::limited, kNobody,
                    is_same ? "the same" : "another",
                    is_same ? "" : kind[0] == 'm' ? "paths in attach targets are the process's own"
                                                  : "process numbers that programs see are the process's own"});
  }
  add_binary(list, pid);
  return list;
}

} // namespace bpfaot::loader
