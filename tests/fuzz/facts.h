// SPDX-License-Identifier: MIT
//
// What fuzzers ask the verifier, and what holds for each program that it accepts.
#pragma once

#include "bpf/object.h"
#include "verifier/verifier.h"

#include <cstdlib>

namespace bpfaot::fuzz {

// A context in which every aligned word may be read: 21 registers, or a buffer.
inline verifier::Options options_for(const bpf::SectionInfo& kind) {
  verifier::Options options;
  options.step_limit = 20'000;
  options.memory_limit = 64u << 20;
  options.ctx.name = "context";
  options.ctx.size = kind.kind == bpf::ProgramKind::syscall ? 4096 : 168;
  options.ctx.writable = kind.kind == bpf::ProgramKind::syscall;
  return options;
}

inline void require(bool holds) {
  if (!holds)
    std::abort();
}

inline void check_facts(const verifier::VerifiedProgram& verified) {
  const bpf::Program& program = verified.program();
  const verifier::Facts& facts = verified.facts();
  require(facts.insns.size() == program.insns.size());
  require(facts.functions.size() == program.functions.size());
  require(!facts.insns.empty() && facts.insns[0].reached);
  for (size_t i = 0; i < facts.insns.size(); ++i) {
    const verifier::InsnFacts& fact = facts.insns[i];
    if (!fact.reached)
      continue;
    require(!program.insns[i].poisoned);
    for (const verifier::RegFact& reg : fact.before) {
      if (reg.kind == verifier::Kind::map_value || (reg.kind == verifier::Kind::map_handle && reg.map.valid()))
        require(!reg.map.valid() || reg.map.value < program.object->maps.size());
      if (reg.kind == verifier::Kind::scalar) {
        require(reg.range.umin <= reg.range.umax && reg.range.smin <= reg.range.smax);
        require((reg.range.known_value & ~reg.range.known_mask) == 0);
      }
    }
  }
  for (const verifier::FunctionFacts& function : facts.functions) {
    require(function.stack_depth <= 512);
    for (const verifier::ByteRange& range : function.unwritten)
      require(range.begin < range.end && range.end <= 0 && range.begin >= -512);
  }
  for (const verifier::OutputFact& output : facts.outputs)
    require(output.insn.value < program.insns.size() && output.map.value < program.object->maps.size() &&
            output.size_min <= output.size_max);
}

} // namespace bpfaot::fuzz
