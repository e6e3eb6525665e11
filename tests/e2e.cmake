# SPDX-License-Identifier: MIT
# Through the command lines of the two tools, as people type them.
if(BPFAOT_BUILD_COMPILER AND BPFAOT_BUILD_LOADER)
  bpfaot_script_test(e2e_bad_objects e2e/bad_objects.sh LABELS e2e)
  bpfaot_script_test(e2e_command_line e2e/command_line.sh LABELS e2e)
  bpfaot_script_test(e2e_cmake_package e2e/cmake_package.sh LABELS e2e)
  bpfaot_script_test(e2e_debug_lines e2e/debug_lines.sh LABELS e2e)
  bpfaot_script_test(e2e_forms e2e/forms.sh LABELS e2e)
  # The part of docs/coverage.md that is cheap to compare with what is true.
  add_test(NAME coverage COMMAND bash ${PROJECT_SOURCE_DIR}/scripts/coverage.sh --check)
  set_tests_properties(coverage PROPERTIES LABELS e2e TIMEOUT 900 SKIP_RETURN_CODE 77
    ENVIRONMENT "BPFAOT_BUILD=${PROJECT_BINARY_DIR}")
  bpfaot_script_test(e2e_processor_features e2e/processor_features.sh LABELS e2e)
  bpfaot_script_test(e2e_readme e2e/readme.sh LABELS e2e)
endif()
