// SPDX-License-Identifier: MIT
//
// The list of machines whose code can be patched.
#include "targets/patch.h"

#include "targets/aarch64/patch.h"
#include "targets/riscv64/patch.h"
#include "targets/x86_64/patch.h"

namespace bpfaot::targets {

const Patcher* find_patcher(uint16_t e_machine) {
  static constexpr const Patcher* kPatchers[] = {&x86_64::kPatcher, &aarch64::kPatcher, &riscv64::kPatcher};
  for (const Patcher* patcher : kPatchers) {
    if (patcher->e_machine == e_machine) {
      return patcher;
    }
  }
  return nullptr;
}

} // namespace bpfaot::targets
