# SPDX-License-Identifier: MIT
# The compiler. Programs are run natively and, where cross compilers and qemu-user are installed, for
# the other machines.
add_library(bpfaot_raw_program STATIC tools/raw_program.cpp)
target_link_libraries(bpfaot_raw_program PUBLIC bpfaot_aotc)

add_executable(bpf-aotc-conformance tools/conformance.cpp)
target_link_libraries(bpf-aotc-conformance PRIVATE bpfaot_raw_program)
add_dependencies(bpf-aotc-conformance bpfaot_minirt_bitcode)
