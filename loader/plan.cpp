// SPDX-License-Identifier: MIT
//
// Planning: from attach targets to sites. The order of the checks is that of their cost; the bytes
// in memory are compared with the file last, because that is what changes between two looks.
#include "loader/plan.h"

#include "loader/gaps.h"
#include "support/hex.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <elf.h>
#include <map>

namespace bpfaot::loader {
namespace {

// Functions that return twice, look at their caller's address, or have no caller.
bool declines_return_probe(std::string_view name) {
  static constexpr std::string_view kExact[] = {
      "setjmp", "_setjmp", "__setjmp", "sigsetjmp", "__sigsetjmp", "___setjmp", "savectx",
      "getcontext", "__getcontext", "swapcontext", "__swapcontext", "makecontext",
      "vfork", "__vfork", "__libc_vfork", "clone", "__clone", "clone3", "__clone3",
      "dlsym", "__dlsym", "dlvsym", "__dlvsym", "dlopen", "__dlopen", "dlmopen", "__dlmopen", "__libc_dlopen_mode",
      "_start", "__start", "__restore_rt", "__restore", "mcount", "_mcount", "__fentry__", "__morestack",
      "__tls_get_addr_slow",
  };
  static constexpr std::string_view kPrefixes[] = {"_Unwind_", "_dl_runtime_resolve", "_dl_runtime_profile", "__libc_start_call_main"};
  return std::find(std::begin(kExact), std::end(kExact), name) != std::end(kExact) ||
         std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; });
}

// A part that the compiler split off: it has a symbol of a function but is jumped to, so any register and
// the flags may be live, and no return address is where a function has it.
bool is_split_part(std::string_view name) {
  const size_t at = name.find(".cold");
  return at != std::string_view::npos && at != 0 && (at + 5 == name.size() || name[at + 5] == '.');
}

// Where unwinding begins, by symbol. The first is the one that no unwinder lacks.
constexpr std::string_view kUnwinderEntries[] = {"_Unwind_RaiseException", "_Unwind_ForcedUnwind", "_Unwind_Resume",
                                                 "_Unwind_Resume_or_Rethrow", "_Unwind_Backtrace"};
// What every unwinder calls to find unwind tables, before it reads any frame but its own.
constexpr std::string_view kTableLookups[] = {"_dl_find_object", "dl_iterate_phdr"};

class Planner {
public:
  Planner(AddressSpace& space, Modules& modules, const targets::Patcher& patcher)
      : space_(space), modules_(modules), patcher_(patcher) {}

  Plan run(const std::vector<ProbeWish>& wishes);

private:
  Result<PlannedSite> site_at(const Location& location);
  Result<PlannedSite> site_at(const Location& location, uint32_t need);
  Status check_return(const Location& location, const PlannedSite& site, const AttachSpec& spec);
  Status check_branches(const Location& location, const PlannedSite& site);
  struct TargetRange {
    uint64_t low, high; // high is behind it
  };
  std::vector<targets::LongBranch> scan(const Module& module, std::optional<TargetRange> wanted) const;
  std::vector<targets::LongBranch> long_branches(const Module& module, TargetRange wanted);
  bool branches_into(const Module& module, const FunctionExtent& function, uint64_t low, uint64_t high);
  Status add(PlanRow& row, const ProbeWish& wish);
  Status guard_unwinders();
  bool guard(const Module& module, std::string_view symbol);

  AddressSpace& space_;
  Modules& modules_;
  const targets::Patcher& patcher_;
  struct Branches {
    int scans = 0;
    bool is_complete = false;
    std::vector<targets::LongBranch> all; // by target, once scanning for each site has cost enough
  };
  std::map<const Module*, Branches> branches_;
  Plan plan_;
  bool unwinder_is_patched_ = false; // by somebody else
};

// A direct branch of the function that leads between the two vaddrs (both exclusive).
bool Planner::branches_into(const Module& module, const FunctionExtent& function, uint64_t low, uint64_t high) {
  const std::span<const uint8_t> code = module.elf().at(function.vaddr, function.size);
  for (size_t at = 0; at < code.size();) {
    const std::optional<targets::Insn> insn = patcher_.decode(code.subspan(at), function.vaddr + at);
    if (!insn) {
      return false; // data in the text; what lies behind it is not known to be code
    }
    const bool direct = insn->kind == targets::InsnClass::jump || insn->kind == targets::InsnClass::branch ||
                        insn->kind == targets::InsnClass::call;
    if (direct && insn->target > low && insn->target < high) {
      return true;
    }
    at += insn->length;
  }
  return false;
}

// In all code of the file.
std::vector<targets::LongBranch> Planner::scan(const Module& module, std::optional<TargetRange> wanted) const {
  std::vector<targets::LongBranch> list;
  for (const ElfSegment& segment : module.elf().segments()) {
    if (segment.type == PT_LOAD && (segment.flags & PF_X) != 0) {
      const std::span<const uint8_t> text = module.elf().at(segment.vaddr, segment.file_size);
      const std::vector<targets::LongBranch> more =
          wanted ? patcher_.find_branches_into(text, segment.vaddr, wanted->low, wanted->high)
                 : patcher_.find_long_branches(text, segment.vaddr);
      list.insert(list.end(), more.begin(), more.end());
    }
  }
  return list;
}

// A table of all costs as much as a dozen scans for the bytes of one site.
std::vector<targets::LongBranch> Planner::long_branches(const Module& module, TargetRange wanted) {
  constexpr int kFew = 12;
  Branches& known = branches_[&module];
  if (patcher_.find_branches_into != nullptr && ++known.scans <= kFew) {
    return scan(module, wanted);
  }
  if (!known.is_complete) {
    known.all = scan(module, std::nullopt);
    std::sort(known.all.begin(), known.all.end());
    known.is_complete = true;
  }
  const auto first = std::lower_bound(known.all.begin(), known.all.end(), targets::LongBranch{wanted.low, 0});
  return {first, std::lower_bound(first, known.all.end(), targets::LongBranch{wanted.high, 0})};
}

// From outside the function: cold parts and hand-written code. Long branches are looked for in all
// code of the file, short ones in the neighbours.
Status Planner::check_branches(const Location& location, const PlannedSite& site) {
  const Module& module = *location.module;
  const uint64_t low = site.cover.patch_pc - module.bias();
  const uint64_t high = low + site.cover.size;
  const auto refuse = [&](uint64_t from) {
    return fail(Code::kAttachBranch, "code at " + hex(from + module.bias()) + " leads into the " +
                                         std::to_string(site.cover.size) + " bytes that would be replaced at " +
                                         hex(site.cover.patch_pc));
  };
  for (const targets::LongBranch& branch : long_branches(module, {low + 1, high})) {
    const Location from = modules_.at(module, branch.from);
    if (branch.certain || from.function.size == 0 || branches_into(module, from.function, low, high)) {
      return refuse(branch.from);
    }
  }
  constexpr uint64_t kShort = 160; // bytes that a short branch and its instruction can span
  const FunctionExtent own = location.function.size != 0 ? location.function : FunctionExtent{low, high - low};
  for (const uint64_t neighbour : {own.vaddr - 1, own.vaddr + own.size}) {
    for (uint64_t at = neighbour; at + kShort > low && at < high + kShort && module.elf().is_code(at);) {
      const Location other = modules_.at(module, at);
      if (other.function.size == 0) {
        neighbour < own.vaddr ? --at : ++at;
        continue;
      }
      if (branches_into(module, other.function, low, high)) {
        return refuse(other.function.vaddr);
      }
      at = neighbour < own.vaddr ? other.function.vaddr - 1 : other.function.vaddr + other.function.size;
    }
  }
  return {};
}

Result<PlannedSite> Planner::site_at(const Location& location) {
  Result<PlannedSite> site = site_at(location, patcher_.jump_size);
  const bool cramped = !site && (site.error().code == Code::kAttachBranch || site.error().code == Code::kAttachShort);
  if (!cramped || patcher_.short_jump_size == 0) {
    return site;
  }
  Result<PlannedSite> smaller = site_at(location, patcher_.short_jump_size);
  const bool fits = smaller && find_gap(space_, modules_, patcher_, *location.module, plan_.sites, *smaller);
  return fits ? std::move(smaller) : std::move(site);
}

Result<PlannedSite> Planner::site_at(const Location& location, uint32_t need) {
  const Module& module = *location.module;
  const bool known = location.function.size != 0;
  const uint64_t start = known ? location.function.vaddr : location.vaddr;
  // The function and a little of what follows it, as far as the file's code goes.
  uint64_t wanted = (known ? location.function.size : 0) + 48;
  std::span<const uint8_t> code;
  for (; wanted > 0 && (code = module.elf().at(start, wanted)).empty(); --wanted) {
    if (known && wanted <= location.function.size) {
      return fail(Code::kAttachDecode, "the function at " + hex(start) + " does not end inside its file");
    }
  }
  targets::SiteRequest request{code, start + module.bias(), location.function.size, location.room,
                               location.vaddr + module.bias(), need};
  PlannedSite site;
  site.cover = TRY(patcher_.cover(request));
  site.address = request.at;
  if (!known) {
    // No extent, so no way to see branches: only a single instruction is safe.
    site.cover.at_entry = false;
    if (site.cover.starts.size() != 1) {
      return fail(Code::kAttachBranch, "the function around " + hex(request.at) + " is not known, and " +
                                           std::to_string(site.cover.starts.size()) + " instructions would be replaced");
    }
  }
  if (is_split_part(location.symbol)) {
    site.cover.at_entry = false;
  }
  const uint64_t offset = site.cover.patch_pc - request.pc;
  site.original.assign(code.begin() + static_cast<ptrdiff_t>(offset),
                       code.begin() + static_cast<ptrdiff_t>(offset + site.cover.size));
  std::vector<uint8_t> memory(site.cover.patch_pc + site.cover.size - request.at);
  TRY(space_.read(request.at, memory));
  const std::span<const uint8_t> file = code.subspan(request.at - request.pc, memory.size());
  if (!std::equal(memory.begin(), memory.end(), file.begin(), file.end())) {
    const bool trap = patcher_.decode(memory, request.at).value_or(targets::Insn{}).kind == targets::InsnClass::breakpoint;
    Diagnostic found = make_error(trap ? Code::kAttachBreakpoint : Code::kAttachBytes,
                                  "the code at " + hex(request.at) + " is " + hex_bytes(memory) + " but the file has " +
                                      hex_bytes(file));
    const std::optional<targets::Insn> jump = patcher_.decode(memory, request.at);
    const MapsEntry* to = jump && jump->has_target ? entry_at(modules_.maps(), jump->target) : nullptr;
    if (to != nullptr && to->path.find("memfd:bpf-aot") != std::string::npos) {
      found = std::move(found).hint("a bpf-aot has a probe there: 'bpf-aot list' names it, 'bpf-aot detach ID' takes it out");
    }
    return Failure(std::move(found));
  }
  if (const MapsEntry* entry = entry_at(modules_.maps(), site.cover.patch_pc)) {
    site.mapping = *entry;
  }
  TRY(check_branches(location, site));
  // Whether the instructions can run elsewhere hardly depends on where; reach is decided later.
  TRY(patcher_.move(site.original, site.cover.patch_pc, site.cover.patch_pc + (1u << 20), site.cover.scratch));
  return site;
}

Status Planner::check_return(const Location& location, const PlannedSite& site, const AttachSpec& spec) {
  if (!site.cover.at_entry) {
    return fail(Code::kAttachDeclined, "a return probe must be at a function's first instruction, not at " +
                                           print_attach_target(spec));
  }
  std::string reason;
  location.module->elf().for_each_symbol([&](const ElfSymbol& symbol) {
    if (symbol.is_defined() && symbol.value == location.vaddr && declines_return_probe(symbol.name)) {
      reason = symbol.name;
    }
    return reason.empty();
  });
  if (reason.empty() && declines_return_probe(location.symbol)) {
    reason = location.symbol;
  }
  if (reason.empty() && location.vaddr == location.module->elf().entry()) {
    reason = "the entry point";
  }
  if (!reason.empty()) {
    return fail(Code::kAttachDeclined, reason + " returns twice, has no caller or looks at its return address: "
                                                "a return probe would change what it does");
  }
  return {};
}

bool is_go(const ElfView& elf) {
  return elf.find_note("Go", 4).has_value() ||
         std::any_of(elf.sections().begin(), elf.sections().end(),
                     [](const ElfSection& section) { return section.name == ".gopclntab"; });
}

Status Planner::add(PlanRow& row, const ProbeWish& wish) {
  const Location location = TRY(modules_.locate(space_, wish.spec));
  row.file = location.module->path();
  row.symbol = location.symbol;
  row.address = location.vaddr + location.module->bias();
  std::array<uint8_t, 8> there{};
  if (space_.read(row.address, there)) {
    row.bytes = hex_bytes(there);
  }
  if (is_go(location.module->elf())) {
    return fail(Code::kAttachDeclined, row.file + " is a Go program, whose small, moving stacks leave no room for a probe");
  }
  const PlannedProgram program{wish.program, wish.spec.is_return, wish.cookie};
  for (PlannedSite& site : plan_.sites) {
    if (site.address == row.address) {
      if (wish.spec.is_return) {
        TRY(check_return(location, site, wish.spec));
      }
      site.programs.push_back(program);
      return {};
    }
  }
  PlannedSite site = TRY(site_at(location));
  row.bytes = hex_bytes(site.original);
  for (const PlannedSite& other : plan_.sites) {
    const bool in_gap = other.gap != 0 && site.cover.patch_pc < other.gap + other.gap_bytes.size() &&
                        other.gap < site.cover.patch_pc + site.cover.size;
    if (in_gap || (site.cover.patch_pc < other.cover.patch_pc + other.cover.size &&
                   other.cover.patch_pc < site.cover.patch_pc + site.cover.size)) {
      return fail(Code::kAttachBytes, "the bytes at " + hex(site.cover.patch_pc) + " are replaced by the probe at " +
                                          hex(other.address));
    }
  }
  if (wish.spec.is_return) {
    TRY(check_return(location, site, wish.spec));
  }
  site.programs.push_back(program);
  plan_.sites.push_back(std::move(site));
  return {};
}

bool Planner::guard(const Module& module, std::string_view symbol) {
  const std::optional<ElfSymbol> found = module.elf().find_symbol(symbol);
  if (!found || !found->is_defined() || !module.elf().is_code(found->value)) {
    return false;
  }
  const uint64_t address = found->value + module.bias();
  for (PlannedSite& site : plan_.sites) {
    if (site.address == address) {
      site.sweeps = true;
      return true;
    }
  }
  Result<PlannedSite> site = site_at(modules_.at(module, found->value));
  if (!site || !site->cover.at_entry) {
    unwinder_is_patched_ |= !site && site.error().code == Code::kAttachBytes;
    return false;
  }
  site->sweeps = true;
  plan_.sites.push_back(std::move(*site));
  return true;
}

// An exception must find true return addresses. Unwinders that are loaded now are told at their
// entries; those that may be loaded later, at the lookup of unwind tables.
Status Planner::guard_unwinders() {
  bool unwinder_guarded = true;
  bool lookup_guarded = false;
  bool named = false; // the process's symbols can be seen at all
  const size_t before = plan_.sites.size();
  for (const Module* module : modules_.all()) {
    named |= module->elf().has_symtab() || module->elf().dynamic_symbol_count() != 0;
    if (module->elf().find_symbol(kUnwinderEntries[0])) {
      for (const std::string_view entry : kUnwinderEntries) {
        const std::optional<ElfSymbol> found = module->elf().find_symbol(entry);
        unwinder_guarded &= !found || !found->is_defined() || guard(*module, entry);
      }
    }
    for (const std::string_view lookup : kTableLookups) {
      lookup_guarded |= guard(*module, lookup);
    }
  }
  const Module* main = modules_.executable();
  const bool dynamic = main == nullptr || !main->elf().interpreter().empty();
  if (lookup_guarded || (unwinder_guarded && named && !dynamic)) {
    return {};
  }
  plan_.sites.resize(before);
  Diagnostic found = make_error(Code::kAttachUnwind, "an exception could not pass a return probe in this process: "
                                                     "the functions where unwinding begins cannot be found or patched");
  if (unwinder_is_patched_) {
    found = std::move(found).hint("a bpf-aot with return probes is there, or its calls are still active: 'bpf-aot list' names it");
  }
  return Failure(std::move(found));
}

Plan Planner::run(const std::vector<ProbeWish>& wishes) {
  for (const ProbeWish& wish : wishes) {
    PlanRow row;
    row.wish = wish;
    Status status = add(row, wish);
    if (!status) {
      row.refusal = *std::move(std::move(status).take_error()).take();
    }
    plan_.rows.push_back(std::move(row));
  }
  const auto returns = [](const PlannedProgram& program) { return program.is_return; };
  const bool any = std::any_of(plan_.sites.begin(), plan_.sites.end(), [&](const PlannedSite& site) {
    return std::any_of(site.programs.begin(), site.programs.end(), returns);
  });
  Status guarded = any ? guard_unwinders() : Status{};
  if (!guarded) {
    for (PlanRow& row : plan_.rows) {
      if (row.wish.spec.is_return && !row.refusal) {
        row.refusal = guarded.error();
      }
    }
    for (PlannedSite& site : plan_.sites) {
      std::erase_if(site.programs, returns);
    }
    std::erase_if(plan_.sites, [](const PlannedSite& site) { return site.programs.empty() && !site.sweeps; });
  }
  plan_.maps = modules_.maps();
  return std::move(plan_);
}

} // namespace

size_t Plan::refused() const {
  return static_cast<size_t>(std::count_if(rows.begin(), rows.end(), [](const PlanRow& row) { return row.refusal.has_value(); }));
}

Plan make_plan(AddressSpace& space, Modules& modules, const targets::Patcher& patcher,
               const std::vector<ProbeWish>& wishes) {
  return Planner(space, modules, patcher).run(wishes);
}

std::string print_plan(const Plan& plan, const std::vector<std::string>& names) {
  std::string text;
  for (const PlanRow& row : plan.rows) {
    const std::string name = row.wish.program < names.size() ? names[row.wish.program] : "?";
    text += name + "  " + (row.wish.spec.is_return ? "uretprobe" : "uprobe") + "  " +
            (row.file.empty() ? row.wish.spec.path : row.file) + "  " +
            (!row.symbol.empty() ? row.symbol : !row.wish.spec.symbol.empty() ? row.wish.spec.symbol : hex(row.wish.spec.offset));
    if (!row.wish.spec.symbol.empty() && row.wish.spec.offset != 0) {
      text += "+" + hex(row.wish.spec.offset);
    }
    text += "  " + (row.address != 0 ? hex(row.address) : std::string("-")) + "  " +
            (row.bytes.empty() ? std::string("-") : row.bytes) + "  ";
    text += row.refusal ? "declined: " + row.refusal->message + " [" + std::string(code_text(row.refusal->code)) + "]"
                        : std::string("attach");
    text += "\n";
  }
  return text;
}

void write_plan(JsonWriter& json, const Plan& plan, const std::vector<std::string>& names) {
  json.begin_array();
  for (const PlanRow& row : plan.rows) {
    json.begin_object();
    json.key("program").value(row.wish.program < names.size() ? names[row.wish.program] : std::string());
    json.key("kind").value(row.wish.spec.is_return ? "uretprobe" : "uprobe");
    json.key("file").value(row.file.empty() ? row.wish.spec.path : row.file);
    json.key("symbol").value(row.symbol);
    json.key("offset").value(row.wish.spec.offset);
    json.key("address").value(row.address);
    json.key("bytes").value(row.bytes);
    json.key("decision").value(row.refusal ? "decline" : "attach");
    if (row.refusal) {
      json.key("code").value(code_text(row.refusal->code));
      json.key("reason").value(row.refusal->message);
    }
    json.end_object();
  }
  json.end_array();
}

} // namespace bpfaot::loader
