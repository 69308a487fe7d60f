/* The world's relief, tile by tile, by all nodes of a job: the root reads ETOPO5, each node gets it
 * once, the nodes' pools describe tiles of it, and the root writes what comes as netCDF.
 *
 *     mpirun -n 4 relief_nodes --output=relief.nc      one rank a node (batch_nodes.sh)
 *     relief_nodes --output=relief.nc                  this machine alone
 *
 * Without the file (Debian package ferret-datasets) a field is made. */
#include "common/etopo.h"

#include <shmframe/mpi.h>
#include <shmframe/netcdf.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TILES_NORTH = 18, TILES_EAST = 36, TILES = TILES_NORTH * TILES_EAST };

/* What a task finds; in the result's frame a column each. */
enum { MEAN, HIGHEST, LOWEST, ROUGHNESS, FIGURES };

/* ---- the task -------------------------------------------------------------------------------- */

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

/* ---- the root's part ------------------------------------------------------------------------- */

static struct shmf_frame *make_relief(int64_t rows, struct shmf_error *err)
{
    struct shmf_frame_spec spec = {.n_rows = rows, .n_columns = 2 * rows, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = shmf_frame_new(&spec, err);
    for (int64_t c = 0; frame && c < spec.n_columns; c++) {
        double *metres = shmf_frame_data_mut(frame, c);
        for (int64_t r = 0; r < rows; r++)
            metres[r] =
                4000 * sin((double)(r * 7) / (double)rows) * cos((double)(c * 11) / (double)rows);
    }
    if (frame && shmf_frame_finish(frame, err) == SHMF_OK)
        return frame;
    shmf_frame_free(frame);
    return NULL;
}

/* A row for each tile. */
static struct shmf_frame *new_table(struct shmf_error *err)
{
    static const struct shmf_column_spec columns[FIGURES] = {{"mean", SHMF_FLOAT64, 0},
                                                             {"highest", SHMF_FLOAT64, 0},
                                                             {"lowest", SHMF_FLOAT64, 0},
                                                             {"roughness", SHMF_FLOAT64, 0}};
    static const struct shmf_pair units = {{"units", 5}, {"metres", 6}};
    struct shmf_frame_spec spec = {.n_rows = TILES,
                                   .n_columns = FIGURES,
                                   .columns = columns,
                                   .metadata = &units,
                                   .n_metadata = 1};
    return shmf_frame_new(&spec, err);
}

static int write_table(struct shmf_frame *table, const char *path, struct shmf_error *err)
{
    const char *const dimension = "tile";
    struct shmf_netcdf_write_options options = {.dimensions = &dimension};
    int rc = shmf_frame_finish(table, err);
    if (!rc)
        rc = shmf_netcdf_write_frame(table, path, &options, err);
    if (!rc)
        rc = shmf_frame_print(table, stdout, &(struct shmf_print_options){.max_rows = 6});
    return rc;
}

/* ---- all ranks ------------------------------------------------------------------------------- */

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
        if (result->failure) {
            shmf_failure_print(result->failure, stderr);
            failed = result->status;
        }
        for (int c = 0; !result->failure && c < FIGURES; c++)
            ((double *)shmf_frame_data_mut(table, c))[result->index] = figures[c];
        shmf_mpi_result_free(result);
    }
    shmf_mpi_iter_free(iter);
    return rc ? rc : failed;
}

static int run(struct shmf_mpi *mpi, const char *output, int64_t rows, struct shmf_error *err)
{
    struct shmf_mpi_place here;
    struct shmf_pool_options options = {.start = SHMF_START_EARLY};
    struct shmf_frame *relief = NULL, *table = NULL;
    shmf_mpi_place(mpi, -1, &here);
    if (here.rank == 0 && !access(ETOPO_FILE, R_OK))
        relief = etopo_read(ETOPO_FILE, rows);
    else if (here.rank == 0)
        relief = make_relief(rows, err);
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
    const char *output = "relief.nc";
    int64_t rows = 2161;
    int rc = shmf_mpi_init(&argc, &argv, MPI_THREAD_FUNNELED, NULL, NULL, &err);
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], "--output=", 9))
            output = argv[i] + 9;
        else if (!strncmp(argv[i], "--rows=", 7))
            rows = atoll(argv[i] + 7);
    struct shmf_mpi *mpi = rc ? NULL : shmf_mpi_new(MPI_COMM_WORLD, NULL, &err);
    if (!rc)
        rc = mpi ? run(mpi, output, rows, &err) : err.code;
    if (rc)
        fprintf(stderr, "relief_nodes: %s\n", err.message);
    shmf_mpi_free(mpi);
    MPI_Finalize();
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
