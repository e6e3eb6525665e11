// SPDX-License-Identifier: MIT
//
// Where targets/ARCH/support.c ended up in this program, and where its entries are.
#include "targets/support_code.h"

namespace bpfaot::targets {

#if defined(BPFAOT_HAS_SUPPORT)

extern "C" {
extern const uint8_t __start_bpfaot_support[] __attribute__((visibility("hidden")));
extern const uint8_t __stop_bpfaot_support[] __attribute__((visibility("hidden")));
extern const uint8_t bpfaot_push_entry[] __attribute__((visibility("hidden")));
extern const uint8_t bpfaot_pop_entry[] __attribute__((visibility("hidden")));
extern const uint8_t bpfaot_sweep_entry[] __attribute__((visibility("hidden")));
}

SupportCode host_support() {
  const auto offset = [](const uint8_t* entry) {
    return static_cast<uint32_t>(entry - __start_bpfaot_support);
  };
  return {{__start_bpfaot_support, __stop_bpfaot_support}, offset(bpfaot_push_entry),
          offset(bpfaot_pop_entry), offset(bpfaot_sweep_entry)};
}

#else

SupportCode host_support() { return {}; }

#endif

} // namespace bpfaot::targets
