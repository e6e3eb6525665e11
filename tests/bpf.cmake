# SPDX-License-Identifier: MIT
bpfaot_test(test_bpf SOURCES unit/bpf/insn_test.cpp unit/bpf/section_test.cpp USES bpf support LABELS unit)
