// SPDX-License-Identifier: MIT
#include "targets/syscalls.h"

#include "targets/rows.h"

namespace bpfaot::targets {
namespace {

struct Row {
  std::string_view name;
  int32_t x86_64, generic;
};

constexpr Row kRows[] = {
#define BPFAOT_SYSCALL(name, x86_64, generic) {#name, x86_64, generic},
#include "targets/syscalls.def"
#undef BPFAOT_SYSCALL
};

// x86_64 has numbers of its own, as the oldest of the three.
int32_t number_on(const Row& row, const Target& target) {
  return &target == &kX86_64 ? row.x86_64 : row.generic;
}

} // namespace

std::string_view syscall_name(const Target& target, uint64_t number) {
  for (const Row& row : kRows)
    if (const int32_t own = number_on(row, target); own >= 0 && static_cast<uint64_t>(own) == number)
      return row.name;
  return "";
}

std::optional<uint32_t> syscall_number(const Target& target, std::string_view name) {
  for (const Row& row : kRows)
    if (const int32_t own = number_on(row, target); own >= 0 && row.name == name)
      return static_cast<uint32_t>(own);
  return std::nullopt;
}

} // namespace bpfaot::targets
