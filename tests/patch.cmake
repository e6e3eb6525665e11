# SPDX-License-Identifier: MIT
# Moving code: pure functions, tested on every host; the decoder against capstone.
bpfaot_test(test_patch
  SOURCES unit/targets/patch_test.cpp unit/targets/patch_oracle_test.cpp
    unit/targets/trampoline_test.cpp
  USES patch LIBRARIES capstone LABELS unit patch)
