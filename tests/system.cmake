# SPDX-License-Identifier: MIT
# Black-box tests of the two tools through their command lines: tests/system/*.test, one behaviour
# per file, one ctest test per file. Exit status 77 is a skip whose reason is printed.
if(TARGET bpf-aotc AND TARGET bpf-aot)
  file(GLOB system_tests CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}/system
       ${CMAKE_CURRENT_SOURCE_DIR}/system/*.test)
  foreach(test IN LISTS system_tests)
    string(REGEX REPLACE "\\.test$" "" name ${test})
    add_test(NAME system_${name}
             COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/system/run.sh ${CMAKE_BINARY_DIR} ${name})
    set_tests_properties(system_${name} PROPERTIES LABELS system SKIP_RETURN_CODE 77 TIMEOUT 180)
  endforeach()
endif()
