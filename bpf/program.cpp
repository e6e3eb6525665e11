// SPDX-License-Identifier: MIT
//
// Positions within a linked program.
#include "bpf/program.h"

#include <algorithm>

namespace bpfaot::bpf {

FuncId Program::function_of(InsnIndex index) const {
  // Functions lie one after the other, without gaps.
  const auto after =
      std::upper_bound(functions.begin(), functions.end(), index,
                       [](InsnIndex wanted, const Function& f) { return wanted < f.begin; });
  return after == functions.begin() ? FuncId()
                                    : FuncId(static_cast<size_t>(after - functions.begin() - 1));
}

uint32_t Program::slot_count() const {
  return insns.empty() ? 0 : insns.back().slot.value + bpf::slot_count(insns.back().insn);
}

} // namespace bpfaot::bpf
