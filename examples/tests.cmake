# Every example runs in the suite, small, so that it cannot rot, and prints what stands on top of it;
# test/structure/examples.py holds them to that.
foreach(name IN LISTS steps)
  shmframe_test(example.${name} TIMEOUT 20 LABELS example COMMAND ${SHMFRAME_PYTHON}
    ${CMAKE_CURRENT_SOURCE_DIR}/common/check_output.py $<TARGET_FILE:${name}>
    ${CMAKE_CURRENT_SOURCE_DIR}/${name}.c)
endforeach()

shmframe_test(example.hello_publish_attach TIMEOUT 20 LABELS example COMMAND ${SHMFRAME_PYTHON}
  ${CMAKE_CURRENT_SOURCE_DIR}/common/check_share.py $<TARGET_FILE:hello_publish>
  $<TARGET_FILE:hello_attach> ${CMAKE_CURRENT_SOURCE_DIR}/hello_publish.c
  ${CMAKE_CURRENT_SOURCE_DIR}/hello_attach.c)

foreach(name IN LISTS workloads)
  if(name STREQUAL topography)
    continue()
  endif()
  shmframe_test(example.${name} TIMEOUT 30 PROCESSORS 2 LABELS example COMMAND ${SHMFRAME_PYTHON}
    ${CMAKE_CURRENT_SOURCE_DIR}/common/check_output.py $<TARGET_FILE:${name}>
    ${CMAKE_CURRENT_SOURCE_DIR}/${name}.c --quick --workers=2)
  shmframe_test(example.${name}.odd_sizes TIMEOUT 30 PROCESSORS 2 LABELS example
    COMMAND $<TARGET_FILE:${name}> --rows=37 --columns=23 --tasks=7 --workers=3)
endforeach()
set(etopo /usr/share/ferret-vis/data/etopo5.cdf)
if(NETCDF_FOUND AND EXISTS ${etopo})
  shmframe_test(example.topography TIMEOUT 60 PROCESSORS 2 LABELS example
    COMMAND ${SHMFRAME_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/common/check_output.py
    $<TARGET_FILE:topography> ${CMAKE_CURRENT_SOURCE_DIR}/topography.c --quick --workers=2
    --image=${CMAKE_CURRENT_BINARY_DIR}/topography_quick.png)
endif()

# The batch script, as on a machine without a batch system.
if(NOT SHMFRAME_SANITIZE)
  shmframe_test(example.batch TIMEOUT 60 PROCESSORS 2 LABELS example
    COMMAND ${CMAKE_COMMAND} -E env BUILD=${PROJECT_BINARY_DIR} TASKS=4 TMPDIR=${CMAKE_CURRENT_BINARY_DIR}
    ${CMAKE_CURRENT_SOURCE_DIR}/batch.sh)
endif()

# For several nodes, as on a machine without a batch system; MPIs are not clean under sanitizers.
if(TARGET relief_nodes AND EXISTS ${etopo} AND (NOT SHMFRAME_LANE OR SHMFRAME_LANE STREQUAL "gcc") AND NOT SHMFRAME_SANITIZE)
  shmframe_test(example.batch_nodes TIMEOUT 120 PROCESSORS 2 LABELS "example;mpi"
    COMMAND ${CMAKE_COMMAND} -E env BUILD=${PROJECT_BINARY_DIR} TMPDIR=${CMAKE_CURRENT_BINARY_DIR}
    MPIEXEC=${MPIEXEC_EXECUTABLE} OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
    ${CMAKE_CURRENT_SOURCE_DIR}/batch_nodes.sh)
endif()

# Its workers, and the application, are killed at random times.
shmframe_test(process.convolve_killed TIMEOUT 120 PROCESSORS 2 LABELS process
  COMMAND ${SHMFRAME_PYTHON} ${PROJECT_SOURCE_DIR}/test/process/convolve_killed.py
  $<TARGET_FILE:convolve>)

# Memory calls and page faults of the main job, counted from outside; sanitizers make calls of their
# own, and their leak checker cannot work under strace.
if(NOT SHMFRAME_SANITIZE)
  shmframe_test(process.steady_state TIMEOUT 120 PROCESSORS 2 LABELS process
    COMMAND ${SHMFRAME_PYTHON} ${PROJECT_SOURCE_DIR}/test/process/steady_state.py
    $<TARGET_FILE:outer_product>)
  shmframe_test(process.core_size TIMEOUT 60 PROCESSORS 2 LABELS process
    COMMAND ${SHMFRAME_PYTHON} ${PROJECT_SOURCE_DIR}/test/process/core_size.py
    $<TARGET_FILE:outer_product>)
endif()

# The convolution against scipy.ndimage.convolve, on the same bytes.
shmframe_test(numeric.convolve_as_scipy TIMEOUT 120 PROCESSORS 2 LABELS "numeric"
  COMMAND ${SHMFRAME_PYTHON} ${PROJECT_SOURCE_DIR}/test/numeric/convolve_as_scipy.py
  $<TARGET_FILE:convolve>)
