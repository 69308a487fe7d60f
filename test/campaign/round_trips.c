/* campaign_round_trips ROWS [SEED]: a column of every dtype, without nulls and with, goes out by
 * each route and comes back: bit for bit, or it is a finding; of no rows, of one, and of ROWS. The
 * suite runs few; 10 million take 10 GB. By SQL where DuckDB is found (SHMFRAME_DUCKDB), by netCDF
 * and HDF5 where these are built, by Python where numpy is.
 *
 * A route is given the dtypes that it can hold. CSV keeps of a NaN that it is one, and .npy has no
 * nulls: they are taken from the frame that went out. */
#include "campaign/round_trips.h"
#include "unit/every_frame.h"

#include <shmframe/shmframe.h>

#include <math.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct shmf_error why;
static struct shmf_duckdb *duckdb;

/* Labels go along where a route has a place for them. */
static const char *label_of(const struct shmf_frame *frame)
{
    return shmf_frame_row_labels(frame) == SHMF_ROWS_RANGE ? NULL : "row";
}

static struct shmf_frame *by_c_data(const struct shmf_frame *frame)
{
    const struct shmf_arrow_export_options options = {.row_labels = label_of(frame),
                                                      .batch_rows = 65536};
    struct ArrowArrayStream stream;
    if (shmf_arrow_export_stream(frame, &options, &stream, &why))
        return NULL;
    struct shmf_frame *back = shmf_arrow_import_stream(&stream, NULL, &why);
    stream.release(&stream);
    return back;
}

static struct shmf_frame *by_ipc(const struct shmf_frame *frame, enum shmf_ipc_format format)
{
    const struct shmf_ipc_options options = {
        .format = format, .row_labels = label_of(frame), .batch_rows = 65536};
    int fd = memfd_create("round_trips", MFD_CLOEXEC);
    struct shmf_frame *back = NULL;
    if (fd >= 0 && !shmf_ipc_write(frame, fd, &options, &why) && lseek(fd, 0, SEEK_SET) == 0)
        back = shmf_ipc_read(fd, NULL, &why);
    close(fd);
    return back;
}

static struct shmf_frame *by_file(const struct shmf_frame *frame)
{
    return by_ipc(frame, SHMF_IPC_FILE);
}

static struct shmf_frame *by_stream(const struct shmf_frame *frame)
{
    return by_ipc(frame, SHMF_IPC_STREAM);
}

static struct shmf_share *publish(const struct shmf_frame *frame, char *name, bool arrow)
{
    const struct shmf_ipc_options options = {.row_labels = label_of(frame)};
    snprintf(name, 64, "%s", own_name());
    return arrow ? shmf_ipc_publish(frame, name, &options, NULL, &why)
                 : shmf_frame_publish(frame, name, NULL, &why);
}

static struct shmf_frame *by_name(const struct shmf_frame *frame)
{
    char name[64];
    struct shmf_share *share = publish(frame, name, false);
    struct shmf_frame *back = share ? shmf_frame_attach(name, NULL, &why) : NULL;
    shmf_share_free(share);
    return back;
}

static struct shmf_frame *by_arrow_name(const struct shmf_frame *frame)
{
    char name[64];
    struct shmf_share *share = publish(frame, name, true);
    struct shmf_frame *back = share ? shmf_frame_attach(name, NULL, &why) : NULL;
    shmf_share_free(share);
    return back;
}

/* What a reader of Arrow sees there. */
static struct shmf_frame *by_arrow_name_as_file(const struct shmf_frame *frame)
{
    char name[64], path[128];
    struct shmf_share *share = publish(frame, name, true);
    snprintf(path, sizeof path, "/dev/shm/shmf.%s", name);
    struct shmf_frame *back = share ? shmf_ipc_load(path, NULL, &why) : NULL;
    shmf_share_free(share);
    return back;
}

static struct shmf_frame *by_sql(const struct shmf_frame *frame)
{
    if (shmf_duckdb_add(duckdb, "t", frame, &why))
        return NULL;
    return shmf_duckdb_query(duckdb, "SELECT * FROM t", &why);
}

/* ---- comparing ----------------------------------------------------------------------------- */

static bool is_nan(enum shmf_dtype dtype, const char *at)
{
    float narrow = 0;
    double wide = 0;
    memcpy(&narrow, at, dtype == SHMF_FLOAT32 ? sizeof narrow : 0);
    memcpy(&wide, at, dtype == SHMF_FLOAT64 ? sizeof wide : 0);
    return isnan(narrow) || isnan(wide);
}

/* Text by text where there are offsets, elements by their bytes; nulls as nulls. */
static bool same_column(const struct shmf_frame *a, const struct shmf_frame *b, int64_t c,
                        bool any_nan)
{
    struct shmf_column p, q;
    struct shmf_type type;
    if (shmf_frame_column(a, c, &p) || shmf_frame_column(b, c, &q) ||
        shmf_frame_type(a, c, &type) || p.null_count != q.null_count)
        return false;
    size_t width = type.dtype == SHMF_FIXED_BINARY ? type.width
                   : type.dtype == SHMF_BOOL       ? 0
                                                   : shmf_dtype_size(type.dtype);
    bool bits = p.dtype == q.dtype && width > 0 && !p.offsets;
    for (int64_t r = 0; r < shmf_frame_rows(a); r++) {
        int64_t x = 0, y = 0;
        if (shmf_frame_is_null(a, r, c) != shmf_frame_is_null(b, r, c))
            return false;
        if (shmf_frame_is_null(a, r, c))
            continue;
        const char *at_a = (const char *)p.data + (size_t)r * width;
        const char *at_b = (const char *)q.data + (size_t)r * width;
        if (bits && memcmp(at_a, at_b, width) != 0 &&
            !(any_nan && is_nan(type.dtype, at_a) && is_nan(type.dtype, at_b)))
            return false;
        if (bits)
            continue;
        if (type.dtype == SHMF_BOOL) {
            if (shmf_frame_cell_int64(a, r, c, &x) || shmf_frame_cell_int64(b, r, c, &y) || x != y)
                return false;
            continue;
        }
        struct shmf_text s = shmf_frame_text(a, r, c), t = shmf_frame_text(b, r, c);
        if (s.size != t.size || (s.size > 0 && memcmp(s.data, t.data, (size_t)s.size) != 0))
            return false;
    }
    return true;
}

/* ---- routes -------------------------------------------------------------------------------- */

static bool in_sql(enum shmf_dtype dtype, bool nulls, int64_t rows)
{
    return dtype != SHMF_TIMESTAMP && in_csv(dtype, nulls, rows);
}

static const struct route {
    const char *name;
    struct shmf_frame *(*go)(const struct shmf_frame *frame);
    holds_fn holds; /* NULL: all dtypes, and row labels */
    bool any_nan;   /* its bits may differ */
} routes[] = {{"arrow C data", by_c_data, NULL, false},
              {"arrow IPC file", by_file, NULL, false},
              {"arrow IPC stream", by_stream, NULL, false},
              {"name", by_name, NULL, false},
              {"name that is an arrow file", by_arrow_name, NULL, false},
              {"the same, read as arrow", by_arrow_name_as_file, NULL, false},
              {"csv", by_csv, in_csv, true},
              {"npy", by_npy, in_numpy, false},
              {"npz", by_npz, in_numpy, false},
#ifdef WITH_NETCDF
              {"netCDF", by_netcdf, in_netcdf, false},
#endif
#ifdef WITH_HDF5
              {"HDF5", by_hdf5, in_hdf5, false},
#endif
#ifdef PYTHON_ROUTE
              {"python", by_python, in_python, false},
#endif
              {"sql", by_sql, in_sql, false}};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int run(const struct route *route, const struct shmf_frame *all, bool nulls)
{
    int64_t positions[EVERY_N], n = 0;
    for (int c = 0; c < EVERY_N; c++)
        if (!route->holds || route->holds((enum shmf_dtype)(c + 1), nulls, shmf_frame_rows(all)))
            positions[n++] = c;
    struct shmf_frame *some = shmf_frame_select(all, positions, n, &why);
    const struct shmf_frame *frame = route->holds ? some : all;
    double start = now();
    struct shmf_frame *back = some ? route->go(frame) : NULL;
    double seconds = now() - start;
    const char *what = "equal";
    if (!back)
        what = why.message;
    else if (shmf_frame_rows(back) != shmf_frame_rows(frame) || shmf_frame_columns(back) != n)
        what = "another shape";
    else if (!route->holds && shmf_frame_equal(frame, back) != 1)
        what = "not equal";
    for (int64_t c = 0; back && c < n; c++)
        if (strcmp(what, "equal") == 0 && !same_column(frame, back, c, route->any_nan))
            what = shmf_dtype_name((enum shmf_dtype)(positions[c] + 1));
    const bool good = strcmp(what, "equal") == 0;
    printf("{\"campaign\": \"round_trips\", \"route\": \"%s\", \"frame\": \"%lld rows, %lld "
           "columns%s\", \"values\": %lld, \"ms\": \"%.0f\", \"result\": \"%s\", \"good\": %s}\n",
           route->name, (long long)shmf_frame_rows(frame), (long long)n,
           nulls ? ", with nulls" : "", (long long)(n * shmf_frame_rows(frame)), seconds * 1e3,
           what, good ? "true" : "false");
    fflush(stdout);
    shmf_frame_free(back);
    shmf_frame_free(some);
    return !good;
}

char own_folder[] = "/tmp/round-trips-XXXXXX";

const char *own_name(void)
{
    return strrchr(own_folder, '/') + 1;
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 10000000;
    int findings = 0;
    every_state = argc > 2 ? (uint64_t)atoll(argv[2]) : 7;
    every_sensible = true;
    if (!mkdtemp(own_folder)) {
        perror(own_folder);
        return 1;
    }
    const int64_t rows[] = {0, 1, n};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned nulls = 0; nulls < 4; nulls += 3) {
            struct shmf_frame *frame =
                every_frame(rows[i], nulls, i < 2 ? SHMF_ROWS_UTF8 : SHMF_ROWS_RANGE);
            for (size_t r = 0; r < sizeof routes / sizeof routes[0]; r++) {
                if (routes[r].go == by_sql && !duckdb)
                    duckdb = shmf_duckdb_open(NULL, &why);
                if (routes[r].go != by_sql || duckdb)
                    findings += run(&routes[r], frame, nulls > 0);
            }
            shmf_frame_free(frame);
        }
    shmf_duckdb_free(duckdb);
    findings += rmdir(own_folder) != 0;
    return findings ? 1 : 0;
}
