# How tests are registered, so that every lane of test/run.sh names, times and labels them alike.
set(SHMFRAME_LANE "" CACHE STRING "Prefix of the tests' names, to tell several build trees apart")
set(SHMFRAME_SLOWNESS 1 CACHE STRING "How many times slower than a plain build the tests run here")
option(SHMFRAME_VALGRIND "Run the tests that can under Valgrind too" OFF)

set(SHMFRAME_VALGRIND_SLOWNESS 10)
if(SHMFRAME_VALGRIND)
  find_program(SHMFRAME_VALGRIND_PROGRAM valgrind REQUIRED)
endif()

# Debian's own Python comes first: that is the one that has its numpy and scipy.
find_program(SHMFRAME_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(SHMFRAME_PYTHON NAMES python3 REQUIRED)

# Programs in C++ use the library too; the compiler goes with that of C.
if(CMAKE_C_COMPILER_ID MATCHES Clang)
  find_program(SHMFRAME_CXX NAMES clang++ g++ REQUIRED)
else()
  find_program(SHMFRAME_CXX NAMES g++ c++ clang++ REQUIRED)
endif()

# Environment and limits of one test; exit status 77 means that something it needs is not here. Where a program arms its own deadline (test/support/) this
# comes first, so that stacks are printed before ctest kills.
function(shmframe_test_properties name timeout slowness)
  math(EXPR limit "${timeout} * ${slowness}")
  math(EXPR deadline "${limit} - ${limit} / 5")
  set_tests_properties(${name} PROPERTIES TIMEOUT ${limit} SKIP_RETURN_CODE 77 ENVIRONMENT
    "CMOCKA_TEST_ABORT=1;SHMF_TEST_SLOW=${slowness};SHMF_TEST_DEADLINE=${deadline};ASAN_OPTIONS=abort_on_error=1:detect_stack_use_after_return=1:allocator_may_return_null=1;TSAN_OPTIONS=allocator_may_return_null=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# shmframe_test(NAME COMMAND command... [TIMEOUT seconds] [PROCESSORS n] [LABELS label...]
#               [SERIAL] [VALGRIND])
# TIMEOUT is what a plain build may take; it is scaled. VALGRIND: a program that also runs under it.
function(shmframe_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL;VALGRIND" "TIMEOUT;PROCESSORS" "COMMAND;LABELS")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(NOT arg_PROCESSORS)
    set(arg_PROCESSORS 1)
  endif()
  if(SHMFRAME_LANE)
    set(full ${SHMFRAME_LANE}/${name})
  else()
    set(full ${name})
  endif()
  add_test(NAME ${full} COMMAND ${arg_COMMAND})
  shmframe_test_properties(${full} ${arg_TIMEOUT} ${SHMFRAME_SLOWNESS})
  set(all ${full})
  set_tests_properties(${full} PROPERTIES LABELS "${SHMFRAME_LANE};${arg_LABELS}")
  if(arg_VALGRIND AND SHMFRAME_VALGRIND)
    # No vgdb: its pipes in /tmp bear the number of the process and outlive one that is killed. A
    # later process of that number and of another user can then neither open nor remove them.
    add_test(NAME valgrind/${name} COMMAND ${SHMFRAME_VALGRIND_PROGRAM} -q --vgdb=no
      --trace-children=yes --trace-children-skip=/bin/*,/usr/bin/* --error-exitcode=1
      --leak-check=full --errors-for-leak-kinds=definite --child-silent-after-fork=no ${arg_COMMAND})
    shmframe_test_properties(valgrind/${name} ${arg_TIMEOUT} ${SHMFRAME_VALGRIND_SLOWNESS})
    list(APPEND all valgrind/${name})
    set_tests_properties(valgrind/${name} PROPERTIES LABELS "valgrind;${arg_LABELS}")
  endif()
  set_tests_properties(${all} PROPERTIES PROCESSORS ${arg_PROCESSORS} RUN_SERIAL ${arg_SERIAL})
endfunction()

# shmframe_test_program(KIND.X SOURCE [TIMEOUT seconds] [PROCESSORS n] [LABELS label...]
#                       [LIBRARIES library...] [OBJECTS object...])
# A CMocka program, target test_KIND_X (of unit tests: test_X), and its test.
# The line "ctest: ARGUMENT..." in a test's source, if there is one, with these arguments:
# TIMEOUT seconds, LABELS label..., SERIAL (nothing else runs meanwhile), NO_VALGRIND.
# Label "threads": the program is worth running under ThreadSanitizer, which runs no others (it
# sees one process at a time, and most of ours are several).
function(shmframe_test_program name source)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "PROCESSORS;TIMEOUT" "LABELS;LIBRARIES;OBJECTS")
  file(STRINGS ${source} line REGEX "ctest: " LIMIT_COUNT 1)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  string(REGEX REPLACE ".*ctest: *| *\\*/.*" "" line "${line}")
  separate_arguments(own UNIX_COMMAND "${line}")
  cmake_parse_arguments(own "SERIAL;NO_VALGRIND" "TIMEOUT" "LABELS" ${own})
  if(own_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${source}: unknown in its line \"ctest:\": ${own_UNPARSED_ARGUMENTS}")
  endif()
  if(SHMFRAME_SANITIZE STREQUAL "thread" AND NOT "threads" IN_LIST own_LABELS)
    return()
  endif()
  string(REGEX REPLACE "^unit[.]" "" target ${name})
  string(REPLACE "." "_" target test_${target})
  add_executable(${target} ${source} ${arg_OBJECTS})
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/lib ${PROJECT_SOURCE_DIR}/test)
  target_link_libraries(${target} PRIVATE
    shmframe_flags ${arg_LIBRARIES} PkgConfig::CMOCKA Threads::Threads m)
  set(more)
  if(own_TIMEOUT)
    set(arg_TIMEOUT ${own_TIMEOUT})
  endif()
  if(own_SERIAL)
    list(APPEND more SERIAL)
  endif()
  if(NOT own_NO_VALGRIND)
    list(APPEND more VALGRIND)
  endif()
  shmframe_test(${name} COMMAND $<TARGET_FILE:${target}> TIMEOUT ${arg_TIMEOUT} PROCESSORS ${arg_PROCESSORS}
    LABELS ${arg_LABELS} ${own_LABELS} ${more})
endfunction()
