# SPDX-License-Identifier: MIT
# minirt compiled natively, with a runtime block made by the test.
bpfaot_test(test_minirt
  SOURCES unit/minirt/runtime.cpp unit/minirt/array_test.cpp unit/minirt/hash_test.cpp
    unit/minirt/ring_test.cpp unit/minirt/task_test.cpp unit/minirt/probe_read_test.cpp
    unit/minirt/printk_test.cpp unit/minirt/entry_test.cpp
  USES minirt_native LABELS unit)
bpfaot_test(test_minirt_stress
  SOURCES unit/minirt/runtime.cpp unit/minirt/stress_test.cpp unit/minirt/kill_test.cpp
  USES minirt_native LABELS unit)
bpfaot_test(test_minirt_kernel
  SOURCES unit/minirt/runtime.cpp unit/minirt/kernel_test.cpp
  USES minirt_native LABELS "oracle;kernel")
