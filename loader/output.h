// SPDX-License-Identifier: MIT
//
// What a session shows without any user code: records of ring buffers and perf event arrays live,
// one line each, trace_printk lines, and at the end lost events, missed hits, maps and variables.
// docs/output.md describes the forms.
#pragma once

#include "loader/image.h"
#include "loader/map_output.h"
#include "loader/session.h"

#include <cstdint>
#include <cstdio>
#include <string>

namespace bpfaot::loader {

struct MissedHits { // summed over the processes of the session
  uint64_t hits = 0;    // nested, or no thread or CPU slot was free
  uint64_t returns = 0; // return probes that could not run
};

class Output {
public:
  // All three must outlive it. `out` is written in whole lines and flushed after each poll.
  Output(const Image& image, const Session& session, const MapOutputOptions& options, FILE* out);

  // Prints the records that are there, at most some thousands per map; returns how many.
  uint64_t poll();
  // Stacks at the end get the names of functions of this process, which must live.
  void name_stacks_of(int pid) { options_.target = pid; }
  // Everything that is left, then what was lost and missed, then maps and variables. Once.
  void finish(const MissedHits& missed = {});
  // False after a write failed (disk full, closed pipe).
  bool is_good() const { return is_good_; }

private:
  struct Sink;
  static int take_record(void* arg, const void* record, uint32_t size, uint32_t cpu);
  uint64_t drain(uint32_t map, uint32_t limit);
  void append_event(uint32_t map, std::span<const uint8_t> record, uint32_t cpu);
  void append_printk(std::span<const uint8_t> record);
  void append_lost();
  void append_missed(const MissedHits& missed);
  const bpfaot_event* event_type(uint32_t map, uint32_t size) const;
  void flush();

  const Image& image_;
  const Session& session_;
  MapOutputOptions options_;
  FILE* out_;
  std::string text_;            // not yet written
  bool has_several_streams_ = false;
  bool is_good_ = true;
};

} // namespace bpfaot::loader
