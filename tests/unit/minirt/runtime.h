// SPDX-License-Identifier: MIT
//
// A process as the loader would prepare it, for code that is compiled natively into the test: the
// runtime block with eight map slots, thread table, process block, fork page and session.
#pragma once

#include "minirt/helpers.h"
#include "minirt/map_access.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace bpfaot::test {

inline constexpr uint32_t kSlots = 8;

inline constexpr size_t kRuntimeBytes = sizeof(bpfaot_rt) + kSlots * sizeof(bpfaot_map_slot);

// Shared, zeroed, sparse: what a memfd gives.
void* shared_memory(uint64_t size);

// A map in shared memory; children after fork share it.
struct TestMap {
  bpfaot_map_header* header = nullptr;
  bpfaot_map_view view{};
  int layout = 0; // result of bpfaot_map_layout

  TestMap(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags = 0,
          uint32_t cpus = 4);
  ~TestMap();
  TestMap(const TestMap&) = delete;
  TestMap& operator=(const TestMap&) = delete;

  bpfaot_map_desc desc(uint32_t slot) const; // puts the map into that slot as well
};

// Zeroes the runtime block and builds a new process and session with so many CPU slots.
bpfaot_rt& reset_runtime(uint32_t cpus = 4, uint32_t thread_slots_log2 = 10);
bpfaot_rt& runtime();
bpfaot_session& session();
bpfaot_process& process();

std::vector<std::string> consume_all(const TestMap& map, uint32_t limit = 0);

} // namespace bpfaot::test
