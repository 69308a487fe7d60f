# `cpack -G DEB` in a build tree configured with -DCMAKE_INSTALL_PREFIX=/usr: Debian packages for the
# shared library, for building with it, for its documents and examples, and for the tool.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME shmframe)
set(CPACK_PACKAGE_VENDOR "libshmframe")
set(CPACK_PACKAGE_CONTACT "libshmframe maintainers <maintainers@shmframe.example>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_ALL runtime dev doc)
if(SHMFRAME_TOOL)
  list(APPEND CPACK_COMPONENTS_ALL tools)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE
  GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
# One version of the interface is one package, so that two can be installed side by side.
set(soname ${PROJECT_VERSION_MAJOR})
set(packages libshmframe${soname} libshmframe-dev libshmframe-doc)
if(SHMFRAME_TOOL)
  list(APPEND packages shmframe-tools)
endif()
set(text "Labelled tables and arrays that processes share without copying, and a\n\
pool of forked workers that maps functions over them. What is killed\n\
leaves nothing behind.\n\n")

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libshmframe${soname})
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION
  "${text}This package holds the shared library.")

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libshmframe-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
  "libshmframe${soname} (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_COMPONENT_DEV_DESCRIPTION
  "${text}This package holds headers, the static\n\
library and files for CMake and pkg-config.")

set(CPACK_DEBIAN_DOC_PACKAGE_NAME libshmframe-doc)
set(CPACK_DEBIAN_DOC_PACKAGE_SECTION doc)
set(CPACK_DEBIAN_DOC_PACKAGE_ARCHITECTURE all)
set(CPACK_COMPONENT_DOC_DESCRIPTION
  "${text}This package holds documents and examples.")

set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME shmframe-tools)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SUGGESTS "libshmframe${soname}, python3-numpy, python3-pandas")
set(CPACK_COMPONENT_TOOLS_DESCRIPTION
  "${text}This package holds the command-line tool\n\
shmframe, and a Python module that reads and publishes frames.")

# Components: a package with the library, which depends on the package that holds the dependency's, and
# one for building with it.
get_property(components GLOBAL PROPERTY shmframe_components)
foreach(name IN LISTS components)
  string(TOUPPER ${name} NAME)
  get_property(debian GLOBAL PROPERTY shmframe_debian_${name})
  get_property(what GLOBAL PROPERTY shmframe_text_${name})
  list(GET SHMFRAME_WITH_${NAME}_LINK_LIBRARIES 0 file)
  get_filename_component(file ${file} REALPATH)
  execute_process(COMMAND dpkg-query --search ${file} OUTPUT_VARIABLE needed ERROR_QUIET)
  string(REGEX REPLACE ":.*" "" needed "${needed}")
  list(APPEND CPACK_COMPONENTS_ALL ${name} ${name}_dev)
  list(APPEND packages libshmframe-${name}${soname} libshmframe-${name}-dev)
  set(exactly "(= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
  set(CPACK_DEBIAN_${NAME}_PACKAGE_NAME libshmframe-${name}${soname})
  set(CPACK_DEBIAN_${NAME}_PACKAGE_SECTION libs)
  set(CPACK_DEBIAN_${NAME}_PACKAGE_DEPENDS "libc6, libshmframe${soname} ${exactly}")
  if(needed)
    string(APPEND CPACK_DEBIAN_${NAME}_PACKAGE_DEPENDS ", ${needed}")
  endif()
  set(CPACK_COMPONENT_${NAME}_DESCRIPTION "${text}This package holds the library for ${what}.")
  set(CPACK_DEBIAN_${NAME}_DEV_PACKAGE_NAME libshmframe-${name}-dev)
  set(CPACK_DEBIAN_${NAME}_DEV_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_${NAME}_DEV_PACKAGE_DEPENDS
    "libshmframe-${name}${soname} ${exactly}, libshmframe-dev ${exactly}, ${debian}")
  set(CPACK_COMPONENT_${NAME}_DEV_DESCRIPTION
    "${text}This package holds what programs are built with\nthat use the library for ${what}.")
  set(papers ${PROJECT_BINARY_DIR}/debian/${name})
  file(WRITE ${papers}/shlibs
    "libshmframe-${name} ${soname} libshmframe-${name}${soname} (>= ${PROJECT_VERSION})\n")
  file(WRITE ${papers}/triggers "activate-noawait ldconfig\n")
  set(CPACK_DEBIAN_${NAME}_PACKAGE_CONTROL_EXTRA ${papers}/shlibs ${papers}/triggers)
  set(CPACK_DEBIAN_${NAME}_PACKAGE_CONTROL_STRICT_PERMISSION ON)
endforeach()

# What programs that link the library depend on, and that the loader's cache is brought up to date.
set(control ${PROJECT_BINARY_DIR}/debian/control)
file(WRITE ${control}/shlibs "libshmframe ${soname} libshmframe${soname} (>= ${PROJECT_VERSION})\n")
file(WRITE ${control}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${control}/shlibs ${control}/triggers)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# /usr/share/doc/PACKAGE/{copyright,changelog.Debian.gz}, which every package must have.
function(shmframe_debian_papers)
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
  set(component_of_libshmframe-dev dev)
  set(component_of_libshmframe-doc doc)
  set(component_of_shmframe-tools tools)
  foreach(name IN LISTS components)
    set(component_of_libshmframe-${name}${soname} ${name})
    set(component_of_libshmframe-${name}-dev ${name}_dev)
  endforeach()
  foreach(package IN LISTS packages)
    set(papers ${PROJECT_BINARY_DIR}/debian/${package})
    configure_file(${PROJECT_SOURCE_DIR}/lib/cmake/debian/changelog.in ${papers}/changelog.Debian @ONLY)
    execute_process(COMMAND gzip -9nf ${papers}/changelog.Debian COMMAND_ERROR_IS_FATAL ANY)
    set(component ${component_of_${package}})
    if(NOT component)
      set(component runtime)
    endif()
    install(FILES ${PROJECT_SOURCE_DIR}/lib/cmake/debian/copyright ${papers}/changelog.Debian.gz
      DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component})
  endforeach()
endfunction()

find_program(SHMFRAME_DPKG_DEB dpkg-deb)
if(SHMFRAME_DPKG_DEB)
  shmframe_debian_papers()
  include(CPack)
endif()
