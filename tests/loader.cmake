# SPDX-License-Identifier: MIT
bpfaot_test(test_loader
  SOURCES
    unit/loader/attach_spec_test.cpp
    unit/loader/elf_test.cpp
    unit/loader/hostile_process_test.cpp
    unit/loader/image_test.cpp
    unit/loader/output_test.cpp
    unit/loader/process_test.cpp
    unit/loader/registry_test.cpp
    unit/loader/session_test.cpp
    unit/loader/value_text_test.cpp
  USES loader
  LABELS unit)
