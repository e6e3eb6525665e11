// SPDX-License-Identifier: MIT
#include "conformance/bare_module.h"

#include "aotc/context_layout.h"
#include "aotc/image.h"
#include "aotc/machine.h"

#include <cstring>
#include <map>
#include <set>

namespace bpfaot::conformance {
namespace {

using namespace bpf;

constexpr uint32_t kPrologue = 2; // instructions that set r1 and r2

Result<std::vector<Insn>> decode_all(std::span<const uint8_t> code) {
  std::vector<RawInsn> slots(code.size() / sizeof(RawInsn));
  std::memcpy(slots.data(), code.data(), slots.size() * sizeof(RawInsn));
  std::vector<Insn> insns;
  for (size_t at = 0; at < slots.size();) {
    auto insn = decode(std::span(slots).subspan(at));
    if (!insn) {
      Failure failure = std::move(insn).take_error();
      failure.diagnostic().slot = static_cast<uint32_t>(at);
      return failure;
    }
    insns.push_back(*insn);
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

// Gives the instructions behind the prologue their targets and functions.
class Resolver {
public:
  explicit Resolver(Program& program) : program_(program) {
    for (uint32_t i = kPrologue; i < program.insns.size(); ++i)
      index_of_[program.insns[i].slot.value] = i;
  }

  // Branch distances become targets, and every target of a call begins a function.
  Status run() {
    std::set<uint32_t> starts = {0};
    for (ProgramInsn& at : std::span(program_.insns).subspan(kPrologue)) {
      if (const std::optional<int64_t> off = callee_offset(at.insn))
        starts.insert(TRY(target(at, *off)));
      else if (const std::optional<int64_t> distance = jump_offset(at.insn))
        at.target = InsnIndex(TRY(target(at, *distance)));
      else if (const auto* load = std::get_if<LoadImm64>(&at.insn);
               load != nullptr && load->kind != Imm64Kind::imm)
        return refuse(at, Code::kReloc, "a reference to a map or symbol, of which there is none");
    }
    make_functions(starts);
    for (ProgramInsn& at : std::span(program_.insns).subspan(kPrologue))
      TRY(finish(at));
    return {};
  }

private:
  static std::optional<int64_t> jump_offset(const Insn& insn) {
    if (const auto* jump = std::get_if<Jump>(&insn))
      return jump->off;
    if (const auto* branch = std::get_if<Branch>(&insn))
      return branch->off;
    if (const auto* may_goto = std::get_if<MayGoto>(&insn))
      return may_goto->off;
    return std::nullopt;
  }
  static std::optional<int64_t> callee_offset(const Insn& insn) {
    if (const auto* call = std::get_if<CallLocal>(&insn))
      return call->off;
    const auto* load = std::get_if<LoadImm64>(&insn);
    if (load != nullptr && load->kind == Imm64Kind::func)
      return static_cast<int32_t>(static_cast<uint32_t>(load->imm));
    return std::nullopt;
  }

  Failure refuse(const ProgramInsn& at, Code code, const char* why) const {
    Diagnostic diagnostic = make_error(code, why);
    diagnostic.subject = program_.name;
    diagnostic.slot = at.slot.value;
    diagnostic.insn = print(at.insn);
    return Failure(std::move(diagnostic));
  }

  Result<uint32_t> target(const ProgramInsn& at, int64_t off) const {
    const auto found = index_of_.find(int64_t{at.slot.value} + 1 + off);
    if (found == index_of_.end())
      return refuse(at, Code::kJumpTarget, "no instruction begins where this leads");
    return found->second;
  }

  void make_functions(const std::set<uint32_t>& starts) {
    for (const uint32_t start : starts) {
      if (!program_.functions.empty())
        program_.functions.back().end = InsnIndex(start);
      program_.functions.push_back(
          {.name =
               start == 0 ? program_.name : "f" + std::to_string(program_.insns[start].slot.value),
           .begin = InsnIndex(start)});
    }
    program_.functions.back().end = InsnIndex(program_.insns.size());
  }

  Status finish(ProgramInsn& at) {
    const InsnIndex here(static_cast<uint32_t>(&at - program_.insns.data()));
    if (at.target.valid() && program_.function_of(at.target) != program_.function_of(here))
      return refuse(at, Code::kJumpTarget, "a jump from one function into another");
    if (const std::optional<int64_t> off = callee_offset(at.insn)) {
      at.callee = program_.function_of(InsnIndex(TRY(target(at, *off))));
      if (auto* load = std::get_if<LoadImm64>(&at.insn))
        load->imm = at.callee.value;
    }
    return {};
  }

  Program& program_;
  std::map<int64_t, uint32_t> index_of_; // slot -> instruction
};

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

BareModule::BareModule(std::string name) : object_(std::make_shared<Object>()) {
  object_->path = std::move(name);
  object_->license = "GPL";
}

MapId BareModule::add_memory(std::span<const uint8_t> bytes) {
  MapDef map;
  map.name = ".data." + std::to_string(object_->maps.size());
  map.type = MapType::array;
  map.key_size = 4;
  map.value_size = static_cast<uint32_t>(bytes.size());
  map.max_entries = 1;
  map.section = MapSection::data;
  map.initial.assign(bytes.begin(), bytes.end());
  object_->maps.push_back(std::move(map));
  return MapId(object_->maps.size() - 1);
}

Result<size_t> BareModule::add(std::string name, std::span<const uint8_t> code,
                               std::optional<MapId> memory, uint64_t step_limit) {
  if (code.size() % sizeof(RawInsn) != 0)
    return fail(Code::kInsnTruncated, "the program is no whole number of 8-byte instructions");
  auto program = std::make_shared<Program>();
  program->name = std::move(name);
  program->section = "syscall";
  program->kind.kind = ProgramKind::syscall;
  program->object = object_;
  const auto add = [&](const Insn& insn, uint32_t slot) {
    program->insns.push_back({.insn = insn, .slot = SlotIndex(slot)});
  };
  add(LoadImm64{memory ? Imm64Kind::map_value : Imm64Kind::imm, Reg{1},
                memory ? uint64_t{memory->value} : 0},
      0);
  add(Alu{AluOp::mov, Width::w64, Reg{2}, memory ? static_cast<int32_t>(memory_size(*memory)) : 0},
      0);
  uint32_t slot = 0;
  for (Insn& insn : TRY(decode_all(code))) {
    mask_shift(insn);
    add(insn, slot);
    slot += slot_count(insn);
  }
  TRY(Resolver(*program).run());
  verifier::Options options;
  options.ctx = aotc::context_layout(program->kind, program->ctx_machine);
  options.step_limit = step_limit;
  programs_.push_back(TRY(verifier::verify(std::move(program), options)));
  return programs_.size() - 1;
}

Result<std::vector<uint8_t>> BareModule::compile(const targets::Target& target,
                                                 const std::string& resource_dir,
                                                 int opt_level) const {
  aotc::CompileOptions options;
  options.resource_dir = resource_dir;
  options.opt_level = opt_level;
  return compile(target, options);
}

Result<std::vector<uint8_t>> BareModule::compile(const targets::Target& target,
                                                 const aotc::CompileOptions& options) const {
  aotc::initialise_llvm();
  return aotc::make_image({.options = options,
                           .target = target,
                           .object = *object_,
                           .programs = programs_,
                           .finished = {}});
}

} // namespace bpfaot::conformance
