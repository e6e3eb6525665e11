# SPDX-License-Identifier: MIT
# The images under test are made by the compiler, from the objects of tests/aotc.cmake.
set(linker_undefined ${CMAKE_CURRENT_BINARY_DIR}/undefined.o)
add_custom_command(OUTPUT ${linker_undefined}
  COMMAND ${BPFAOT_CLANG} --target=x86_64-linux-gnu -O1 -fPIC -c
    ${CMAKE_CURRENT_SOURCE_DIR}/unit/linker/undefined.c -o ${linker_undefined}
  DEPENDS unit/linker/undefined.c VERBATIM)
add_custom_target(linker_test_objects DEPENDS ${linker_undefined})

bpfaot_test(test_linker
  SOURCES unit/linker/layout_test.cpp unit/aotc/fixture.cpp
  USES aotc linker LABELS unit)
add_dependencies(test_linker linker_test_objects aotc_test_objects bpfaot_minirt_bitcode)
target_compile_definitions(test_linker PRIVATE
  TEST_OBJECTS="${CMAKE_CURRENT_BINARY_DIR}/aotc-objects"
  TEST_RESOURCES="${CMAKE_BINARY_DIR}/lib/bpf-aotc" TEST_UNDEFINED_OBJECT="${linker_undefined}")
