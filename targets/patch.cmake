# SPDX-License-Identifier: MIT
# bpfaot_patch: moving code of each machine, for the loader. The support code runs inside target
# processes, so it is compiled for the machine that the loader runs on and without anything that
# a compiler likes to add to functions.
add_library(bpfaot_patch STATIC
  ${CMAKE_CURRENT_LIST_DIR}/patch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/host_patcher.cpp
  ${CMAKE_CURRENT_LIST_DIR}/support_code.cpp
  ${CMAKE_CURRENT_LIST_DIR}/aarch64/decode.cpp
  ${CMAKE_CURRENT_LIST_DIR}/aarch64/facts.cpp
  ${CMAKE_CURRENT_LIST_DIR}/aarch64/patch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/aarch64/remote.cpp
  ${CMAKE_CURRENT_LIST_DIR}/aarch64/trampoline.cpp
  ${CMAKE_CURRENT_LIST_DIR}/riscv64/decode.cpp
  ${CMAKE_CURRENT_LIST_DIR}/riscv64/facts.cpp
  ${CMAKE_CURRENT_LIST_DIR}/riscv64/liveness.cpp
  ${CMAKE_CURRENT_LIST_DIR}/riscv64/patch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/riscv64/remote.cpp
  ${CMAKE_CURRENT_LIST_DIR}/riscv64/trampoline.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/decode.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/facts.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/patch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/remote.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/trampoline.cpp)
target_link_libraries(bpfaot_patch PUBLIC bpfaot_flags bpfaot_support)

# What the support code of each machine must not use.
set(bpfaot_support_flags_aarch64 -mgeneral-regs-only -mno-outline-atomics -mbranch-protection=none -mcmodel=tiny)
set(bpfaot_support_flags_riscv64 -mno-relax)
set(bpfaot_support_flags_x86_64 -mgeneral-regs-only -mno-red-zone -fcf-protection=none -mfsgsbase)
set(bpfaot_support_flags -O2 -ffreestanding -fno-stack-protector -fno-jump-tables -fno-asynchronous-unwind-tables
  -fno-lto -fno-sanitize=all)
set(bpfaot_support_c ${CMAKE_CURRENT_LIST_DIR}/${CMAKE_SYSTEM_PROCESSOR}/support.c)
if(EXISTS ${bpfaot_support_c})
  target_sources(bpfaot_patch PRIVATE ${bpfaot_support_c})
  target_compile_definitions(bpfaot_patch PRIVATE BPFAOT_HAS_SUPPORT)
  set_source_files_properties(${bpfaot_support_c} TARGET_DIRECTORY bpfaot_patch PROPERTIES COMPILE_OPTIONS
    "${bpfaot_support_flags};$<$<C_COMPILER_ID:GNU>:-fno-tree-loop-distribute-patterns>;${bpfaot_support_flags_${CMAKE_SYSTEM_PROCESSOR}}")
endif()
