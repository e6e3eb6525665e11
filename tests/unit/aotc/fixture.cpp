// SPDX-License-Identifier: MIT
#include "tests/unit/aotc/fixture.h"

#include "aotc/machine.h"

namespace bpfaot::aotc::test {

std::string object_path(const std::string& name) {
  return std::string(TEST_OBJECTS) + "/" + name + ".bpf.o";
}
std::string resource_dir() {
  return TEST_RESOURCES;
}

std::shared_ptr<const bpf::Object> read_test_object(const std::string& name) {
  auto object = bpf::read_object_file(object_path(name));
  if (!object) {
    ADD_FAILURE() << object.error().message;
    return nullptr;
  }
  return std::make_shared<const bpf::Object>(std::move(*object));
}

Result<std::vector<uint8_t>> compile(const std::string& name, const targets::Target& target,
                                     CompileOptions options) {
  initialise_llvm();
  options.resource_dir = resource_dir();
  const auto object = read_test_object(name);
  std::vector<verifier::VerifiedProgram> programs;
  for (ProgramVerdict& verdict : analyse(object, options)) {
    if (verdict.verified)
      programs.push_back(std::move(*verdict.verified));
    else
      ADD_FAILURE() << verdict.name << ": " << verdict.fault->message;
  }
  return make_image({.options = options,
                     .target = target,
                     .object = *object,
                     .programs = programs,
                     .finished = {}});
}

std::string compile_text(const std::string& name, const targets::Target& target, Emit emit,
                         const std::string& program) {
  CompileOptions options;
  options.emit = emit;
  options.programs = {program};
  const auto bytes = compile(name, target, options);
  if (!bytes) {
    ADD_FAILURE() << bytes.error().message;
    return "";
  }
  return {bytes->begin(), bytes->end()};
}

std::string Opened::text(uint32_t offset) const {
  return reinterpret_cast<const char*>(bytes.data() + place.offset + place.desc.strings.off +
                                       offset);
}

const bpfaot_program& Opened::program(const std::string& name) const {
  for (const bpfaot_program& row : programs)
    if (text(row.name) == name)
      return row;
  ADD_FAILURE() << "no program " << name;
  return programs.front();
}

const bpfaot_map& Opened::map(const std::string& name) const {
  for (const bpfaot_map& row : maps)
    if (text(row.name) == name)
      return row;
  ADD_FAILURE() << "no map " << name;
  return maps.front();
}

Opened open_image(std::vector<uint8_t> bytes) {
  Opened opened;
  opened.bytes = std::move(bytes);
  const auto elf = linker::ElfView::create(opened.bytes);
  const auto place = linker::find_descriptor(*elf);
  EXPECT_TRUE(place) << place.error().message;
  opened.place = *place;
  opened.programs = opened.table<bpfaot_program>(opened.place.desc.programs);
  opened.maps = opened.table<bpfaot_map>(opened.place.desc.maps);
  return opened;
}

} // namespace bpfaot::aotc::test
