// SPDX-License-Identifier: MIT
//
// Finding in other types what a CO-RE record names in the object's. Flavours ("name___flavour") are
// the programmer's way to say the same name with another layout and never count.
//
// Walks through pointers may go in circles, so each counts its steps; by-value nesting is bounded
// already (btf.h).
#include "bpf/core_spec.h"

namespace bpfaot::bpf {
namespace {

constexpr unsigned kMaxPointers = 32; // as deep as the kernel follows
constexpr unsigned kBudget = 200'000; // members looked at in one query

bool is_enum(BtfKind kind) {
  return kind == BtfKind::enumeration || kind == BtfKind::enumeration64;
}
bool is_composite(BtfKind kind) {
  return kind == BtfKind::structure || kind == BtfKind::union_type;
}
bool are_alike(BtfKind a, BtfKind b) {
  return a == b || (is_enum(a) && is_enum(b));
}

bool same_name(std::string_view a, std::string_view b) {
  return core_essential_name(a) == core_essential_name(b);
}

// Whether a field of one type can be read as one of another.
bool are_fields_compatible(const Btf& local, uint32_t local_id, const Btf& other,
                           uint32_t other_id) {
  while (true) {
    const BtfType& mine = local.resolved(local_id);
    const BtfType& theirs = other.resolved(other_id);
    if (is_composite(mine.kind) && is_composite(theirs.kind))
      return true;
    if (!are_alike(mine.kind, theirs.kind))
      return false;
    switch (mine.kind) {
    case BtfKind::pointer:
    case BtfKind::floating: return true;
    case BtfKind::forward:
    case BtfKind::enumeration:
    case BtfKind::enumeration64:
      return mine.name.empty() || theirs.name.empty() || same_name(mine.name, theirs.name);
    case BtfKind::integer: return mine.bit_offset == 0 && theirs.bit_offset == 0;
    case BtfKind::array:
      local_id = mine.target;
      other_id = theirs.target;
      continue;
    default: return false;
    }
  }
}

struct FoundMember {
  CoreField field;
  uint32_t container; // in `other`
  uint32_t index;
};

class MemberSearch {
public:
  MemberSearch(const Btf& local, const Btf& other) : local_(local), other_(other) {}

  // The member of that name, through anonymous members; nothing when it is of another kind.
  std::optional<FoundMember> find(std::string_view name, uint32_t local_type, uint32_t container,
                                  uint64_t bit_off) {
    const uint32_t id = other_.resolve(container);
    const auto members = other_.members(other_.type(id));
    for (uint32_t i = 0; i < members.size(); ++i) {
      const BtfMember& member = members[i];
      if (budget_-- == 0)
        return std::nullopt;
      const uint64_t at = bit_off + member.bit_off;
      if (member.name.empty()) {
        if (auto found = find(name, local_type, member.type, at))
          return found;
      } else if (member.name == name) {
        if (!are_fields_compatible(local_, local_type, other_, member.type))
          return std::nullopt;
        return FoundMember{{member.type, at, member.bit_size}, id, i};
      }
    }
    return std::nullopt;
  }

private:
  const Btf& local_;
  const Btf& other_;
  unsigned budget_ = kBudget;
};

} // namespace

std::optional<CoreField> find_core_field(const Btf& local, const CoreSpec& spec, const Btf& other,
                                         uint32_t root) {
  CoreField field{root, 0, 0};
  uint32_t id = other.resolve(root);
  bool in_flexible = false;
  for (size_t i = 0; i < spec.steps.size(); ++i) {
    const CoreStep& step = spec.steps[i];
    if (i == 0) {
      const auto size = other.size_of(id);
      if (!size)
        return std::nullopt;
      const auto place = core_bits_at(0, step.member, *size);
      if (!place)
        return std::nullopt;
      field.bit_off = *place;
      continue;
    }
    if (step.name.empty()) {
      const BtfType& array = other.type(id);
      if (array.kind != BtfKind::array || (step.member >= array.count && !in_flexible))
        return std::nullopt;
      const auto size = other.size_of(array.target);
      if (!size)
        return std::nullopt;
      const auto place = core_bits_at(field.bit_off, step.member, *size);
      if (!place)
        return std::nullopt;
      field = {array.target, *place, 0};
      in_flexible = false;
    } else {
      const BtfMember& mine = local.members(local.type(step.container))[step.member];
      const auto found = MemberSearch(local, other).find(step.name, mine.type, id, field.bit_off);
      if (!found)
        return std::nullopt;
      field = found->field;
      const BtfType& inside = other.resolved(field.type);
      const BtfType& container = other.type(found->container);
      in_flexible = inside.kind == BtfKind::array && inside.count <= 1 &&
                    container.kind == BtfKind::structure &&
                    found->index + 1 == other.members(container).size();
    }
    id = other.resolve(field.type);
  }
  return field;
}

namespace {

// Compatibility and matching share the walk of types behind pointers.
class TypePair {
public:
  TypePair(const Btf& local, const Btf& other) : local_(local), other_(other) {}

  bool compatible(uint32_t mine_id, uint32_t theirs_id, unsigned depth = 0) {
    if (depth > kMaxPointers || budget_-- == 0)
      return false;
    const BtfType& mine = local_.resolved(mine_id);
    const BtfType& theirs = other_.resolved(theirs_id);
    if (!are_alike(mine.kind, theirs.kind))
      return false;
    switch (mine.kind) {
    case BtfKind::void_type:
    case BtfKind::structure:
    case BtfKind::union_type:
    case BtfKind::enumeration:
    case BtfKind::enumeration64:
    case BtfKind::forward: return true;
    case BtfKind::integer: return mine.bit_offset == 0 && theirs.bit_offset == 0;
    case BtfKind::pointer:
    case BtfKind::array: return compatible(mine.target, theirs.target, depth + 1);
    case BtfKind::function_proto:
      return same_signature(mine, theirs,
                            [&](uint32_t a, uint32_t b) { return compatible(a, b, depth + 1); });
    default: return false;
    }
  }

  bool matches(uint32_t mine_id, uint32_t theirs_id, bool behind_pointer = false,
               unsigned depth = 0) {
    if (depth > kMaxPointers || budget_-- == 0)
      return false;
    const BtfType& mine = local_.resolved(mine_id);
    const BtfType& theirs = other_.resolved(theirs_id);
    if (!same_name(mine.name, theirs.name))
      return false;
    switch (mine.kind) {
    case BtfKind::void_type: return theirs.kind == BtfKind::void_type;
    case BtfKind::forward:
      if (mine.kind == theirs.kind)
        return mine.kind_flag == theirs.kind_flag;
      return behind_pointer &&
             theirs.kind == (mine.kind_flag ? BtfKind::union_type : BtfKind::structure);
    case BtfKind::enumeration:
    case BtfKind::enumeration64: return is_enum(theirs.kind) && enumerators_match(mine, theirs);
    case BtfKind::structure:
    case BtfKind::union_type:
      if (behind_pointer)
        return mine.kind == theirs.kind || (theirs.kind == BtfKind::forward &&
                                            (mine.kind == BtfKind::union_type) == theirs.kind_flag);
      return mine.kind == theirs.kind && members_match(mine, theirs, depth);
    case BtfKind::integer:
      return mine.kind == theirs.kind && mine.bits == theirs.bits &&
             (mine.encoding & kBtfSigned) == (theirs.encoding & kBtfSigned);
    case BtfKind::pointer:
      return mine.kind == theirs.kind && matches(mine.target, theirs.target, true, depth + 1);
    case BtfKind::array:
      return mine.kind == theirs.kind && mine.count == theirs.count &&
             matches(mine.target, theirs.target, behind_pointer, depth + 1);
    case BtfKind::function_proto:
      return mine.kind == theirs.kind && same_signature(mine, theirs, [&](uint32_t a, uint32_t b) {
               return matches(a, b, behind_pointer, depth + 1);
             });
    default: return false;
    }
  }

private:
  template <class Compare>
  bool same_signature(const BtfType& mine, const BtfType& theirs, Compare compare) {
    const auto a = local_.parameters(mine);
    const auto b = other_.parameters(theirs);
    if (a.size() != b.size())
      return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (!compare(a[i].type, b[i].type))
        return false;
    return compare(mine.target, theirs.target);
  }

  bool enumerators_match(const BtfType& mine, const BtfType& theirs) {
    const auto have = other_.enumerators(theirs);
    for (const BtfEnumerator& wanted : local_.enumerators(mine)) {
      bool found = false;
      for (const BtfEnumerator& one : have)
        found = found || same_name(wanted.name, one.name);
      if (!found)
        return false;
    }
    return true;
  }

  bool members_match(const BtfType& mine, const BtfType& theirs, unsigned depth) {
    const auto have = other_.members(theirs);
    const auto wanted = local_.members(mine);
    if (wanted.size() > have.size())
      return false;
    for (const BtfMember& member : wanted) {
      bool found = false;
      for (const BtfMember& one : have)
        found = found || (same_name(member.name, one.name) &&
                          matches(member.type, one.type, false, depth + 1));
      if (!found)
        return false;
    }
    return true;
  }

  const Btf& local_;
  const Btf& other_;
  unsigned budget_ = kBudget;
};

} // namespace

bool are_core_compatible(const Btf& local, uint32_t local_id, const Btf& other, uint32_t other_id) {
  return TypePair(local, other).compatible(local_id, other_id);
}

bool do_core_types_match(const Btf& local, uint32_t local_id, const Btf& other, uint32_t other_id) {
  return TypePair(local, other).matches(local_id, other_id);
}

} // namespace bpfaot::bpf
