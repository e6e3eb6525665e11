# SPDX-License-Identifier: MIT
# Objects are compiled while building, so that the tests see what the installed clang really emits.
find_program(BPFAOT_CLANG NAMES clang-19 REQUIRED)
set(bpf_objects ${CMAKE_BINARY_DIR}/tests/bpf_objects)
file(MAKE_DIRECTORY ${bpf_objects})
set(bpf_object_files "")
function(bpf_test_object name source)
  add_custom_command(OUTPUT ${bpf_objects}/${name}.bpf.o
    COMMAND ${BPFAOT_CLANG} -O2 -target bpf -D__TARGET_ARCH_x86 -I /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} ${ARGN}
            -c ${CMAKE_CURRENT_SOURCE_DIR}/unit/bpf/objects/${source}.bpf.c -o ${bpf_objects}/${name}.bpf.o
    DEPENDS unit/bpf/objects/${source}.bpf.c VERBATIM)
  set(bpf_object_files ${bpf_object_files} ${bpf_objects}/${name}.bpf.o PARENT_SCOPE)
endfunction()
bpf_test_object(features features -g -mcpu=v3)
bpf_test_object(features_v1 features -g -mcpu=v1 -Wno-atomic-alignment)
bpf_test_object(features_v4 features -g -mcpu=v4)
bpf_test_object(legacy legacy -g -mcpu=v3)
bpf_test_object(plain plain -mcpu=v3)
bpf_test_object(arm64 arm64 -g -mcpu=v3)
bpf_test_object(arm64_core arm64 -g -mcpu=v3 -DCORE)
bpf_test_object(riscv64 arm64 -g -mcpu=v3 -DRISCV)
bpf_test_object(core core -g -mcpu=v3)
bpf_test_object(core_other core -g -mcpu=v3 -DOTHER)
foreach(part IN ITEMS MAIN LIBRARY CLASH WRONG_TYPE OTHER_MAP)
  string(TOLOWER ${part} name)
  bpf_test_object(part_${name} parts -g -mcpu=v3 -DPART_${part})
endforeach()
bpf_test_object(part_weak_a parts -g -mcpu=v3 -DPART_WEAK_MAP -DNAME=first -DENTRIES=16)
bpf_test_object(part_weak_b parts -g -mcpu=v3 -DPART_WEAK_MAP -DNAME=second -DENTRIES=16)
bpf_test_object(part_weak_c parts -g -mcpu=v3 -DPART_WEAK_MAP -DNAME=second -DENTRIES=17)
bpf_test_object(big_endian plain -mcpu=v3 -target bpfeb)
add_custom_target(bpf_test_objects DEPENDS ${bpf_object_files})

bpfaot_test(test_bpf SOURCES unit/bpf/insn_test.cpp unit/bpf/section_test.cpp unit/bpf/object_test.cpp
  unit/bpf/link_test.cpp unit/bpf/hostile_test.cpp unit/bpf/btf_test.cpp
  unit/bpf/libbpf_test.cpp unit/bpf/gpl_test.cpp unit/bpf/core_test.cpp unit/bpf/link_objects_test.cpp
  unit/bpf/core_oracle_test.cpp LIBRARIES bpf
  USES verifier bpf support LABELS unit)
target_compile_definitions(test_bpf PRIVATE BPF_OBJECTS="${bpf_objects}")
add_dependencies(test_bpf bpf_test_objects)

# carve_bpf PROGRAM OUT: takes the object out of a libbpf tool.
add_executable(carve_bpf tools/carve_bpf.cpp)
target_link_libraries(carve_bpf PRIVATE bpfaot_flags bpfaot_support)
set_target_properties(carve_bpf PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
