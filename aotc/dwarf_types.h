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
  // functions and of what is inlined in them; none when there is no such type or several differ.
  // Adds it to `table` and returns its index there.
  std::optional<uint32_t> find_record(std::span<const std::string> functions, uint64_t size,
                                      RecordSource source, TypeTable& table);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace bpfaot::aotc
