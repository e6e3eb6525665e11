// SPDX-License-Identifier: MIT
//
// DWARF to the flat type tables, through LLVM's reader. The object is hostile: every walk is
// bounded in depth and count, and a type that cannot be read completely is not offered at all.
#include "aotc/dwarf_types.h"

#include <llvm/DebugInfo/DWARF/DWARFContext.h>
#include <llvm/DebugInfo/DWARF/DWARFDie.h>
#include <llvm/Object/ObjectFile.h>

#include <algorithm>
#include <map>

namespace bpfaot::aotc {
namespace {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

constexpr unsigned kMaxDepth = 24;     // nesting of types and of lexical blocks
constexpr uint64_t kMaxMembers = 1024; // of one record
constexpr uint64_t kMaxElements = 1u << 20;

DWARFDie type_of(const DWARFDie& die) {
  if (auto value = die.findRecursively(dwarf::DW_AT_type))
    return die.getAttributeValueAsReferencedDie(*value);
  return {};
}

bool is_alias(dwarf::Tag tag) {
  switch (tag) {
  case dwarf::DW_TAG_typedef:
  case dwarf::DW_TAG_const_type:
  case dwarf::DW_TAG_volatile_type:
  case dwarf::DW_TAG_restrict_type:
  case dwarf::DW_TAG_atomic_type: return true;
  default: return false;
  }
}

DWARFDie strip(DWARFDie die) {
  for (unsigned i = 0; die && is_alias(die.getTag()); ++i) {
    if (i == kMaxDepth)
      return {};
    die = type_of(die);
  }
  return die;
}

std::string name_of(const DWARFDie& die) {
  const char* name = die.getName(llvm::DINameKind::ShortName);
  return name != nullptr ? name : "";
}

std::optional<uint64_t> number(const DWARFDie& die, dwarf::Attribute attribute) {
  return dwarf::toUnsigned(die.find(attribute));
}

uint32_t int_encoding(const DWARFDie& die) {
  switch (number(die, dwarf::DW_AT_encoding).value_or(0)) {
  case dwarf::DW_ATE_boolean: return BPFAOT_INT_BOOL;
  case dwarf::DW_ATE_signed: return BPFAOT_INT_SIGNED;
  case dwarf::DW_ATE_signed_char:
    return BPFAOT_INT_SIGNED | (name_of(die) == "char" ? BPFAOT_INT_CHAR : 0);
  case dwarf::DW_ATE_unsigned_char: return name_of(die) == "char" ? BPFAOT_INT_CHAR : 0;
  default: return 0;
  }
}

// Converts one type and what it contains; nullopt when any part is missing or out of bounds.
class Converter {
public:
  Converter(TypeTable& table, std::map<uint64_t, uint32_t>& known) : table_(table), known_(known) {}

  std::optional<uint32_t> convert(const DWARFDie& die, unsigned depth = 0) {
    if (!die || depth > kMaxDepth)
      return std::nullopt;
    if (const auto found = known_.find(die.getOffset()); found != known_.end())
      return found->second;
    const auto index = convert_new(die, depth);
    if (index)
      known_.emplace(die.getOffset(), *index);
    return index;
  }

private:
  std::optional<uint32_t> convert_new(const DWARFDie& die, unsigned depth) {
    const auto size =
        uint32_t(std::min<uint64_t>(number(die, dwarf::DW_AT_byte_size).value_or(0), 1u << 30));
    switch (die.getTag()) {
    case dwarf::DW_TAG_base_type:
      if (number(die, dwarf::DW_AT_encoding).value_or(0) == dwarf::DW_ATE_float)
        return table_.add_float(name_of(die), size);
      return size == 0 || size > 16
                 ? std::nullopt
                 : std::optional(table_.add_int(name_of(die), size, int_encoding(die)));
    case dwarf::DW_TAG_pointer_type: return table_.add_pointer(8);
    case dwarf::DW_TAG_typedef: {
      const auto target = convert(type_of(die), depth + 1);
      return target ? std::optional(table_.add_named(*target, name_of(die))) : std::nullopt;
    }
    case dwarf::DW_TAG_const_type:
    case dwarf::DW_TAG_volatile_type:
    case dwarf::DW_TAG_restrict_type:
    case dwarf::DW_TAG_atomic_type: return convert(type_of(die), depth + 1);
    case dwarf::DW_TAG_structure_type:
    case dwarf::DW_TAG_union_type: return convert_record(die, size, depth);
    case dwarf::DW_TAG_array_type: return convert_array(die, depth);
    case dwarf::DW_TAG_enumeration_type: return convert_enum(die, size);
    default: return std::nullopt;
    }
  }

  std::optional<uint32_t> convert_record(const DWARFDie& die, uint32_t size, unsigned depth) {
    if (size == 0)
      return std::nullopt;
    std::vector<TypeMember> members;
    for (const DWARFDie& child : die.children()) {
      if (child.getTag() != dwarf::DW_TAG_member)
        continue;
      const auto type = convert(type_of(child), depth + 1);
      const uint64_t bit_size = number(child, dwarf::DW_AT_bit_size).value_or(0);
      const uint64_t bit_off =
          number(child, dwarf::DW_AT_data_bit_offset)
              .value_or(number(child, dwarf::DW_AT_data_member_location).value_or(0) * 8);
      if (!type || members.size() == kMaxMembers || bit_off > uint64_t{size} * 8 || bit_size > 64)
        return std::nullopt;
      const uint64_t extent = bit_size != 0 ? bit_size : uint64_t{table_.size_of(*type)} * 8;
      if (bit_off + extent > uint64_t{size} * 8)
        return std::nullopt;
      members.push_back({name_of(child), *type, uint32_t(bit_off), uint32_t(bit_size)});
    }
    return table_.add_record(die.getTag() == dwarf::DW_TAG_union_type, name_of(die), size, members);
  }

  std::optional<uint32_t> convert_array(const DWARFDie& die, unsigned depth) {
    auto element = convert(type_of(die), depth + 1);
    if (!element)
      return std::nullopt;
    std::vector<uint64_t> counts;
    for (const DWARFDie& child : die.children()) {
      if (child.getTag() != dwarf::DW_TAG_subrange_type)
        continue;
      auto count = number(child, dwarf::DW_AT_count);
      if (!count)
        if (const auto last = number(child, dwarf::DW_AT_upper_bound))
          count = *last + 1;
      if (count.value_or(0) > kMaxElements || counts.size() == 8)
        return std::nullopt;
      counts.push_back(count.value_or(0)); // a flexible array member has none
    }
    for (auto count = counts.rbegin(); count != counts.rend(); ++count) {
      const uint64_t size = *count * table_.size_of(*element);
      if (size > (1u << 30))
        return std::nullopt;
      element = table_.add_array(*element, uint32_t(*count), uint32_t(size));
    }
    return element;
  }

  std::optional<uint32_t> convert_enum(const DWARFDie& die, uint32_t size) {
    if (size == 0 || size > 8)
      return std::nullopt;
    std::vector<TypeEnumerator> enumerators;
    bool is_signed = false;
    for (const DWARFDie& child : die.children()) {
      if (child.getTag() != dwarf::DW_TAG_enumerator || enumerators.size() == kMaxMembers)
        continue;
      const auto form = child.find(dwarf::DW_AT_const_value);
      if (!form)
        continue;
      const auto as_signed = form->getAsSignedConstant();
      const int64_t value =
          as_signed ? *as_signed : int64_t(form->getAsUnsignedConstant().value_or(0));
      is_signed |= value < 0;
      enumerators.push_back({name_of(child), value});
    }
    return table_.add_enum(name_of(die), size, is_signed, enumerators);
  }

  TypeTable& table_;
  std::map<uint64_t, uint32_t>& known_;
};

bool is_word(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Whether `word` stands in C source, not as a part of another word.
bool names(std::string_view text, std::string_view word) {
  if (word.empty())
    return false;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end])))
      return true;
  }
  return false;
}

bool is_record(const DWARFDie& type, uint64_t size) {
  return type &&
         (type.getTag() == dwarf::DW_TAG_structure_type ||
          type.getTag() == dwarf::DW_TAG_union_type) &&
         number(type, dwarf::DW_AT_byte_size) == size;
}

using Records = std::map<uint64_t, DWARFDie>; // struct or its typedef, by offset of the struct

// One type, of which each unit has its own copy; a type without a name is never a copy.
std::optional<DWARFDie> only(const Records& records) {
  if (records.empty())
    return std::nullopt;
  const std::string name = name_of(records.begin()->second);
  for (const auto& [offset, die] : records)
    if (records.size() > 1 && (name.empty() || name_of(die) != name))
      return std::nullopt;
  return records.begin()->second;
}

// Collects the struct types of the wanted size that variables have.
struct Candidates {
  uint64_t size;
  std::string_view call;
  Records pointed, held;             // by pointers to them, by variables of them
  Records pointed_named, held_named; // of variables that the call names

  void offer(const DWARFDie& variable) {
    DWARFDie declared = type_of(variable);
    DWARFDie type = strip(declared);
    const bool is_pointer = type && type.getTag() == dwarf::DW_TAG_pointer_type;
    if (is_pointer) {
      declared = type_of(type);
      type = strip(declared);
    }
    if (!is_record(type, size))
      return;
    const uint64_t offset = type.getOffset();
    if (name_of(type).empty()) // its typedef's name is better than none
      type = declared;
    (is_pointer ? pointed : held).emplace(offset, type);
    if (names(call, name_of(variable)))
      (is_pointer ? pointed_named : held_named).emplace(offset, type);
  }

  void walk(const DWARFDie& scope, unsigned depth) {
    if (depth > kMaxDepth)
      return;
    for (const DWARFDie& child : scope.children()) {
      switch (child.getTag()) {
      case dwarf::DW_TAG_variable:
      case dwarf::DW_TAG_formal_parameter: offer(child); break;
      case dwarf::DW_TAG_lexical_block:
      case dwarf::DW_TAG_inlined_subroutine: walk(child, depth + 1); break;
      default: break;
      }
    }
  }

  bool empty() const { return pointed.empty() && held.empty(); }

  std::optional<DWARFDie> choose(RecordSource source) const {
    const bool by_pointer = source == RecordSource::pointer;
    const Records* order[] = {by_pointer ? &pointed : &held, by_pointer ? &held : &pointed};
    const Records* named[] = {by_pointer ? &pointed_named : &held_named,
                              by_pointer ? &held_named : &pointed_named};
    for (const Records* records : named) // what the call itself says
      if (const auto one = only(*records))
        return one;
    return only(order[0]->empty() ? *order[1] : *order[0]);
  }
};

} // namespace

struct DwarfTypes::State {
  std::unique_ptr<llvm::object::ObjectFile> file;
  std::unique_ptr<llvm::DWARFContext> context;
  std::map<uint64_t, uint32_t> known; // DIE offset -> index in the one table of this image
};

DwarfTypes::~DwarfTypes() = default;
DwarfTypes::DwarfTypes(DwarfTypes&&) noexcept = default;

DwarfTypes::DwarfTypes(std::span<const uint8_t> object) : state_(std::make_unique<State>()) {
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(bytes, "object"));
  if (!file) {
    llvm::consumeError(file.takeError());
    return;
  }
  state_->file = std::move(*file);
  const auto ignore = [](llvm::Error error) { llvm::consumeError(std::move(error)); };
  state_->context = llvm::DWARFContext::create(*state_->file,
                                               llvm::DWARFContext::ProcessDebugRelocations::Process,
                                               nullptr, "", ignore, ignore);
}

std::optional<uint32_t> DwarfTypes::find_record(std::span<const std::string> functions,
                                                uint64_t size, RecordSource source,
                                                std::string_view call, std::string_view text,
                                                TypeTable& table) {
  if (!state_->context)
    return std::nullopt;
  Candidates candidates{size, call, {}, {}, {}, {}};
  Records all, named;
  for (const auto& unit : state_->context->compile_units())
    for (const DWARFDie& die : unit->getUnitDIE(false).children()) {
      if (die.getTag() == dwarf::DW_TAG_subprogram) {
        if (std::find(functions.begin(), functions.end(), name_of(die)) != functions.end())
          candidates.walk(die, 0);
      } else if (die.getTag() == dwarf::DW_TAG_variable) {
        if (names(call, name_of(die)))
          candidates.offer(die);
      } else if (is_record(die, size) && !name_of(die).empty()) {
        all.emplace(die.getOffset(), die);
        if (names(text, name_of(die)))
          named.emplace(die.getOffset(), die);
      }
    }
  std::optional<DWARFDie> record = candidates.choose(source);
  if (!record && candidates.empty()) {
    record = only(named);
    if (!record)
      record = only(all);
  }
  return record ? Converter(table, state_->known).convert(*record) : std::nullopt;
}

} // namespace bpfaot::aotc
