// SPDX-License-Identifier: MIT
//
// Linking one program: functions are appended in the order in which they are first referred to, so
// that the slots a user sees of the entry function are those of the object's listing.
#include "bpf/link_program.h"

#include "bpf/bytes.h"
#include "bpf/relocate.h"

#include <algorithm>
#include <initializer_list>

namespace bpfaot::bpf {
namespace {

bool is_structure(const Btf& btf, uint32_t id, std::initializer_list<std::string_view> names) {
  const BtfType& type = btf.resolved(id);
  return type.kind == BtfKind::structure &&
         std::find(names.begin(), names.end(), core_essential_name(type.name)) != names.end();
}

bool is_register_type(const Btf& btf, uint32_t id) {
  return is_structure(btf, id, {"pt_regs", "user_pt_regs", "user_regs_struct"});
}

bool is_context_type(const Btf& btf, uint32_t id) {
  return is_register_type(btf, id) || is_structure(btf, id, {"bpf_perf_event_data"});
}

// By members that only one machine's layout has.
CtxMachine machine_of_layout(const Btf& btf, uint32_t id) {
  const auto has = [&](std::string_view name) { return btf.find_member(id, name).has_value(); };
  if (!is_register_type(btf, id))
    return CtxMachine::unknown;
  if (has("di") || has("rdi"))
    return CtxMachine::x86_64;
  if (has("a0"))
    return CtxMachine::riscv64;
  if (has("regs") || has("user_regs") || has("orig_x0"))
    return CtxMachine::aarch64;
  return CtxMachine::unknown;
}

class Linker {
public:
  Linker(std::shared_ptr<const Object> object, const LinkOptions& options)
      : object_(*object), options_(options), program_(std::make_shared<Program>()) {
    program_->object = std::move(object);
  }

  Result<std::shared_ptr<const Program>> link(const ProgramEntry& entry) {
    if (entry.fault)
      return Failure(*entry.fault);
    program_->name = entry.name;
    program_->section = entry.section;
    program_->kind = entry.kind;
    refer_to(entry.code);
    TRY(find_exception_callback(object_.code[entry.code]));
    for (size_t i = 0; i < reached_.size(); ++i)
      TRY(add_function(object_.code[reached_[i]]));
    for (ProgramInsn& item : program_->insns)
      point_at_callee(item);
    program_->ctx_machine = context_machine();
    return std::shared_ptr<const Program>(std::move(program_));
  }

private:
  FuncId refer_to(uint32_t code) {
    const auto [found, is_new] = func_of_.emplace(code, FuncId(reached_.size()));
    if (is_new)
      reached_.push_back(code);
    return found->second;
  }

  // By its type, which the kernel goes by; libbpf calls hidden functions static there.
  bool has_contract(const CodeRange& range) const {
    const BtfType& type = object_.btf.type(range.btf_type);
    return type.kind == BtfKind::function && type.linkage == 1 && !range.is_hidden;
  }

  // __exception_cb(NAME): a declaration tag on the program.
  Status find_exception_callback(const CodeRange& entry) {
    constexpr std::string_view kTag = "exception_callback:";
    const Btf& btf = object_.btf;
    std::optional<std::string_view> name;
    for (uint32_t id = 1; entry.btf_type != 0 && id < btf.type_count(); ++id) {
      const BtfType& tag = btf.type(id);
      if (tag.kind != BtfKind::decl_tag || tag.target != entry.btf_type || tag.component != -1 ||
          !tag.name.starts_with(kTag))
        continue;
      if (name)
        return fail(Code::kThrow, "the program has more than one callback for exceptions");
      name = tag.name.substr(kTag.size());
    }
    if (!name)
      return {};
    for (uint32_t i = 0; i < object_.code.size(); ++i) {
      const CodeRange& code = object_.code[i];
      if (code.name != *name || code.btf_type == 0)
        continue;
      const BtfType& proto = btf.type(btf.type(code.btf_type).target);
      const auto parameters = btf.parameters(proto);
      const auto is_number = [&btf](uint32_t type) {
        const BtfKind kind = btf.resolved(type).kind;
        return kind == BtfKind::integer || kind == BtfKind::enumeration ||
               kind == BtfKind::enumeration64;
      };
      if (!code.is_global || parameters.size() != 1 || !is_number(parameters[0].type) ||
          !is_number(proto.target))
        return Failure(make_error(Code::kThrow, "'" + std::string(*name) +
                                                    "' cannot be a callback for exceptions")
                           .values(std::string(code.is_global ? "a global" : "a static") +
                                       " function with " + std::to_string(parameters.size()) +
                                       " parameters that returns " + btf.name_of(proto.target),
                                   "a global function of one number that returns a number"));
      program_->exception_callback = refer_to(i);
      return {};
    }
    return fail(Code::kThrow, "there is no function '" + std::string(*name) +
                                  "' to be the callback for exceptions");
  }

  Status add_function(const CodeRange& range) {
    const auto data = slice(object_.elf.sections[range.section].data, uint64_t{range.begin} * 8,
                            uint64_t{range.end - range.begin} * 8);
    if (!data)
      return fail(Code::kInsnTruncated, "function '" + range.name + "' lies outside its section");
    std::vector<RawInsn> raw(data->size() / 8);
    std::memcpy(raw.data(), data->data(), data->size());

    const size_t first = program_->insns.size();
    const uint32_t base = program_->slot_count(); // slot number of the function's first slot
    std::vector<InsnIndex> index_of(raw.size());  // invalid for the second half of a lddw
    for (uint32_t slot = 0; slot < raw.size();) {
      auto insn = decode(std::span(raw).subspan(slot));
      if (!insn)
        return at(std::move(insn).take_error(), range, base, slot, nullptr);
      index_of[slot] = InsnIndex(program_->insns.size());
      auto relocated = relocate(object_, range.section, range.begin + slot, *insn);
      if (!relocated)
        return at(std::move(relocated).take_error(), range, base, slot, &*insn);
      ProgramInsn item{.insn = relocated->insn,
                       .slot = SlotIndex(base + slot),
                       .target = {},
                       .callee = {},
                       .poisoned = relocated->poisoned};
      if (relocated->poisoned && std::holds_alternative<CallKfunc>(relocated->insn))
        if (const ElfRelocation* to =
                object_.elf.relocation_at(range.section, uint64_t{range.begin + slot} * 8))
          program_->poison.emplace(base + slot, "kernel function '" +
                                                    std::string(object_.elf.symbols[to->symbol].name) +
                                                    "'");
      if (relocated->callee)
        item.callee = refer_to(*relocated->callee);
      program_->insns.push_back(item);
      slot += slot_count(*insn);
    }
    TRY(resolve_jumps(range, base, first, index_of));
    TRY(check_relocations(range, index_of));
    TRY(apply_core_records(range, base, index_of));
    add_lines(range, first, base);
    program_->functions.push_back({.name = range.name,
                                   .begin = InsnIndex(first),
                                   .end = InsnIndex(program_->insns.size()),
                                   .btf_type = range.btf_type,
                                   .is_global = has_contract(range)});
    return {};
  }

  // Adds where it happened: `slot` counts within the function.
  Failure at(Failure failure, const CodeRange& range, uint32_t base, uint32_t slot,
             const Insn* insn) const {
    Diagnostic& diagnostic = failure.diagnostic();
    diagnostic.slot = base + slot;
    if (insn != nullptr)
      diagnostic.insn = print(*insn);
    if (const LineRecord* line = line_at(range, range.begin + slot))
      diagnostic.location = SourceLocation{std::string(line->file), line->line, line->column,
                                           std::string(line->text)};
    return failure;
  }

  // The records of a function are a contiguous part of a sorted list.
  template <class Record>
  std::span<const Record> records_of(const std::vector<Record>& all, const CodeRange& range) const {
    const auto before = [](const Record& record, const std::pair<uint32_t, uint32_t>& key) {
      return std::pair(record.section, record.slot) < key;
    };
    const auto begin =
        std::lower_bound(all.begin(), all.end(), std::pair(range.section, range.begin), before);
    const auto end =
        std::lower_bound(begin, all.end(), std::pair(range.section, range.end), before);
    return {begin, end};
  }

  const LineRecord* line_at(const CodeRange& range, uint32_t slot) const {
    const auto lines = records_of(object_.ext.lines, range);
    const auto after =
        std::upper_bound(lines.begin(), lines.end(), slot,
                         [](uint32_t wanted, const LineRecord& r) { return wanted < r.slot; });
    return after == lines.begin() ? nullptr : &*(after - 1);
  }

  Status resolve_jumps(const CodeRange& range, uint32_t base, size_t first,
                       const std::vector<InsnIndex>& index_of) {
    for (size_t i = first; i < program_->insns.size(); ++i) {
      ProgramInsn& item = program_->insns[i];
      const std::optional<int32_t> off = jump_offset(item.insn);
      if (!off)
        continue;
      const uint32_t slot = item.slot.value - base;
      const int64_t target = int64_t{slot} + 1 + *off;
      const bool inside = target >= 0 && target < static_cast<int64_t>(index_of.size());
      if (!inside || !index_of[static_cast<size_t>(target)].valid())
        return at(Failure(make_error(Code::kJumpTarget,
                                     inside ? "jump into the middle of an instruction"
                                            : "jump out of function '" + range.name + "'")
                              .values("slot " + std::to_string(target),
                                      "a slot of 0 to " + std::to_string(index_of.size() - 1) +
                                          " where an instruction begins")),
                  range, base, slot, &item.insn);
      item.target = index_of[static_cast<size_t>(target)];
    }
    return {};
  }

  static std::optional<int32_t> jump_offset(const Insn& insn) {
    if (const auto* jump = std::get_if<Jump>(&insn))
      return jump->off;
    if (const auto* branch = std::get_if<Branch>(&insn))
      return branch->off;
    if (const auto* may_goto = std::get_if<MayGoto>(&insn))
      return may_goto->off;
    return std::nullopt;
  }

  // relocate() looks at the starts of instructions: none may lie elsewhere, and no two at one
  // place.
  Status check_relocations(const CodeRange& range, const std::vector<InsnIndex>& index_of) const {
    const ElfRelocation* previous = nullptr;
    for (const ElfRelocation& relocation : object_.elf.relocations_of(range.section)) {
      const uint64_t slot = relocation.offset / 8;
      if (slot < range.begin || slot >= range.end || relocation.kind == RelocKind::none)
        continue;
      const bool twice = previous != nullptr && previous->offset == relocation.offset;
      if (relocation.offset % 8 != 0 || !index_of[slot - range.begin].valid() || twice)
        return fail(Code::kReloc,
                    std::string(twice ? "two relocations" : "a relocation inside an instruction") +
                        " at byte " + std::to_string(relocation.offset) + " of section '" +
                        std::string(object_.elf.sections[range.section].name) + "'");
      previous = &relocation;
    }
    return {};
  }

  // The compiler has written the value for the types of the object itself. That is right for the
  // context, whose layout the target's registers are mapped from, and for ids of local types.
  Status apply_core_records(const CodeRange& range, uint32_t base,
                            const std::vector<InsnIndex>& index_of) {
    for (const CoreRecord& record : records_of(object_.ext.core, range)) {
      const uint32_t slot = record.slot - range.begin;
      if (!index_of[slot].valid())
        return fail(Code::kBtfExt,
                    "CO-RE record inside an instruction of function '" + range.name + "'");
      if (record.kind == CoreKind::type_id_local)
        continue;
      if (is_context_type(object_.btf, record.type)) {
        if (core_machine_ == CtxMachine::unknown)
          core_machine_ = machine_of_layout(object_.btf, record.type);
        continue;
      }
      ProgramInsn& item = program_->insns[index_of[slot].value];
      if (Status applied = apply_core_record(record, item); !applied)
        return at(std::move(applied).take_error(), range, base, slot, &item.insn);
    }
    return {};
  }

  using CoreSource = CoreUse::Source;

  // A process has no other task than ours, whatever kernel the user's types are of. Where they are
  // an application's, its names are its own.
  CoreSource core_source(const CoreRecord& record) const {
    const bool is_given =
        options_.types != nullptr && has_core_root(object_.btf, record, *options_.types);
    if (options_.process == nullptr)
      return options_.types != nullptr ? CoreSource::given : CoreSource::assumed;
    if (has_core_root(object_.btf, record, *options_.process) &&
        !(is_given && options_.types->named("task_struct").empty()))
      return CoreSource::process;
    return is_given ? CoreSource::given : CoreSource::assumed;
  }

  Status apply_core_record(const CoreRecord& record, ProgramInsn& item) {
    const Btf& btf = object_.btf;
    CoreSource source = core_source(record);
    CoreAnswer answer;
    switch (source) {
    case CoreSource::given: answer = TRY(resolve_core(btf, record, *options_.types)); break;
    case CoreSource::process: answer = TRY(resolve_core(btf, record, *options_.process)); break;
    case CoreSource::absent:
    case CoreSource::assumed: answer = TRY(assume_core(btf, record)); break;
    }
    const bool is_access =
        std::holds_alternative<Load>(item.insn) || std::holds_alternative<Store>(item.insn);
    if (source == CoreSource::process && answer.is_poison && is_field_kind(record.kind)) {
      // Reading it is an error at run time, not here: sizes and shifts are the object's own.
      source = CoreSource::absent;
      const uint64_t was = answer.was;
      answer = TRY(assume_core(btf, record));
      answer.value = was;
      answer.is_poison = is_access;
      if (record.kind == CoreKind::field_byte_offset)
        answer.value = static_cast<uint64_t>(int64_t{kAbsentField});
    }
    if (record.kind == CoreKind::field_byte_offset)
      program_->core_uses[item.slot.value] = {TRY(describe_core_target(btf, record)), source};
    if (TRY(apply_core(item.insn, record, answer)))
      return {};
    item.poisoned = true;
    program_->poison.emplace(item.slot.value, "CO-RE: no " + TRY(describe_core(btf, record)));
    return {};
  }

  void add_lines(const CodeRange& range, size_t first, uint32_t base) {
    const auto lines = records_of(object_.ext.lines, range);
    auto next = lines.begin();
    for (size_t i = first; i < program_->insns.size(); ++i) {
      ProgramInsn& item = program_->insns[i];
      const uint32_t slot = range.begin + (item.slot.value - base);
      bool moved = false;
      for (; next != lines.end() && next->slot <= slot; ++next)
        moved = true;
      if (next == lines.begin())
        continue;
      const LineRecord& line = *(next - 1);
      if (moved)
        program_->lines.push_back(
            {std::string(line.file), std::string(line.text), line.line, line.column});
      item.line = static_cast<uint32_t>(program_->lines.size() - 1);
    }
  }

  // Calls and function addresses in the numbering of the linked program.
  void point_at_callee(ProgramInsn& item) const {
    if (!item.callee.valid())
      return;
    if (auto* call = std::get_if<CallLocal>(&item.insn)) {
      const SlotIndex target = program_->at(program_->functions[item.callee.value].begin).slot;
      call->off = static_cast<int32_t>(target.value - (item.slot.value + 1));
    } else if (auto* load = std::get_if<LoadImm64>(&item.insn)) {
      load->imm = item.callee.value;
    }
  }

  CtxMachine context_machine() const {
    if (core_machine_ != CtxMachine::unknown)
      return core_machine_;
    const CtxMachine machine = ctx_machine_of_types(object_.btf);
    return machine != CtxMachine::unknown ? machine : options_.ctx_arch;
  }

  const Object& object_;
  LinkOptions options_;
  std::shared_ptr<Program> program_;
  std::vector<uint32_t> reached_; // indices into Object::code, by FuncId
  std::map<uint32_t, FuncId> func_of_;
  CtxMachine core_machine_ = CtxMachine::unknown;
};

} // namespace

CtxMachine ctx_machine_of_types(const Btf& btf) {
  for (uint32_t id = 1; id < btf.type_count(); ++id)
    if (btf.type(id).kind == BtfKind::structure)
      if (const CtxMachine machine = machine_of_layout(btf, id); machine != CtxMachine::unknown)
        return machine;
  return CtxMachine::unknown;
}

std::string_view ctx_machine_name(CtxMachine machine) {
  switch (machine) {
  case CtxMachine::unknown: return "unknown";
  case CtxMachine::x86_64: return "x86_64";
  case CtxMachine::aarch64: return "aarch64";
  case CtxMachine::riscv64: return "riscv64";
  }
  return "unknown";
}

Result<std::shared_ptr<const Program>> link_program(std::shared_ptr<const Object> object,
                                                    size_t program_index,
                                                    const LinkOptions& options) {
  if (program_index >= object->programs.size())
    return fail(Code::kInternal, "program " + std::to_string(program_index) + " does not exist");
  const ProgramEntry& entry = object->programs[program_index];
  auto result = Linker(object, options).link(entry);
  if (!result) {
    Failure failure = std::move(result).take_error();
    if (failure.diagnostic().subject.empty())
      failure.diagnostic().subject = entry.name;
    return failure;
  }
  return result;
}

} // namespace bpfaot::bpf
