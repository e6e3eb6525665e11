// SPDX-License-Identifier: MIT
//
// Prints which of a machine's features the processor that this runs on has, a word each.
#include FEATURES

#include <cstdio>

int main() {
  using namespace bpfaot::targets::MACHINE;
  for (const bpfaot::targets::FeatureRow& row : kFeatures)
    if ((cpu_features() & row.bit) != 0)
      std::printf("%.*s\n", static_cast<int>(row.name.size()), row.name.data());
  return 0;
}
