# SPDX-License-Identifier: MIT
# minirt compiled natively, with a runtime block made by the test.
bpfaot_test(test_minirt
  SOURCES unit/minirt/runtime.cpp unit/minirt/array_test.cpp unit/minirt/hash_test.cpp
    unit/minirt/ring_test.cpp unit/minirt/task_test.cpp unit/minirt/task_read_test.cpp unit/minirt/probe_read_test.cpp
    unit/minirt/printk_test.cpp unit/minirt/entry_test.cpp
    unit/minirt/queue_test.cpp unit/minirt/user_ring_test.cpp unit/minirt/dynptr_test.cpp
  USES minirt_native LABELS unit)
bpfaot_test(test_minirt_stress
  SOURCES unit/minirt/runtime.cpp unit/minirt/stress_test.cpp unit/minirt/kill_test.cpp
    unit/minirt/queue_stress_test.cpp unit/minirt/hash_forms_test.cpp
    unit/minirt/stack_trace_test.cpp
  USES minirt_native LABELS unit)
bpfaot_test(test_minirt_kernel
  SOURCES unit/minirt/runtime.cpp unit/minirt/kernel_test.cpp unit/minirt/differential_test.cpp
  USES minirt_native LABELS "oracle;kernel")
bpfaot_test(test_minirt_bitcode SOURCES unit/minirt/bitcode_test.cpp LABELS unit)
target_compile_definitions(test_minirt_bitcode PRIVATE
  MINIRT_BITCODE="${CMAKE_BINARY_DIR}/lib/bpf-aotc" MINIRT_SOURCE="${PROJECT_SOURCE_DIR}")
add_dependencies(test_minirt_bitcode bpfaot_minirt_bitcode)

# The same code on the other machines, where a cross compiler and qemu-user are installed.
foreach(machine IN ITEMS aarch64 riscv64)
  find_program(BPFAOT_CROSS_${machine} ${machine}-linux-gnu-gcc)
  find_program(BPFAOT_QEMU_${machine} NAMES qemu-${machine}-static qemu-${machine})
  if(NOT BPFAOT_CROSS_${machine} OR NOT BPFAOT_QEMU_${machine})
    continue()
  endif()
  set(program ${CMAKE_BINARY_DIR}/tests/minirt_${machine})
  set(sources ${CMAKE_CURRENT_SOURCE_DIR}/unit/minirt/foreign.c)
  foreach(source IN ITEMS memory entry task task_read maps hash queue stack_trace ring user_ring probe_read printk map_access)
    list(APPEND sources ${PROJECT_SOURCE_DIR}/minirt/${source}.c)
  endforeach()
  add_custom_command(OUTPUT ${program}
    COMMAND ${BPFAOT_CROSS_${machine}} -std=gnu11 -O2 -Wall -Wextra -static -pthread
      -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/targets/${machine}
      ${sources} -o ${program}
    DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/minirt/hash.h ${PROJECT_SOURCE_DIR}/minirt/ring.h
      ${PROJECT_SOURCE_DIR}/minirt/pool.h ${PROJECT_SOURCE_DIR}/minirt/queue.h
      ${PROJECT_SOURCE_DIR}/minirt/rt.h ${PROJECT_SOURCE_DIR}/include/bpfaot/abi.h
      ${PROJECT_SOURCE_DIR}/targets/${machine}/rt_arch.h
    COMMENT "minirt test for ${machine}" VERBATIM)
  add_custom_target(minirt_foreign_${machine} ALL DEPENDS ${program})
  add_test(NAME minirt_${machine} COMMAND ${BPFAOT_QEMU_${machine}} ${program})
  set_tests_properties(minirt_${machine} PROPERTIES LABELS "unit;qemu" TIMEOUT 600)
endforeach()
