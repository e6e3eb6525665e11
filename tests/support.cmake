# SPDX-License-Identifier: MIT
bpfaot_test(test_support
  SOURCES
    unit/support/diagnostic_test.cpp
    unit/support/files_test.cpp
    unit/support/hex_test.cpp
    unit/support/json_test.cpp
    unit/support/options_test.cpp
    unit/support/render_test.cpp
    unit/support/response_file_test.cpp
    unit/support/sha256_test.cpp
    unit/support/tar_test.cpp
  USES support
  LABELS unit)
