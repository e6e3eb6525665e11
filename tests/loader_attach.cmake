# SPDX-License-Identifier: MIT
# Planning against a real stopped process; attaching itself is tested through the tool, tests/system.
bpfaot_test(test_loader_attach
  SOURCES unit/loader/plan_test.cpp
  USES loader
  LABELS unit loader)

# The driver of tests/system/cycles.test.
add_executable(loader_cycles loader/cycles.cpp)
target_link_libraries(loader_cycles PRIVATE bpfaot_loader)
