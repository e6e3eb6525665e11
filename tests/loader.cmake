# SPDX-License-Identifier: MIT
bpfaot_test(test_loader
  SOURCES
    unit/loader/attach_spec_test.cpp
    unit/loader/elf_test.cpp
    unit/loader/hostile_process_test.cpp
    unit/loader/handover_test.cpp
    unit/loader/image_test.cpp
    unit/loader/output_test.cpp
    unit/loader/process_test.cpp
    unit/loader/registry_test.cpp
    unit/loader/session_test.cpp
    unit/loader/value_text_test.cpp
  USES loader
  LABELS unit)
# libelf judges the loader's own reader; the loader does not use it.
bpfaot_test(test_loader_restore
  SOURCES unit/loader/restore_test.cpp
  USES loader
  LABELS unit)
bpfaot_test(test_loader_elf
  SOURCES unit/loader/elf_oracle_test.cpp
  LIBRARIES elf
  USES loader
  LABELS unit)
