// SPDX-License-Identifier: MIT
//
// Types of local variables from the object's DWARF. BTF leaves out types that only locals use, and
// the record of an event is nearly always a local: `struct event *e = bpf_ringbuf_reserve(…)`.
#pragma once

#include "aotc/type_table.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace bpfaot::aotc {

enum class RecordSource : uint8_t {
  pointer, // a reserved record: a variable that points to it
  object,  // an output buffer: a variable that is it
};

class DwarfTypes {
public:
  // Never fails: an object without (readable) debug information knows no types. The bytes must
  // outlive the result.
  explicit DwarfTypes(std::span<const uint8_t> object);
  ~DwarfTypes();
  DwarfTypes(DwarfTypes&&) noexcept;

  // The one struct type of exactly `size` bytes among the variables and parameters of the named
  // functions and of what is inlined in them. When several differ, those count whose variable
  // `call`, the source text of the call, names. Where no variable has such a type (the record is
  // used through casts, or is a global variable), the structs of that size that the unit has at all:
  // the only one, or the only one that `text`, the source of the program, names. None when there is
  // no such type or it is not unique. Adds it to `table` and returns its index there.
  std::optional<uint32_t> find_record(std::span<const std::string> functions, uint64_t size,
                                      RecordSource source, std::string_view call,
                                      std::string_view text, TypeTable& table);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace bpfaot::aotc
