# SPDX-License-Identifier: MIT
# Fuzzers, in a build tree of their own where every room is instrumented (cmake/compile.cmake). What
# seeds them is made while building, out of what the tests use anyway; scripts/fuzz.sh runs them.
if(NOT BPFAOT_BUILD_COMPILER OR NOT BPFAOT_BUILD_LOADER)
  return()
endif()
if(NOT BPFAOT_BUILD_FUZZERS)
  # Compiled with everything else, so that a changed interface is noticed where it is changed.
  add_library(bpfaot_fuzz_sources OBJECT fuzz/fuzz_object.cpp fuzz/fuzz_program.cpp fuzz/fuzz_insn.cpp
    fuzz/fuzz_image.cpp fuzz/fuzz_maps.cpp fuzz/fuzz_plan.cpp fuzz/fuzz_code.cpp fuzz/fuzz_text.cpp
    fuzz/fuzz_lower.cpp)
  target_link_libraries(bpfaot_fuzz_sources PRIVATE bpfaot_flags)
  if(PROJECT_IS_TOP_LEVEL)
    add_test(NAME fuzz COMMAND ${PROJECT_SOURCE_DIR}/scripts/fuzz.sh 80)
    set_tests_properties(fuzz PROPERTIES LABELS fuzz TIMEOUT 1200 PROCESSORS 2
                         ENVIRONMENT "BPFAOT_BUILD=${CMAKE_BINARY_DIR}")
  endif()
  return()
endif()
set(seeds ${CMAKE_BINARY_DIR}/tests/seeds)
set(fuzzers "")
function(bpfaot_fuzzer name)
  cmake_parse_arguments(FUZZER "" "" "USES" ${ARGN})
  add_executable(fuzz_${name} fuzz/fuzz_${name}.cpp)
  target_link_libraries(fuzz_${name} PRIVATE bpfaot_flags)
  foreach(used IN LISTS FUZZER_USES)
    target_link_libraries(fuzz_${name} PRIVATE bpfaot_${used})
  endforeach()
  target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  set(fuzzers ${fuzzers} fuzz_${name} PARENT_SCOPE)
endfunction()
bpfaot_fuzzer(object USES bpf support)
bpfaot_fuzzer(program USES bpf verifier support)
bpfaot_fuzzer(insn USES bpf verifier support)
bpfaot_fuzzer(image USES loader)
bpfaot_fuzzer(maps USES loader)
bpfaot_fuzzer(plan USES loader)
bpfaot_fuzzer(code USES patch)
bpfaot_fuzzer(text USES loader)
add_custom_target(fuzzers DEPENDS ${fuzzers})

# Lowering costs milliseconds a program and LLVM is not instrumented: not part of the bounded run.
bpfaot_fuzzer(lower USES conformance)

# Objects: those of the unit tests and those inside Debian's libbpf-tools.
add_custom_target(fuzz_seeds_object
  COMMAND ${CMAKE_COMMAND} -E make_directory ${seeds}/object
  COMMAND ${CMAKE_COMMAND} -E copy ${bpf_object_files} ${seeds}/object
  COMMAND sh -c "for tool in bashreadline gethostlatency funclatency opensnoop javagc; do test ! -r /usr/sbin/$tool || $<TARGET_FILE:carve_bpf> /usr/sbin/$tool ${seeds}/object/$tool.bpf.o; done"
  DEPENDS bpf_test_objects carve_bpf VERBATIM)

# Small programs and libraries of each machine, as targets to plan in.
set(seed_elfs "")
foreach(machine IN LISTS BPFAOT_TARGETS)
  find_program(BPFAOT_GCC_${machine} NAMES ${machine}-linux-gnu-gcc)
  if(NOT BPFAOT_GCC_${machine})
    continue()
  endif()
  foreach(form IN ITEMS pie static-pie shared no-pie)
    set(out ${seeds}/plan/${machine}-${form})
    set(flags -${form})
    if(form STREQUAL "shared" OR form STREQUAL "static-pie")
      list(APPEND flags -fPIC)
    endif()
    add_custom_command(OUTPUT ${out}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${seeds}/plan
      COMMAND ${BPFAOT_GCC_${machine}} -O1 -nostdlib -fasynchronous-unwind-tables -Wl,--build-id
              -Wl,-z,max-page-size=4096 -Wl,--hash-style=both ${flags}
              ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/target.c -o ${out}
      DEPENDS fuzz/target.c VERBATIM)
    list(APPEND seed_elfs ${out})
  endforeach()
endforeach()
add_custom_target(fuzz_seeds_plan DEPENDS ${seed_elfs})
add_custom_target(fuzz_seeds
  COMMAND ${CMAKE_COMMAND} -E make_directory ${seeds}/image
  COMMAND perl ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/make_seeds.pl ${seeds}
          ${CMAKE_CURRENT_SOURCE_DIR}/data/conformance.tsv
  DEPENDS fuzz_seeds_object fuzz_seeds_plan VERBATIM)
