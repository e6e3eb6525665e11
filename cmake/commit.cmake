# SPDX-License-Identifier: MIT
# cmake -DSOURCE=dir -DOUT=commit.h -P commit.cmake: writes which commit is built, and writes only when
# that has changed. Without a repository (a release archive) it is "release".
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status ERROR_QUIET)
if(NOT status EQUAL 0)
  set(commit release)
endif()
set(text "#define BPFAOT_COMMIT \"${commit}\"\n")
set(before "")
if(EXISTS ${OUT})
  file(READ ${OUT} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${OUT} "${text}")
endif()
