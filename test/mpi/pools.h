/* Programs of ranks whose leaders have pools: PROGRAM [RANKS_PER_NODE [apart]]. */
#ifndef TEST_MPI_POOLS_H
#define TEST_MPI_POOLS_H

#include "mpi/ranks.h"

#include <shmframe/lend.h>
#include <shmframe/memory.h>

enum { WORKERS = 2 };

static struct shmf_pool *pool; /* of leaders */
static bool is_root;
static int descriptors_before;

static inline struct shmf_pool *new_pool(void)
{
    struct shmf_pool_options options = {.workers = WORKERS, .start = SHMF_START_EARLY};
    return place.node_rank == 0 ? shmf_pool_new(&options, &err) : NULL;
}

static inline void start_ranks(int *argc, char ***argv)
{
    struct shmf_mpi_options options = {.ranks_per_node = *argc > 1 ? atoi((*argv)[1]) : 0,
                                       .apart = *argc > 2,
                                       .piece_bytes = 400009};
    check_ok(shmf_mpi_init(argc, argv, MPI_THREAD_FUNNELED, NULL, NULL, &err), "init");
    shmf_mpi_free(shmf_mpi_new(MPI_COMM_WORLD, &options, &err)); /* what MPI keeps is there */
    descriptors_before = count_descriptors();
    mpi = shmf_mpi_new(MPI_COMM_WORLD, &options, &err);
    check(mpi);
    check_ok(shmf_mpi_place(mpi, -1, &place), "place");
    is_root = place.rank == 0;
    pool = new_pool();
    check(pool || place.node_rank);
}

static inline int end_ranks(void)
{
    shmf_pool_free(pool);
    shmf_mpi_free(mpi);
    shmf_memory_trim(0);
    MPI_Barrier(MPI_COMM_WORLD);
    shmf_loan_free(NULL); /* the root has freed what was lent to it */
    check(count_descriptors() <= descriptors_before);
    MPI_Finalize();
    if (is_root)
        printf("%d ranks on %d nodes: all is well\n", place.ranks, place.nodes);
    return 0;
}

#endif
