// SPDX-License-Identifier: MIT
#include "aotc/analysis.h"

#include "aotc/context_layout.h"
#include "aotc/prog_arrays.h"
#include "aotc/syscall_numbers.h"
#include "bpf/link_program.h"
#include "bpf/maps.h"
#include "support/json.h"
#include "support/options.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace bpfaot::aotc {
namespace {

bool is_selected(const bpf::ProgramEntry& entry, const CompileOptions& options) {
  const auto has = [](const std::vector<std::string>& list, const std::string& text) {
    return list.empty() || std::find(list.begin(), list.end(), text) != list.end();
  };
  return has(options.programs, entry.name) && has(options.sections, entry.section);
}

// "s_uprobe:/bin/sh:main_1": bpftrace 0.17 names sections after probes and numbers them. It writes no
// types, which clang does for every program of a kind that is known here.
bool is_of_bpftrace(const bpf::Object& object, const bpf::ProgramEntry& entry) {
  const std::string_view section = entry.section;
  const size_t number = section.find_last_not_of("0123456789");
  return object.btf.empty() && entry.kind.kind == bpf::ProgramKind::unknown &&
         section.starts_with("s_") && number != std::string_view::npos &&
         number + 1 < section.size() && section[number] == '_';
}

Diagnostic bpftrace_object(const bpf::Object& object, const bpf::ProgramEntry& entry) {
  constexpr uint8_t kLoadImm64 = 0x18, kMapByNumber = 1;
  std::set<int32_t> maps;
  const bpf::CodeRange& code = object.code[entry.code];
  const auto bytes = object.elf.sections[code.section].data;
  for (uint64_t at = uint64_t{code.begin} * 8; at + 8 <= uint64_t{code.end} * 8 && at + 8 <= bytes.size();
       at += bytes[at] == kLoadImm64 ? 16 : 8)
    if (bytes[at] == kLoadImm64 && bytes[at + 1] >> 4 == kMapByNumber) {
      int32_t number = 0;
      std::memcpy(&number, bytes.data() + at + 4, sizeof(number));
      maps.insert(number);
    }
  Diagnostic diagnostic = make_error(
      Code::kBpftrace, "program '" + entry.name + "' was written by bpftrace, which does not describe in the file the " +
                           std::to_string(maps.size()) + " maps that it uses");
  diagnostic.subject = entry.name;
  return diagnostic;
}

Diagnostic unsupported_kind(const bpf::ProgramEntry& entry) {
  std::string kind = entry.kind.prefix.empty() ? entry.section : entry.kind.prefix;
  Diagnostic diagnostic = make_error(
      Code::kProgramKind,
      "program '" + entry.name + "' is of kind '" + kind + "', which " +
          (entry.kind.kind == bpf::ProgramKind::unknown       ? "is not known"
           : entry.kind.kind == bpf::ProgramKind::kernel_only ? "runs in the kernel only"
                                                              : "this version does not run"));
  diagnostic.subject = entry.name;
  return diagnostic;
}

// Whether there is anything to look at. --verify-only judges every program whose context is known,
// also where nothing can run it yet.
bool is_judged(const bpf::SectionInfo& kind, const CompileOptions& options) {
  return is_supported(kind) || (options.action == Action::verify &&
                                     context_layout(kind, bpf::CtxMachine::unknown).size != 0);
}

// The registers that a probe reads have no meaning while the machine is not known.
std::optional<Diagnostic> check_machine(const verifier::VerifiedProgram& verified) {
  const bpf::Program& program = verified.program();
  if (!has_registers(image_kind(program.kind)) ||
      program.ctx_machine != bpf::CtxMachine::unknown || verified.facts().ctx_reads.empty())
    return std::nullopt;
  const bpf::InsnIndex insn = verified.facts().ctx_reads.front();
  Diagnostic diagnostic = make_error(Code::kCtxArchUnknown,
                                     "the object does not tell which machine's registers it reads");
  diagnostic.subject = program.name;
  diagnostic.slot = program.at(insn).slot.value;
  diagnostic.insn = bpf::print(program.at(insn).insn);
  if (const bpf::LineInfo* line = program.line_of(insn))
    diagnostic.location = SourceLocation{line->file, line->line, line->column, line->text};
  diagnostic.hints.push_back("--ctx-arch=x86_64 when it was compiled with -D__TARGET_ARCH_x86");
  return diagnostic;
}

// Fields that are read through an address that the program computes, where the process or nobody
// knows the field. Accesses by the instruction itself are of the context or refused already.
std::vector<Diagnostic> core_warnings(const verifier::VerifiedProgram& verified) {
  using Source = bpf::CoreUse::Source;
  const bpf::Program& program = verified.program();
  std::vector<Diagnostic> warnings;
  for (uint32_t i = 0; i < program.insns.size(); ++i) {
    const bpf::ProgramInsn& item = program.insns[i];
    const auto use = program.core_uses.find(item.slot.value);
    if (use == program.core_uses.end() || !verified.facts().insns[i].reached ||
        std::holds_alternative<bpf::Load>(item.insn) ||
        std::holds_alternative<bpf::Store>(item.insn))
      continue;
    const bool is_absent = use->second.source == Source::absent;
    if (!is_absent && use->second.source != Source::assumed)
      continue;
    Diagnostic warning = make_warning(
        is_absent ? Code::kCoreAbsent : Code::kCoreAssumed,
        use->second.name + (is_absent ? " does not exist in a process: reading it gives -EFAULT"
                                      : " is read as this object lays it out: a structure of the "
                                        "kernel is in no process, and reading it gives -EFAULT"));
    if (!is_absent)
      warning.hints.push_back("--btf=FILE describes the types of an application");
    warning.subject = program.name;
    warning.slot = item.slot.value;
    warning.insn = bpf::print(item.insn);
    if (const bpf::LineInfo* line = program.line_of(bpf::InsnIndex(i)))
      warning.location = SourceLocation{line->file, line->line, line->column, line->text};
    warnings.push_back(std::move(warning));
  }
  return warnings;
}

void analyse_program(const std::shared_ptr<const bpf::Object>& object, size_t index,
                     const CompileOptions& options, const CoreWorld& world,
                     ProgramVerdict& verdict) {
  auto linked = bpf::link_program(
      object, index,
      {.ctx_arch = options.ctx_machine, .types = world.given, .process = world.process});
  if (!linked) {
    verdict.fault = linked.error();
    return;
  }
  verdict.program = *linked;
  verifier::Options limits;
  limits.ctx = context_layout(verdict.program->kind, verdict.program->ctx_machine);
  limits.step_limit = options.step_limit;
  auto verified = verifier::verify(verdict.program, limits);
  if (!verified)
    verdict.fault = verified.error();
  else if (auto fault = check_machine(*verified))
    verdict.fault = std::move(fault);
  else
    verdict.verified = std::move(*verified);
  if (!verdict.verified)
    return;
  verdict.warnings = core_warnings(*verdict.verified);
  for (Diagnostic& warning : syscall_number_warnings(*verdict.verified, options.targets))
    verdict.warnings.push_back(std::move(warning));
}

std::string_view word(const ProgramVerdict& verdict) {
  if (verdict.verified)
    return "accept";
  return code_verdict(verdict.fault->code) == Verdict::unsupported ? "unsupported" : "reject";
}

// What is wrong between programs is the fault of one of them.
void judge_prog_arrays(const bpf::Object& object, std::vector<ProgramVerdict>& verdicts) {
  std::vector<verifier::VerifiedProgram> programs;
  for (const ProgramVerdict& verdict : verdicts)
    if (verdict.verified)
      programs.push_back(*verdict.verified);
  for (Diagnostic& found : check_prog_arrays(object, programs))
    for (ProgramVerdict& verdict : verdicts) {
      if (verdict.name != found.subject || !verdict.verified)
        continue;
      if (found.level == Level::warning) {
        verdict.warnings.push_back(found);
      } else {
        verdict.fault = found;
        verdict.verified.reset();
      }
      break;
    }
}

Status check_names(std::string_view what, const std::vector<std::string>& wanted,
                   const std::vector<std::string_view>& there) {
  for (const std::string& name : wanted) {
    if (std::find(there.begin(), there.end(), name) != there.end())
      continue;
    Diagnostic error = make_error(Code::kProgramUnknown,
                                  "the object has no " + std::string(what) + " '" + name + "'");
    if (const std::string near = nearest(name, there); !near.empty())
      error.hints.push_back("did you mean '" + near + "'?");
    error.hints.push_back("--list shows what it has");
    return Failure(std::move(error));
  }
  return {};
}

} // namespace

Status check_selection(const bpf::Object& object, const CompileOptions& options) {
  std::vector<std::string_view> names, sections;
  for (const bpf::ProgramEntry& entry : object.programs) {
    names.push_back(entry.name);
    sections.push_back(entry.section);
  }
  TRY(check_names("program", options.programs, names));
  return check_names("section", options.sections, sections);
}

std::vector<ProgramVerdict> analyse(const std::shared_ptr<const bpf::Object>& object,
                                    const CompileOptions& options, const CoreWorld& world) {
  std::vector<ProgramVerdict> verdicts;
  for (size_t i = 0; i < object->programs.size(); ++i) {
    const bpf::ProgramEntry& entry = object->programs[i];
    if (!is_selected(entry, options))
      continue;
    ProgramVerdict verdict;
    verdict.section = entry.section;
    verdict.name = entry.name;
    verdict.is_supported_kind = is_supported(entry.kind);
    verdict.is_buffer_kind = entry.kind.kind == bpf::ProgramKind::socket_filter ||
                             entry.kind.kind == bpf::ProgramKind::xdp ||
                             entry.kind.kind == bpf::ProgramKind::tc;
    if (entry.fault)
      verdict.fault = *entry.fault;
    else if (is_of_bpftrace(*object, entry))
      verdict.fault = bpftrace_object(*object, entry);
    else if (!is_judged(entry.kind, options))
      verdict.fault = unsupported_kind(entry);
    else
      analyse_program(object, i, options, world, verdict);
    verdicts.push_back(std::move(verdict));
  }
  judge_prog_arrays(*object, verdicts);
  return verdicts;
}

std::optional<ProgramStats> stats_of(const ProgramVerdict& verdict) {
  if (!verdict.verified)
    return std::nullopt;
  const verifier::Facts& facts = verdict.verified->facts();
  ProgramStats stats{.insns = verdict.program->slot_count(),
                     .walked = facts.steps,
                     .functions = static_cast<uint32_t>(facts.functions.size()),
                     .helpers = static_cast<uint32_t>(facts.helpers.size())};
  for (const verifier::FunctionFacts& function : facts.functions)
    stats.stack = std::max(stats.stack, function.stack_depth);
  return stats;
}

void write_verdicts(JsonWriter& json, std::span<const ProgramVerdict> verdicts, bool with_stats) {
  json.key("programs").begin_array();
  for (const ProgramVerdict& verdict : verdicts) {
    json.begin_object();
    json.key("section").value(verdict.section).key("name").value(verdict.name);
    json.key("verdict").value(word(verdict));
    const Diagnostic* fault = verdict.fault ? &*verdict.fault : nullptr;
    const auto text = [&](const char* key, bool known, std::string_view value) {
      known ? json.key(key).value(value) : json.key(key).null();
    };
    const auto number = [&](const char* key, bool known, uint32_t value) {
      known ? json.key(key).value(value) : json.key(key).null();
    };
    text("code", fault != nullptr, fault != nullptr ? code_text(fault->code) : "");
    text("message", fault != nullptr, fault != nullptr ? fault->message : "");
    const bool placed = fault != nullptr && fault->location.has_value();
    text("file", placed, placed ? fault->location->file : "");
    number("line", placed && fault->location->line != 0, placed ? fault->location->line : 0);
    const bool slotted = fault != nullptr && fault->slot.has_value();
    number("insn", slotted, slotted ? *fault->slot : 0);
    if (fault != nullptr && !fault->insn.empty())
      json.key("insn_text").value(fault->insn);
    if (fault != nullptr && !fault->found.empty())
      json.key("found").value(fault->found);
    if (fault != nullptr && !fault->needed.empty())
      json.key("needed").value(fault->needed);
    if (const auto stats = with_stats ? stats_of(verdict) : std::nullopt)
      json.key("stats")
          .begin_object()
          .key("insns")
          .value(stats->insns)
          .key("walked")
          .value(stats->walked)
          .key("functions")
          .value(stats->functions)
          .key("stack")
          .value(stats->stack)
          .key("helpers")
          .value(stats->helpers)
          .end_object();
    json.end_object();
  }
  json.end_array();
}

std::string verdicts_as_json(std::span<const ProgramVerdict> verdicts, bool with_stats) {
  JsonWriter json;
  json.begin_object();
  write_verdicts(json, verdicts, with_stats);
  json.end_object();
  return json.take() + "\n";
}

std::string verdicts_as_text(std::span<const ProgramVerdict> verdicts) {
  std::string text;
  for (const ProgramVerdict& verdict : verdicts) {
    std::string line(word(verdict));
    line.resize(13, ' ');
    line += verdict.name + "  (" + verdict.section + ")";
    if (verdict.fault)
      line += "  [" + std::string(code_text(verdict.fault->code)) + "]";
    else
      line += "  " + std::to_string(verdict.program->slot_count()) + " instructions, " +
              std::to_string(verdict.verified->facts().steps) + " walked";
    text += line + "\n";
  }
  return text;
}

std::string list_as_text(const bpf::Object& object) {
  std::string text;
  for (const bpf::ProgramEntry& entry : object.programs)
    text += "program  " + entry.name + "  " + entry.section +
            (is_supported(entry.kind) ? "" : "  (left out: kind is not supported)") + "\n";
  for (const bpf::MapDef& map : object.maps)
    text += "map      " + map.name + "  " + bpf::map_type_name(map.type) + "  key " +
            std::to_string(map.key_size) + "  value " + std::to_string(map.value_size) +
            "  max_entries " + std::to_string(map.max_entries) + "\n";
  return text;
}

std::string list_as_json(const bpf::Object& object) {
  JsonWriter json;
  json.begin_object().key("programs").begin_array();
  for (const bpf::ProgramEntry& entry : object.programs)
    json.begin_object()
        .key("name")
        .value(entry.name)
        .key("section")
        .value(entry.section)
        .key("supported")
        .value(is_supported(entry.kind))
        .end_object();
  json.end_array().key("maps").begin_array();
  for (const bpf::MapDef& map : object.maps)
    json.begin_object()
        .key("name")
        .value(map.name)
        .key("type")
        .value(bpf::map_type_name(map.type))
        .key("key_size")
        .value(map.key_size)
        .key("value_size")
        .value(map.value_size)
        .key("max_entries")
        .value(map.max_entries)
        .end_object();
  json.end_array().key("license").value(object.license).end_object();
  return json.take() + "\n";
}

} // namespace bpfaot::aotc
