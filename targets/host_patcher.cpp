// SPDX-License-Identifier: MIT
//
// The one machine whose code a loader patches, apart from the list of all (patch.cpp): a loader that
// runs inside other programs should not carry the code for machines that it is not on.
#include "targets/patch.h"

#if defined(__x86_64__)
#include "targets/x86_64/patch.h"
#elif defined(__aarch64__)
#include "targets/aarch64/patch.h"
#elif defined(__riscv) && __riscv_xlen == 64
#include "targets/riscv64/patch.h"
#endif

namespace bpfaot::targets {

const Patcher& host_patcher() {
#if defined(__x86_64__)
  return x86_64::kPatcher;
#elif defined(__aarch64__)
  return aarch64::kPatcher;
#elif defined(__riscv) && __riscv_xlen == 64
  return riscv64::kPatcher;
#else
#error "the loader runs on x86_64, aarch64 and riscv64"
#endif
}

} // namespace bpfaot::targets
