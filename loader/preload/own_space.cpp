// SPDX-License-Identifier: MIT
//
// Reading is copying, once the maps say that the bytes are there. Writing into code goes through
// /proc/self/mem: no page is ever writable and executable at once, or not executable while it is
// needed, and the kernel makes the instruction cache coherent. Where that file does not work (some
// kernels and sandboxes refuse it), or an emulator keeps translated code that it would not notice
// to be changed that way, the pages are made writable for the moment, with all signals blocked.
#include "loader/preload/own_space.h"

#include "loader/foreign.h"
#include "loader/preload/system.h"
#include "support/hex.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace bpfaot::loader {
namespace {

constexpr uint64_t kPage = 4096;
constexpr long kBlock = 2; // SIG_SETMASK of the kernel

// Keeps every signal away: a handler could need the page that is not executable just now.
class SignalsBlocked {
public:
  SignalsBlocked() {
    const uint64_t all = ~uint64_t{0};
    bpfaot_preload_syscall(SYS_rt_sigprocmask, kBlock, reinterpret_cast<long>(&all),
                           reinterpret_cast<long>(&old_), sizeof old_, 0, 0);
  }
  ~SignalsBlocked() {
    bpfaot_preload_syscall(SYS_rt_sigprocmask, kBlock, reinterpret_cast<long>(&old_), 0, sizeof old_,
                           0, 0);
  }

private:
  uint64_t old_ = 0;
};

} // namespace

Failure OwnSpace::cannot(const char* verb, uint64_t address) const {
  return fail(Code::kProcessMemory, std::string("cannot ") + verb + " this process's memory at " + hex(address));
}

Result<OwnSpace> OwnSpace::open() {
  OwnSpace space;
  space.pid_ = static_cast<int>(bpfaot_preload_pid());
  space.is_emulated_ = !emulator_path().empty();
  TRY(space.check_single_thread());
  TRY(space.refresh());
  if (!space.is_emulated_)
    space.memory_.reset(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  return space;
}

// An emulator's own threads are counted with the program's, so there the question has no answer.
Status OwnSpace::check_single_thread() const {
  if (is_emulated_)
    return {};
  const ProcessStatus status = TRY(read_status(pid_));
  if (status.threads != 1)
    return fail(Code::kPreloadThreads, "the program has " + std::to_string(status.threads) +
                                           " threads before its probes are in: another preloaded "
                                           "library started them");
  return {};
}

Status OwnSpace::refresh() {
  maps_ = TRY(read_maps(pid_));
  is_current_ = true;
  return {};
}

// `address + size` does not wrap.
bool OwnSpace::holds(uint64_t address, uint64_t size, bool writable) const {
  const uint64_t end = address + size;
  while (address < end) {
    const MapsEntry* entry = entry_at(maps_, address);
    if (entry == nullptr || !entry->readable || (writable && !entry->writable))
      return false;
    address = entry->end;
  }
  return true;
}

Status OwnSpace::read(uint64_t address, std::span<uint8_t> out) {
  if (!is_current_)
    TRY(refresh());
  if (address + out.size() < address || !holds(address, out.size(), false))
    return cannot("read", address);
  std::memcpy(out.data(), reinterpret_cast<const void*>(address), out.size());
  return {};
}

Status OwnSpace::write(uint64_t address, std::span<const uint8_t> bytes) {
  if (!is_current_)
    TRY(refresh());
  if (address + bytes.size() < address || !holds(address, bytes.size(), false))
    return cannot("write", address);
  if (holds(address, bytes.size(), true)) {
    std::memcpy(reinterpret_cast<void*>(address), bytes.data(), bytes.size());
    return {};
  }
  if (memory_.valid() && pwrite(memory_.get(), bytes.data(), bytes.size(), static_cast<off_t>(address)) ==
                             static_cast<ssize_t>(bytes.size()))
    return {};
  return write_protected(address, bytes);
}

Status OwnSpace::write_protected(uint64_t address, std::span<const uint8_t> bytes) {
  const uint64_t low = address & ~(kPage - 1);
  const uint64_t high = (address + bytes.size() + kPage - 1) & ~(kPage - 1);
  const auto protect = [&](bool open) {
    bool done = true;
    for (uint64_t at = low; at < high;) {
      const MapsEntry& entry = *entry_at(maps_, at);
      const uint64_t end = std::min(entry.end, high);
      const int usual = PROT_READ | (entry.writable ? PROT_WRITE : 0) | (entry.executable ? PROT_EXEC : 0);
      done &= mprotect(reinterpret_cast<void*>(at), end - at, open ? PROT_READ | PROT_WRITE : usual) == 0;
      at = end;
    }
    return done;
  };
  const SignalsBlocked blocked;
  const bool is_open = protect(true);
  if (is_open)
    std::memcpy(reinterpret_cast<void*>(address), bytes.data(), bytes.size());
  if (!protect(false)) // code of the program that cannot be executed any more
    bpfaot_preload_die("the system does not let changed code be executed");
  if (!is_open)
    return cannot("write", address);
  char* first = reinterpret_cast<char*>(address);
  __builtin___clear_cache(first, first + bytes.size());
  return {};
}

Result<std::vector<int64_t>> OwnSpace::system_calls(std::span<const SystemCall> calls,
                                                    std::span<const SharedFile> files) {
  std::vector<int64_t> results;
  is_current_ = false; // most of these map something
  for (const SystemCall& call : calls) {
    std::array<uint64_t, 6> args = call.args;
    if (call.file >= 0)
      args[call.file_argument] = static_cast<uint64_t>(int64_t{files[static_cast<size_t>(call.file)].fd});
    const auto arg = [&](size_t i) { return static_cast<long>(args[i]); };
    results.push_back(bpfaot_preload_syscall(static_cast<long>(call.number), arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)));
  }
  return results;
}

} // namespace bpfaot::loader
