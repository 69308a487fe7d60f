# shmframe_module(NAME USES OTHER...): lib/NAME/*.c as an object library that may include headers
# of the modules it uses. The closure of these is remembered, so that a module's unit test links
# nothing else: an upward call does not link.
function(shmframe_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES")
  shmframe_objects(${name} ${PROJECT_SOURCE_DIR}/lib USES ${arg_USES})
  set_property(GLOBAL APPEND PROPERTY shmframe_modules ${name})
endfunction()

# shmframe_adapter(NAME USES OTHER...): lib/NAME/*.c, which sees the public headers and its own: the
# modules are what it is linked with. It brings no dependency, so it is part of the library.
function(shmframe_adapter name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES")
  shmframe_objects(${name} ${PROJECT_SOURCE_DIR}/lib/${name} USES ${arg_USES})
  set_property(GLOBAL APPEND PROPERTY shmframe_modules ${name})
endfunction()

# A module whose loops gain by what compilers leave out at -O2; or files of it.
function(shmframe_hot name)
  set(option $<$<NOT:$<CONFIG:Debug>>:-O3>)
  if(NOT ARGN)
    target_compile_options(shmfi_${name} PRIVATE ${option})
  endif()
  foreach(file IN LISTS ARGN)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/${name}/${file} PROPERTIES COMPILE_OPTIONS ${option})
  endforeach()
endfunction()

# A module's file for processors that have AVX2, and what came with it or before.
function(shmframe_wide name file)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/lib/${name}/${file} PROPERTIES
      COMPILE_OPTIONS "-mavx2;-mbmi;-mbmi2;-mpopcnt")
  endif()
endfunction()

# The objects of these, and of components (ShmframeComponents.cmake); `include` is where its internal headers are found.
function(shmframe_objects name include)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "USES")
  set(closure ${name})
  foreach(used IN LISTS arg_USES)
    get_property(below GLOBAL PROPERTY shmframe_closure_${used})
    list(APPEND closure ${below})
  endforeach()
  list(REMOVE_DUPLICATES closure)
  set_property(GLOBAL PROPERTY shmframe_closure_${name} ${closure})
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/${name}/*.c)
  add_library(shmfi_${name} OBJECT ${sources})
  target_include_directories(shmfi_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${include})
  target_link_libraries(shmfi_${name} PRIVATE shmframe_flags)
endfunction()

# The objects of a module and of everything below it.
function(shmframe_closure_objects name result)
  get_property(closure GLOBAL PROPERTY shmframe_closure_${name})
  set(objects)
  foreach(module IN LISTS closure)
    list(APPEND objects $<TARGET_OBJECTS:shmfi_${module}>)
  endforeach()
  set(${result} ${objects} PARENT_SCOPE)
endfunction()

# The objects of all modules.
function(shmframe_all_objects result)
  get_property(modules GLOBAL PROPERTY shmframe_modules)
  set(objects)
  foreach(module IN LISTS modules)
    list(APPEND objects $<TARGET_OBJECTS:shmfi_${module}>)
  endforeach()
  set(${result} ${objects} PARENT_SCOPE)
endfunction()

# The two libraries, made of all modules. What is exported says lib/shmframe.map, beside the
# visibility: an internal function that was marked by mistake stays inside.
function(shmframe_library)
  find_package(Threads REQUIRED)
  shmframe_all_objects(objects)
  foreach(kind IN ITEMS shared static)
    string(TOUPPER ${kind} KIND)
    add_library(shmframe_${kind} ${KIND} ${objects})
    set_target_properties(shmframe_${kind} PROPERTIES OUTPUT_NAME shmframe)
    target_include_directories(shmframe_${kind} PUBLIC
      $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
    target_link_libraries(shmframe_${kind} PRIVATE Threads::Threads m)
  endforeach()
  set(map ${PROJECT_SOURCE_DIR}/lib/shmframe.map)
  # Symbols are bound when the library is loaded: supervisor and workers would each look them up
  # anew, in pages that they would have to fetch, and a crash handler must not look anything up.
  target_link_options(shmframe_shared PRIVATE -Wl,--version-script=${map} -Wl,-z,relro -Wl,-z,now)
  set_target_properties(shmframe_shared PROPERTIES LINK_DEPENDS ${map} EXPORT_NAME shmframe
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  set_target_properties(shmframe_static PROPERTIES EXPORT_NAME static)
  add_library(shmframe::shmframe ALIAS shmframe_shared)
  add_library(shmframe::static ALIAS shmframe_static)
endfunction()
