/* Map-reduce: each node's pool folds a share of the elements, and what nodes come to goes up a
 * binary tree, in the order of the elements. */
#include "map.h"

#include <shmframe/reduce.h>

#include <stdlib.h>

struct share {
    int64_t begin, end;
};

/* In proportion to the workers that nodes have. */
static struct share share_of(const struct shmf_mpi *mpi, const int *workers, struct share all)
{
    int64_t before = 0, mine = 0, total = 0;
    for (int node = 0; node < mpi->place.nodes; node++) {
        int here = workers[mpi->leader[node]];
        before += node < mpi->place.node ? here : 0;
        mine += node == mpi->place.node ? here : 0;
        total += here;
    }
    __extension__ typedef __int128 wide;
    wide n = (wide)all.end - all.begin;
    return (struct share){all.begin + (int64_t)(n * before / total),
                          all.begin + (int64_t)(n * (before + mine) / total)};
}

static int fold_share(struct shmf_pool *pool, shmf_fold_fn fold, shmf_combine_fn combine,
                      const struct shmf_tasks *tasks, const struct shmf_reduce_options *options,
                      struct share share, void *accumulator, size_t size, struct shmf_error *err)
{
    struct shmf_reduce_options mine = *options;
    if (share.begin == share.end)
        return SHMF_OK;
    mine.begin = share.begin;
    mine.end = share.end;
    return shmf_pool_reduce(pool, fold, combine, tasks, &mine, accumulator, size, err);
}

/* ---- the tree ----------------------------------------------------------------------------------
 */

static int receive(const struct shmf_mpi *mpi, int from, char *bytes, uint64_t size,
                   struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (uint64_t at = 0; !rc && at < size;) {
        uint64_t piece = size - at < mpi->piece ? size - at : mpi->piece;
        MPI_Request request;
        rc = shmfi_mpi_done(MPI_Irecv(bytes + at, (int)piece, MPI_BYTE, from, SHMFI_MPI_TAG_BODY,
                                      mpi->all, &request),
                            "MPI_Irecv", err);
        if (!rc)
            rc = shmfi_mpi_wait(&request, "an accumulator", err);
        at += piece;
    }
    return rc;
}

/* The nodes' accumulators into that of node 0: each node takes those of the nodes behind it, until
 * it gives its own to one before it. */
static int combine_nodes(const struct shmf_mpi *mpi, shmf_combine_fn combine, void *context,
                         void *accumulator, void *other, size_t size, struct shmf_error *err)
{
    int node = mpi->place.node, rc = SHMF_OK;
    for (int step = 1; !rc && step < mpi->place.nodes; step *= 2) {
        if (node % (2 * step))
            return shmfi_mpi_send(mpi, accumulator, size, mpi->leader[node - step],
                                  SHMFI_MPI_TAG_BODY, mpi->all, err);
        if (node + step >= mpi->place.nodes)
            continue;
        rc = receive(mpi, mpi->leader[node + step], other, size, err);
        if (!rc)
            combine(accumulator, other, context);
    }
    return rc;
}

static int to_root(const struct shmf_mpi *mpi, int root, void *accumulator, size_t size,
                   struct shmf_error *err)
{
    int first = mpi->leader[0], mine = mpi->place.rank;
    if (first == root || (mine != first && mine != root))
        return SHMF_OK;
    if (mine == first)
        return shmfi_mpi_send(mpi, accumulator, size, root, SHMFI_MPI_TAG_BODY, mpi->all, err);
    return receive(mpi, first, accumulator, size, err);
}

/* ---- the call ----------------------------------------------------------------------------------
 */

static int check(const struct shmf_mpi *mpi, struct shmf_pool *pool, shmf_fold_fn fold,
                 shmf_combine_fn combine, const struct shmf_tasks *tasks,
                 const struct shmf_reduce_options *options, const void *accumulator, size_t size,
                 struct shmf_error *err)
{
    if (mpi->place.node_rank == 0 && !pool)
        return shmf_error_set(err, SHMF_E_INVAL, "pool: NULL, and this rank leads its node");
    if (!fold || !combine || !tasks || !accumulator || !size)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL",
                              !fold          ? "fold"
                              : !combine     ? "combine"
                              : !tasks       ? "tasks"
                              : !accumulator ? "accumulator"
                                             : "size");
    if (options->begin < 0 || options->end < options->begin || options->end > tasks->count)
        return shmf_error_set(
            err, SHMF_E_RANGE, "options.begin, end: [%lld, %lld) of %lld elements",
            (long long)options->begin, (long long)options->end, (long long)tasks->count);
    return SHMF_OK;
}

/* For the slowest node, before anybody waits inside MPI. */
static int meet(const struct shmf_mpi *mpi, struct shmf_error *err)
{
    MPI_Request request;
    int rc = shmfi_mpi_done(MPI_Ibarrier(mpi->all, &request), "MPI_Ibarrier", err);
    return rc ? rc : shmfi_mpi_wait(&request, "MPI_Ibarrier", err);
}

int shmf_mpi_reduce(struct shmf_mpi *mpi, int root, struct shmf_pool *pool, shmf_fold_fn fold,
                    shmf_combine_fn combine, const struct shmf_tasks *tasks,
                    const struct shmf_reduce_options *options, void *accumulator, size_t size,
                    struct shmf_error *err)
{
    static const struct shmf_reduce_options defaults;
    struct shmf_error why = {0}, moved = {0};
    if (!options)
        options = &defaults;
    if (!mpi)
        return shmf_error_set(err, SHMF_E_INVAL, "mpi: NULL");
    int rc = shmfi_mpi_check_rank(mpi, "root", root, err);
    if (rc)
        return rc;
    bool leads = mpi->place.node_rank == 0;
    rc = check(mpi, pool, fold, combine, tasks, options, accumulator, size, &why);
    int *workers = rc ? NULL : calloc((size_t)mpi->place.ranks, sizeof *workers);
    void *other = rc ? NULL : malloc(size);
    if (!rc && (!workers || !other))
        rc = shmfi_mpi_no_memory(&why);
    rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    int mine = leads && !rc ? shmf_pool_workers(pool) : 0;
    mine = leads && mine < 1 ? 1 : mine;
    if (!rc)
        rc = shmfi_mpi_done(MPI_Allgather(&mine, 1, MPI_INT, workers, 1, MPI_INT, mpi->all),
                            "MPI_Allgather", err);
    if (!rc) {
        int here = SHMF_OK, way = SHMF_OK;
        struct share all = {options->begin, options->end ? options->end : tasks->count};
        if (leads) {
            here = fold_share(pool, fold, combine, tasks, options, share_of(mpi, workers, all),
                              accumulator, size, &why);
            way = combine_nodes(mpi, combine, tasks->context, accumulator, other, size, &moved);
        }
        way = way ? way : to_root(mpi, root, accumulator, size, &moved);
        way = way ? way : meet(mpi, &moved);
        rc = shmfi_mpi_agree(mpi, mpi->all, here ? here : way, here ? &why : &moved, err);
    }
    free(workers);
    free(other);
    return rc;
}
