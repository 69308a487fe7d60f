# What can be chosen when configuring, and the compiler flags that follow from it.
option(SHMFRAME_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(SHMFRAME_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
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

add_library(shmframe_flags INTERFACE)
target_compile_definitions(shmframe_flags INTERFACE _GNU_SOURCE)
target_compile_options(shmframe_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes> $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2)
# Header-only, for the hash indexes of labels; Debian's package is libxxhash-dev.
find_path(SHMFRAME_XXHASH xxhash.h REQUIRED)
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
