# Writes the CTest tests of a GoogleTest program: one for each suite, or, where it has parameters, one for each test of it
# with all of them.
#   cmake -DPROGRAM=file -DOUTPUT=file -DLABEL=label -DTIMEOUT=seconds -DENVIRONMENT=A=B -P discover_suites.cmake
execute_process(COMMAND ${PROGRAM} --gtest_list_tests OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE " *#[^\n]*" "" listed "${listed}")  # what a parameter looks like
string(REGEX MATCHALL "[^\n]+" lines "${listed}")
set(filters "")
foreach(line ${lines})
  if(line MATCHES "^([^ ]+\\.)$")
    set(suite "${CMAKE_MATCH_1}")
  elseif(line MATCHES "^  ([^/]+)/")
    list(APPEND filters "${suite}${CMAKE_MATCH_1}/*")
  elseif(line MATCHES "^  ")
    list(APPEND filters "${suite}*")
  endif()
endforeach()
list(REMOVE_DUPLICATES filters)
if(NOT filters)
  message(FATAL_ERROR "${PROGRAM} lists no tests")
endif()
set(tests "")
foreach(filter ${filters})
  string(REGEX REPLACE "[./]\\*$" "" name "${filter}")
  string(APPEND tests "add_test([=[${name}]=] [=[${PROGRAM}]=] [=[--gtest_filter=${filter}]=])\n"
    "set_tests_properties([=[${name}]=] PROPERTIES ENVIRONMENT [=[${ENVIRONMENT}]=] LABELS [=[${LABEL}]=] TIMEOUT ${TIMEOUT} "
    "SKIP_REGULAR_EXPRESSION [=[PASSED  ] 0 tests]=])\n")
endforeach()
file(WRITE ${OUTPUT} "${tests}")
