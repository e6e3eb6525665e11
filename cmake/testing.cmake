# SPDX-License-Identifier: MIT
# bpfaot_test(NAME SOURCES… USES rooms… LABELS…): a GoogleTest program, registered with ctest as one
# test per program (the summary counts GoogleTest cases, see scripts/check.sh).
function(bpfaot_test name)
  cmake_parse_arguments(TEST "" "" "SOURCES;USES;LIBRARIES;LABELS;ARGS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE bpfaot_flags GTest::gtest GTest::gtest_main ${TEST_LIBRARIES})
  foreach(used IN LISTS TEST_USES)
    target_link_libraries(${name} PRIVATE bpfaot_${used})
  endforeach()
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${TEST_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS "${TEST_LABELS}" TIMEOUT 600)
endfunction()

# bpfaot_script_test(NAME SCRIPT LABELS… [TIMEOUT s] [SERIAL]): a shell script that sources
# tests/lib.sh and reports cases; relative to the folder that calls.
function(bpfaot_script_test name script)
  cmake_parse_arguments(TEST "SERIAL" "TIMEOUT" "LABELS" ${ARGN})
  if(NOT TEST_TIMEOUT)
    set(TEST_TIMEOUT 300)
  endif()
  add_test(NAME ${name} COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/${script})
  set_tests_properties(${name} PROPERTIES
    LABELS "${TEST_LABELS}" TIMEOUT ${TEST_TIMEOUT} SKIP_RETURN_CODE 77 RUN_SERIAL "${TEST_SERIAL}"
    ENVIRONMENT "BPFAOT_TEST=${name};BPFAOT_SOURCE=${PROJECT_SOURCE_DIR};BPFAOT_BUILD=${PROJECT_BINARY_DIR}")
endfunction()
