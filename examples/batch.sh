#!/bin/bash
# A batch job on one node with all CPUs that the job was given:
#
#     sbatch batch.sh            (or, to try it without a batch system: ./batch.sh)
#
#SBATCH --job-name=shmframe
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=32G
#SBATCH --time=00:30:00
# Shared pages count once where the accounting sums PSS; by RSS they would count in every worker:
#     JobAcctGatherParams=UsePss      (slurm.conf)
#
# One process is started; its pool forks one worker for each CPU that the job may use (affinity and
# cgroup quota are looked at, so nothing is passed here). When the job is killed nothing is left on the
# node: there is no daemon and no file in /dev/shm. Pools make no copies: memory is the input, plus
# (window + workers) results, and that budget is given to the pool by the program.
set -euo pipefail
build=${BUILD:-build}/examples
scratch=${TMPDIR:-/tmp}

# Workers run one thread each; so must the BLAS of the application until its pool is made.
export OMP_NUM_THREADS=1

srun=()
if [ -n "${SLURM_JOB_ID:-}" ]; then
    srun=(srun --cpu-bind=cores)
fi
"${srun[@]}" "$build/outer_product" --mode=shared ${TASKS:+--tasks=$TASKS} \
    --json="$scratch/outer_product.${SLURM_JOB_ID:-local}.json"
