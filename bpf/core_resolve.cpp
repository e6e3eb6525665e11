// SPDX-License-Identifier: MIT
//
// One record's answer from all types of its name, and the instruction that takes it.
#include "bpf/core_resolve.h"

#include "bpf/elf_file.h"
#include "support/files.h"

#include <cstring>

namespace bpfaot::bpf {
namespace {

bool are_alike(BtfKind a, BtfKind b) {
  const auto plain = [](BtfKind kind) {
    return kind == BtfKind::enumeration64 ? BtfKind::enumeration : kind;
  };
  return plain(a) == plain(b);
}

bool is_type_kind(CoreKind kind) {
  return kind == CoreKind::type_id_target || kind == CoreKind::type_exists ||
         kind == CoreKind::type_size || kind == CoreKind::type_matches;
}

bool asks_existence(CoreKind kind) {
  return kind == CoreKind::field_exists || kind == CoreKind::enumval_exists || is_type_kind(kind);
}

// A field that a load or store can take as a whole, for its size. 0 = a bit field or nothing of
// that kind.
uint32_t whole_size(const Btf& btf, const CoreField& field) {
  return field.bit_size == 0 ? btf.size_of(field.type).value_or(0) : 0;
}

bool extends_with_zeros(const Btf& local, uint32_t mine, const Btf& other, uint32_t theirs) {
  const BtfType& a = local.resolved(mine);
  const BtfType& b = other.resolved(theirs);
  if (a.kind == BtfKind::pointer && b.kind == BtfKind::pointer)
    return true;
  return a.kind == BtfKind::integer && b.kind == BtfKind::integer &&
         ((a.encoding | b.encoding) & kBtfSigned) == 0;
}

struct Question {
  const Btf& local;
  const CoreRecord& record;
  CoreSpec spec;
};

// The answer if `root` of `types` is what is asked for; nothing when it does not fit.
std::optional<CoreAnswer> ask(const Question& q, const Btf& types, uint32_t root) {
  CoreAnswer answer;
  switch (q.record.kind) {
  case CoreKind::type_id_local:
  case CoreKind::type_id_target: answer.value = root; break;
  case CoreKind::type_exists: answer.value = 1; break;
  case CoreKind::type_size: {
    const auto size = types.size_of(root);
    if (!size)
      return std::nullopt;
    answer.value = *size;
    break;
  }
  case CoreKind::type_matches:
    if (!do_core_types_match(q.local, q.record.type, types, root))
      return std::nullopt;
    answer.value = 1;
    return answer;
  case CoreKind::enumval_exists:
  case CoreKind::enumval_value:
    for (const BtfEnumerator& one : types.enumerators(types.resolved(root)))
      if (core_essential_name(one.name) == core_essential_name(q.spec.enumerator)) {
        answer.value =
            q.record.kind == CoreKind::enumval_exists ? 1 : static_cast<uint64_t>(one.value);
        return answer;
      }
    return std::nullopt;
  default: {
    const auto field = find_core_field(q.local, q.spec, types, root);
    if (!field)
      return std::nullopt;
    const auto value = core_field_value(types, q.record.kind, *field);
    if (!value)
      return std::nullopt;
    answer.value = *value;
    answer.size = whole_size(types, *field);
    answer.was_size = whole_size(q.local, q.spec.field);
    answer.can_resize = extends_with_zeros(q.local, q.spec.field.type, types, field->type);
    return answer;
  }
  }
  if (!are_core_compatible(q.local, q.record.type, types, root))
    return std::nullopt;
  return answer;
}

std::string_view root_name(const Btf& btf, uint32_t id) {
  return core_essential_name(btf.type(btf.strip_qualifiers(id)).name);
}

// All types of the name that fit must say the same.
Result<std::optional<CoreAnswer>> ask_all(const Question& q, const CoreTypes& types) {
  const BtfKind kind = q.local.type(q.local.strip_qualifiers(q.record.type)).kind;
  std::optional<CoreAnswer> agreed;
  for (const uint32_t id : types.named(root_name(q.local, q.record.type))) {
    if (!are_alike(types.btf().type(id).kind, kind))
      continue;
    const auto answer = ask(q, types.btf(), id);
    if (!answer)
      continue;
    if (agreed && agreed->value != answer->value)
      return fail(Code::kCoreAmbiguous,
                  "CO-RE relocation " + TRY(describe_core(q.local, q.record)) +
                      ": types of that name disagree, " + std::to_string(agreed->value) + " and " +
                      std::to_string(answer->value));
    if (!agreed)
      agreed = answer;
  }
  return agreed;
}

} // namespace

CoreTypes::CoreTypes(Btf btf) : btf_(std::move(btf)) {
  for (uint32_t id = 1; id < btf_.type_count(); ++id)
    if (const std::string_view name = btf_.type(id).name; !name.empty())
      by_name_[core_essential_name(name)].push_back(id);
}

const std::vector<uint32_t>& CoreTypes::named(std::string_view essential_name) const {
  static const std::vector<uint32_t> none;
  const auto found = by_name_.find(essential_name);
  return found != by_name_.end() ? found->second : none;
}

Result<std::shared_ptr<const CoreTypes>> CoreTypes::read_file(const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(bpfaot::read_file(path));
  const bool is_elf = bytes.size() >= 4 && std::memcmp(bytes.data(),
                                                       "\x7f"
                                                       "ELF",
                                                       4) == 0;
  return std::make_shared<const CoreTypes>(
      TRY(Btf::read(is_elf ? TRY(find_elf_section(bytes, ".BTF")) : bytes)));
}

bool has_core_root(const Btf& local, const CoreRecord& record, const CoreTypes& types) {
  const BtfKind kind = local.type(local.strip_qualifiers(record.type)).kind;
  for (const uint32_t id : types.named(root_name(local, record.type)))
    if (are_alike(types.btf().type(id).kind, kind))
      return true;
  return false;
}

namespace {

// The record's value in the object's own types: fields by their indices, not by names, since types
// may be anonymous.
Result<CoreAnswer> ask_own(const Question& q) {
  CoreAnswer own;
  if (is_field_kind(q.record.kind)) {
    const auto value = core_field_value(q.local, q.record.kind, q.spec.field);
    if (!value)
      return fail(Code::kBtfExt,
                  "CO-RE relocation " + TRY(describe_core(q.local, q.record)) + " has no value");
    own.value = *value;
    own.size = own.was_size = whole_size(q.local, q.spec.field);
  } else {
    own = ask(q, q.local, q.record.type).value_or(CoreAnswer{}); // 0 for a type without a size
  }
  own.was = own.value;
  // Compilers and libbpf disagree on the load that covers a bit field.
  const bool is_bit_field = is_field_kind(q.record.kind) && q.spec.field.bit_size != 0;
  own.is_checked = !is_bit_field || q.record.kind == CoreKind::field_exists ||
                   q.record.kind == CoreKind::field_signed;
  return own;
}

} // namespace

Result<CoreAnswer> resolve_core(const Btf& local, const CoreRecord& record,
                                const CoreTypes& types) {
  const Question question{local, record, TRY(read_core_spec(local, record))};
  const CoreAnswer own = TRY(ask_own(question));
  if (record.kind == CoreKind::type_id_local)
    return own;
  CoreAnswer answer;
  if (const auto found = TRY(ask_all(question, types)))
    answer = *found;
  else
    answer.is_poison = !asks_existence(record.kind);
  answer.was = own.was;
  answer.is_checked = own.is_checked;
  return answer;
}

Result<CoreAnswer> assume_core(const Btf& local, const CoreRecord& record) {
  const Question question{local, record, TRY(read_core_spec(local, record))};
  CoreAnswer answer = TRY(ask_own(question));
  if (record.kind == CoreKind::field_exists || record.kind == CoreKind::enumval_exists ||
      record.kind == CoreKind::type_exists || record.kind == CoreKind::type_matches)
    answer.value = 0;
  return answer;
}

namespace {

Failure unexpected(const CoreRecord& record, const char* what) {
  return fail(Code::kBtfExt, "CO-RE record '" + std::string(core_kind_name(record.kind)) +
                                 "' at slot " + std::to_string(record.slot) + ": " + what);
}

std::optional<Size> as_size(uint32_t bytes) {
  switch (bytes) {
  case 1: return Size::b1;
  case 2: return Size::b2;
  case 4: return Size::b4;
  case 8: return Size::b8;
  default: return std::nullopt;
  }
}

// A load or store of the field takes its size too, where that keeps the value.
template <class Access>
Result<bool> apply_to_access(Access& access, const CoreRecord& record, const CoreAnswer& answer) {
  if (record.kind != CoreKind::field_byte_offset)
    return unexpected(record, "a load or store takes offsets only");
  if (answer.is_checked && static_cast<uint64_t>(static_cast<int64_t>(access.off)) != answer.was)
    return unexpected(record, "the instruction holds another offset than the object's types say");
  if (answer.value > INT16_MAX)
    return false;
  access.off = static_cast<int16_t>(answer.value);
  if (answer.size != answer.was_size && answer.size != 0 && answer.was_size != 0) {
    if (!answer.can_resize || bytes(access.size) != answer.was_size)
      return false;
    const auto size = as_size(answer.size);
    if (!size)
      return false;
    access.size = *size;
  }
  return true;
}

} // namespace

Result<bool> apply_core(Insn& insn, const CoreRecord& record, const CoreAnswer& answer) {
  if (answer.is_poison)
    return false;
  if (auto* load = std::get_if<Load>(&insn))
    return apply_to_access(*load, record, answer);
  if (auto* store = std::get_if<Store>(&insn))
    return apply_to_access(*store, record, answer);
  if (auto* wide = std::get_if<LoadImm64>(&insn)) {
    if (wide->kind != Imm64Kind::imm || (answer.is_checked && wide->imm != answer.was))
      return unexpected(record, "the instruction holds another value than the object's types say");
    wide->imm = answer.value;
    return true;
  }
  if (auto* alu = std::get_if<Alu>(&insn);
      alu != nullptr && std::holds_alternative<int32_t>(alu->src)) {
    int32_t& imm = std::get<int32_t>(alu->src);
    if (answer.is_checked && static_cast<uint32_t>(imm) != static_cast<uint32_t>(answer.was))
      return unexpected(record, "the instruction holds another value than the object's types say");
    imm = static_cast<int32_t>(static_cast<uint32_t>(answer.value));
    return true;
  }
  return unexpected(record, "it names an instruction that cannot take a value");
}

} // namespace bpfaot::bpf
