# What `cmake --install` puts where: headers, both libraries, a CMake package and a pkg-config file.
# All of it finds its parts relative to itself, so that the installed tree can be moved.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# ${prefix} of the pkg-config file, seen from the folder in which it lies.
function(shmframe_pkgconfig_prefix result)
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(${result} "\${pcfiledir}/${up}" PARENT_SCOPE)
endfunction()

function(shmframe_install)
  set(package ${CMAKE_INSTALL_LIBDIR}/cmake/shmframe)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/shmframe TYPE INCLUDE COMPONENT dev
    PATTERN netcdf.h EXCLUDE PATTERN hdf5.h EXCLUDE PATTERN mpi.h EXCLUDE)
  install(TARGETS shmframe_shared shmframe_static EXPORT shmframe_targets
    LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev ARCHIVE COMPONENT dev
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  if(TARGET shmframe_mpi)
    install(FILES ${PROJECT_SOURCE_DIR}/include/shmframe/mpi.h
      DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/shmframe COMPONENT mpi)
    install(TARGETS shmframe_mpi EXPORT shmframe_mpi_targets ARCHIVE COMPONENT mpi)
    install(EXPORT shmframe_mpi_targets NAMESPACE shmframe:: FILE shmframeMpiTargets.cmake
      DESTINATION ${package} COMPONENT mpi)
  endif()
  install(EXPORT shmframe_targets NAMESPACE shmframe:: FILE shmframeTargets.cmake
    DESTINATION ${package} COMPONENT dev)
  configure_package_config_file(${PROJECT_SOURCE_DIR}/lib/cmake/shmframeConfig.cmake.in
    ${PROJECT_BINARY_DIR}/shmframeConfig.cmake INSTALL_DESTINATION ${package}
    NO_SET_AND_CHECK_MACRO)
  write_basic_package_version_file(${PROJECT_BINARY_DIR}/shmframeConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${PROJECT_BINARY_DIR}/shmframeConfig.cmake
    ${PROJECT_BINARY_DIR}/shmframeConfigVersion.cmake DESTINATION ${package} COMPONENT dev)
  shmframe_pkgconfig_prefix(prefix)
  configure_file(${PROJECT_SOURCE_DIR}/lib/cmake/shmframe.pc.in ${PROJECT_BINARY_DIR}/shmframe.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/shmframe.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
    COMPONENT dev)
  shmframe_install_components()
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ ${PROJECT_SOURCE_DIR}/examples
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libshmframe-doc COMPONENT doc)
  include(ShmframeManual)
  include(ShmframePackages)
endfunction()
