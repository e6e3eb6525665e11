// SPDX-License-Identifier: MIT
#include "aotc/listing.h"

#include <set>

namespace bpfaot::aotc {
namespace {

using bpf::InsnIndex;
using verifier::Kind;

std::string_view kind_name(Kind kind) {
  switch (kind) {
  case Kind::none: return "none";
  case Kind::scalar: return "scalar";
  case Kind::ctx: return "ctx";
  case Kind::map_handle: return "map";
  case Kind::map_value: return "value";
  case Kind::stack: return "stack";
  case Kind::memory: return "memory";
  case Kind::function: return "function";
  case Kind::pointer: return "pointer";
  case Kind::mixed: return "mixed";
  }
  __builtin_unreachable();
}

std::string describe(const verifier::RegFact& fact) {
  std::string text(kind_name(fact.kind));
  if (fact.maybe_null)
    text += "_or_null";
  if (fact.map.valid())
    text += "#" + std::to_string(fact.map.value);
  const verifier::Range64& range = fact.range;
  if (range.is_constant())
    text += "=" + std::to_string(static_cast<int64_t>(range.umin));
  else if (range.umin != 0 || range.umax != UINT64_MAX)
    text += "[" + std::to_string(range.umin) + "," + std::to_string(range.umax) + "]";
  else if (range.smin != INT64_MIN || range.smax != INT64_MAX)
    text += "[" + std::to_string(range.smin) + "," + std::to_string(range.smax) + "]s";
  if (fact.align > 1)
    text += "a" + std::to_string(fact.align);
  return text;
}

std::string facts_of(const verifier::InsnFacts& facts) {
  if (!facts.reached)
    return "  ; never reached";
  std::string text = "  ;";
  for (size_t i = 0; i < facts.before.size(); ++i)
    if (facts.before[i].kind != Kind::none && i != bpf::kFramePointer.number)
      text += " r" + std::to_string(i) + "=" + describe(facts.before[i]);
  return text;
}

std::string print_linear(const verifier::VerifiedProgram& verified, bool with_facts) {
  const bpf::Program& program = verified.program();
  std::string text = program.section + ": " + program.name + "\n";
  const std::string* last_line = nullptr;
  for (const bpf::Function& function : program.functions) {
    text += function.name + ":\n";
    for (InsnIndex i = function.begin; i < function.end; i = i.next()) {
      const bpf::ProgramInsn& insn = program.at(i);
      if (const bpf::LineInfo* line = program.line_of(i);
          line != nullptr && &line->text != last_line) {
        text += "  ; " + line->text + "\n";
        last_line = &line->text;
      }
      std::string row = std::to_string(insn.slot.value);
      row.insert(0, row.size() < 6 ? 6 - row.size() : 0, ' ');
      row += ": " + bpf::print(insn.insn);
      if (with_facts) {
        row.resize(std::max<size_t>(row.size(), 48), ' ');
        row += facts_of(verified.facts().insns[i.value]);
      }
      text += row + "\n";
    }
  }
  return text + "\n";
}

std::string escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out += '\\';
    out += c;
  }
  return out;
}

// Basic blocks of a function as nodes, branches as edges.
std::string print_graph(const verifier::VerifiedProgram& verified) {
  const bpf::Program& program = verified.program();
  std::string text =
      "digraph \"" + escape(program.name) + "\" {\n  node [shape=box fontname=monospace];\n";
  for (const bpf::Function& function : program.functions) {
    std::set<uint32_t> leaders = {function.begin.value};
    for (InsnIndex i = function.begin; i < function.end; i = i.next())
      if (program.at(i).target.valid()) {
        leaders.insert(program.at(i).target.value);
        leaders.insert(i.value + 1);
      }
    const auto edge = [&](uint32_t from, uint32_t to) {
      if (to < function.end.value)
        text += "  b" + std::to_string(from) + " -> b" + std::to_string(to) + ";\n";
    };
    for (auto leader = leaders.begin(); leader != leaders.end() && *leader < function.end.value;
         ++leader) {
      const uint32_t end = std::next(leader) == leaders.end()
                               ? function.end.value
                               : std::min(*std::next(leader), function.end.value);
      text += "  b" + std::to_string(*leader) + " [label=\"";
      for (uint32_t i = *leader; i < end; ++i)
        text += escape(std::to_string(program.insns[i].slot.value) + ": " +
                       bpf::print(program.insns[i].insn)) +
                "\\l";
      text += "\"];\n";
      const bpf::ProgramInsn& last = program.insns[end - 1];
      const bool jumps = std::holds_alternative<bpf::Jump>(last.insn);
      if (last.target.valid())
        edge(*leader, last.target.value);
      if (!jumps && !std::holds_alternative<bpf::Exit>(last.insn))
        edge(*leader, end);
    }
  }
  return text + "}\n";
}

} // namespace

std::string print_stage(Emit stage, std::span<const verifier::VerifiedProgram> programs) {
  std::string text;
  for (const verifier::VerifiedProgram& verified : programs)
    text +=
        stage == Emit::cfg ? print_graph(verified) : print_linear(verified, stage == Emit::facts);
  return text;
}

} // namespace bpfaot::aotc
