# SPDX-License-Identifier: MIT
# Moving code: pure functions, tested on every host; the decoder against capstone.
bpfaot_test(test_patch
  SOURCES unit/targets/patch_test.cpp unit/targets/patch_oracle_test.cpp
    unit/targets/trampoline_test.cpp unit/targets/riscv64_oracle_test.cpp
    unit/targets/riscv64_patch_test.cpp
    unit/targets/aarch64_patch_test.cpp unit/targets/aarch64_oracle_test.cpp
  USES patch LIBRARIES capstone LABELS unit patch)
find_program(BPFAOT_LLVM_OBJDUMP NAMES llvm-objdump-19 llvm-objdump)
find_program(BPFAOT_RISCV64_OBJDUMP NAMES riscv64-linux-gnu-objdump)
target_compile_definitions(test_patch PRIVATE
  LLVM_OBJDUMP="$<$<BOOL:${BPFAOT_LLVM_OBJDUMP}>:${BPFAOT_LLVM_OBJDUMP}>"
  RISCV64_OBJDUMP="$<$<BOOL:${BPFAOT_RISCV64_OBJDUMP}>:${BPFAOT_RISCV64_OBJDUMP}>")

# Trampolines at work on the other machine, where a cross compiler and qemu-user are installed.
find_program(BPFAOT_CROSS_CXX_riscv64 riscv64-linux-gnu-g++)
find_program(BPFAOT_QEMU_riscv64 NAMES qemu-riscv64-static qemu-riscv64)
if(BPFAOT_CROSS_CXX_riscv64 AND BPFAOT_QEMU_riscv64)
  set(program ${CMAKE_BINARY_DIR}/tests/patch_riscv64)
  set(sources support/diagnostic.cpp support/hex.cpp targets/support_code.cpp targets/riscv64/decode.cpp
    targets/riscv64/facts.cpp targets/riscv64/liveness.cpp targets/riscv64/patch.cpp targets/riscv64/remote.cpp
    targets/riscv64/trampoline.cpp
    tests/patch/riscv64/rig.cpp tests/patch/riscv64/execute.cpp tests/patch/riscv64/victims.S)
  list(TRANSFORM sources PREPEND ${PROJECT_SOURCE_DIR}/)
  set(support ${CMAKE_BINARY_DIR}/tests/patch_riscv64_support.o)
  foreach(flags IN ITEMS bpfaot_support_flags bpfaot_support_flags_riscv64)
    get_directory_property(${flags} DIRECTORY ${PROJECT_SOURCE_DIR}/targets DEFINITION ${flags})
  endforeach()
  add_custom_command(OUTPUT ${program}
    COMMAND ${BPFAOT_CROSS_CXX_riscv64} -x c -std=gnu11 ${bpfaot_support_flags}
      -fno-tree-loop-distribute-patterns ${bpfaot_support_flags_riscv64}
      -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/include -c ${PROJECT_SOURCE_DIR}/targets/riscv64/support.c -o ${support}
    COMMAND ${BPFAOT_CROSS_CXX_riscv64} -std=gnu++20 -O1 -Wall -Wextra -Wno-missing-field-initializers -static
      -DBPFAOT_HAS_SUPPORT -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/include ${sources} ${support} -o ${program}
    DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/targets/riscv64/support.c ${PROJECT_SOURCE_DIR}/targets/riscv64/support_arch.h
      ${PROJECT_SOURCE_DIR}/targets/riscv64/patch.h ${PROJECT_SOURCE_DIR}/targets/riscv64/emit.h
      ${PROJECT_SOURCE_DIR}/targets/patch.h ${PROJECT_SOURCE_DIR}/targets/shadow_stack.h
      ${PROJECT_SOURCE_DIR}/targets/support_link.h ${PROJECT_SOURCE_DIR}/targets/arena.h
      ${PROJECT_SOURCE_DIR}/tests/patch/riscv64/rig.h
    COMMENT "trampoline test for riscv64" VERBATIM)
  add_custom_target(patch_foreign_riscv64 ALL DEPENDS ${program})
  add_test(NAME patch_riscv64 COMMAND ${BPFAOT_QEMU_riscv64} ${program})
  set_tests_properties(patch_riscv64 PROPERTIES LABELS "unit;patch;qemu" TIMEOUT 300)
endif()

# The same for aarch64, whose functions are compiled in several ways.
find_program(BPFAOT_CROSS_CXX_aarch64 aarch64-linux-gnu-g++)
find_program(BPFAOT_QEMU_aarch64 NAMES qemu-aarch64-static qemu-aarch64)
if(BPFAOT_CROSS_CXX_aarch64 AND BPFAOT_QEMU_aarch64)
  set(patch_sources support/diagnostic.cpp support/hex.cpp targets/support_code.cpp targets/aarch64/decode.cpp
    targets/aarch64/facts.cpp targets/aarch64/patch.cpp targets/aarch64/remote.cpp targets/aarch64/trampoline.cpp)
  set(test_sources tests/patch/execution.cpp tests/patch/harness.cpp tests/patch/aarch64/cases.cpp
    tests/patch/aarch64/machine.S)
  list(TRANSFORM patch_sources PREPEND ${PROJECT_SOURCE_DIR}/)
  list(TRANSFORM test_sources PREPEND ${PROJECT_SOURCE_DIR}/)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/targets/*.h ${PROJECT_SOURCE_DIR}/targets/aarch64/*.h
    ${PROJECT_SOURCE_DIR}/tests/patch/*.h ${PROJECT_SOURCE_DIR}/tests/patch/aarch64/*.h)
  foreach(flags IN ITEMS bpfaot_support_flags bpfaot_support_flags_aarch64)
    get_directory_property(${flags} DIRECTORY ${PROJECT_SOURCE_DIR}/targets DEFINITION ${flags})
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/tests/patch_aarch64)
  set(includes -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/include)
  add_custom_command(OUTPUT ${out}.o ${out}_support.o
    COMMAND ${BPFAOT_CROSS_CXX_aarch64} -x c -std=gnu11 ${bpfaot_support_flags}
      -fno-tree-loop-distribute-patterns ${bpfaot_support_flags_aarch64} ${includes}
      -c ${PROJECT_SOURCE_DIR}/targets/aarch64/support.c -o ${out}_support.o
    COMMAND ${BPFAOT_CROSS_CXX_aarch64} -std=gnu++20 -O1 -Wall -Wextra -Wno-missing-field-initializers
      -fno-exceptions -fno-rtti -r -nostdlib -DBPFAOT_HAS_SUPPORT ${includes} ${patch_sources} -o ${out}.o
    DEPENDS ${patch_sources} ${headers} ${PROJECT_SOURCE_DIR}/targets/aarch64/support.c
    COMMENT "patching code for aarch64" VERBATIM)
  set(programs "")
  set(variants plain signed_a signed_b no_frame_pointer)
  set(ways "-mbranch-protection=none" "-mbranch-protection=standard" "-mbranch-protection=pac-ret+leaf+b-key"
    "-fomit-frame-pointer")
  foreach(variant way IN ZIP_LISTS variants ways)
    add_custom_command(OUTPUT ${out}_${variant}
      COMMAND ${BPFAOT_CROSS_CXX_aarch64} -std=gnu++20 -O2 -Wall -Wextra -static -no-pie ${way} ${includes}
        -I${PROJECT_SOURCE_DIR}/tests/patch/aarch64 ${test_sources} ${out}.o ${out}_support.o -o ${out}_${variant}
      DEPENDS ${test_sources} ${headers} ${out}.o ${out}_support.o
      COMMENT "trampoline test for aarch64, ${variant}" VERBATIM)
    list(APPEND programs ${out}_${variant})
  endforeach()
  add_custom_target(patch_foreign_aarch64 ALL DEPENDS ${programs})
  bpfaot_script_test(patch_aarch64 patch/aarch64.sh LABELS unit patch qemu)
endif()

add_executable(patch_pairs patch/pairs.cpp)
target_link_libraries(patch_pairs PRIVATE bpfaot_flags bpfaot_patch)
set_target_properties(patch_pairs PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
bpfaot_script_test(patch_pairs patch/pairs.sh LABELS unit patch)
