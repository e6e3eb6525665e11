// SPDX-License-Identifier: MIT
//
// /proc/PID/maps and the facts of /proc/PID/status that decide whether a process can be attached to.
#pragma once

#include "support/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::loader {

struct MapsEntry {
  uint64_t start = 0, end = 0; // addresses
  uint64_t offset = 0;         // in the file
  bool readable = false, writable = false, executable = false, shared = false;
  uint32_t major = 0, minor = 0;
  uint64_t inode = 0; // 0 = anonymous
  std::string path;   // file, "[vdso]", "" …; " (deleted)" is stripped
  bool deleted = false;
  bool operator==(const MapsEntry&) const = default;
};

Result<std::vector<MapsEntry>> read_maps(int pid);
// Lines that are not of the kernel's form are skipped.
std::vector<MapsEntry> parse_maps(std::string_view text);
const MapsEntry* entry_at(const std::vector<MapsEntry>& maps, uint64_t address); // null when unmapped

// A hole of `size` bytes (page multiple) that lies wholly in [low, high), nearest to `near`; 0 when
// there is none. Keeps away from the lowest 64 KiB and leaves a guard page beside stacks.
uint64_t find_hole(const std::vector<MapsEntry>& maps, uint64_t size, uint64_t low, uint64_t high,
                   uint64_t near);

// For what may lie anywhere: the middle of the largest hole, out of the way of heap, stack and the kernel's
// own choices; 0 when there is no room for `size` bytes and as much again. A multiple of 2 MiB.
uint64_t find_far_hole(const std::vector<MapsEntry>& maps, uint64_t size);

struct ProcessStatus {
  std::string name;
  int tgid = 0, tracer = 0, threads = 0;
  uint32_t uid = 0;
  char state = '?';
  uint32_t seccomp = 0;                       // 0 = off
  uint64_t blocked = 0, ignored = 0, caught = 0; // signal n is bit n-1
};

// [process-gone]
Result<ProcessStatus> read_status(int pid);
Result<std::vector<int>> read_threads(int pid); // tids, [process-gone]

} // namespace bpfaot::loader
