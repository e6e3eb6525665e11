// SPDX-License-Identifier: MIT
#include "aotc/prog_arrays.h"

namespace bpfaot::aotc {
namespace {

bool uses(const verifier::VerifiedProgram& verified, bpf::MapId map) {
  const bpf::Program& program = verified.program();
  for (uint32_t i = 0; i < program.insns.size(); ++i) {
    const auto* load = std::get_if<bpf::LoadImm64>(&program.insns[i].insn);
    if (load != nullptr && load->kind == bpf::Imm64Kind::map &&
        (load->imm & UINT32_MAX) == map.value && verified.facts().insns[i].reached)
      return true;
  }
  return false;
}

const verifier::VerifiedProgram* find(std::span<const verifier::VerifiedProgram> programs,
                                      std::string_view name) {
  for (const verifier::VerifiedProgram& program : programs)
    if (program.program().name == name)
      return &program;
  return nullptr;
}

class Checker {
public:
  explicit Checker(const bpf::MapDef& map) : map_(map) {}

  // The first one decides what kind of programs the array is for.
  void add(const bpf::Program& program, const std::string& role) {
    const bpf::TailFamily family = bpf::tail_family(program.kind);
    if (owner_ == nullptr)
      owner_ = &program;
    if (family == bpf::tail_family(owner_->kind) && family != bpf::TailFamily::none)
      return;
    Diagnostic error =
        make_error(Code::kTailCall, "program array '" + map_.name + "' " + role + " program '" +
                                        program.name + "', which is not of its kind");
    error.subject = program.name;
    error.found = "SEC(\"" + program.section + "\")";
    error.needed = family == bpf::TailFamily::none
                       ? "a kind that has tail calls"
                       : "the kind of '" + owner_->name + "', SEC(\"" + owner_->section + "\")";
    found.push_back(std::move(error));
  }

  void miss(const bpf::MapValueInit& slot) {
    if (owner_ == nullptr)
      return; // nobody calls what is not there
    Diagnostic warning = make_warning(
        Code::kTailTarget, "slot " + std::to_string(slot.index) + " of program array '" +
                               map_.name + "' stays empty: program '" + slot.symbol +
                               "' is not compiled");
    warning.subject = owner_->name;
    found.push_back(std::move(warning));
  }

  std::vector<Diagnostic> found;

private:
  const bpf::MapDef& map_;
  const bpf::Program* owner_ = nullptr;
};

} // namespace

std::vector<Diagnostic> check_prog_arrays(const bpf::Object& object,
                                          std::span<const verifier::VerifiedProgram> programs) {
  std::vector<Diagnostic> found;
  for (uint32_t i = 0; i < object.maps.size(); ++i) {
    const bpf::MapDef& map = object.maps[i];
    if (map.type != bpf::MapType::prog_array || object.map_faults.contains(bpf::MapId(i)))
      continue;
    Checker checker(map);
    for (const verifier::VerifiedProgram& program : programs)
      if (uses(program, bpf::MapId(i)))
        checker.add(program.program(), "is used by");
    for (const bpf::MapValueInit& slot : map.values)
      if (const auto* target = find(programs, slot.symbol))
        checker.add(target->program(), "holds");
      else
        checker.miss(slot);
    found.insert(found.end(), checker.found.begin(), checker.found.end());
  }
  return found;
}

} // namespace bpfaot::aotc
