# SPDX-License-Identifier: MIT
# Flags of all rooms, and bpfaot_room(NAME sources… USES rooms…): a static library bpfaot_NAME.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
option(BPFAOT_WERROR "warnings are errors" OFF)
find_program(BPFAOT_CCACHE ccache)
if(BPFAOT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${BPFAOT_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${BPFAOT_CCACHE})
endif()

add_library(bpfaot_flags INTERFACE)
target_include_directories(bpfaot_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_options(bpfaot_flags INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers
  -ffunction-sections -fdata-sections # what a program does not use is left out where it is linked
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>
  # g++ 12 sees overlaps in "text" + std::string that are not there (GCC bug 105651).
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>
  $<$<BOOL:${BPFAOT_WERROR}>:-Werror>
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)

# libFuzzer counts the edges of instrumented code and the sanitizers see into it, so all rooms are
# compiled that way: a build tree of its own (scripts/fuzz.sh makes it).
option(BPFAOT_BUILD_FUZZERS "libFuzzer targets and everything in them with sanitizers (needs clang++-19)" OFF)
if(BPFAOT_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "BPFAOT_BUILD_FUZZERS needs -DCMAKE_C_COMPILER=clang-19 -DCMAKE_CXX_COMPILER=clang++-19")
  endif()
  set(sanitizers -fsanitize=fuzzer-no-link,address,undefined)
  target_compile_options(bpfaot_flags INTERFACE -g1 ${sanitizers} -fno-sanitize-recover=undefined)
  target_link_options(bpfaot_flags INTERFACE ${sanitizers})
endif()

function(bpfaot_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  add_library(bpfaot_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(bpfaot_${name} PUBLIC bpfaot_flags)
  foreach(used IN LISTS ROOM_USES)
    target_link_libraries(bpfaot_${name} PUBLIC bpfaot_${used})
  endforeach()
  target_link_libraries(bpfaot_${name} PRIVATE ${ROOM_LIBRARIES})
endfunction()
