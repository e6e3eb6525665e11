// SPDX-License-Identifier: MIT
//
// Reading .BTF.ext. Its three tables have one shape: a record size, then per ELF section a name, a
// count and that many records, each of which may be longer than what is known here.
#include "bpf/btf_ext.h"

#include "bpf/bytes.h"

#include <algorithm>

namespace bpfaot::bpf {
namespace {

struct Header {
  uint16_t magic;
  uint8_t version, flags;
  uint32_t header_size, func_off, func_len, line_off, line_len;
};
struct CoreHeader { // follows when header_size allows
  uint32_t core_off, core_len;
};
struct RawFunc {
  uint32_t insn_off, type;
};
struct RawLine {
  uint32_t insn_off, file_off, text_off, position;
};
struct RawCore {
  uint32_t insn_off, type, access_off, kind;
};

Failure malformed(std::string what) {
  return fail(Code::kBtfExt, ".BTF.ext: " + std::move(what));
}

class Reader {
public:
  Reader(std::span<const uint8_t> section, const Btf& btf,
         const std::function<std::optional<uint32_t>(std::string_view)>& find_section)
      : section_(section), btf_(btf), find_section_(find_section) {}

  Result<BtfExt> read() {
    const auto header = load<Header>(section_, 0);
    if (!header || header->magic != 0xeb9f || header->header_size < sizeof(Header))
      return malformed("no header");
    if (header->version != 1)
      return malformed("version " + std::to_string(header->version) + ", known is 1");
    base_ = header->header_size;
    TRY(read_table<RawFunc>("function", header->func_off, header->func_len,
                            [&](uint32_t section, uint32_t slot, const RawFunc& raw) {
                              return add(section, slot, raw);
                            }));
    TRY(read_table<RawLine>("line", header->line_off, header->line_len,
                            [&](uint32_t section, uint32_t slot, const RawLine& raw) {
                              return add(section, slot, raw);
                            }));
    if (base_ >= sizeof(Header) + sizeof(CoreHeader)) {
      const auto core = load<CoreHeader>(section_, sizeof(Header));
      if (!core)
        return malformed("header is cut off");
      TRY(read_table<RawCore>("CO-RE", core->core_off, core->core_len,
                              [&](uint32_t section, uint32_t slot, const RawCore& raw) {
                                return add(section, slot, raw);
                              }));
    }
    const auto sort = [](auto& list) {
      std::stable_sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
        return a.section != b.section ? a.section < b.section : a.slot < b.slot;
      });
    };
    sort(ext_.functions);
    sort(ext_.lines);
    sort(ext_.core);
    return std::move(ext_);
  }

private:
  template <class Raw, class Add>
  Status read_table(const char* what, uint32_t off, uint32_t length, Add add_record) {
    const std::string name(what);
    if (length == 0)
      return {};
    const auto table = slice(section_, base_ + off, length);
    const auto stride = table ? load<uint32_t>(*table, 0) : std::nullopt;
    if (!stride || *stride < sizeof(Raw) || *stride % 4 != 0)
      return malformed(name + " table points outside the section or has short records");
    uint64_t at = 4;
    while (at < length) {
      struct Group {
        uint32_t name_off, count;
      };
      const auto group = load<Group>(*table, at);
      const auto section_name = group ? btf_.string(group->name_off) : std::nullopt;
      at += sizeof(Group);
      const auto records =
          group ? slice(*table, at, uint64_t{group->count} * *stride) : std::nullopt;
      if (!section_name || !records)
        return malformed(name + " table is cut off");
      const auto section = find_section_(*section_name);
      for (uint64_t i = 0; section && i < group->count; ++i) {
        const auto raw = load<Raw>(*records, i * *stride);
        if (raw->insn_off % 8 != 0)
          return malformed(name + " record inside an instruction of section '" +
                           std::string(*section_name) + "'");
        TRY(add_record(*section, raw->insn_off / 8, *raw));
      }
      at += records->size();
    }
    return {};
  }

  Status add(uint32_t section, uint32_t slot, const RawFunc& raw) {
    if (raw.type >= btf_.type_count() || btf_.type(raw.type).kind != BtfKind::function)
      return malformed("function record names type " + std::to_string(raw.type) +
                       ", which is no function");
    ext_.functions.push_back({section, slot, raw.type});
    return {};
  }

  Status add(uint32_t section, uint32_t slot, const RawLine& raw) {
    const auto file = btf_.string(raw.file_off), text = btf_.string(raw.text_off);
    if (!file || !text)
      return malformed("line record with a text outside the string table");
    ext_.lines.push_back({section, slot, *file, *text, raw.position >> 10, raw.position & 0x3ff});
    return {};
  }

  Status add(uint32_t section, uint32_t slot, const RawCore& raw) {
    const auto access = btf_.string(raw.access_off);
    if (raw.type >= btf_.type_count() || !access)
      return malformed("CO-RE record with a type or text that does not exist");
    ext_.core.push_back({section, slot, CoreKind{raw.kind}, raw.type, std::string(*access)});
    return {};
  }

  std::span<const uint8_t> section_;
  const Btf& btf_;
  const std::function<std::optional<uint32_t>(std::string_view)>& find_section_;
  uint64_t base_ = 0;
  BtfExt ext_;
};

} // namespace

Result<BtfExt>
read_btf_ext(std::span<const uint8_t> section, const Btf& btf,
             const std::function<std::optional<uint32_t>(std::string_view)>& find_section) {
  return Reader(section, btf, find_section).read();
}

} // namespace bpfaot::bpf
