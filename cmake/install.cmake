# SPDX-License-Identifier: MIT
# The CMake package, and the target that takes an installation back. What is installed elsewhere belongs
# to one of two components: bpf-aotc (the compiler, on machines that build) and bpf-aot (the loader).
include(CMakePackageConfigHelpers)
if(BPFAOT_BUILD_COMPILER)
  # Of no machine, so that a cross build finds it whatever its target is.
  set(package ${CMAKE_INSTALL_DATADIR}/cmake/BpfAot)
  configure_package_config_file(cmake/package/BpfAotConfig.cmake.in
    ${CMAKE_CURRENT_BINARY_DIR}/package/BpfAotConfig.cmake
    INSTALL_DESTINATION ${package} PATH_VARS CMAKE_INSTALL_BINDIR)
  write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/package/BpfAotConfigVersion.cmake
    COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
  install(FILES
    ${CMAKE_CURRENT_BINARY_DIR}/package/BpfAotConfig.cmake
    ${CMAKE_CURRENT_BINARY_DIR}/package/BpfAotConfigVersion.cmake
    cmake/package/BpfAotAddLibrary.cmake
    DESTINATION ${package} COMPONENT bpf-aotc)
endif()
if(PROJECT_IS_TOP_LEVEL)
  add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_CURRENT_BINARY_DIR} -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake
    COMMENT "removing what was installed" VERBATIM)
endif()
