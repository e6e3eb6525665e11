// SPDX-License-Identifier: MIT
//
// What would be attached where. A plan is made by reading only: the process's maps, the files behind
// them, and the bytes at each site. Each wish becomes a site or a refusal with its reason; what a
// dry run shows is what an attachment does.
#pragma once

#include "loader/attach_spec.h"
#include "loader/modules.h"
#include "support/json.h"
#include "targets/patch.h"

#include <optional>
#include <string>
#include <vector>

namespace bpfaot::loader {

struct ProbeWish {
  uint32_t program = 0; // index in the image
  AttachSpec spec;
  uint64_t cookie = 0;
};

struct PlannedProgram {
  uint32_t program = 0;
  bool is_return = false;
  uint64_t cookie = 0;
};

struct PlannedSite {
  uint64_t address = 0;        // of the probe, in the process
  targets::SiteCover cover;
  std::vector<uint8_t> original; // the covered bytes
  std::vector<PlannedProgram> programs;
  bool sweeps = false;         // an unwinder begins here
  MapsEntry mapping;           // that holds the covered bytes
  // Where bytes for a whole jump are missing: the gap near by that takes it (0 = not needed), and
  // what fills the gap. The site itself gets a short jump there.
  uint64_t gap = 0;
  std::vector<uint8_t> gap_bytes;
};

struct PlanRow {
  ProbeWish wish;
  std::string file, symbol;  // as found
  uint64_t address = 0;      // 0 = not found
  std::string bytes;         // what is there, hexadecimal
  std::optional<Diagnostic> refusal;
};

struct Plan {
  std::vector<PlannedSite> sites;
  std::vector<PlanRow> rows; // in the order of the wishes
  std::vector<MapsEntry> maps; // of the process when it was looked at; may be out of date since
  size_t refused() const;
};

// Never fails as a whole: refusals stand in their rows.
Plan make_plan(AddressSpace& space, Modules& modules, const targets::Patcher& patcher,
               const std::vector<ProbeWish>& wishes);

// A table for people, or one JSON array. `names` are the programs'.
std::string print_plan(const Plan& plan, const std::vector<std::string>& names);
void write_plan(JsonWriter& json, const Plan& plan, const std::vector<std::string>& names);

} // namespace bpfaot::loader
