// SPDX-License-Identifier: MIT
//
// Integers that cannot be mixed up: InsnIndex is not SlotIndex is not MapId.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace bpfaot {

template <class Tag> struct StrongIndex {
  uint32_t value = UINT32_MAX;
  constexpr StrongIndex() = default;
  constexpr explicit StrongIndex(size_t v) : value(static_cast<uint32_t>(v)) {}
  constexpr bool valid() const { return value != UINT32_MAX; }
  constexpr auto operator<=>(const StrongIndex&) const = default;
  constexpr StrongIndex next() const { return StrongIndex(value + 1); }
};

} // namespace bpfaot

template <class Tag> struct std::hash<bpfaot::StrongIndex<Tag>> {
  size_t operator()(bpfaot::StrongIndex<Tag> index) const noexcept { return index.value; }
};
