# SPDX-License-Identifier: MIT
# The instruction set: cases and random programs through the reference interpreter and through native
# code of each machine that can be run here.
bpfaot_test(test_insn
  SOURCES insn/isa_test.cpp insn/cases.cpp insn/interpreter_test.cpp unit/verifier/assemble.cpp
  USES conformance interpreter LABELS insn qemu)
target_include_directories(test_insn PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
add_dependencies(test_insn bpfaot_runners bpfaot_minirt_bitcode)
target_compile_definitions(test_insn PRIVATE
  TEST_CONFORMANCE="${CMAKE_CURRENT_SOURCE_DIR}/data/conformance.tsv"
  TEST_RESOURCES="${CMAKE_BINARY_DIR}/lib/bpf-aotc")

# Random programs: two fixed seeds, and one that is new in every run and printed.
# scripts/random-isa.sh runs for hours.
add_executable(random_isa insn/random_isa.cpp insn/random_program.cpp insn/kernel.cpp)
target_link_libraries(random_isa PRIVATE bpfaot_conformance bpfaot_interpreter bpf)
set_target_properties(random_isa PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_dependencies(random_isa bpfaot_runners bpfaot_minirt_bitcode)
set(resources --resource-dir ${CMAKE_BINARY_DIR}/lib/bpf-aotc)
add_test(NAME insn_random_fixed COMMAND random_isa --seed 1 --rounds 2 --programs 40 ${resources})
add_test(NAME insn_random_fresh COMMAND random_isa --rounds 2 --programs 40 ${resources})
add_test(NAME insn_random_kernel COMMAND random_isa --rounds 1 --programs 300 --machines ${BPFAOT_MACHINE} --kernel yes ${resources})
set_tests_properties(insn_random_fixed insn_random_fresh insn_random_kernel PROPERTIES
  LABELS "insn;qemu" SKIP_RETURN_CODE 77 TIMEOUT 300)

bpfaot_script_test(insn_plugin insn/plugin.sh LABELS insn)
