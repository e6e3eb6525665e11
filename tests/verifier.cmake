# SPDX-License-Identifier: MIT
add_library(bpfaot_interpreter STATIC tools/interpreter.cpp)
target_link_libraries(bpfaot_interpreter PUBLIC bpfaot_bpf)

bpfaot_test(test_verifier
  SOURCES unit/verifier/scalar_test.cpp unit/verifier/assemble.cpp unit/verifier/program_test.cpp
          unit/verifier/control_test.cpp
          unit/verifier/packet_test.cpp unit/verifier/callback_test.cpp
          unit/verifier/object_test.cpp unit/verifier/tail_call_test.cpp
          unit/verifier/map_in_map_test.cpp
          unit/verifier/embedding_test.cpp
  USES verifier bpf support interpreter
  LABELS unit)
target_include_directories(test_verifier PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})

if(TARGET bpf-aotc)
  add_test(NAME oracle_selftests
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/oracle/selftests.py $<TARGET_FILE:bpf-aotc> ${CMAKE_BINARY_DIR}/tests/selftests)
  set_tests_properties(oracle_selftests PROPERTIES LABELS oracle SKIP_RETURN_CODE 77 TIMEOUT 600)
endif()
