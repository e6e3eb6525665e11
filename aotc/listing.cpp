// SPDX-License-Identifier: MIT
#include "aotc/listing.h"

#include "bpf/object.h"

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
  case Kind::packet: return "packet";
  case Kind::function: return "function";
  case Kind::pointer: return "pointer";
  case Kind::mixed: return "mixed";
  }
  __builtin_unreachable();
}

// "3", "1..64", "-4..60"; "" when every value is possible.
std::string range_text(const verifier::Range64& range) {
  if (range.is_constant())
    return std::to_string(static_cast<int64_t>(range.umin));
  const bool is_signed = range.umin == 0 && range.umax == UINT64_MAX;
  if (!is_signed)
    return std::to_string(range.umin) + ".." + std::to_string(range.umax);
  if (range.smin == INT64_MIN && range.smax == INT64_MAX)
    return "";
  return std::to_string(range.smin) + ".." + std::to_string(range.smax);
}

// A number by its values; a pointer by what it points into and how far: "value(counts)+0 or null
// align 8", "stack-16".
std::string describe(const verifier::RegFact& fact, const bpf::Object& object) {
  const std::string range = range_text(fact.range);
  if (fact.kind == Kind::scalar)
    return range.empty() ? "number" : range;
  std::string text(kind_name(fact.kind));
  if (fact.map.valid() && fact.map.value < object.maps.size())
    text += "(" + object.maps[fact.map.value].name + ")";
  if (fact.kind != Kind::mixed && fact.kind != Kind::map_handle && fact.kind != Kind::function)
    text += range.empty() ? "+?" : (range[0] == '-' ? "" : "+") + range;
  if (fact.maybe_null)
    text += " or null";
  if (fact.align > 1 && fact.kind != Kind::map_handle)
    text += " align " + std::to_string(fact.align);
  return text;
}

std::string facts_of(const verifier::InsnFacts& facts, const bpf::Object& object) {
  if (!facts.reached)
    return "  ; never reached";
  std::string text;
  for (size_t i = 0; i < facts.before.size(); ++i)
    if (facts.before[i].kind != Kind::none && i != bpf::kFramePointer.number)
      text += (text.empty() ? "  ; r" : ", r") + std::to_string(i) + "=" +
              describe(facts.before[i], object);
  return text;
}

// "probe.bpf.c:18:   count += 1;", once for all instructions of a line that follow each other.
std::string source_of(const bpf::LineInfo& line) {
  const size_t slash = line.file.rfind('/');
  return "  ; " + line.file.substr(slash == std::string::npos ? 0 : slash + 1) + ":" +
         std::to_string(line.line) + ": " + line.text + "\n";
}

std::string print_linear(const verifier::VerifiedProgram& verified, bool with_facts) {
  const bpf::Program& program = verified.program();
  std::string text = program.section + ": " + program.name + "\n";
  for (const bpf::Function& function : program.functions) {
    text += function.name + ":\n";
    const bpf::LineInfo* last = nullptr;
    for (InsnIndex i = function.begin; i < function.end; i = i.next()) {
      const bpf::ProgramInsn& insn = program.at(i);
      if (const bpf::LineInfo* line = program.line_of(i);
          line != nullptr &&
          (last == nullptr || line->line != last->line || line->file != last->file)) {
        text += source_of(*line);
        last = line;
      }
      std::string row = std::to_string(insn.slot.value);
      row.insert(0, row.size() < 6 ? 6 - row.size() : 0, ' ');
      row += ": " + bpf::print(insn.insn);
      if (with_facts) {
        row.resize(std::max<size_t>(row.size(), 48), ' ');
        row += facts_of(verified.facts().insns[i.value], *program.object);
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
