// SPDX-License-Identifier: MIT
#include "loader/host.h"

#include <unistd.h>

namespace bpfaot::loader {

Result<const targets::Patcher*> host_patcher() {
  if (const long size = sysconf(_SC_PAGESIZE); size != 4096)
    return fail(Code::kAttachMachine, "this kernel has pages of " + std::to_string(size) + " bytes; 4096 are needed");
  return &targets::host_patcher();
}

} // namespace bpfaot::loader
