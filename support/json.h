// SPDX-License-Identifier: MIT
//
// Writes JSON text: commas, quoting, invalid UTF-8 replaced. No reading, no tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bpfaot {

class JsonWriter {
public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(uint64_t number);
  JsonWriter& value(int64_t number);
  JsonWriter& value(uint32_t number) { return value(uint64_t{number}); }
  JsonWriter& value(int32_t number) { return value(int64_t{number}); }
  JsonWriter& value(bool truth);
  JsonWriter& value(double number); // shortest text that reads back; inf and nan become null
  JsonWriter& null();
  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

private:
  void separate();
  std::string text_;
  bool needs_comma_ = false;
};

} // namespace bpfaot
