// SPDX-License-Identifier: MIT
//
// Live sessions of this user, one small text file each, so that another bpf-aot can list them,
// read their maps and detach them, also when the one that attached was killed.
//
// The files lie in a directory that only this user can enter ($XDG_RUNTIME_DIR/bpf-aot, for root
// /run/bpf-aot, else bpf-aot-UID in the temporary directory). They appear by link and are replaced by
// rename, so a reader sees a whole record. A process is named by pid and start time: a reused pid is no match.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <string>
#include <vector>

namespace bpfaot::loader {

struct ProcessId {
  int32_t pid = 0;
  uint64_t start_time = 0; // clock ticks since boot, /proc/PID/stat field 22
  bool operator==(const ProcessId&) const = default;
};

// Start time of a live process; 0 when there is none (a zombie counts as gone).
uint64_t process_start_time(int32_t pid);
bool is_alive(const ProcessId& process);

struct SitePatch { // what detaching puts back, in the target's address space
  uint64_t address = 0;
  std::vector<uint8_t> original, patched; // same length
  bool is_guard = false; // of an unwinder: goes when no call with a return probe is active any more
  bool operator==(const SitePatch&) const = default;
};

struct SessionRecord {
  uint32_t id = 0;
  ProcessId loader; // 0: it has detached, and what is left are guards
  ProcessId target;
  std::string image;                             // path of the probe .so as it was given
  int32_t image_fd = -1, const_fd = -1, data_fd = -1; // descriptors of the loader process
  uint64_t const_size = 0, data_size = 0;        // bytes
  std::vector<SitePatch> patches;
  bool holds_guards_only() const { return loader.pid == 0; }
  bool operator==(const SessionRecord&) const = default;
};

class Registry {
public:
  // Creates the directory when needed; refuses one that others own or may write. [registry]
  static Result<Registry> open();
  static Result<Registry> open_at(const std::string& directory);

  // Writes `record` under the lowest free id, which it returns. [registry]
  Result<uint32_t> add(SessionRecord record);
  Status update(const SessionRecord& record);
  void remove(uint32_t id);
  // [session-unknown] names the ids that exist.
  Result<SessionRecord> find(uint32_t id) const;
  // Sorted by id; unreadable records are skipped, records whose target is gone are removed.
  std::vector<SessionRecord> list();

private:
  explicit Registry(std::string directory) : directory_(std::move(directory)) {}
  std::string path(uint32_t id) const;
  void remove_if_forgotten(const std::string& path) const;
  std::string directory_;
};

// The text of a record file and back; parsing refuses anything it did not write.
std::string print_record(const SessionRecord& record);
Result<SessionRecord> parse_record(std::string_view text);

} // namespace bpfaot::loader
