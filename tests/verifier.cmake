# SPDX-License-Identifier: MIT
bpfaot_test(test_verifier
  SOURCES unit/verifier/scalar_test.cpp unit/verifier/assemble.cpp unit/verifier/program_test.cpp
          unit/verifier/embedding_test.cpp
  USES verifier bpf support
  LABELS unit)
target_include_directories(test_verifier PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
