# shmframe_component(NAME PACKAGE pkg-config-module DEBIAN package TEXT description USES module...):
# lib/NAME/*.c, an adapter that brings a dependency, as a shared library of its own, libshmframe-NAME,
# built where pkg-config knows the dependency. Target shmframe::NAME, header <shmframe/NAME.h>,
# shmframe-NAME.pc. The tool, and the component's tests, have its objects inside.
function(shmframe_component name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "PACKAGE;DEBIAN;TEXT" "USES")
  string(TOUPPER ${name} NAME)
  option(SHMFRAME_${NAME} "Build the component ${name}, where ${arg_DEBIAN} is" ${PROJECT_IS_TOP_LEVEL})
  if(SHMFRAME_${NAME})
    find_package(PkgConfig QUIET)
  endif()
  if(SHMFRAME_${NAME} AND PKG_CONFIG_FOUND)
    pkg_check_modules(SHMFRAME_WITH_${NAME} QUIET IMPORTED_TARGET GLOBAL ${arg_PACKAGE})
  endif()
  if(NOT SHMFRAME_${NAME} OR NOT SHMFRAME_WITH_${NAME}_FOUND)
    message(STATUS "the component ${name} is left out (it needs ${arg_DEBIAN})")
    return()
  endif()
  shmframe_objects(${name} ${PROJECT_SOURCE_DIR}/lib/${name} USES ${arg_USES})
  target_link_libraries(shmfi_${name} PRIVATE PkgConfig::SHMFRAME_WITH_${NAME})
  set_property(GLOBAL APPEND PROPERTY shmframe_components ${name})
  set_property(GLOBAL PROPERTY shmframe_libraries_${name} PkgConfig::SHMFRAME_WITH_${NAME})
  set_property(GLOBAL PROPERTY shmframe_package_${name} ${arg_PACKAGE})
  set_property(GLOBAL PROPERTY shmframe_debian_${name} ${arg_DEBIAN})
  set_property(GLOBAL PROPERTY shmframe_text_${name} "${arg_TEXT}")
  shmframe_component_library(${name} PkgConfig::SHMFRAME_WITH_${NAME})
endfunction()

function(shmframe_component_library name dependency)
  add_library(shmframe_${name} SHARED $<TARGET_OBJECTS:shmfi_${name}>)
  set(map ${PROJECT_SOURCE_DIR}/lib/shmframe.map)
  target_link_libraries(shmframe_${name} PUBLIC shmframe_shared PRIVATE ${dependency})
  target_link_options(shmframe_${name} PRIVATE -Wl,--version-script=${map})
  set_target_properties(shmframe_${name} PROPERTIES LINK_DEPENDS ${map} OUTPUT_NAME shmframe-${name}
    EXPORT_NAME ${name} VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR})
  add_library(shmframe::${name} ALIAS shmframe_${name})
endfunction()

# Installed beside the library; ShmframePackages.cmake makes packages of the components
# NAME and NAME_dev.
function(shmframe_install_components)
  get_property(components GLOBAL PROPERTY shmframe_components)
  foreach(name IN LISTS components)
    install(FILES ${PROJECT_SOURCE_DIR}/include/shmframe/${name}.h
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/shmframe COMPONENT ${name}_dev)
    install(TARGETS shmframe_${name} EXPORT shmframe_${name}_targets
      LIBRARY COMPONENT ${name} NAMELINK_COMPONENT ${name}_dev
      INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    install(EXPORT shmframe_${name}_targets NAMESPACE shmframe:: FILE shmframe-${name}.cmake
      DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/shmframe COMPONENT ${name}_dev)
    get_property(SHMFRAME_COMPONENT_NEEDS GLOBAL PROPERTY shmframe_package_${name})
    set(SHMFRAME_COMPONENT ${name})
    shmframe_pkgconfig_prefix(prefix)
    configure_file(${PROJECT_SOURCE_DIR}/lib/cmake/shmframe-component.pc.in
      ${PROJECT_BINARY_DIR}/shmframe-${name}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/shmframe-${name}.pc
      DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT ${name}_dev)
  endforeach()
endfunction()
