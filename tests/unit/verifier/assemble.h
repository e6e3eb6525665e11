// SPDX-License-Identifier: MIT
//
// Programs for tests, from text: one instruction per line in the kernel's text form, plus
//
//   name:            a label for `goto name`
//   func name:       begins another function; `call name` calls it
//   rN = map NAME    the handle of a map
//   rN = value NAME OFF   an address in a data section
//   rN = func NAME   the address of a function
//   call bpf_NAME    a helper or kfunc by name
#pragma once

#include "bpf/object.h"
#include "bpf/program.h"
#include "verifier/verifier.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bpfaot::verifier::test {

bpf::MapDef hash_map(std::string name, uint32_t key_size, uint32_t value_size);
bpf::MapDef array_map(std::string name, uint32_t value_size, uint32_t max_entries);
bpf::MapDef ring_buffer(std::string name);
bpf::MapDef perf_array(std::string name);
bpf::MapDef prog_array(std::string name);
// The definition of its inner maps is the map of this index in the list.
bpf::MapDef map_of_maps(std::string name, uint32_t inner);
bpf::MapDef queue_map(std::string name, uint32_t value_size);
bpf::MapDef rodata(std::string contents);
bpf::MapDef bss(uint32_t size);

// Fails the test on text that cannot be assembled.
std::shared_ptr<const bpf::Program> assemble(std::string_view text,
                                             std::vector<bpf::MapDef> maps = {});

// pt_regs of x86_64: 168 readable bytes.
Options pt_regs_options();

struct Outcome {
  bool accepted = false;
  std::string code; // "" when accepted
  uint32_t slot = UINT32_MAX;
  std::string message; // for people
  Facts facts;         // when accepted
};
Outcome check(std::string_view text, std::vector<bpf::MapDef> maps = {});
Outcome check(std::string_view text, std::vector<bpf::MapDef> maps, const Options& options);

} // namespace bpfaot::verifier::test
