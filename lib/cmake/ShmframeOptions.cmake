# What can be chosen when configuring, and the compiler flags that follow from it.

# Somebody who only installs the library need not have what the tests need: these are built by
# default where it is there.
set(SHMFRAME_TESTS_POSSIBLE ${PROJECT_IS_TOP_LEVEL})
if(PROJECT_IS_TOP_LEVEL AND NOT DEFINED SHMFRAME_TESTS)
  find_program(SHMFRAME_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
  find_program(SHMFRAME_PYTHON NAMES python3)
  find_program(SHMFRAME_CXX NAMES g++ clang++ c++)
  find_path(SHMFRAME_CMOCKA cmocka.h)
  find_package(PkgConfig QUIET)
  if(NOT SHMFRAME_PYTHON OR NOT SHMFRAME_CXX OR NOT SHMFRAME_CMOCKA OR NOT PKG_CONFIG_FOUND)
    message(STATUS "Tests: left out, they need python3, g++, pkg-config and libcmocka-dev (test/run.sh installs them)")
    set(SHMFRAME_TESTS_POSSIBLE OFF)
  endif()
  unset(SHMFRAME_CXX CACHE) # the tests choose theirs by the C compiler
endif()
option(SHMFRAME_TESTS "Build the tests" ${SHMFRAME_TESTS_POSSIBLE})
option(SHMFRAME_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(SHMFRAME_TOOL "Build the command-line tool shmframe" ${PROJECT_IS_TOP_LEVEL})
option(SHMFRAME_BENCH "Build the benches with OpenMP, MPI and Boost (test/bench/run.sh)" OFF)
option(SHMFRAME_INSTALL "Have install rules" ${PROJECT_IS_TOP_LEVEL})
option(SHMFRAME_WERROR "Treat warnings as errors" OFF)
set(SHMFRAME_SANITIZE "" CACHE STRING "Sanitizers to build with, for example address,undefined")

option(SHMFRAME_FUZZ "Build for a fuzzer: clang with libFuzzer, or afl-clang-fast" OFF)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
if(SHMFRAME_TESTS)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON) # for clang-tidy
endif()

add_library(shmframe_flags INTERFACE)
target_compile_definitions(shmframe_flags INTERFACE _GNU_SOURCE)
target_compile_options(shmframe_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2)
# Header-only, for the hash indexes of labels; Debian's package is libxxhash-dev.
find_path(SHMFRAME_XXHASH xxhash.h)
if(NOT SHMFRAME_XXHASH)
  message(FATAL_ERROR "xxhash.h is missing: please install xxHash's header (Debian: libxxhash-dev)")
endif()
target_include_directories(shmframe_flags SYSTEM INTERFACE ${SHMFRAME_XXHASH})
if(SHMFRAME_WERROR)
  target_compile_options(shmframe_flags INTERFACE -Werror)
endif()
if(SHMFRAME_SANITIZE)
  add_compile_options(-fsanitize=${SHMFRAME_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SHMFRAME_SANITIZE})
endif()
if(SHMFRAME_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
option(SHMFRAME_COVERAGE "Count what is run, for test/coverage.sh (gcc)" OFF)
if(SHMFRAME_COVERAGE)
  add_library(shmframe_coverage OBJECT ${PROJECT_SOURCE_DIR}/test/support/coverage_exit.c)
  set_target_properties(shmframe_coverage PROPERTIES POSITION_INDEPENDENT_CODE ON)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage -Wl,--wrap=_exit)
  link_libraries($<TARGET_OBJECTS:shmframe_coverage>)
endif()
