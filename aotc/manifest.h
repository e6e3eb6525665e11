// SPDX-License-Identifier: MIT
//
// What the loader learns of an object: programs, maps, variables, types, events, as the tables of
// the descriptor. Everything that needs BTF or DWARF is resolved here, so that the target parses
// neither.
#pragma once

#include "aotc/descriptor.h"
#include "aotc/module_lowering.h"
#include "bpf/object.h"
#include "verifier/verifier.h"

#include <span>

namespace bpfaot::aotc {

struct ManifestInput {
  const bpf::Object& object;
  std::span<const verifier::VerifiedProgram> programs;
  std::span<const LoweredProgram> lowered; // same order
  const targets::Target& target;
  std::string cpu;       // with what --mattr says
  uint64_t cpu_features; // that the loader looks for
  bool fix_maps;
  bool has_printk_map;
  uint32_t map_count;
};

void fill_manifest(const ManifestInput& input, Manifest& manifest);

} // namespace bpfaot::aotc
