// SPDX-License-Identifier: MIT
//
// Where functions begin and end. Modern clang gives every function a sized FUNC symbol. LLVM before
// 11 left them NOTYPE with size 0, and some tools strip them: then BTF function records, other
// symbols and the targets of calls say where functions begin, and each ends where the next begins.
#include "bpf/code_ranges.h"

#include "bpf/bytes.h"

#include <algorithm>
#include <set>

namespace bpfaot::bpf {
namespace {

constexpr uint8_t kCallOpcode = 0x85, kLddwOpcode = 0x18;

bool is_label(std::string_view name) {
  return name.empty() || name.starts_with("LBB") || name.starts_with(".L");
}

class Finder {
public:
  explicit Finder(Object& object) : object_(object) {}

  Status find() {
    for (uint32_t i = 1; i < object_.elf.sections.size(); ++i) {
      const ElfSection& section = object_.elf.sections[i];
      if (!section.is_code() || section.size == 0)
        continue;
      if (section.size % 8 != 0)
        return fail(Code::kInsnTruncated, "section '" + std::string(section.name) + "' has " +
                                              std::to_string(section.size) +
                                              " bytes, which is no multiple of 8");
      if (section.size / 8 >= UINT32_MAX)
        return fail(Code::kElfMalformed,
                    "section '" + std::string(section.name) + "' is too large");
      TRY(add_section(i));
    }
    return {};
  }

private:
  Status add_section(uint32_t index) {
    std::vector<CodeRange> found;
    TRY(add_symbols(index, SymbolKind::function, found));
    if (found.empty())
      TRY(add_symbols(index, SymbolKind::notype, found));
    const bool has_symbols = !found.empty();
    add_records(index, found);
    if (!has_symbols)
      add_call_targets(index, found);
    const auto slots = static_cast<uint32_t>(object_.elf.sections[index].size / 8);
    if (std::none_of(found.begin(), found.end(), [](const CodeRange& r) { return r.begin == 0; }) &&
        !has_symbols)
      found.push_back({.name = std::string(object_.elf.sections[index].name),
                       .section = index,
                       .begin = 0,
                       .is_global = true});
    std::stable_sort(found.begin(), found.end(),
                     [](const CodeRange& a, const CodeRange& b) { return a.begin < b.begin; });
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i].end != 0)
        continue;
      const auto next = std::find_if(found.begin() + static_cast<ptrdiff_t>(i), found.end(),
                                     [&](const CodeRange& r) { return r.begin > found[i].begin; });
      found[i].end = next != found.end() ? next->begin : slots;
    }
    for (CodeRange& range : found)
      if (range.begin < range.end)
        object_.code.push_back(std::move(range));
    return {};
  }

  Status add_symbols(uint32_t index, SymbolKind kind, std::vector<CodeRange>& out) {
    for (const ElfSymbol& symbol : object_.elf.symbols) {
      if (symbol.section != index || symbol.kind != kind || is_label(symbol.name))
        continue;
      const uint64_t size = object_.elf.sections[index].size;
      if (symbol.value % 8 != 0 || symbol.size % 8 != 0 || symbol.value >= size ||
          symbol.size > size - symbol.value)
        return fail(Code::kElfMalformed,
                    "function '" + std::string(symbol.name) +
                        "' does not consist of whole instructions of its section");
      out.push_back(
          {.name = std::string(symbol.name),
           .section = index,
           .begin = static_cast<uint32_t>(symbol.value / 8),
           .end = symbol.size == 0 ? 0 : static_cast<uint32_t>((symbol.value + symbol.size) / 8),
           .is_global = !symbol.is_local,
           .is_weak = symbol.is_weak,
           .is_hidden = symbol.is_hidden});
    }
    return {};
  }

  void add_records(uint32_t index, std::vector<CodeRange>& out) {
    for (const FuncRecord& record : object_.ext.functions) {
      if (record.section != index || uint64_t{record.slot} * 8 >= object_.elf.sections[index].size)
        continue;
      const BtfType& type = object_.btf.type(record.type);
      bool known = false;
      for (CodeRange& range : out)
        if (range.begin == record.slot) {
          range.btf_type = record.type;
          known = true;
        }
      const bool covered = std::any_of(out.begin(), out.end(), [&](const CodeRange& r) {
        return r.begin < record.slot && record.slot < r.end;
      });
      if (!known && !covered)
        out.push_back({.name = std::string(type.name),
                       .section = index,
                       .begin = record.slot,
                       .btf_type = record.type,
                       .is_global = type.linkage == 1});
    }
  }

  // Only for sections without any function symbol.
  void add_call_targets(uint32_t index, std::vector<CodeRange>& out) {
    std::set<int64_t> targets;
    for (uint32_t caller = 1; caller < object_.elf.sections.size(); ++caller) {
      const ElfSection& section = object_.elf.sections[caller];
      if (!section.is_code())
        continue;
      for (uint64_t at = 0; at + 8 <= section.data.size(); at += 8) {
        const auto raw = *load<RawInsn>(section.data, at);
        const ElfRelocation* relocation = object_.elf.relocation_at(caller, at);
        const ElfSymbol* symbol =
            relocation != nullptr ? &object_.elf.symbols[relocation->symbol] : nullptr;
        const bool into = symbol != nullptr ? symbol->section == index : caller == index;
        if (into && raw.opcode == kCallOpcode && raw.src == 1)
          targets.insert(symbol != nullptr ? static_cast<int64_t>(symbol->value / 8) + raw.imm + 1
                                           : static_cast<int64_t>(at / 8) + raw.imm + 1);
        else if (into && raw.opcode == kLddwOpcode && symbol != nullptr)
          targets.insert((static_cast<int64_t>(symbol->value) + raw.imm) / 8);
      }
    }
    const auto slots = static_cast<int64_t>(object_.elf.sections[index].size / 8);
    for (const int64_t target : targets) {
      const bool known = std::any_of(
          out.begin(), out.end(), [&](const CodeRange& r) { return int64_t{r.begin} == target; });
      if (target >= 0 && target < slots && !known)
        out.push_back({.name = "function_at_" + std::to_string(target),
                       .section = index,
                       .begin = static_cast<uint32_t>(target)});
    }
  }

  Object& object_;
};

} // namespace

Status find_code_ranges(Object& object) {
  return Finder(object).find();
}

} // namespace bpfaot::bpf
