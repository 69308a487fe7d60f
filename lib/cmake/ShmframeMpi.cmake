# The optional component shmframe::mpi, lib/mpi/*.c: a library of its own, because MPIs do not share an
# ABI; public headers only. Made for the MPI that find_package() finds (MPI_C_COMPILER chooses).
file(GLOB SHMFRAME_MPI_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/lib/mpi/*.c)
find_package(MPI QUIET COMPONENTS C)
if(MPI_C_FOUND)
  add_library(shmframe_mpi STATIC ${SHMFRAME_MPI_SOURCES})
  set_target_properties(shmframe_mpi PROPERTIES EXPORT_NAME mpi)
  target_link_libraries(shmframe_mpi PUBLIC shmframe_shared MPI::MPI_C
    PRIVATE $<BUILD_INTERFACE:shmframe_flags>)
  add_library(shmframe::mpi ALIAS shmframe_mpi)
else()
  message(STATUS "MPI was not found: the component shmframe::mpi is left out")
endif()
