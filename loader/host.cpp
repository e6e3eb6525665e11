// SPDX-License-Identifier: MIT
#include "loader/host.h"

#include "targets/target.h"

#include <unistd.h>

namespace bpfaot::loader {

Result<const targets::Patcher*> host_patcher() {
  const targets::Patcher* patcher = targets::find_patcher(targets::host().e_machine);
  if (patcher == nullptr)
    return fail(Code::kAttachMachine, "code of " + std::string(targets::host().name) + " cannot be patched yet");
  if (const long size = sysconf(_SC_PAGESIZE); size != 4096)
    return fail(Code::kAttachMachine, "this kernel has pages of " + std::to_string(size) + " bytes; 4096 are needed");
  return patcher;
}

} // namespace bpfaot::loader
