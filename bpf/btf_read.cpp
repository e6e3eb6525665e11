// SPDX-License-Identifier: MIT
//
// From the bytes of a .BTF section to checked tables. Types may refer to later types, so reading
// takes three passes: collect, check every reference, check that by-value nesting ends.
#include "bpf/btf.h"

#include "bpf/bytes.h"

#include <algorithm>
#include <string>

namespace bpfaot::bpf {
namespace {

struct Header {
  uint16_t magic;
  uint8_t version, flags;
  uint32_t header_size, type_off, type_len, string_off, string_len;
};
struct RawType {
  uint32_t name_off, info, size_or_type;
};
constexpr uint16_t kMagic = 0xeb9f;

Failure malformed(std::string what) {
  return fail(Code::kBtf, ".BTF: " + std::move(what));
}

std::string number(uint64_t value) {
  return std::to_string(value);
}

} // namespace

class Btf::Reader {
public:
  explicit Reader(std::span<const uint8_t> section) : section_(section) {}

  Result<Btf> read() {
    TRY(read_header());
    while (position_ < types_.size())
      TRY(read_type());
    TRY(check_references());
    TRY(check_nesting());
    return std::move(btf_);
  }

private:
  Status read_header() {
    const auto header = load<Header>(section_, 0);
    if (!header || header->magic != kMagic)
      return malformed("no BTF header");
    if (header->version != 1)
      return malformed("version " + number(header->version) + ", known is 1");
    const auto types =
        slice(section_, uint64_t{header->header_size} + header->type_off, header->type_len);
    const auto strings =
        slice(section_, uint64_t{header->header_size} + header->string_off, header->string_len);
    if (header->header_size < sizeof(Header) || !types || !strings)
      return malformed("header points outside the section");
    if (strings->empty() || strings->front() != 0 || strings->back() != 0)
      return malformed("the string table does not begin and end with a zero byte");
    types_ = *types;
    btf_.strings_.assign(strings->begin(), strings->end());
    return {};
  }

  template <class T> Result<T> take() {
    const auto value = load<T>(types_, position_);
    if (!value)
      return malformed("type " + number(id()) + " is cut off");
    position_ += sizeof(T);
    return *value;
  }
  Result<std::string_view> name(uint32_t offset) {
    const auto found = btf_.string(offset);
    if (!found)
      return malformed("name of type " + number(id()) + " is outside the string table");
    return *found;
  }
  uint32_t id() const { return static_cast<uint32_t>(btf_.types_.size()); }

  Status read_type() {
    const auto raw = TRY(take<RawType>());
    BtfType type;
    const uint32_t kind = raw.info >> 24 & 0x1f, length = raw.info & 0xffff;
    if (kind == 0 || kind > static_cast<uint32_t>(BtfKind::enumeration64))
      return malformed("type " + number(id()) + " has unknown kind " + number(kind));
    type.kind = static_cast<BtfKind>(kind);
    type.kind_flag = raw.info >> 31 != 0;
    type.name = TRY(name(raw.name_off));
    TRY(read_rest(raw, length, type));
    btf_.types_.push_back(type);
    return {};
  }

  // What follows the common part, by kind.
  Status read_rest(const RawType& raw, uint32_t length, BtfType& type) {
    switch (type.kind) {
    case BtfKind::integer: type.size = raw.size_or_type; return read_integer(type);
    case BtfKind::floating: type.size = raw.size_or_type; return {};
    case BtfKind::array: return read_array(type);
    case BtfKind::structure:
    case BtfKind::union_type: type.size = raw.size_or_type; return read_members(length, type);
    case BtfKind::enumeration: type.size = raw.size_or_type; return read_enumerators(length, type);
    case BtfKind::enumeration64:
      type.size = raw.size_or_type;
      return read_enumerators64(length, type);
    case BtfKind::function_proto:
      type.target = raw.size_or_type;
      return read_parameters(length, type);
    case BtfKind::data_section: type.size = raw.size_or_type; return read_section(length, type);
    case BtfKind::variable:
      type.target = raw.size_or_type;
      type.linkage = static_cast<uint8_t>(TRY(take<uint32_t>()));
      return {};
    case BtfKind::decl_tag:
      type.target = raw.size_or_type;
      type.component = TRY(take<int32_t>());
      return {};
    case BtfKind::function:
      type.target = raw.size_or_type;
      type.linkage = static_cast<uint8_t>(length);
      return {};
    case BtfKind::pointer:
      type.size = 8;
      type.target = raw.size_or_type;
      return {};
    case BtfKind::forward: return {};
    case BtfKind::type_def:
    case BtfKind::volatile_type:
    case BtfKind::const_type:
    case BtfKind::restrict_type:
    case BtfKind::type_tag: type.target = raw.size_or_type; return {};
    case BtfKind::void_type: break;
    }
    return malformed("type " + number(id()) + " is void");
  }

  Status read_integer(BtfType& type) {
    const uint32_t data = TRY(take<uint32_t>());
    type.encoding = data >> 24 & 0x0f;
    type.bit_offset = data >> 16 & 0xff;
    type.bits = data & 0xff;
    if (type.size == 0 || type.size > 16 || uint32_t{type.bits} + type.bit_offset > type.size * 8)
      return malformed("integer type " + number(id()) + " of " + number(type.size) + " bytes has " +
                       number(type.bits) + " bits");
    return {};
  }

  Status read_array(BtfType& type) {
    type.target = TRY(take<uint32_t>());
    TRY(take<uint32_t>()); // the index type says nothing that anybody needs
    type.count = TRY(take<uint32_t>());
    return {};
  }

  Status read_members(uint32_t length, BtfType& type) {
    struct Raw {
      uint32_t name_off, type, offset;
    };
    type.first = static_cast<uint32_t>(btf_.members_.size());
    type.count = length;
    for (uint32_t i = 0; i < length; ++i) {
      const auto raw = TRY(take<Raw>());
      BtfMember member{TRY(name(raw.name_off)), raw.type, raw.offset, 0};
      if (type.kind_flag) {
        member.bit_off = raw.offset & 0xffffff;
        member.bit_size = raw.offset >> 24;
      }
      btf_.members_.push_back(member);
    }
    return {};
  }

  Status check_enumeration(const BtfType& type) {
    if (type.size != 1 && type.size != 2 && type.size != 4 && type.size != 8)
      return malformed("enumeration type " + number(id()) + " has " + number(type.size) + " bytes");
    return {};
  }

  Status read_enumerators(uint32_t length, BtfType& type) {
    struct Raw {
      uint32_t name_off;
      int32_t value;
    };
    TRY(check_enumeration(type));
    type.first = static_cast<uint32_t>(btf_.enumerators_.size());
    type.count = length;
    bool any_negative = false;
    for (uint32_t i = 0; i < length; ++i) {
      const auto raw = TRY(take<Raw>());
      any_negative |= raw.value < 0;
      btf_.enumerators_.push_back({TRY(name(raw.name_off)), raw.value});
    }
    // Compilers before ENUM64 never set the flag and always meant signed.
    type.encoding = type.kind_flag || any_negative ? kBtfSigned : 0;
    return {};
  }

  Status read_enumerators64(uint32_t length, BtfType& type) {
    struct Raw {
      uint32_t name_off, low, high;
    };
    TRY(check_enumeration(type));
    type.first = static_cast<uint32_t>(btf_.enumerators_.size());
    type.count = length;
    type.encoding = type.kind_flag ? kBtfSigned : 0;
    for (uint32_t i = 0; i < length; ++i) {
      const auto raw = TRY(take<Raw>());
      btf_.enumerators_.push_back(
          {TRY(name(raw.name_off)), static_cast<int64_t>(uint64_t{raw.high} << 32 | raw.low)});
    }
    return {};
  }

  Status read_parameters(uint32_t length, BtfType& type) {
    struct Raw {
      uint32_t name_off, type;
    };
    type.first = static_cast<uint32_t>(btf_.parameters_.size());
    type.count = length;
    for (uint32_t i = 0; i < length; ++i) {
      const auto raw = TRY(take<Raw>());
      btf_.parameters_.push_back({TRY(name(raw.name_off)), raw.type});
    }
    return {};
  }

  Status read_section(uint32_t length, BtfType& type) {
    struct Raw {
      uint32_t type, offset, size;
    };
    type.first = static_cast<uint32_t>(btf_.section_variables_.size());
    type.count = length;
    for (uint32_t i = 0; i < length; ++i) {
      const auto raw = TRY(take<Raw>());
      btf_.section_variables_.push_back({raw.type, raw.offset, raw.size});
    }
    return {};
  }

  Status check_references() {
    const uint32_t count = btf_.type_count();
    const auto bad = [&](uint32_t id) { return id >= count; };
    for (uint32_t id = 1; id < count; ++id) {
      const BtfType& type = btf_.types_[id];
      bool wrong = bad(type.target);
      for (const BtfMember& member : btf_.members(type))
        wrong |= bad(member.type);
      for (const BtfParameter& parameter : btf_.parameters(type))
        wrong |= bad(parameter.type);
      for (const BtfSectionVariable& variable : btf_.section_variables(type))
        wrong |= bad(variable.type) || btf_.types_[variable.type].kind == BtfKind::void_type;
      if (wrong)
        return malformed("type " + number(id) + " refers to a type that does not exist");
    }
    return {};
  }

  // Depth of by-value nesting below each type, by depth-first search without recursion.
  Status check_nesting() {
    const uint32_t count = btf_.type_count();
    enum : uint8_t { kOpen = 0xff, kUnseen = 0xfe };
    std::vector<uint8_t> depth(count, kUnseen);
    btf_.align_.assign(count, 1);
    struct Frame {
      uint32_t id, next;
      uint8_t deepest;
    };
    std::vector<Frame> stack;
    for (uint32_t root = 1; root < count; ++root) {
      if (depth[root] != kUnseen)
        continue;
      depth[root] = kOpen;
      stack.push_back({root, 0, 0});
      while (!stack.empty()) {
        Frame& frame = stack.back();
        const std::optional<uint32_t> child = by_value(btf_.types_[frame.id], frame.next++);
        if (!child) {
          const auto own = static_cast<uint8_t>(frame.deepest + 1);
          depth[frame.id] = own;
          btf_.align_[frame.id] = align_from_parts(btf_.types_[frame.id]);
          if (own > kMaxDepth)
            return malformed("type " + number(frame.id) + " is nested deeper than " +
                             number(kMaxDepth));
          stack.pop_back();
          if (!stack.empty())
            stack.back().deepest = std::max(stack.back().deepest, own);
        } else if (depth[*child] == kOpen) {
          return malformed("type " + number(*child) + " contains itself");
        } else if (depth[*child] == kUnseen) {
          depth[*child] = kOpen;
          stack.push_back({*child, 0, 0});
        } else {
          frame.deepest = std::max(frame.deepest, depth[*child]);
        }
      }
    }
    return check_extents();
  }

  std::optional<uint32_t> by_value(const BtfType& type, uint32_t index) const {
    switch (type.kind) {
    case BtfKind::structure:
    case BtfKind::union_type: {
      const auto members = btf_.members(type);
      return index < members.size() ? std::optional(members[index].type) : std::nullopt;
    }
    case BtfKind::array:
    case BtfKind::type_def:
    case BtfKind::volatile_type:
    case BtfKind::const_type:
    case BtfKind::restrict_type:
    case BtfKind::type_tag:
    case BtfKind::variable: return index == 0 ? std::optional(type.target) : std::nullopt;
    default: return std::nullopt;
    }
  }

  // The parts' own alignments are known: this runs in post-order.
  uint8_t align_from_parts(const BtfType& type) const {
    uint8_t align = 1;
    if (by_value(type, 0) || type.kind == BtfKind::structure || type.kind == BtfKind::union_type) {
      for (uint32_t i = 0; const auto part = by_value(type, i); ++i)
        align = std::max(align, btf_.align_[*part]);
      return align;
    }
    while (align < 8 && align * 2u <= type.size)
      align *= 2;
    return align;
  }

  bool is_huge(uint32_t id) const {
    const BtfType& type = btf_.types_[id];
    return type.kind == BtfKind::array && btf_.size_of(type.target) && !btf_.size_of(id);
  }

  Status check_extents() {
    for (uint32_t id = 1; id < btf_.type_count(); ++id) {
      const BtfType& type = btf_.types_[id];
      for (const BtfMember& member : btf_.members(type)) {
        const uint64_t bits = member.bit_size != 0
                                  ? member.bit_size
                                  : uint64_t{btf_.size_of(member.type).value_or(0)} * 8;
        if (member.bit_off + bits > uint64_t{type.size} * 8)
          return malformed("member '" + std::string(member.name) + "' of type " + number(id) +
                           " lies outside it");
      }
      // __uint(max_entries, N) is a pointer to an array of N ints, which may well be beyond 4 GiB.
      for (uint32_t i = 0; const auto part = by_value(type, i); ++i)
        if (is_huge(*part))
          return malformed("type " + number(id) + " contains array type " + number(*part) +
                           ", which is larger than 4 GiB");
    }
    return {};
  }

  std::span<const uint8_t> section_, types_;
  uint64_t position_ = 0;
  Btf btf_;
};

Result<Btf> Btf::read(std::span<const uint8_t> section) {
  return Reader(section).read();
}

} // namespace bpfaot::bpf
