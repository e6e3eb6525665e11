// SPDX-License-Identifier: MIT
//
// Objects compiled while the tests were built, and shorthands to link their programs.
#pragma once

#include "bpf/link_program.h"
#include "support/files.h"

#include <gtest/gtest.h>

namespace bpfaot::bpf::test {

inline std::vector<uint8_t> object_bytes(const std::string& name) {
  auto bytes = read_file(std::string(BPF_OBJECTS) + "/" + name + ".bpf.o");
  EXPECT_TRUE(bytes.has_value()) << name;
  return bytes ? *std::move(bytes) : std::vector<uint8_t>();
}

inline std::shared_ptr<const Object> read(std::vector<uint8_t> bytes, const std::string& name) {
  auto object = read_object(std::move(bytes), name);
  if (!object) {
    ADD_FAILURE() << name << ": " << object.error().message;
    return std::make_shared<Object>();
  }
  return std::make_shared<const Object>(*std::move(object));
}

inline std::shared_ptr<const Object> read(const std::string& name) {
  return read(object_bytes(name), name);
}

inline Result<std::shared_ptr<const Program>> link(const std::shared_ptr<const Object>& object,
                                                   std::string_view program,
                                                   const LinkOptions& options = {}) {
  for (size_t i = 0; i < object->programs.size(); ++i)
    if (object->programs[i].name == program)
      return link_program(object, i, options);
  return fail(Code::kInternal, "no such program");
}

inline std::string text(const Program& program) {
  std::string out;
  for (const ProgramInsn& item : program.insns)
    out += std::to_string(item.slot.value) + ": " + print(item.insn) + "\n";
  return out;
}

} // namespace bpfaot::bpf::test
