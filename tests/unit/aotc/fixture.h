// SPDX-License-Identifier: MIT
//
// Compiling the test objects, and looking at what came out.
#pragma once

#include "aotc/analysis.h"
#include "aotc/command_line.h"
#include "aotc/image.h"
#include "bpf/object.h"
#include "linker/descriptor.h"
#include "linker/elf_view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bpfaot::aotc::test {

std::string object_path(const std::string& name); // of tests/unit/aotc/objects
std::string resource_dir();
std::shared_ptr<const bpf::Object> read_test_object(const std::string& name);

// Verifies and compiles what `options` select; fails the test when a program is not accepted.
Result<std::vector<uint8_t>> compile(const std::string& name, const targets::Target& target,
                                     CompileOptions options = {});
std::string compile_text(const std::string& name, const targets::Target& target, Emit emit,
                         const std::string& program);

// An image as its descriptor describes it.
struct Opened {
  std::vector<uint8_t> bytes;
  linker::DescriptorPlace place;
  std::vector<bpfaot_program> programs;
  std::vector<bpfaot_map> maps;

  std::string text(uint32_t offset) const;
  const bpfaot_program& program(const std::string& name) const;
  const bpfaot_map& map(const std::string& name) const;
  template <class T> std::vector<T> table(const bpfaot_table& table) const {
    std::vector<T> rows(table.count);
    for (uint32_t i = 0; i < table.count; ++i)
      std::memcpy(&rows[i],
                  bytes.data() + place.offset + table.off + uint64_t{i} * table.entry_size,
                  sizeof(T));
    return rows;
  }
};
Opened open_image(std::vector<uint8_t> bytes);

} // namespace bpfaot::aotc::test
