# SPDX-License-Identifier: MIT
# bpfaot_cross_loaders: bpf-aot for each machine, static and small: what a board is given, and what
# test-run runs images of other machines with, under qemu-user. Each is a build tree of its own; they
# land in lib/bpf-aot/ARCH/bpf-aot, where bpf-aot looks for them relative to itself. A machine without
# its compiler is left out.
option(BPFAOT_CROSS_LOADERS "static bpf-aot for each machine (needs their g++)" ${PROJECT_IS_TOP_LEVEL})
set(bpfaot_cross "")
foreach(machine IN LISTS BPFAOT_TARGETS)
  if(NOT BPFAOT_CROSS_LOADERS)
    continue()
  endif()
  set(toolchain "")
  if(NOT machine STREQUAL CMAKE_SYSTEM_PROCESSOR)
    set(toolchain ${PROJECT_SOURCE_DIR}/cmake/toolchain-${machine}.cmake)
    find_program(BPFAOT_CXX_${machine} ${machine}-linux-gnu-g++)
    if(NOT BPFAOT_CXX_${machine} OR NOT EXISTS ${toolchain})
      message(STATUS "no g++ for ${machine}: bpf-aot test-run cannot run its images")
      continue()
    endif()
    set(toolchain -DCMAKE_TOOLCHAIN_FILE=${toolchain})
  endif()
  set(tree ${CMAKE_BINARY_DIR}/cross/${machine})
  set(out ${CMAKE_BINARY_DIR}/lib/bpf-aot/${machine})
  set(preload_target "")
  set(preload_copy "")
  if(NOT machine STREQUAL BPFAOT_MACHINE) # this machine's is built with the other tools
    set(preload_target bpfaot_preload)
    set(library lib/bpf-aot/${machine}/libbpfaot-preload.so)
    set(preload_copy COMMAND ${CMAKE_COMMAND} -E copy_if_different ${tree}/${library} ${CMAKE_BINARY_DIR}/${library})
    install(FILES ${CMAKE_BINARY_DIR}/${library} DESTINATION lib/bpf-aot/${machine} COMPONENT bpf-aot)
  endif()
  add_custom_target(bpfaot_cross_loader_${machine}
    COMMAND ${CMAKE_COMMAND} -S ${PROJECT_SOURCE_DIR} -B ${tree} -G ${CMAKE_GENERATOR}
      ${toolchain} -DCMAKE_BUILD_TYPE=MinSizeRel -DBPFAOT_STATIC_LOADER=ON
      -DBPFAOT_BUILD_COMPILER=OFF -DBPFAOT_BUILD_TESTS=OFF -DBPFAOT_CROSS_LOADERS=OFF
      -DBPFAOT_TARGETS=${machine} --log-level=WARNING
    COMMAND ${CMAKE_COMMAND} --build ${tree} --target bpf-aot ${preload_target}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${out}
    COMMAND ${CMAKE_COMMAND} -E copy_if_different ${tree}/bin/bpf-aot ${out}/bpf-aot
    ${preload_copy}
    BYPRODUCTS ${out}/bpf-aot
    USES_TERMINAL
    COMMENT "bpf-aot for ${machine}" VERBATIM)
  install(PROGRAMS ${out}/bpf-aot DESTINATION lib/bpf-aot/${machine} COMPONENT bpf-aot)
  list(APPEND bpfaot_cross bpfaot_cross_loader_${machine})
endforeach()
if(bpfaot_cross)
  add_custom_target(bpfaot_cross_loaders ALL DEPENDS ${bpfaot_cross})
endif()
