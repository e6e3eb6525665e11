# SPDX-License-Identifier: MIT
# bpfaot_llvm: LLVM and lld as rooms link them. Loading libLLVM costs more time than compiling a small
# program, so bpf-aotc itself, in a release build, contains what it needs of them
# (bpfaot_contain_llvm); everything else uses the shared library, which links faster.
find_package(LLVM 19.1 REQUIRED CONFIG PATHS /usr/lib/llvm-19/lib/cmake/llvm)
find_package(ZLIB REQUIRED)
find_library(BPFAOT_ZSTD NAMES zstd libzstd.so.1 REQUIRED)
find_library(BPFAOT_LLD_ELF lldELF PATHS ${LLVM_LIBRARY_DIRS} REQUIRED)
find_library(BPFAOT_LLD_COMMON lldCommon PATHS ${LLVM_LIBRARY_DIRS} REQUIRED)
find_program(BPFAOT_LLD ld.lld PATHS ${LLVM_TOOLS_BINARY_DIR} NO_DEFAULT_PATH)

set(can_contain OFF)
if(CMAKE_BUILD_TYPE STREQUAL Release AND BPFAOT_LLD AND EXISTS ${LLVM_LIBRARY_DIRS}/libLLVMCore.a
   AND NOT BPFAOT_BUILD_FUZZERS AND NOT CMAKE_CXX_FLAGS MATCHES -fsanitize)
  set(can_contain ON)
endif()
option(BPFAOT_STATIC_LLVM "bpf-aotc contains LLVM and starts sooner (needs ld.lld)" ${can_contain})

add_library(bpfaot_llvm INTERFACE)
target_link_libraries(bpfaot_llvm INTERFACE ${BPFAOT_LLD_ELF} ${BPFAOT_LLD_COMMON}
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:BPFAOT_CONTAINS_LLVM>>>:LLVM> ZLIB::ZLIB ${BPFAOT_ZSTD})
target_include_directories(bpfaot_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})

# lld registers every machine that LLVM was built for, and LLVM's link-time optimiser a plugin that is
# another package. Definitions that do nothing leave them out: code for three machines in place of
# twenty.
function(bpfaot_leave_out_machines file)
  set(text "// Made by cmake/llvm.cmake: machines that bpf-aotc has no use for.\n")
  foreach(machine IN LISTS LLVM_TARGETS_TO_BUILD)
    if(machine MATCHES "^(X86|AArch64|RISCV)$")
      continue()
    endif()
    foreach(part IN ITEMS TargetInfo Target TargetMC AsmPrinter AsmParser Disassembler)
      string(APPEND text "extern \"C\" void LLVMInitialize${machine}${part}() {}\n")
    endforeach()
  endforeach()
  string(APPEND text
    "#include <llvm/Passes/PassPlugin.h>\n"
    "llvm::PassPluginLibraryInfo getPollyPluginInfo() { return {}; }\n")
  file(GENERATE OUTPUT ${file} CONTENT "${text}")
endfunction()

function(bpfaot_contain_llvm target)
  if(NOT BPFAOT_STATIC_LLVM)
    return()
  endif()
  bpfaot_leave_out_machines(${CMAKE_CURRENT_BINARY_DIR}/other_machines.cpp)
  set(archives "")
  foreach(library IN LISTS LLVM_AVAILABLE_LIBS)
    if(EXISTS ${LLVM_LIBRARY_DIRS}/lib${library}.a AND library MATCHES "^LLVM")
      list(APPEND archives ${LLVM_LIBRARY_DIRS}/lib${library}.a)
    endif()
  endforeach()
  set_target_properties(${target} PROPERTIES BPFAOT_CONTAINS_LLVM ON)
  target_sources(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/other_machines.cpp)
  target_link_libraries(${target} PRIVATE bpfaot_llvm ${archives})
  # Without relocation at start either: it would take as long as three of the stages.
  target_link_options(${target} PRIVATE -no-pie -fuse-ld=lld -B${LLVM_TOOLS_BINARY_DIR}
    -static-libstdc++ -static-libgcc -Wl,--gc-sections)
  # Nobody needs LLVM's symbols. The file is written anew, in large pieces, and not stripped in place:
  # the page cache then holds it in large pieces too, and a run takes 7% less time.
  if(CMAKE_STRIP)
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_STRIP} -o $<TARGET_FILE:${target}>.stripped $<TARGET_FILE:${target}>
      COMMAND ${CMAKE_COMMAND} -E rename $<TARGET_FILE:${target}>.stripped $<TARGET_FILE:${target}>)
  endif()
endfunction()
