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

// The source lines of a program, which mention the types that it casts to.
std::string source_text(const bpf::Program& program) {
  std::string text;
  for (const bpf::LineInfo& line : program.lines)
    text += line.text + "\n";
  return text;
}

class Rows {
public:
  explicit Rows(const TypeTable& table) : table_(table) {}

  void add(const bpfaot_event& row) {
    for (Entry& known : entries_) {
      if (known.row.map != row.map || known.row.size != row.size)
        continue;
      if (row.type == 0 || known.row.type == 0 || !is_same(known.row.type, row.type))
        known.is_ambiguous = true;
      else if (known.row.program != row.program)
        known.row.program = BPFAOT_NONE; // several programs submit it
      return;
    }
    entries_.push_back({row, row.type == 0});
  }

  // A reader knows map and size of a record, nothing else: where these do not tell which type it is,
  // it is shown as bytes rather than as another type's fields.
  std::vector<bpfaot_event> take() const {
    std::vector<bpfaot_event> rows;
    for (const Entry& entry : entries_)
      if (!entry.is_ambiguous)
        rows.push_back(entry.row);
    return rows;
  }

private:
  struct Entry {
    bpfaot_event row;
    bool is_ambiguous;
  };

  // BTF and DWARF each describe a type.
  bool is_same(uint32_t a, uint32_t b) const {
    const bpfaot_type &left = table_.types()[a], &right = table_.types()[b];
    return a == b || (left.name != 0 && left.name == right.name && left.size == right.size);
  }

  const TypeTable& table_;
  std::vector<Entry> entries_;
};

} // namespace

std::vector<bpfaot_event> find_events(const bpf::Object& object,
                                      std::span<const verifier::VerifiedProgram> programs,
                                      BtfTypes& btf, TypeTable& table) {
  Rows rows(table);
  DwarfTypes dwarf(object.bytes);
  for (uint32_t index = 0; index < programs.size(); ++index) {
    const bpf::Program& program = programs[index].program();
    const std::string text = source_text(program);
    std::vector<std::string> functions;
    for (const bpf::Function& function : program.functions)
      functions.push_back(function.name);
    for (const verifier::OutputFact& output : programs[index].facts().outputs) {
      if (!output.map.valid() || output.size_max == 0 || output.size_max > kLargestRecord)
        continue;
      const bpf::LineInfo* line = program.line_of(output.insn);
      uint32_t type = dwarf
                          .find_record(functions, output.size_max, source_of(program, output.insn),
                                       line != nullptr ? line->text : "", text, table)
                          .value_or(0);
      if (type == 0)
        type = btf.find_record(output.size_max);
      const bool is_fixed = output.size_min == output.size_max;
      rows.add({output.map.value, is_fixed ? uint32_t(output.size_max) : BPFAOT_NONE, type, index});
    }
  }
  return rows.take();
}

} // namespace bpfaot::aotc
