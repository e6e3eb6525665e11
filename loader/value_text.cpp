// SPDX-License-Identifier: MIT
//
// Printing typed values.
#include "loader/value_text.h"

#include "support/hex.h"

#include <algorithm>
#include <bit>
#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace bpfaot::loader {
namespace {

using Bytes = std::span<const uint8_t>;

Bytes slice(Bytes bytes, uint64_t off, uint64_t size) {
  if (off >= bytes.size())
    return {};
  return bytes.subspan(off, std::min<uint64_t>(size, bytes.size() - off));
}

uint64_t load(Bytes bytes) { // little-endian, up to 8 bytes
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size() && i < 8; ++i)
    value |= uint64_t{bytes[i]} << (8 * i);
  return value;
}

int64_t sign_extend(uint64_t value, unsigned bits) {
  return bits == 0 || bits >= 64 ? int64_t(value) : int64_t(value << (64 - bits)) >> (64 - bits);
}

// The bits of a bit field that begins `bit` bits into `record`, at most 64 of them.
uint64_t load_bits(Bytes record, uint64_t bit, uint32_t size) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < size && i < 64; ++i) {
    const uint64_t at = bit + i;
    if (at / 8 < record.size() && (record[at / 8] >> (at % 8) & 1) != 0)
      value |= uint64_t{1} << i;
  }
  return value;
}

bool is_text(const TypeTables& tables, const bpfaot_type& array) {
  const bpfaot_type& element = tables.types[array.target];
  return element.kind == BPFAOT_TYPE_INT && element.size == 1 && (element.encoding & BPFAOT_INT_CHAR) != 0;
}

std::string_view text_of(Bytes bytes) {
  const auto* first = reinterpret_cast<const char*>(bytes.data());
  return {first, strnlen(first, bytes.size())};
}

void append_string(std::string& out, std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > ' ' && c < 0x7f && std::strchr("\"'=,[]{}\\", c) == nullptr;
  });
  if (plain) {
    out += text;
    return;
  }
  out += '"';
  for (const unsigned char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\')
      out += {'\\', char(c)};
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c < ' ' || c >= 0x7f)
      out += (std::snprintf(escaped, sizeof escaped, "\\x%02x", c), escaped);
    else
      out += char(c);
  }
  out += '"';
}

std::string_view enumerator_name(const TypeTables& tables, const bpfaot_type& type, int64_t value) {
  for (uint32_t i = 0; i < type.count; ++i)
    if (tables.enumerators[type.first + i].value == value)
      return tables.name(tables.enumerators[type.first + i].name);
  return {};
}

double load_float(Bytes bytes, uint32_t size) {
  if (size == 4)
    return std::bit_cast<float>(uint32_t(load(bytes)));
  return std::bit_cast<double>(load(bytes));
}

// A scalar whose bits have been read already (bit fields and plain members alike).
void append_scalar(std::string& out, const TypeTables& tables, const bpfaot_type& type, uint64_t bits, unsigned width) {
  char text[40];
  const bool is_signed = (type.encoding & BPFAOT_INT_SIGNED) != 0;
  const int64_t value = is_signed ? sign_extend(bits, width) : int64_t(bits);
  if (type.kind == BPFAOT_TYPE_ENUM) {
    if (const auto name = enumerator_name(tables, type, value); !name.empty()) {
      out += name;
      return;
    }
  } else if (type.kind == BPFAOT_TYPE_POINTER) {
    std::snprintf(text, sizeof text, "0x%" PRIx64, bits);
    out += text;
    return;
  } else if ((type.encoding & BPFAOT_INT_BOOL) != 0) {
    out += bits != 0 ? "true" : "false";
    return;
  }
  std::snprintf(text, sizeof text, is_signed ? "%" PRId64 : "%" PRIu64, uint64_t(value));
  out += text;
}

bool is_scalar(const bpfaot_type& type) {
  return (type.kind == BPFAOT_TYPE_INT || type.kind == BPFAOT_TYPE_ENUM || type.kind == BPFAOT_TYPE_POINTER) &&
         type.size <= 8;
}

bool has_fields(const bpfaot_type& type) {
  return type.kind == BPFAOT_TYPE_STRUCT || type.kind == BPFAOT_TYPE_UNION;
}

// Calls visit(name, type, bytes, bit_off, bit_size) for each field; the members of an anonymous
// struct or union are the record's own.
template <class Visit>
void each_field(const TypeTables& tables, const bpfaot_type& record, Bytes bytes, Visit visit) {
  for (uint32_t i = 0; i < record.count; ++i) {
    const bpfaot_member& member = tables.members[record.first + i];
    const bpfaot_type& type = tables.types[member.type];
    const Bytes part = slice(bytes, member.bit_off / 8, type.size);
    if (tables.name(member.name).empty() && has_fields(type))
      each_field(tables, type, part, visit);
    else if (member.bit_size != 0)
      visit(tables.name(member.name), member.type, bytes, member.bit_off, member.bit_size);
    else
      visit(tables.name(member.name), member.type, part, 0, 0);
  }
}

void append_member(std::string& out, const TypeTables& tables, std::string_view name, uint32_t type, Bytes bytes,
                   uint32_t bit_off, uint32_t bit_size) {
  out += name;
  out += '=';
  if (bit_size != 0)
    append_scalar(out, tables, tables.types[type], load_bits(bytes, bit_off, bit_size), bit_size);
  else
    append_text(out, tables, type, bytes);
}

void append_json_scalar(JsonWriter& out, const TypeTables& tables, const bpfaot_type& type, uint64_t bits, unsigned width) {
  const bool is_signed = (type.encoding & BPFAOT_INT_SIGNED) != 0;
  const int64_t value = is_signed ? sign_extend(bits, width) : int64_t(bits);
  if (type.kind == BPFAOT_TYPE_ENUM) {
    if (const auto name = enumerator_name(tables, type, value); !name.empty()) {
      out.value(name);
      return;
    }
  } else if (type.kind == BPFAOT_TYPE_POINTER) {
    std::string text;
    append_scalar(text, tables, type, bits, width);
    out.value(text);
    return;
  } else if ((type.encoding & BPFAOT_INT_BOOL) != 0) {
    out.value(bits != 0);
    return;
  }
  is_signed ? out.value(value) : out.value(uint64_t(value));
}

} // namespace

void append_hex(std::string& out, Bytes bytes) { out += "data=" + hex_digits(bytes); }

void append_text(std::string& out, const TypeTables& tables, uint32_t index, Bytes bytes) {
  const bpfaot_type& type = tables.types[index];
  if (bytes.size() < type.size && !(type.kind == BPFAOT_TYPE_ARRAY || has_fields(type))) {
    out += '?';
  } else if (is_scalar(type)) {
    append_scalar(out, tables, type, load(slice(bytes, 0, type.size)), type.size * 8);
  } else if (type.kind == BPFAOT_TYPE_FLOAT && (type.size == 4 || type.size == 8)) {
    char text[40];
    std::snprintf(text, sizeof text, "%g", load_float(bytes, type.size));
    out += text;
  } else if (type.kind == BPFAOT_TYPE_ARRAY && is_text(tables, type)) {
    append_string(out, text_of(slice(bytes, 0, type.size)));
  } else if (type.kind == BPFAOT_TYPE_ARRAY) {
    const uint32_t stride = tables.types[type.target].size;
    out += '[';
    for (uint32_t i = 0; i < type.count; ++i) {
      out += i != 0 ? ", " : "";
      append_text(out, tables, type.target, slice(bytes, uint64_t{i} * stride, stride));
    }
    out += ']';
  } else if (has_fields(type)) {
    out += '{';
    bool is_first = true;
    each_field(tables, type, bytes, [&](auto name, uint32_t member, Bytes part, uint32_t bit_off, uint32_t bit_size) {
      out += is_first ? "" : ", ";
      is_first = false;
      append_member(out, tables, name, member, part, bit_off, bit_size);
    });
    out += '}';
  } else {
    out += "0x" + hex_digits(slice(bytes, 0, type.size));
  }
}

void append_fields(std::string& out, const TypeTables& tables, uint32_t index, Bytes bytes) {
  if (!has_fields(tables.types[index])) {
    append_member(out, tables, "value", index, bytes, 0, 0);
    return;
  }
  bool is_first = true;
  each_field(tables, tables.types[index], bytes,
             [&](auto name, uint32_t member, Bytes part, uint32_t bit_off, uint32_t bit_size) {
               out += is_first ? "" : " ";
               is_first = false;
               append_member(out, tables, name, member, part, bit_off, bit_size);
             });
}

void append_json(JsonWriter& out, const TypeTables& tables, uint32_t index, Bytes bytes) {
  const bpfaot_type& type = tables.types[index];
  if (bytes.size() < type.size && !(type.kind == BPFAOT_TYPE_ARRAY || has_fields(type))) {
    out.null();
  } else if (is_scalar(type)) {
    append_json_scalar(out, tables, type, load(slice(bytes, 0, type.size)), type.size * 8);
  } else if (type.kind == BPFAOT_TYPE_FLOAT && (type.size == 4 || type.size == 8)) {
    out.value(load_float(bytes, type.size));
  } else if (type.kind == BPFAOT_TYPE_ARRAY && is_text(tables, type)) {
    out.value(text_of(slice(bytes, 0, type.size)));
  } else if (type.kind == BPFAOT_TYPE_ARRAY) {
    const uint32_t stride = tables.types[type.target].size;
    out.begin_array();
    for (uint32_t i = 0; i < type.count; ++i)
      append_json(out, tables, type.target, slice(bytes, uint64_t{i} * stride, stride));
    out.end_array();
  } else if (has_fields(type)) {
    out.begin_object();
    append_json_fields(out, tables, index, bytes);
    out.end_object();
  } else {
    std::string text;
    append_text(text, tables, index, bytes);
    out.value(text);
  }
}

void append_json_fields(JsonWriter& out, const TypeTables& tables, uint32_t index, Bytes bytes) {
  if (!has_fields(tables.types[index])) {
    append_json(out.key("value"), tables, index, bytes);
    return;
  }
  each_field(tables, tables.types[index], bytes,
             [&](auto name, uint32_t member, Bytes part, uint32_t bit_off, uint32_t bit_size) {
               out.key(name);
               if (bit_size != 0)
                 append_json_scalar(out, tables, tables.types[member], load_bits(part, bit_off, bit_size), bit_size);
               else
                 append_json(out, tables, member, part);
             });
}

bool is_integer(const TypeTables& tables, uint32_t index) {
  const bpfaot_type& type = tables.types[index];
  return (type.kind == BPFAOT_TYPE_INT || type.kind == BPFAOT_TYPE_ENUM) && type.size <= 8;
}

bool read_integer(const TypeTables& tables, uint32_t index, Bytes bytes, int64_t& value) {
  const bpfaot_type& type = tables.types[index];
  if (!is_integer(tables, index) || bytes.size() < type.size)
    return false;
  const uint64_t bits = load(slice(bytes, 0, type.size));
  value = (type.encoding & BPFAOT_INT_SIGNED) != 0 ? sign_extend(bits, type.size * 8) : int64_t(bits);
  return true;
}

} // namespace bpfaot::loader
