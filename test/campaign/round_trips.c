/* campaign_round_trips ROWS [SEED]: a column of every dtype, with nulls, goes out by each route and
 * comes back: bit for bit, or it is a finding. The suite runs few rows; 10 million take 10 GB. By
 * SQL where DuckDB is found (SHMFRAME_DUCKDB).
 *
 * CSV keeps the dtypes that text can say, and of a NaN that it is one; SQL those that it has. */
#include "unit/every_frame.h"

#include <shmframe/shmframe.h>

#include <fcntl.h>
#include <math.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct shmf_error err;
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
    if (shmf_arrow_export_stream(frame, &options, &stream, &err))
        return NULL;
    struct shmf_frame *back = shmf_arrow_import_stream(&stream, NULL, &err);
    stream.release(&stream);
    return back;
}

static struct shmf_frame *by_ipc(const struct shmf_frame *frame, enum shmf_ipc_format format)
{
    const struct shmf_ipc_options options = {
        .format = format, .row_labels = label_of(frame), .batch_rows = 65536};
    int fd = memfd_create("round_trips", MFD_CLOEXEC);
    struct shmf_frame *back = NULL;
    if (fd >= 0 && !shmf_ipc_write(frame, fd, &options, &err) && lseek(fd, 0, SEEK_SET) == 0)
        back = shmf_ipc_read(fd, NULL, &err);
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
    snprintf(name, 64, "round-trips-%ld", (long)getpid());
    return arrow ? shmf_ipc_publish(frame, name, &options, NULL, &err)
                 : shmf_frame_publish(frame, name, NULL, &err);
}

static struct shmf_frame *by_name(const struct shmf_frame *frame)
{
    char name[64];
    struct shmf_share *share = publish(frame, name, false);
    struct shmf_frame *back = share ? shmf_frame_attach(name, NULL, &err) : NULL;
    shmf_share_free(share);
    return back;
}

static struct shmf_frame *by_arrow_name(const struct shmf_frame *frame)
{
    char name[64];
    struct shmf_share *share = publish(frame, name, true);
    struct shmf_frame *back = share ? shmf_frame_attach(name, NULL, &err) : NULL;
    shmf_share_free(share);
    return back;
}

/* What a reader of Arrow sees there. */
static struct shmf_frame *by_arrow_name_as_file(const struct shmf_frame *frame)
{
    char name[64], path[128];
    struct shmf_share *share = publish(frame, name, true);
    snprintf(path, sizeof path, "/dev/shm/shmf.%s", name);
    struct shmf_frame *back = share ? shmf_ipc_load(path, NULL, &err) : NULL;
    shmf_share_free(share);
    return back;
}

static struct shmf_frame *by_csv(const struct shmf_frame *frame)
{
    char path[] = "/tmp/round-trips-XXXXXX";
    int64_t n = shmf_frame_columns(frame);
    struct shmf_column_spec *columns = calloc((size_t)n + 1, sizeof *columns);
    char(*labels)[32] = calloc((size_t)n + 1, sizeof *labels);
    struct shmf_frame *back = NULL;
    for (int64_t c = 0; c < n; c++) {
        struct shmf_type type;
        struct shmf_text label = shmf_frame_column_label(frame, c);
        shmf_frame_type(frame, c, &type);
        snprintf(labels[c], sizeof labels[c], "%.*s", (int)label.size, label.data);
        columns[c] = (struct shmf_column_spec){labels[c], type.dtype, 1};
    }
    int fd = mkstemp(path);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (out) {
        int rc = shmf_csv_write(frame, out, NULL, &err);
        if (fclose(out) == 0 && !rc)
            back = shmf_csv_read(
                path, &(struct shmf_csv_options){.columns = columns, .n_columns = n}, &err);
        unlink(path);
    }
    free(columns);
    free(labels);
    return back;
}

static struct shmf_frame *by_sql(const struct shmf_frame *frame)
{
    if (shmf_duckdb_add(duckdb, "t", frame, &err))
        return NULL;
    return shmf_duckdb_query(duckdb, "SELECT * FROM t", &err);
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

static const int said_in_text[] = {
    SHMF_BOOL,   SHMF_INT8,   SHMF_INT16,   SHMF_INT32,   SHMF_INT64, SHMF_UINT8,      SHMF_UINT16,
    SHMF_UINT32, SHMF_UINT64, SHMF_FLOAT32, SHMF_FLOAT64, SHMF_UTF8,  SHMF_LARGE_UTF8, SHMF_DATE32};
enum { N_SAID = sizeof said_in_text / sizeof said_in_text[0] };

static const struct route {
    const char *name;
    struct shmf_frame *(*go)(const struct shmf_frame *frame);
    bool some;    /* of the dtypes */
    bool any_nan; /* its bits may differ */
} routes[] = {{"arrow C data", by_c_data, false, false},
              {"arrow IPC file", by_file, false, false},
              {"arrow IPC stream", by_stream, false, false},
              {"name", by_name, false, false},
              {"name that is an arrow file", by_arrow_name, false, false},
              {"the same, read as arrow", by_arrow_name_as_file, false, false},
              {"csv", by_csv, true, true},
              {"sql", by_sql, true, false}};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int run(const struct route *route, const struct shmf_frame *all)
{
    int64_t positions[N_SAID];
    for (int i = 0; i < N_SAID; i++)
        positions[i] = said_in_text[i] - 1;
    struct shmf_frame *some = shmf_frame_select(all, positions, N_SAID, &err);
    const struct shmf_frame *frame = route->some ? some : all;
    double start = now();
    struct shmf_frame *back = some ? route->go(frame) : NULL;
    double seconds = now() - start;
    const char *what = "equal";
    if (!back)
        what = err.message;
    else if (shmf_frame_rows(back) != shmf_frame_rows(frame) ||
             shmf_frame_columns(back) != shmf_frame_columns(frame))
        what = "another shape";
    else if (!route->some && shmf_frame_equal(frame, back) != 1)
        what = "not equal";
    for (int64_t c = 0; back && c < shmf_frame_columns(frame); c++)
        if (strcmp(what, "equal") == 0 && !same_column(frame, back, c, route->any_nan))
            what = shmf_dtype_name((enum shmf_dtype)((route->some ? positions[c] : c) + 1));
    printf("  {\"route\": \"%s\", \"rows\": %lld, \"ms\": %.0f, \"result\": \"%s\"}\n", route->name,
           (long long)shmf_frame_rows(frame), seconds * 1e3, what);
    fflush(stdout);
    shmf_frame_free(back);
    shmf_frame_free(some);
    return strcmp(what, "equal") != 0;
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 10000000;
    int findings = 0;
    every_state = argc > 2 ? (uint64_t)atoll(argv[2]) : 7;
    every_sensible = true;
    const int64_t rows[] = {0, 1, n};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned nulls = 0; nulls < 4; nulls += 3) {
            struct shmf_frame *frame =
                every_frame(rows[i], nulls, i < 2 ? SHMF_ROWS_UTF8 : SHMF_ROWS_RANGE);
            for (size_t r = 0; r < sizeof routes / sizeof routes[0]; r++) {
                if (routes[r].go == by_sql && !duckdb)
                    duckdb = shmf_duckdb_open(NULL, &err);
                if (routes[r].go != by_sql || duckdb)
                    findings += run(&routes[r], frame);
            }
            shmf_frame_free(frame);
        }
    shmf_duckdb_free(duckdb);
    printf("{\"campaign\": \"round_trips\", \"findings\": %d, \"good\": %s}\n", findings,
           findings ? "false" : "true");
    return findings ? 1 : 0;
}
