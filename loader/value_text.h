// SPDX-License-Identifier: MIT
//
// Bytes of a known type as people and programs read them: `pid=7 comm=perl` and `{"pid":7,…}`.
// Works on the flat type tables of an image (include/bpfaot/abi.h) after open_image() has checked
// them; the bytes are data of the target and may be anything.
#pragma once

#include "support/json.h"

#include <bpfaot/abi.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bpfaot::loader {

// Checked tables: indices are in range, containment is acyclic, strings end inside the blob.
struct TypeTables {
  std::span<const bpfaot_type> types;
  std::span<const bpfaot_member> members;
  std::span<const bpfaot_enumerator> enumerators;
  const char* strings = "";

  std::string_view name(uint32_t string) const { return strings + string; }
};

// One value: 7, -1, 0x7f12, true, K_B, perl, [1, 2], {a=1, b=2}. Text that could be taken for
// something else is quoted. Bytes that are missing at the end print as "?".
void append_text(std::string& out, const TypeTables& tables, uint32_t type, std::span<const uint8_t> bytes);
// The fields of a record on one line, `a=1 b=2`; a type without fields prints as `value=…`.
void append_fields(std::string& out, const TypeTables& tables, uint32_t type, std::span<const uint8_t> bytes);
// One JSON value.
void append_json(JsonWriter& out, const TypeTables& tables, uint32_t type, std::span<const uint8_t> bytes);
// The fields as keys of the object that `out` is in; a type without fields gives the key "value".
void append_json_fields(JsonWriter& out, const TypeTables& tables, uint32_t type, std::span<const uint8_t> bytes);
// `data=` and lowercase hex without separators.
void append_hex(std::string& out, std::span<const uint8_t> bytes);

// An integer, boolean or enum of up to 8 bytes, sign-extended; nothing for other types.
bool read_integer(const TypeTables& tables, uint32_t type, std::span<const uint8_t> bytes, int64_t& value);
bool is_integer(const TypeTables& tables, uint32_t type);

} // namespace bpfaot::loader
