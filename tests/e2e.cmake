# SPDX-License-Identifier: MIT
# Through the command lines of the two tools, on real programs and with the kernel as oracle.
find_library(BPFAOT_LIBBPF bpf)
if(BPFAOT_LIBBPF)
  add_executable(kernel_run tools/kernel_run.cpp)
  target_compile_options(kernel_run PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
  target_link_libraries(kernel_run PRIVATE ${BPFAOT_LIBBPF})
  set_target_properties(kernel_run PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()

if(BPFAOT_BUILD_COMPILER AND BPFAOT_BUILD_LOADER)
  bpfaot_script_test(e2e_bad_objects e2e/bad_objects.sh LABELS e2e)
  bpfaot_script_test(e2e_forms e2e/forms.sh LABELS e2e)
  bpfaot_script_test(e2e_reproducible e2e/reproducible.sh LABELS e2e)
  bpfaot_script_test(e2e_readme e2e/readme.sh LABELS e2e)
endif()
