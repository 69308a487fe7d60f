# The command-line tool, lib/cli/*.c: public headers only, the library inside, so that it can be copied
# anywhere alone; and what belongs to it and to nobody else: completion, and the Python module.
file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/cli/*.c)
add_executable(shmframe_tool ${sources})
set_target_properties(shmframe_tool PROPERTIES OUTPUT_NAME shmframe)
target_link_libraries(shmframe_tool PRIVATE shmframe_flags shmframe::static m)
# What of it is there depends on where it was built.
get_property(components GLOBAL PROPERTY shmframe_components)
foreach(name IN LISTS components)
  string(TOUPPER ${name} NAME)
  get_property(libraries GLOBAL PROPERTY shmframe_libraries_${name})
  target_sources(shmframe_tool PRIVATE $<TARGET_OBJECTS:shmfi_${name}>)
  target_compile_definitions(shmframe_tool PRIVATE CLI_${NAME})
  target_link_libraries(shmframe_tool PRIVATE ${libraries})
endforeach()
if(SHMFRAME_INSTALL)
  include(GNUInstallDirs)
  install(TARGETS shmframe_tool RUNTIME COMPONENT tools)
  install(FILES ${PROJECT_SOURCE_DIR}/lib/cli/completion.bash RENAME shmframe
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT tools)
  install(FILES ${PROJECT_SOURCE_DIR}/lib/python/shmframe.py
    DESTINATION ${CMAKE_INSTALL_DATADIR}/shmframe/python COMPONENT tools)
endif()
