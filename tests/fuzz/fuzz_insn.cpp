// SPDX-License-Identifier: MIT
//
// libFuzzer target: arbitrary instruction bytes. What decodes encodes and prints back to itself, and
// a program of it is refused or verified with whole facts.
#include "tests/fuzz/facts.h"

#include "bpf/object.h"

#include <cstring>
#include <map>
#include <set>

using namespace bpfaot;
using namespace bpfaot::bpf;

namespace {

std::shared_ptr<const Object> make_object() {
  auto object = std::make_shared<Object>();
  object->license = "GPL";
  const auto add = [&](const char* name, MapType type, uint32_t key, uint32_t value, uint32_t entries) {
    MapDef map;
    map.name = name;
    map.type = type;
    map.key_size = key;
    map.value_size = value;
    map.max_entries = entries;
    object->maps.push_back(std::move(map));
  };
  add("array", MapType::array, 4, 16, 8);
  add("hash", MapType::hash, 8, 24, 64);
  add("percpu", MapType::percpu_array, 4, 8, 2);
  add("ring", MapType::ringbuf, 0, 0, 4096);
  add(".data", MapType::array, 4, 100, 1);
  object->maps.back().section = MapSection::data;
  add(".rodata", MapType::array, 4, 40, 1);
  object->maps.back().section = MapSection::rodata;
  object->maps.back().initial.assign(40, 7);
  return object;
}

void check_round_trip(std::span<const RawInsn> slots, const Insn& insn) {
  fuzz::require(is_encodable(insn));
  std::vector<RawInsn> again;
  encode(insn, again);
  fuzz::require(again.size() == slot_count(insn) &&
                std::memcmp(again.data(), slots.data(), again.size() * sizeof(RawInsn)) == 0);
  const auto parsed = parse_insn(print(insn));
  fuzz::require(parsed && *parsed == insn);
}

// Branch distances to targets, as linking does it; false when one leads nowhere.
bool resolve(Program& program) {
  std::map<int64_t, uint32_t> index_of;
  for (uint32_t i = 0; i < program.insns.size(); ++i)
    index_of[program.insns[i].slot.value] = i;
  const auto target = [&](const ProgramInsn& insn, int64_t off) {
    const auto found = index_of.find(int64_t{insn.slot.value} + 1 + off);
    return found == index_of.end() ? UINT32_MAX : found->second;
  };
  std::set<uint32_t> starts = {0};
  for (ProgramInsn& insn : program.insns) {
    int64_t off = 0;
    if (const auto* jump = std::get_if<Jump>(&insn.insn))
      off = jump->off;
    else if (const auto* branch = std::get_if<Branch>(&insn.insn))
      off = branch->off;
    else if (const auto* may = std::get_if<MayGoto>(&insn.insn))
      off = may->off;
    else if (const auto* call = std::get_if<CallLocal>(&insn.insn)) {
      const uint32_t to = target(insn, call->off);
      if (to == UINT32_MAX)
        return false;
      starts.insert(to);
      continue;
    } else {
      continue;
    }
    const uint32_t to = target(insn, off);
    if (to == UINT32_MAX)
      return false;
    insn.target = InsnIndex(to);
  }
  for (const uint32_t start : starts) {
    if (!program.functions.empty())
      program.functions.back().end = InsnIndex(start);
    program.functions.push_back({.name = "f" + std::to_string(start), .begin = InsnIndex(start)});
  }
  program.functions.back().end = InsnIndex(static_cast<uint32_t>(program.insns.size()));
  for (ProgramInsn& insn : program.insns)
    if (const auto* call = std::get_if<CallLocal>(&insn.insn))
      for (uint32_t f = 0; f < program.functions.size(); ++f)
        if (program.functions[f].begin.value == target(insn, call->off))
          insn.callee = FuncId(f);
  // Linking refuses what leads from one function into another.
  for (const Function& function : program.functions)
    for (uint32_t i = function.begin.value; i < function.end.value; ++i) {
      const InsnIndex to = program.insns[i].target;
      if (to.valid() && (to.value < function.begin.value || to.value >= function.end.value))
        return false;
    }
  return true;
}

// The map, offset or function that an address load names, brought into range as relocation does.
void relocate(LoadImm64& load, const Object& object) {
  const auto low = static_cast<uint32_t>(load.imm) % object.maps.size();
  if (load.kind == Imm64Kind::map)
    load.imm = low;
  else if (load.kind == Imm64Kind::map_value)
    load.imm = (4 + low % 2) | (load.imm >> 32 & 63) << 32;
  else
    load.kind = Imm64Kind::imm;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::shared_ptr<const Object> object = make_object();
  if (size < 9 || size > 8 * 512)
    return 0;
  auto program = std::make_shared<Program>();
  program->name = "fuzz";
  program->section = data[0] & 1 ? "syscall" : "uprobe";
  program->kind.kind = data[0] & 1 ? ProgramKind::syscall : ProgramKind::probe;
  program->object = object;
  std::vector<RawInsn> slots((size - 1) / sizeof(RawInsn));
  std::memcpy(slots.data(), data + 1, slots.size() * sizeof(RawInsn));
  for (uint32_t at = 0; at < slots.size();) {
    const std::span<const RawInsn> rest = std::span(slots).subspan(at);
    auto insn = decode(rest);
    if (!insn)
      return 0;
    check_round_trip(rest, *insn);
    if (auto* load = std::get_if<LoadImm64>(&*insn))
      relocate(*load, *object);
    program->insns.push_back({.insn = *insn, .slot = SlotIndex(at)});
    at += slot_count(*insn);
  }
  if (!resolve(*program))
    return 0;
  const auto verified = verifier::verify(program, fuzz::options_for(program->kind));
  if (verified)
    fuzz::check_facts(*verified);
  return 0;
}
