/* The routes of round_trips.c that lead through files and other programs. */
#include "campaign/round_trips.h"

#include <shmframe/csv.h>
#include <shmframe/npy.h>
#ifdef WITH_NETCDF
#include <shmframe/netcdf.h>
#endif
#ifdef WITH_HDF5
#include <shmframe/hdf5.h>
#endif

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_path(char path[64], const char *suffix)
{
    snprintf(path, 64, "%s/frame.%s", own_folder, suffix);
}

static bool is_number(enum shmf_dtype dtype)
{
    return dtype >= SHMF_INT8 && dtype <= SHMF_COMPLEX128;
}

/* ---- what a frame's columns are ------------------------------------------------------------- */

struct shape {
    struct shmf_column_spec *columns;
    struct shmf_column_details *details;
    char (*labels)[32];
};

static void shape_free(struct shape *shape)
{
    free(shape->columns);
    free(shape->details);
    free(shape->labels);
}

static bool shape_of(const struct shmf_frame *frame, struct shape *shape)
{
    const size_t n = (size_t)shmf_frame_columns(frame);
    *shape =
        (struct shape){calloc(n + 1, sizeof *shape->columns), calloc(n + 1, sizeof *shape->details),
                       calloc(n + 1, sizeof *shape->labels)};
    if (!shape->columns || !shape->details || !shape->labels) {
        shape_free(shape);
        return false;
    }
    for (size_t c = 0; c < n; c++) {
        struct shmf_column column;
        struct shmf_text label = shmf_frame_column_label(frame, (int64_t)c);
        shmf_frame_column(frame, (int64_t)c, &column);
        shmf_frame_type(frame, (int64_t)c, &shape->details[c].type);
        snprintf(shape->labels[c], sizeof shape->labels[c], "%.*s", (int)label.size, label.data);
        shape->details[c].data_size = column.offsets ? column.data_size : 0;
        shape->columns[c] =
            (struct shmf_column_spec){shape->labels[c], column.dtype, column.validity != NULL};
    }
    return true;
}

/* ---- comma-separated values ----------------------------------------------------------------- */

bool in_csv(enum shmf_dtype dtype, bool nulls, int64_t rows)
{
    (void)nulls, (void)rows;
    return (dtype >= SHMF_BOOL && dtype <= SHMF_UINT64) || dtype == SHMF_FLOAT32 ||
           dtype == SHMF_FLOAT64 || dtype == SHMF_UTF8 || dtype == SHMF_LARGE_UTF8 ||
           dtype == SHMF_DATE32 || dtype == SHMF_TIMESTAMP;
}

struct shmf_frame *by_csv(const struct shmf_frame *frame)
{
    char path[64];
    struct shape shape;
    struct shmf_frame *back = NULL;
    make_path(path, "csv");
    FILE *out = fopen(path, "w");
    if (out && shape_of(frame, &shape)) {
        const struct shmf_csv_options options = {.columns = shape.columns,
                                                 .details = shape.details,
                                                 .n_columns = shmf_frame_columns(frame)};
        int rc = shmf_csv_write(frame, out, NULL, &why);
        if (fclose(out) == 0 && !rc)
            back = shmf_csv_read(path, &options, &why);
        shape_free(&shape);
    }
    unlink(path);
    return back;
}

/* ---- NumPy: an array a column ---------------------------------------------------------------- */

bool in_numpy(enum shmf_dtype dtype, bool nulls, int64_t rows)
{
    (void)nulls, (void)rows;
    return is_number(dtype);
}

static struct shmf_array *array_of(const struct shmf_frame *frame, int64_t c)
{
    struct shmf_column column;
    shmf_frame_column(frame, c, &column);
    struct shmf_array *array = shmf_array_new(column.dtype, 1, &column.n_rows, &why);
    if (array && column.n_rows)
        memcpy(shmf_array_data_mut(array), column.data,
               (size_t)column.n_rows * shmf_dtype_size(column.dtype));
    return array;
}

/* The array that came back as column `c`, with the nulls of the one that went out. */
static bool put(struct shmf_frame *back, int64_t c, const struct shmf_frame *frame,
                const struct shmf_array *array)
{
    struct shmf_column column;
    shmf_frame_column(frame, c, &column);
    if (!array || shmf_array_dtype(array) != column.dtype || shmf_array_ndim(array) != 1 ||
        shmf_array_shape(array)[0] != column.n_rows)
        return false;
    if (column.n_rows)
        memcpy(shmf_frame_data_mut(back, c), shmf_array_data(array),
               (size_t)column.n_rows * shmf_dtype_size(column.dtype));
    for (int64_t r = 0; column.validity && r < column.n_rows; r++)
        if (shmf_frame_is_null(frame, r, c))
            shmf_frame_validity_mut(back, c)[r / 8] &= (uint8_t) ~(1u << r % 8);
    return true;
}

static struct shmf_frame *new_like(const struct shmf_frame *frame)
{
    struct shape shape;
    struct shmf_frame *back = NULL;
    if (shape_of(frame, &shape)) {
        const struct shmf_frame_spec spec = {.n_rows = shmf_frame_rows(frame),
                                             .n_columns = shmf_frame_columns(frame),
                                             .columns = shape.columns,
                                             .details = shape.details};
        back = shmf_frame_new(&spec, &why);
        shape_free(&shape);
    }
    return back;
}

static struct shmf_frame *finish(struct shmf_frame *back, bool good)
{
    if (back && (!good || shmf_frame_finish(back, &why))) {
        shmf_frame_free(back);
        back = NULL;
    }
    return back;
}

struct shmf_frame *by_npy(const struct shmf_frame *frame)
{
    char path[64];
    make_path(path, "npy");
    struct shmf_frame *back = new_like(frame);
    bool good = back != NULL;
    for (int64_t c = 0; good && c < shmf_frame_columns(frame); c++) {
        struct shmf_array *out = array_of(frame, c);
        good = out && shmf_npy_save(out, path, &why) == SHMF_OK;
        shmf_array_free(out);
        struct shmf_array *in = good ? shmf_npy_load(path, &why) : NULL;
        good = good && put(back, c, frame, in);
        shmf_array_free(in);
    }
    unlink(path);
    return finish(back, good);
}

struct shmf_frame *by_npz(const struct shmf_frame *frame)
{
    enum { MOST = 32 };
    char path[64];
    struct shape shape;
    const struct shmf_array *out[MOST] = {NULL};
    const char *names[MOST];
    const int64_t n = shmf_frame_columns(frame);
    struct shmf_frame *back = n <= MOST ? new_like(frame) : NULL;
    if (!back || !shape_of(frame, &shape))
        return finish(back, false);
    make_path(path, "npz");
    bool good = true;
    for (int64_t c = 0; c < n; c++) {
        names[c] = shape.labels[c];
        good = (out[c] = array_of(frame, c)) && good;
    }
    good = good && shmf_npz_save(out, names, (size_t)n, path, &why) == SHMF_OK;
    for (int64_t c = 0; c < n; c++)
        shmf_array_free((struct shmf_array *)(uintptr_t)out[c]);
    for (int64_t c = 0; good && c < n; c++) {
        struct shmf_array *in = shmf_npz_load(path, names[c], &why);
        good = put(back, c, frame, in);
        shmf_array_free(in);
    }
    shape_free(&shape);
    unlink(path);
    return finish(back, good);
}

/* ---- netCDF and HDF5 ------------------------------------------------------------------------- */

#if defined(WITH_NETCDF) || defined(WITH_HDF5)
static void copy_bytes(void *to, const void *from, int64_t size)
{
    if (size > 0)
        memcpy(to, from, (size_t)size);
}

/* Without row labels and metadata: a pair of empty texts among it is nothing that these could
 * write. */
static struct shmf_frame *only_columns(const struct shmf_frame *frame)
{
    struct shmf_frame *plain = new_like(frame);
    for (int64_t c = 0; plain && c < shmf_frame_columns(frame); c++) {
        struct shmf_column column;
        shmf_frame_column(frame, c, &column);
        const int64_t n = column.n_rows;
        const int64_t width = (int64_t)shmf_dtype_size(column.dtype);
        if (column.validity)
            copy_bytes(shmf_frame_validity_mut(plain, c), column.validity, (n + 7) / 8);
        if (column.offsets)
            copy_bytes(shmf_frame_offsets_mut(plain, c), column.offsets,
                       (n + 1) * (column.dtype == SHMF_LARGE_UTF8 ? 8 : 4));
        copy_bytes(shmf_frame_data_mut(plain, c), column.data,
                   column.offsets              ? column.data_size
                   : column.dtype == SHMF_BOOL ? (n + 7) / 8
                                               : n * width);
    }
    return finish(plain, true);
}
#endif

#ifdef WITH_NETCDF
/* A null is a value that the column has not: of narrow integers many rows have all. */
bool in_netcdf(enum shmf_dtype dtype, bool nulls, int64_t rows)
{
    const bool one = dtype == SHMF_INT8 || dtype == SHMF_UINT8;
    const bool two = dtype == SHMF_INT16 || dtype == SHMF_UINT16;
    if (nulls && ((one && rows > 200) || (two && rows > 60000)))
        return false;
    return dtype != SHMF_BINARY && dtype != SHMF_FIXED_BINARY && dtype != SHMF_DICTIONARY &&
           dtype != SHMF_DECIMAL128 && dtype != SHMF_FLOAT16 && dtype != SHMF_COMPLEX64 &&
           dtype != SHMF_COMPLEX128;
}

struct shmf_frame *by_netcdf(const struct shmf_frame *frame)
{
    char path[64];
    make_path(path, "nc");
    struct shmf_frame *plain = only_columns(frame), *back = NULL;
    if (plain && !shmf_netcdf_write_frame(plain, path, NULL, &why))
        back = shmf_netcdf_frame(path, NULL, 0, NULL, &why);
    shmf_frame_free(plain);
    unlink(path);
    return back;
}
#endif

#ifdef WITH_HDF5
bool in_hdf5(enum shmf_dtype dtype, bool nulls, int64_t rows)
{
    (void)nulls, (void)rows;
    return dtype != SHMF_BINARY && dtype != SHMF_FIXED_BINARY && dtype != SHMF_DICTIONARY &&
           dtype != SHMF_DECIMAL128;
}

struct shmf_frame *by_hdf5(const struct shmf_frame *frame)
{
    char path[64];
    make_path(path, "h5");
    struct shmf_frame *plain = only_columns(frame), *back = NULL;
    if (plain && !shmf_hdf5_write_frame(plain, path, "/", NULL, &why))
        back = shmf_hdf5_frame(path, "/", &why);
    shmf_frame_free(plain);
    unlink(path);
    return back;
}
#endif

/* ---- Python: attaches, and publishes what it sees ----------------------------------------------
 */

#ifdef PYTHON_ROUTE
bool in_python(enum shmf_dtype dtype, bool nulls, int64_t rows)
{
    (void)nulls, (void)rows;
    return dtype == SHMF_BOOL || is_number(dtype) || dtype == SHMF_UTF8 || dtype == SHMF_DATE32;
}

struct shmf_frame *by_python(const struct shmf_frame *frame)
{
    char name[64], again[80], command[1024];
    snprintf(name, sizeof name, "%s", own_name());
    snprintf(again, sizeof again, "%s-again", name);
    struct shmf_share *share = shmf_frame_publish(frame, name, NULL, &why);
    if (!share)
        return NULL;
    snprintf(command, sizeof command, PYTHON_ROUTE " %s %s", name, again);
    const int status = system(command);
    shmf_share_free(share);
    if (status != 0) {
        shmf_error_set(&why, SHMF_E_SYS, "python: status %d", status);
        return NULL;
    }
    struct shmf_frame *back = shmf_frame_attach(again, NULL, &why);
    shmf_name_unlink(again, NULL);
    return back;
}
#endif
