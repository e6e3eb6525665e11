# SPDX-License-Identifier: MIT
# bpf_aot_add_library(NAME
#   SOURCES probe.bpf.c… | OBJECT probe.bpf.o
#   [ARCHS x86_64 aarch64 riscv64]  machines; default: the one that is built for
#   [CPU processor] [OPTIONS for bpf-aotc…] [COMPILE_OPTIONS for clang…] [INCLUDE_DIRECTORIES dir…]
#   [VMLINUX_BTF file]              types that CO-RE relocations are resolved against
#   [WERROR]                        warnings of clang and bpf-aotc are errors
#   [INSTALL_DESTINATION dir])
# makes the target NAME, built by default. Its property BPF_AOT_OUTPUT is the list of images: NAME.so in
# the current binary directory, or NAME-ARCH.so when there are several machines; BPF_AOT_OBJECT the
# objects. All machines are compiled in one run. What an image was made from, headers included, is
# tracked through dependency files with Ninja and with make.

# Whether a path lies in the system root of the target of a cross build.
function(_bpf_aot_is_of_target path result)
  set(${result} FALSE PARENT_SCOPE)
  if(NOT CMAKE_CROSSCOMPILING OR path STREQUAL "")
    return()
  endif()
  get_filename_component(real "${path}" REALPATH)
  foreach(root IN LISTS CMAKE_SYSROOT CMAKE_FIND_ROOT_PATH CMAKE_STAGING_PREFIX)
    get_filename_component(root "${root}" REALPATH)
    string(FIND "${real}/" "${root}/" at)
    if(at EQUAL 0 AND NOT root STREQUAL "/")
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

function(_bpf_aot_machine processor result)
  string(TOLOWER "${processor}" name)
  if(name MATCHES "^(x86_64|amd64|x64)$")
    set(${result} x86_64 PARENT_SCOPE)
  elseif(name MATCHES "^(aarch64|arm64)$")
    set(${result} aarch64 PARENT_SCOPE)
  elseif(name MATCHES "^riscv64$")
    set(${result} riscv64 PARENT_SCOPE)
  else()
    set(${result} "" PARENT_SCOPE)
  endif()
endfunction()

# Where clang looks for headers when it compiles for this machine: for bpf it leaves out the folder of
# the machine, which has asm/types.h.
function(_bpf_aot_system_includes result)
  if(NOT DEFINED CACHE{BPF_AOT_SYSTEM_INCLUDES})
    execute_process(COMMAND ${BPF_AOT_CLANG} -v -E -x c /dev/null
      OUTPUT_QUIET ERROR_VARIABLE text RESULT_VARIABLE status)
    set(folders "")
    if(status EQUAL 0 AND text MATCHES "#include <\\.\\.\\.> search starts here:\n(.*)\nEnd of search list")
      string(REPLACE "\n" ";" lines "${CMAKE_MATCH_1}")
      foreach(line IN LISTS lines)
        string(STRIP "${line}" line)
        list(APPEND folders -idirafter "${line}")
      endforeach()
    endif()
    set(BPF_AOT_SYSTEM_INCLUDES "${folders}" CACHE INTERNAL "headers of this machine, for clang -target bpf")
  endif()
  set(${result} "${BPF_AOT_SYSTEM_INCLUDES}" PARENT_SCOPE)
endfunction()

# Compiles one source to an object; appends its path to the list `objects`. The object reads the registers
# of the machine that builds, whose headers clang finds; bpf-aotc maps them to those of the target.
function(_bpf_aot_compile name source objects)
  if(NOT BPF_AOT_CLANG)
    message(FATAL_ERROR "bpf_aot_add_library(${name}): SOURCES need clang; set BPF_AOT_CLANG")
  endif()
  _bpf_aot_machine("${CMAKE_HOST_SYSTEM_PROCESSOR}" machine)
  set(macro_x86_64 x86)
  set(macro_aarch64 arm64)
  set(macro_riscv64 riscv)
  get_filename_component(source "${source}" ABSOLUTE)
  get_filename_component(stem "${source}" NAME_WE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.dir/${stem}.bpf.o)
  set(includes "")
  foreach(folder IN LISTS BPF_INCLUDE_DIRECTORIES)
    get_filename_component(folder "${folder}" ABSOLUTE)
    list(APPEND includes -I${folder})
  endforeach()
  set(errors "")
  if(BPF_WERROR)
    set(errors -Werror)
  endif()
  _bpf_aot_system_includes(system)
  add_custom_command(OUTPUT ${object}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/${name}.dir
    COMMAND ${BPF_AOT_CLANG} -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_${macro_${machine}}
      -Wall ${errors} ${includes} ${system} -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-compilation-dir=.
      ${BPF_COMPILE_OPTIONS} -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "eBPF object ${stem}.bpf.o of ${name}" VERBATIM)
  list(APPEND ${objects} ${object})
  set(${objects} "${${objects}}" PARENT_SCOPE)
endfunction()

function(bpf_aot_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 BPF "WERROR" "OBJECT;CPU;VMLINUX_BTF;INSTALL_DESTINATION"
    "SOURCES;ARCHS;OPTIONS;COMPILE_OPTIONS;INCLUDE_DIRECTORIES")
  set(where "bpf_aot_add_library(${name})")
  if(BPF_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${where}: unknown arguments: ${BPF_UNPARSED_ARGUMENTS}")
  endif()
  if((BPF_SOURCES AND BPF_OBJECT) OR NOT (BPF_SOURCES OR BPF_OBJECT))
    message(FATAL_ERROR "${where}: give either SOURCES or OBJECT")
  endif()
  if(NOT TARGET BpfAot::bpf-aotc)
    message(FATAL_ERROR "${where}: bpf-aotc was not found; set BPF_AOTC_EXECUTABLE")
  endif()

  set(machines "")
  if(NOT BPF_ARCHS)
    set(BPF_ARCHS ${CMAKE_SYSTEM_PROCESSOR})
  endif()
  foreach(processor IN LISTS BPF_ARCHS)
    _bpf_aot_machine("${processor}" machine)
    if(machine STREQUAL "")
      message(FATAL_ERROR "${where}: bpf-aotc does not compile for '${processor}'")
    endif()
    list(APPEND machines ${machine})
  endforeach()
  list(REMOVE_DUPLICATES machines)
  list(LENGTH machines count)

  set(objects "")
  foreach(source IN LISTS BPF_SOURCES)
    _bpf_aot_compile(${name} "${source}" objects)
  endforeach()
  if(BPF_OBJECT)
    get_filename_component(objects "${BPF_OBJECT}" ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
    if(NOT IS_ABSOLUTE "${BPF_OBJECT}" AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${BPF_OBJECT})
      set(objects ${CMAKE_CURRENT_SOURCE_DIR}/${BPF_OBJECT})
    endif()
  endif()

  set(pattern ${CMAKE_CURRENT_BINARY_DIR}/${name}.so)
  if(count GREATER 1)
    set(pattern ${CMAKE_CURRENT_BINARY_DIR}/${name}-%a.so)
  endif()
  set(outputs "")
  set(arguments "")
  foreach(machine IN LISTS machines)
    string(REPLACE "%a" ${machine} output "${pattern}")
    list(APPEND outputs ${output})
    list(APPEND arguments -t ${machine})
  endforeach()
  list(GET outputs 0 first_output)
  if(BPF_CPU)
    list(APPEND arguments --mcpu=${BPF_CPU})
  endif()
  if(BPF_VMLINUX_BTF)
    get_filename_component(types "${BPF_VMLINUX_BTF}" ABSOLUTE)
    list(APPEND arguments --btf=${types})
  endif()
  if(BPF_WERROR)
    list(APPEND arguments -Werror)
  endif()
  add_custom_command(OUTPUT ${outputs}
    COMMAND BpfAot::bpf-aotc ${objects} ${arguments} ${BPF_OPTIONS} -o ${pattern}
      -MD -MF ${CMAKE_CURRENT_BINARY_DIR}/${name}.d -MT ${first_output}
    DEPENDS ${objects} BpfAot::bpf-aotc DEPFILE ${CMAKE_CURRENT_BINARY_DIR}/${name}.d
    COMMENT "native images of ${name}" VERBATIM)
  add_custom_target(${name} ALL DEPENDS ${outputs})
  set_target_properties(${name} PROPERTIES BPF_AOT_OUTPUT "${outputs}" BPF_AOT_OBJECT "${objects}")
  if(BPF_INSTALL_DESTINATION)
    install(PROGRAMS ${outputs} DESTINATION ${BPF_INSTALL_DESTINATION})
  endif()
endfunction()
