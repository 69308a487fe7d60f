/* The world's relief, tile by tile, by all nodes of a job: the root reads ETOPO5, each node gets it
 * once, the nodes' pools describe tiles of it, and the root writes what comes as netCDF.
 *
 *     mpirun -n 4 relief_nodes relief.nc      one rank a node (batch_nodes.sh)
 *     relief_nodes relief.nc                  this machine alone
 *
 * prints
 *
 *              mean  highest   lowest  roughness
 *           float64  float64  float64    float64
 *     0     2767.62   3261.0      0.0    52.7115
 *     1     2952.74   3444.0      0.0    60.7161
 *     2     3055.56   3596.0      0.0    64.7271
 *     ...       ...      ...      ...        ...
 *     645  -1855.07   1402.0  -4290.0    70.5011
 *     646  -2631.17   1067.0  -4316.0    87.0735
 *     647  -3496.88     -2.0  -4445.0    52.6506
 *
 *     [648 rows x 4 columns]
 */
#include "common/etopo.h"

#include <shmframe/mpi.h>
#include <shmframe/netcdf.h>

#include <math.h>
#include <stdio.h>

enum { TILES_NORTH = 18, TILES_EAST = 36, TILES = TILES_NORTH * TILES_EAST };

/* What a task finds; in the result's frame a column each. */
enum { MEAN, HIGHEST, LOWEST, ROUGHNESS, FIGURES };

/* One tile: mean, extremes, and the mean step from a point to its northern neighbour. */
static int describe_tile(struct shmf_task *task, void *context)
{
    struct shmf_matrix relief;
    const struct shmf_frame *frame = shmf_task_frame(task, 0); /* the node's copy, shared */
    (void)context;
    if (!frame)
        return -1;
    if (shmf_frame_matrix(frame, &relief))
        return shmf_task_fail(task, SHMF_E_DTYPE, "the relief is no matrix");
    int64_t north = shmf_task_index(task) / TILES_EAST, east = shmf_task_index(task) % TILES_EAST;
    int64_t row = north * relief.n_rows / TILES_NORTH;
    int64_t end_row = (north + 1) * relief.n_rows / TILES_NORTH;
    int64_t column = east * relief.n_columns / TILES_EAST;
    int64_t end_column = (east + 1) * relief.n_columns / TILES_EAST;
    double figures[FIGURES] = {0, -INFINITY, INFINITY, 0};
    for (int64_t c = column; c < end_column; c++) {
        const double *metres = (const double *)relief.data + c * relief.leading_dimension;
        for (int64_t r = row; r < end_row; r++) {
            figures[MEAN] += metres[r];
            figures[HIGHEST] = fmax(figures[HIGHEST], metres[r]);
            figures[LOWEST] = fmin(figures[LOWEST], metres[r]);
            figures[ROUGHNESS] += r > row ? fabs(metres[r] - metres[r - 1]) : 0;
        }
    }
    double points = (double)((end_row - row) * (end_column - column));
    figures[MEAN] /= points;
    figures[ROUGHNESS] /= points;
    return shmf_task_return_bytes(task, figures, sizeof figures);
}

/* A row for each tile. */
static struct shmf_frame *new_table(struct shmf_error *err)
{
    static const struct shmf_column_spec columns[FIGURES] = {{"mean", SHMF_FLOAT64, 0},
                                                             {"highest", SHMF_FLOAT64, 0},
                                                             {"lowest", SHMF_FLOAT64, 0},
                                                             {"roughness", SHMF_FLOAT64, 0}};
    struct shmf_frame_spec spec = {.n_rows = TILES, .n_columns = FIGURES, .columns = columns};
    return shmf_frame_new(&spec, err);
}

static int write_table(struct shmf_frame *table, const char *path, struct shmf_error *err)
{
    int rc = shmf_frame_finish(table, err);
    if (!rc)
        rc = shmf_netcdf_write_frame(table, path, NULL, err);
    if (!rc)
        rc = shmf_frame_print(table, stdout, &(struct shmf_print_options){.max_rows = 6});
    return rc;
}

/* Results come to the root alone; elsewhere the loop's body never runs. */
static int map_tiles(struct shmf_mpi *mpi, struct shmf_pool *pool, const struct shmf_frame *relief,
                     struct shmf_frame *table, struct shmf_error *err)
{
    struct shmf_handle handle = shmf_frame_handle(relief);
    struct shmf_tasks tasks = {.count = TILES, .handles = &handle, .n_handles = 1};
    struct shmf_mpi_imap_options options = {.imap = {.attempts = 3, .progress = "tiles"}};
    struct shmf_mpi_result *result;
    int rc, failed = 0;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, describe_tile, &tasks, &options, err);
    if (!iter)
        return err->code;
    while ((rc = shmf_mpi_iter_next(iter, &result, err)) == 1) {
        const double *figures = result->bytes;
        if (result->failure)
            failed = shmf_error_set(err, result->status, "%s", result->failure->message);
        for (int c = 0; !result->failure && c < FIGURES; c++)
            ((double *)shmf_frame_data_mut(table, c))[result->index] = figures[c];
        shmf_mpi_result_free(result);
    }
    shmf_mpi_iter_free(iter);
    return rc ? rc : failed;
}

static int run(struct shmf_mpi *mpi, const char *output, struct shmf_error *err)
{
    struct shmf_mpi_place here;
    struct shmf_pool_options options = {.start = SHMF_START_EARLY};
    struct shmf_frame *relief = NULL, *table = NULL;
    shmf_mpi_place(mpi, -1, &here);
    if (here.rank == 0)
        relief = etopo_read(ETOPO_FILE, 2161);
    if (relief && !(table = new_table(err))) { /* without a frame the broadcast fails for all */
        shmf_frame_free(relief);
        relief = NULL;
    }
    int rc = shmf_mpi_bcast(mpi, 0, &relief, err); /* once a node */
    struct shmf_pool *pool = rc || here.node_rank ? NULL : shmf_pool_new(&options, err);
    if (!rc)
        rc =
            map_tiles(mpi, pool, relief, table, err); /* a leader without a pool fails it for all */
    if (!rc && here.rank == 0)
        rc = write_table(table, output, err);
    shmf_pool_free(pool);
    shmf_frame_free(relief);
    shmf_frame_free(table);
    return rc;
}

int main(int argc, char **argv)
{
    struct shmf_error err = {0};
    int rc = shmf_mpi_init(&argc, &argv, MPI_THREAD_FUNNELED, NULL, NULL, &err);
    struct shmf_mpi *mpi = rc ? NULL : shmf_mpi_new(MPI_COMM_WORLD, NULL, &err);
    if (!rc)
        rc = mpi ? run(mpi, argc > 1 ? argv[1] : "relief.nc", &err) : err.code;
    if (rc)
        fprintf(stderr, "relief_nodes: %s\n", err.message);
    shmf_mpi_free(mpi);
    MPI_Finalize();
    return rc != 0;
}
