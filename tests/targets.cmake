# SPDX-License-Identifier: MIT
bpfaot_test(test_targets
  SOURCES unit/targets/target_test.cpp
  USES targets LABELS unit)
