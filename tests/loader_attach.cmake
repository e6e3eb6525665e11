# SPDX-License-Identifier: MIT
# Planning against a real stopped process; attaching itself is tested through the tool, tests/system.
bpfaot_test(test_loader_attach
  SOURCES unit/loader/plan_test.cpp
  USES loader
  LABELS unit loader)
