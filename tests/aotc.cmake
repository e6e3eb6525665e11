# SPDX-License-Identifier: MIT
# The compiler. Programs are run natively and, where cross compilers and qemu-user are installed, for
# the other machines.
# Objects under test.
set(aotc_objects ${CMAKE_CURRENT_BINARY_DIR}/aotc-objects)
file(MAKE_DIRECTORY ${aotc_objects})
function(aotc_object name source)
  add_custom_command(OUTPUT ${aotc_objects}/${name}.bpf.o
    COMMAND ${BPFAOT_CLANG} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 ${ARGN}
      -I/usr/include/x86_64-linux-gnu -ffile-prefix-map=${CMAKE_CURRENT_SOURCE_DIR}=.
      -c ${CMAKE_CURRENT_SOURCE_DIR}/unit/aotc/objects/${source}.bpf.c -o ${aotc_objects}/${name}.bpf.o
    DEPENDS unit/aotc/objects/${source}.bpf.c VERBATIM)
  set_property(GLOBAL APPEND PROPERTY bpfaot_aotc_objects ${aotc_objects}/${name}.bpf.o)
endfunction()
aotc_object(probes probes)
aotc_object(mixed mixed)
aotc_object(mixed_bad mixed -DWITH_BAD)
aotc_object(packets packets)
aotc_object(registers registers)
aotc_object(small small)
aotc_object(clock clock)
aotc_object(nested nested)
aotc_object(speed speed)
aotc_object(tails tails)
aotc_object(tails_nested tails -DWITH_NESTING)
get_property(aotc_object_files GLOBAL PROPERTY bpfaot_aotc_objects)
add_custom_target(aotc_test_objects DEPENDS ${aotc_object_files})

bpfaot_test(test_aotc
  SOURCES
    unit/aotc/analysis_test.cpp
    unit/aotc/command_line_test.cpp
    unit/aotc/fixture.cpp
    unit/aotc/image_test.cpp
    unit/aotc/lowering_test.cpp
    unit/aotc/warnings_test.cpp
    unit/aotc/speed_test.cpp
    unit/aotc/tail_call_test.cpp
  USES aotc LABELS unit)
add_dependencies(test_aotc aotc_test_objects bpfaot_minirt_bitcode)
target_compile_definitions(test_aotc PRIVATE
  TEST_OBJECTS="${aotc_objects}" TEST_RESOURCES="${CMAKE_BINARY_DIR}/lib/bpf-aotc")
