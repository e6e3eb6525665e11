// SPDX-License-Identifier: MIT
//
// bpf-aot detach: asks the bpf-aot that attached to take its probes out; when that one is gone, puts
// the bytes of its record back.
#include "loader/watch.h"
#include "targets/patch.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr int kPatience = 10000; // ms

Result<uint64_t> parse_number(const std::string& text, const char* what) {
  char* end = nullptr;
  const unsigned long long number = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0' || number > INT32_MAX) {
    return fail(Code::kUsage, "'" + text + "' is no " + what);
  }
  return uint64_t{number};
}

Result<std::vector<SessionRecord>> chosen(const ParsedArguments& arguments, Registry& registry) {
  if (arguments.has(kPidOption)) {
    const uint64_t pid = TRY(parse_number(std::string(arguments.value(kPidOption)), "process"));
    std::vector<SessionRecord> records = registry.list();
    std::erase_if(records, [&](const SessionRecord& record) { return static_cast<uint64_t>(record.target.pid) != pid; });
    if (records.empty()) {
      return fail(Code::kSessionUnknown, "nothing is attached to process " + std::to_string(pid));
    }
    return records;
  }
  const std::string text = TRY(only_positional(arguments, "id"));
  return std::vector<SessionRecord>{TRY(registry.find(static_cast<uint32_t>(TRY(parse_number(text, "id of a session")))))};
}

// True when the loader that made the record has taken it away itself.
bool ask_loader(const SessionRecord& record, const Registry& registry) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, record.loader.pid, 0)));
  // The descriptor names one process; only then is its start time worth comparing.
  if (!pidfd.valid() || !is_alive(record.loader) || syscall(SYS_pidfd_send_signal, pidfd.get(), SIGUSR1, nullptr, 0) != 0) {
    return false;
  }
  for (int waited = 0; waited < kPatience; waited += 10) {
    pollfd gone{pidfd.get(), POLLIN, 0};
    poll(&gone, 1, 10);
    const Result<SessionRecord> now = registry.find(record.id);
    if (!now || !(now->loader == record.loader)) {
      return true;
    }
    if ((gone.revents & POLLIN) != 0) {
      return false;
    }
  }
  return false;
}

Status detach_one(const SessionRecord& record, Registry& registry) {
  // A program that has put its probes in itself has nobody to ask.
  const bool is_own_loader = record.loader == record.target;
  if (!is_own_loader && ask_loader(record, registry)) {
    return {};
  }
  if (!is_own_loader && is_alive(record.loader)) {
    return fail(Code::kRegistry, "bpf-aot (process " + std::to_string(record.loader.pid) + "), which attached, does not answer");
  }
  return take_out(record, registry, targets::host_patcher());
}

} // namespace

Result<int> run_detach(const ParsedArguments& arguments, const Console& console) {
  Registry registry = TRY(Registry::open());
  for (const SessionRecord& record : TRY(chosen(arguments, registry))) {
    TRY(detach_one(record, registry));
    std::fprintf(console.err, "detached id %u from process %d\n", record.id, record.target.pid);
    const Result<SessionRecord> rest = registry.find(record.id);
    if (rest && rest->holds_guards_only()) {
      note_guards(*rest, console);
    }
  }
  return 0;
}

} // namespace bpfaot::loader
