// SPDX-License-Identifier: MIT
//
// libFuzzer target: any bytes are refused with a diagnostic or read, linked, printed and walked:
// ELF, BTF, line and CO-RE records, maps, variables, relocations.
#include "bpf/link_program.h"
#include "tests/fuzz/mutate.h"

#include <cstdlib>

using namespace bpfaot;
using namespace bpfaot::bpf;

namespace {

void check_program(const Program& program) {
  uint32_t slot = 0;
  for (const ProgramInsn& item : program.insns) {
    if (item.slot.value != slot || !is_encodable(item.insn))
      std::abort();
    slot += slot_count(item.insn);
    if (item.target.valid() && item.target.value >= program.insns.size())
      std::abort();
    if (item.callee.valid() && item.callee.value >= program.functions.size())
      std::abort();
    if (item.line != UINT32_MAX && item.line >= program.lines.size())
      std::abort();
    const auto again = parse_insn(print(item.insn));
    if (!again || *again != item.insn)
      std::abort();
  }
}

void walk_types(const Object& object) {
  for (uint32_t id = 0; id < object.btf.type_count() && id < 10'000; ++id) {
    (void)object.btf.size_of(id);
    (void)object.btf.align_of(id);
    (void)object.btf.name_of(id);
  }
  for (const Variable& variable : object.variables)
    if (uint64_t{variable.offset} + variable.size > object.map(variable.map).value_size)
      std::abort();
  for (const MapDef& map : object.maps) {
    if (map.inner && map.inner->value >= object.maps.size())
      std::abort();
    (void)object.find_map(map.name);
  }
}

// The structured sections; instructions are fuzz_program's.
bool is_wanted(const fuzz::Section& section) {
  const std::string_view name = section.name;
  return (section.header.sh_flags & SHF_EXECINSTR) == 0 && !name.starts_with(".debug") &&
         !name.starts_with(".rel.debug") && name != ".strtab" && name != ".comment";
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return fuzz::mutate_elf(data, size, max_size, seed, is_wanted);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto result = read_object({data, data + size}, "input");
  if (!result)
    return 0;
  const auto object = std::make_shared<const Object>(*std::move(result));
  walk_types(*object);
  for (size_t i = 0; i < object->programs.size() && i < 64; ++i)
    if (const auto program = link_program(object, i))
      check_program(**program);
  return 0;
}
