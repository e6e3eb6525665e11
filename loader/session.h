// SPDX-License-Identifier: MIT
//
// The shared memory of one session: every process that the probe is attached to maps the same two
// memory files. The const region (headers of the maps and .rodata) is sealed before anybody else
// sees it; the data region holds struct bpfaot_session and the maps. Both are mapped here one after
// the other, as they are in the targets, and stay mapped while the Session lives.
#pragma once

#include "loader/image.h"
#include "loader/map_spec.h"
#include "loader/variables.h"
#include "minirt/map_access.h"
#include "support/files.h"
#include "support/result.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bpfaot::loader {

constexpr uint64_t kMaxSessionSize = 1ull << 40; // address space; memory is used when touched

struct SessionOptions {
  std::vector<MapOverride> maps;
  std::vector<Setting> settings;
};

// Addresses in one process that a runtime block needs. Zero = absent.
struct RuntimeAddresses {
  uint64_t base = 0; // of the const region; the data region follows at once
  uint64_t clock_gettime = 0;
  uint64_t threads = 0;   // struct bpfaot_thread_table
  uint64_t process = 0;   // struct bpfaot_process
  uint64_t fork_page = 0;
  uint32_t cpu_method = BPFAOT_CPU_SYSCALL;
  int32_t rseq_off = 0;
  uint32_t thread_method = 0;
  uint32_t page_size = 4096;
};

class Session {
public:
  // [map-unknown] [map-fixed] [map-spec] [variable-unknown] [variable-value] [session-memory]
  static Result<Session> create(const Image& image, const SessionOptions& options);
  // The memory of a session that another process made, for `map dump`. It is checked against
  // `image` and the layout code. [session-memory]
  static Result<Session> adopt(const Image& image, UniqueFd const_fd, UniqueFd data_fd);

  int const_fd() const { return const_fd_.get(); }
  int data_fd() const { return data_fd_.get(); }
  uint64_t const_size() const { return const_size_; }
  uint64_t data_size() const { return data_size_; }
  uint64_t size() const { return const_size_ + data_size_; }

  const bpfaot_const& constants() const;
  bpfaot_session& shared() const;
  const bpfaot_map_header& header(uint32_t map) const { return headers()[map]; }
  std::span<const bpfaot_map_header> headers() const;
  bpfaot_map_view view(uint32_t map) const;
  // Whether the memory of a value has never been touched: reading it would allocate it.
  bool is_hole(const void* value, uint64_t size) const;
  uint32_t cpus() const { return constants().cpus; } // CPU slots of per-CPU values

  // Bytes of struct bpfaot_rt with its slots, rt_size of them, for a process with these addresses.
  std::vector<uint8_t> fill_rt(const Image& image, const RuntimeAddresses& addresses) const;

  // Current bytes of a data variable, empty when the map has no value; and its bytes at the start.
  std::span<const uint8_t> variable_bytes(const bpfaot_variable& variable) const;
  std::span<const uint8_t> initial_bytes(uint32_t map) const;

private:
  Status layout(const Image& image, const SessionOptions& options);
  Status write_const(const Image& image, const SessionOptions& options);
  Status map_memory();
  Status init_data(const Image& image, const SessionOptions& options);
  Status init_slots(const Image& image);
  Status set_variables(const Image& image, const SessionOptions& options, bool constant,
                       const std::vector<uint8_t*>& values) const;
  Status check_adopted(const Image& image);

  UniqueFd const_fd_, data_fd_;
  uint64_t const_size_ = 0, data_size_ = 0;
  Mapping memory_;
  bpfaot_const const_{};                      // while it is being made
  std::vector<bpfaot_map_header> new_headers_; // likewise
  std::vector<std::vector<uint8_t>> initial_;  // per map; empty for maps that are not data
};

// Number of CPUs that can ever be online.
uint32_t possible_cpus();

} // namespace bpfaot::loader
