# Writes OUTPUT, a header with the facts of this build; touches it only when they change.
execute_process(COMMAND git rev-parse HEAD WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE commit
                OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
set(dirty false)
if(failed)
  set(commit unknown)
else()
  execute_process(COMMAND git status --porcelain --untracked-files=no WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE changes ERROR_QUIET)
  if(NOT changes STREQUAL "")
    set(dirty true)
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT [[#pragma once
#define GCG_BUILD_VERSION "@VERSION@"
#define GCG_BUILD_COMMIT "@commit@"
#define GCG_BUILD_DIRTY @dirty@
#define GCG_BUILD_COMPILER "@COMPILER@"
#define GCG_BUILD_TYPE "@BUILD_TYPE@"
]] @ONLY)
