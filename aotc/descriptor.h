// SPDX-License-Identifier: MIT
//
// The descriptor of an image (include/bpfaot/abi.h) as bytes: tables laid out one after the other
// behind the head, with holes where link-time distances go.
#pragma once

#include "aotc/type_table.h"

#include <bpfaot/abi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace llvm {
class Function;
class GlobalVariable;
class Module;
} // namespace llvm

namespace bpfaot::aotc {

// What the tables hold. Offsets of tables and blobs in `head` are filled in by emit_descriptor().
struct Manifest {
  Manifest() : types(strings) {}
  Manifest(const Manifest&) = delete; // `types` refers to `strings`
  Manifest& operator=(const Manifest&) = delete;

  StringTable strings;
  TypeTable types;
  bpfaot_desc head{};
  std::vector<bpfaot_program> programs;
  std::vector<bpfaot_map> maps;
  std::vector<bpfaot_variable> variables;
  std::vector<bpfaot_event> events;
  std::vector<uint32_t> helpers;
  std::vector<bpfaot_map_value> map_values;
  std::vector<uint8_t> initial; // initial bytes of data maps
};

// Adds `bpfaot_image` and the note to the module. `entries` are those of manifest.programs.
void emit_descriptor(llvm::Module& module, Manifest& manifest,
                     const std::vector<llvm::Function*>& entries);

} // namespace bpfaot::aotc
