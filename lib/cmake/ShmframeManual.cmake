# Manual pages: section 3 from the public headers, sections 1 and 7 from the documents where lowdown (Debian's
# package of that name) is there to turn Markdown into them. Not needed to build or use the library.
find_program(SHMFRAME_MANUAL_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)

function(shmframe_manual)
  set(to ${PROJECT_BINARY_DIR}/man)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/shmframe/*.h
    ${PROJECT_SOURCE_DIR}/docs/*.md ${PROJECT_SOURCE_DIR}/docs/reference/*.py)
  string(TIMESTAMP date "%Y-%m-%d" UTC)
  add_custom_command(OUTPUT ${to}/made
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${to}
    COMMAND ${SHMFRAME_MANUAL_PYTHON} -B ${PROJECT_SOURCE_DIR}/docs/reference/man.py
    ${PROJECT_SOURCE_DIR} ${PROJECT_VERSION} ${date} ${to}
    COMMAND ${CMAKE_COMMAND} -E touch ${to}/made
    DEPENDS ${sources} VERBATIM)
  add_custom_target(manual ALL DEPENDS ${to}/made)
  install(DIRECTORY ${to}/ DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT dev PATTERN made EXCLUDE
    PATTERN man1 EXCLUDE)
  if(SHMFRAME_TOOL)
    install(DIRECTORY ${to}/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT tools OPTIONAL)
  endif()
endfunction()

if(SHMFRAME_MANUAL_PYTHON)
  shmframe_manual()
endif()
