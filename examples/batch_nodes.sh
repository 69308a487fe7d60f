#!/bin/bash
# A batch job on several nodes, with all CPUs of each:
#
#     sbatch batch_nodes.sh      (or, to try it without a batch system: ./batch_nodes.sh)
#
#SBATCH --job-name=relief
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem=16G
#SBATCH --time=00:30:00
# One rank a node, whose pool forks one worker for each CPU that the job has there: the rank must not be
# bound to one of them. The relief lies on each node once, whatever the number of workers. Without a
# batch system two ranks of this machine play two nodes.
set -euo pipefail
build=${BUILD:-build}/examples
scratch=${TMPDIR:-/tmp}

# Workers run one thread each.
export OMP_NUM_THREADS=1

if [ -n "${SLURM_JOB_ID:-}" ]; then
    start=(srun --mpi=pmix --cpu-bind=none)
else
    export SHMFRAME_MPI_RANKS_PER_NODE=1
    start=("${MPIEXEC:-mpirun}" -n 2)
fi
"${start[@]}" "$build/relief_nodes" "$scratch/relief.${SLURM_JOB_ID:-local}.nc"
