// SPDX-License-Identifier: MIT
//
// Matching output calls with types.
#include "aotc/event_types.h"

#include "aotc/dwarf_types.h"

#include <algorithm>
#include <string>

namespace bpfaot::aotc {
namespace {

constexpr int32_t kRingbufSubmit = 132; // the argument is the record itself
constexpr uint64_t kLargestRecord = 1u << 24;

RecordSource source_of(const bpf::Program& program, bpf::InsnIndex insn) {
  const auto* call = std::get_if<bpf::CallHelper>(&program.at(insn).insn);
  return call != nullptr && call->id == kRingbufSubmit ? RecordSource::pointer
                                                       : RecordSource::object;
}

void add_row(std::vector<bpfaot_event>& rows, const bpfaot_event& row) {
  for (bpfaot_event& known : rows) {
    if (known.map != row.map || known.size != row.size)
      continue;
    if (known.type == row.type) {
      if (known.program != row.program)
        known.program = BPFAOT_NONE; // several programs submit it
      return;
    }
  }
  rows.push_back(row);
}

} // namespace

std::vector<bpfaot_event> find_events(const bpf::Object& object,
                                      std::span<const verifier::VerifiedProgram> programs,
                                      BtfTypes& btf, TypeTable& table) {
  std::vector<bpfaot_event> rows;
  DwarfTypes dwarf(object.bytes);
  for (uint32_t index = 0; index < programs.size(); ++index) {
    const bpf::Program& program = programs[index].program();
    std::vector<std::string> functions;
    for (const bpf::Function& function : program.functions)
      functions.push_back(function.name);
    for (const verifier::OutputFact& output : programs[index].facts().outputs) {
      if (!output.map.valid() || output.size_max == 0 || output.size_max > kLargestRecord)
        continue;
      uint32_t type =
          dwarf.find_record(functions, output.size_max, source_of(program, output.insn), table)
              .value_or(0);
      if (type == 0)
        type = btf.find_record(output.size_max);
      if (type == 0)
        continue;
      const bool is_fixed = output.size_min == output.size_max;
      add_row(rows,
              {output.map.value, is_fixed ? uint32_t(output.size_max) : BPFAOT_NONE, type, index});
    }
  }
  return rows;
}

} // namespace bpfaot::aotc
