# SPDX-License-Identifier: MIT
# Moving code: pure functions, tested on every host; the decoder against capstone.
bpfaot_test(test_patch
  SOURCES unit/targets/patch_test.cpp unit/targets/patch_oracle_test.cpp
    unit/targets/trampoline_test.cpp unit/targets/riscv64_oracle_test.cpp
    unit/targets/riscv64_patch_test.cpp
    unit/targets/aarch64_patch_test.cpp unit/targets/aarch64_oracle_test.cpp
  USES patch LIBRARIES capstone LABELS unit patch)
find_program(BPFAOT_LLVM_OBJDUMP NAMES llvm-objdump-19 llvm-objdump)
find_program(BPFAOT_RISCV64_OBJDUMP NAMES riscv64-linux-gnu-objdump)
target_compile_definitions(test_patch PRIVATE
  LLVM_OBJDUMP="$<$<BOOL:${BPFAOT_LLVM_OBJDUMP}>:${BPFAOT_LLVM_OBJDUMP}>"
  RISCV64_OBJDUMP="$<$<BOOL:${BPFAOT_RISCV64_OBJDUMP}>:${BPFAOT_RISCV64_OBJDUMP}>")
