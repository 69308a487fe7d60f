#!/bin/sh
# run.sh FLAVOUR RANKS PROGRAM ARGUMENT...: runs a program of several ranks under openmpi's or
# mpich's mpirun, wherever we are: as root, in a container, with fewer processors than ranks. RANKS
# 0: without mpirun.
flavour=$1
ranks=$2
shift 2
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_mpi_yield_when_idle=1
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" # MPIs leak
export MPIR_CVAR_POLLS_BEFORE_YIELD=1
export OMPI_MCA_btl=self,vader OMPI_MCA_pml=ob1 OMPI_MCA_orte_tmpdir_base="${TMPDIR:-/tmp}"
if [ "$ranks" = 0 ]; then
    exec "$@"
fi
exec "mpirun.$flavour" -n "$ranks" "$@"
