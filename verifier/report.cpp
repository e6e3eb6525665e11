// SPDX-License-Identifier: MIT
//
// Failures in words: where in the source, which instruction, what was found and what was needed.
#include "bpf/object.h"
#include "verifier/walker.h"

namespace bpfaot::verifier {

Failure Walker::error(Code code, std::string message) const {
  return error(code, std::move(message), {}, {});
}

Failure Walker::error(Code code, std::string message, std::string found, std::string needed) const {
  Diagnostic d = make_error(code, std::move(message));
  d.subject = program_.name;
  d.found = std::move(found);
  d.needed = std::move(needed);
  const bpf::ProgramInsn& at = program_.at(state_.pc);
  d.slot = at.slot.value;
  d.insn = bpf::print(at.insn);
  if (const bpf::LineInfo* line = program_.line_of(state_.pc))
    d.location = SourceLocation{line->file, line->line, line->column, line->text};
  for (size_t i = state_.frames.size(); i > 1; --i) {
    const bpf::InsnIndex call = state_.frames[i - 1].call_site;
    std::string note = "called from " + program_.functions[state_.frames[i - 2].func.value].name;
    if (const bpf::LineInfo* line = program_.line_of(call))
      note += " at " + line->file + ":" + std::to_string(line->line);
    d.notes.push_back(std::move(note));
  }
  return Failure(std::move(d));
}

std::string Walker::describe(const RegState& reg) const {
  const auto offset = [&reg]() -> std::string {
    const Scalar& v = reg.value;
    if (v.is_constant())
      return v.umin == 0 ? "" : " at offset " + std::to_string(v.smin);
    if (v.smin == INT64_MIN && v.smax == INT64_MAX)
      return " at an unknown offset";
    return " at an offset in [" + std::to_string(v.smin) + ", " + std::to_string(v.smax) + "]";
  };
  const std::string or_null = reg.maybe_null ? " or null" : "";
  switch (reg.type) {
  case Type::none: return "never written";
  case Type::scalar:
    return reg.released ? "memory that was already given back"
                        : verifier::describe(reg.value);
  case Type::ctx: return "the context" + offset();
  case Type::map_handle: return "the map" + or_null + " " + map(reg.object).name;
  case Type::map_value:
    return "a pointer" + or_null + " to a value of map " + map(reg.object).name + " (" +
           std::to_string(map(reg.object).value_size) + " bytes)" + offset();
  case Type::stack: return "a pointer to the stack" + offset();
  case Type::memory:
    return "a pointer" + or_null +
           (reg.owner != 0      ? " to memory of "
            : reg.read_only     ? " to a key of "
            : reg.argument != 0 ? " to an argument of "
                                : " to a record of ") +
           std::to_string(reg.size) + " bytes" + offset();
  case Type::function: return "the address of a function";
  case Type::packet:
  case Type::packet_meta:
    return std::string("a pointer into the packet") +
           (reg.type == Type::packet_meta ? "'s metadata" : "") + offset() + " (" +
           std::to_string(reg.size) + " bytes are known to be there)";
  case Type::dynptr: return "a dynptr that a helper or caller lends";
  case Type::packet_end: return "the end of the packet";
  }
  return {};
}

} // namespace bpfaot::verifier
