# SPDX-License-Identifier: MIT
# bpfaot_patch: moving code of each machine, for the loader. The support code runs inside target
# processes, so it is compiled for the machine that the loader runs on and without anything that
# a compiler likes to add to functions.
add_library(bpfaot_patch STATIC
  ${CMAKE_CURRENT_LIST_DIR}/patch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/decode.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/patch.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/support_code.cpp
  ${CMAKE_CURRENT_LIST_DIR}/x86_64/trampoline.cpp)
target_link_libraries(bpfaot_patch PUBLIC bpfaot_flags bpfaot_support)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_sources(bpfaot_patch PRIVATE ${CMAKE_CURRENT_LIST_DIR}/x86_64/support.c)
  set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/x86_64/support.c
    TARGET_DIRECTORY bpfaot_patch PROPERTIES COMPILE_OPTIONS
    "-O2;-ffreestanding;-mgeneral-regs-only;-mno-red-zone;-fno-stack-protector;-fcf-protection=none;-fno-jump-tables;-fno-asynchronous-unwind-tables;-fno-lto;-fno-tree-loop-distribute-patterns;-fno-sanitize=all;-mfsgsbase")
endif()
