// SPDX-License-Identifier: MIT
#include "tests/tools/raw_program.h"

#include "aotc/context_layout.h"
#include "aotc/image.h"
#include "aotc/machine.h"
#include "bpf/object.h"

#include <cstring>
#include <map>
#include <set>

namespace bpfaot::tests {
namespace {

using namespace bpf;

std::shared_ptr<const Object> make_object(std::span<const uint8_t> memory) {
  auto object = std::make_shared<Object>();
  object->path = "case";
  object->license = "GPL";
  if (!memory.empty()) {
    MapDef map;
    map.name = ".data";
    map.type = MapType::array;
    map.key_size = 4;
    map.value_size = static_cast<uint32_t>(memory.size());
    map.max_entries = 1;
    map.section = MapSection::data;
    map.initial.assign(memory.begin(), memory.end());
    object->maps.push_back(std::move(map));
  }
  return object;
}

Result<std::vector<Insn>> decode_all(std::span<const uint8_t> code) {
  std::vector<RawInsn> slots(code.size() / sizeof(RawInsn));
  std::memcpy(slots.data(), code.data(), slots.size() * sizeof(RawInsn));
  std::vector<Insn> insns;
  for (size_t at = 0; at < slots.size();) {
    insns.push_back(TRY(decode(std::span(slots).subspan(at))));
    at += slot_count(insns.back());
  }
  return insns;
}

// RFC 9669 masks shift amounts. The gate refuses immediates that need it, as the kernel's does,
// since no compiler emits them; the suite contains them, so they are masked before.
void mask_shift(Insn& insn) {
  auto* alu = std::get_if<Alu>(&insn);
  if (alu == nullptr || (alu->op != AluOp::lsh && alu->op != AluOp::rsh && alu->op != AluOp::arsh))
    return;
  if (int32_t* imm = std::get_if<int32_t>(&alu->src))
    *imm &= alu->width == Width::w64 ? 63 : 31;
}

// Branch distances become targets, and every target of a call begins a function.
Status resolve(Program& program) {
  std::map<int64_t, uint32_t> index_of; // slot -> instruction
  for (uint32_t i = 0; i < program.insns.size(); ++i)
    index_of[program.insns[i].slot.value] = i;
  const auto target = [&](const ProgramInsn& insn, int64_t off) -> Result<uint32_t> {
    const auto found = index_of.find(int64_t{insn.slot.value} + 1 + off);
    if (found == index_of.end())
      return fail(Code::kIo, "jump to no instruction");
    return found->second;
  };
  std::set<uint32_t> starts = {0};
  for (ProgramInsn& insn : program.insns) {
    if (const auto* jump = std::get_if<Jump>(&insn.insn))
      insn.target = InsnIndex(TRY(target(insn, jump->off)));
    else if (const auto* branch = std::get_if<Branch>(&insn.insn))
      insn.target = InsnIndex(TRY(target(insn, branch->off)));
    else if (const auto* call = std::get_if<CallLocal>(&insn.insn))
      starts.insert(TRY(target(insn, call->off)));
  }
  for (const uint32_t start : starts) {
    if (!program.functions.empty())
      program.functions.back().end = InsnIndex(start);
    program.functions.push_back({.name = "f" + std::to_string(start), .begin = InsnIndex(start)});
  }
  program.functions.back().end = InsnIndex(program.insns.size());
  for (ProgramInsn& insn : program.insns)
    if (const auto* call = std::get_if<CallLocal>(&insn.insn)) {
      const uint32_t at = TRY(target(insn, call->off));
      for (uint32_t f = 0; f < program.functions.size(); ++f)
        if (program.functions[f].begin.value == at)
          insn.callee = FuncId(f);
    }
  return {};
}

} // namespace

std::optional<std::vector<uint8_t>> parse_hex(std::string_view text) {
  std::vector<uint8_t> bytes;
  int high = -1;
  for (const char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
      continue;
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0)
      return std::nullopt;
    if (high >= 0)
      bytes.push_back(static_cast<uint8_t>(high * 16 + digit));
    high = high >= 0 ? -1 : digit;
  }
  if (high >= 0)
    return std::nullopt;
  return bytes;
}

Result<verifier::VerifiedProgram> verify_raw(std::span<const uint8_t> code,
                                             std::span<const uint8_t> memory) {
  auto program = std::make_shared<Program>();
  program->name = "conformance";
  program->section = "syscall";
  program->kind.kind = ProgramKind::syscall;
  program->object = make_object(memory);
  std::vector<Insn> insns;
  insns.push_back(LoadImm64{memory.empty() ? Imm64Kind::imm : Imm64Kind::map_value, Reg{1}, 0});
  insns.push_back(Alu{AluOp::mov, Width::w64, Reg{2}, static_cast<int32_t>(memory.size())});
  for (Insn& insn : TRY(decode_all(code))) {
    mask_shift(insn);
    insns.push_back(insn);
  }
  uint32_t slot = 0;
  for (const Insn& insn : insns) {
    program->insns.push_back({.insn = insn, .slot = SlotIndex(slot)});
    slot += slot_count(insn);
  }
  TRY(resolve(*program));
  verifier::Options options;
  options.ctx = aotc::context_layout(program->kind, program->ctx_machine);
  return verifier::verify(program, options);
}

Result<std::vector<uint8_t>> compile_raw(const verifier::VerifiedProgram& program,
                                         const targets::Target& target,
                                         const std::string& resource_dir) {
  aotc::initialise_llvm();
  aotc::CompileOptions options;
  options.resource_dir = resource_dir;
  return aotc::make_image({.options = options,
                           .target = target,
                           .object = *program.program().object,
                           .programs = std::span(&program, 1),
                           .finished = {}});
}

} // namespace bpfaot::tests
