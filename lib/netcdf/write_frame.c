/* Frames as variables along one dimension. */
#include "write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 }; /* texts that are handed over together */

struct output_column {
    struct shmf_column values;
    struct shmf_type type;
    char *name;
    int id;
    nc_type nc;
    size_t width;       /* of characters */
    const char *absent; /* strings: what stands for nulls */
    unsigned char fill[8];
};

struct job {
    struct shmfi_nc_output output;
    const struct shmf_frame *frame;
    int row; /* dimension */
    struct output_column *columns;
    int64_t n;        /* columns of the frame, */
    int64_t labels;   /* and one more for row labels: its place, or -1 */
    int64_t *numbers; /* row labels, where they are a range */
};

static bool is_text(const struct output_column *column)
{
    return column->type.dtype == SHMF_UTF8 || column->type.dtype == SHMF_LARGE_UTF8;
}

static bool is_null(const struct output_column *column, int64_t row)
{
    const uint8_t *validity = column->values.validity;
    row += column->values.bit_offset;
    return validity && !(validity[row / 8] >> row % 8 & 1);
}

static struct shmf_text text_at(const struct output_column *column, int64_t row)
{
    const struct shmf_column *values = &column->values;
    const int64_t *wide = values->offsets;
    const int32_t *narrow = values->offsets;
    const int64_t begin = column->type.dtype == SHMF_LARGE_UTF8 ? wide[row] : narrow[row];
    const int64_t end = column->type.dtype == SHMF_LARGE_UTF8 ? wide[row + 1] : narrow[row + 1];
    return (struct shmf_text){(const char *)values->data + begin, end - begin};
}

/* ---- what the columns are ------------------------------------------------------------------- */

static int refuse(const struct job *job, const struct output_column *column, int code,
                  const char *why)
{
    return shmf_error_set(job->output.nc.err, code, "%.110s: column %.60s: %s", job->output.nc.path,
                          column->name, why);
}

/* The longest, and what none is: for nulls. */
static int measure_texts(struct job *job, struct output_column *column)
{
    static const char *const absents[] = {"", "NA", "null", "None", "\x01"};
    bool taken[sizeof absents / sizeof absents[0]] = {false};
    for (int64_t r = 0; r < column->values.n_rows; r++) {
        if (is_null(column, r))
            continue;
        const struct shmf_text text = text_at(column, r);
        if (text.size > 0 && memchr(text.data, 0, (size_t)text.size))
            return refuse(job, column, SHMF_E_INVAL, "a text with a NUL byte");
        if (text.size > (int64_t)column->width)
            column->width = (size_t)text.size;
        for (size_t i = 0; column->values.null_count && i < sizeof absents / sizeof absents[0]; i++)
            taken[i] |= (size_t)text.size == strlen(absents[i]) &&
                        memcmp(text.data, absents[i], (size_t)text.size) == 0;
    }
    for (size_t i = 0; column->values.null_count && i < sizeof absents / sizeof absents[0]; i++)
        if (!taken[i] && !column->absent)
            column->absent = absents[i];
    if (column->values.null_count && !column->absent)
        return refuse(job, column, SHMF_E_DTYPE, "no text is left that could stand for nulls");
    return SHMF_OK;
}

static int prepare(struct job *job, struct output_column *column)
{
    const enum shmf_dtype dtype = column->type.dtype;
    if (!is_text(column)) {
        column->nc = shmfi_nc_type(&job->output, dtype);
        return column->nc ? SHMF_OK
                          : refuse(job, column, SHMF_E_DTYPE, "the format has no such dtype");
    }
    int rc = measure_texts(job, column);
    column->nc = job->output.classic ? NC_CHAR : NC_STRING;
    if (!rc && job->output.classic && column->values.null_count)
        rc = refuse(job, column, SHMF_E_DTYPE, "classic files have no text that is null");
    return rc;
}

/* ---- definitions -------------------------------------------------------------------------- */

static int note_type(const struct job *job, const struct output_column *column)
{
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    const enum shmf_dtype dtype = column->type.dtype;
    if (dtype != SHMF_BOOL && dtype < SHMF_DATE32)
        return NC_NOERR;
    const char *name = shmf_dtype_name(dtype), *unit = units[column->type.unit];
    int rc = nc_put_att_text(job->output.nc.file, column->id, "shmframe_dtype", strlen(name), name);
    if (!rc && *unit)
        rc = nc_put_att_text(job->output.nc.file, column->id, "shmframe_unit", strlen(unit), unit);
    if (!rc && column->type.zone.size > 0)
        rc = nc_put_att_text(job->output.nc.file, column->id, "shmframe_zone",
                             (size_t)column->type.zone.size, column->type.zone.data);
    return rc;
}

static int note_nulls(struct job *job, struct output_column *column)
{
    const struct shmf_column *values = &column->values;
    if (!values->null_count)
        return SHMF_OK;
    if (column->nc == NC_STRING)
        return shmfi_nc_said(&job->output.nc,
                             nc_put_att_text(job->output.nc.file, column->id, "missing_value",
                                             strlen(column->absent), column->absent),
                             column->name);
    int rc = SHMF_OK;
    column->fill[0] = 2; /* of booleans, which are 0 and 1 */
    if (column->type.dtype != SHMF_BOOL)
        rc = shmfi_nc_choose_fill(&job->output, column->name, column->nc, values->data,
                                  values->validity, values->bit_offset, values->n_rows,
                                  column->fill);
    return rc ? rc
              : shmfi_nc_said(&job->output.nc,
                              nc_put_att(job->output.nc.file, column->id, "_FillValue", column->nc,
                                         1, column->fill),
                              column->name);
}

static int define(struct job *job, int64_t position)
{
    struct output_column *column = &job->columns[position];
    int dims[2] = {job->row, -1}, n_dims = 1, rc = SHMF_OK;
    if (column->nc == NC_CHAR) {
        char *name = NULL;
        if (asprintf(&name, "%s_length", column->name) < 0)
            return shmfi_nc_said(&job->output.nc, NC_ENOMEM, column->name);
        rc =
            shmfi_nc_put_dimension(&job->output, name, column->width ? column->width : 1, &dims[1]);
        free(name);
        n_dims = 2;
    }
    if (!rc)
        rc = shmfi_nc_said(
            &job->output.nc,
            nc_def_var(job->output.nc.file, column->name, column->nc, n_dims, dims, &column->id),
            column->name);
    for (int64_t i = 0; !rc && position < job->n && i < shmf_frame_n_metadata(job->frame, position);
         i++) {
        struct shmf_pair pair;
        shmf_frame_metadata_at(job->frame, position, i, &pair);
        rc = shmfi_nc_put_attribute(&job->output, column->id, &pair);
    }
    if (!rc)
        rc = shmfi_nc_said(&job->output.nc, note_type(job, column), column->name);
    return rc ? rc : note_nulls(job, column);
}

/* ---- values ------------------------------------------------------------------------------- */

static int put_strings(const struct job *job, const struct output_column *column)
{
    const char *texts[BLOCK];
    int rc = NC_NOERR;
    for (size_t at = 0, n, rows = (size_t)column->values.n_rows; !rc && at < rows; at += n) {
        size_t made = 0;
        n = rows - at < BLOCK ? rows - at : BLOCK;
        for (; made < n; made++) {
            const int64_t row = (int64_t)(at + made);
            const struct shmf_text text = text_at(column, row);
            texts[made] = is_null(column, row) ? strdup(column->absent)
                                               : strndup(text.data, (size_t)text.size);
            if (!texts[made])
                break;
        }
        rc = made < n ? NC_ENOMEM
                      : nc_put_vara_string(job->output.nc.file, column->id, &at, &n, texts);
        while (made > 0)
            free((char *)(uintptr_t)texts[--made]);
    }
    return rc;
}

static int put_characters(const struct job *job, const struct output_column *column)
{
    const size_t width = column->width ? column->width : 1;
    char *block = malloc(width * BLOCK);
    int rc = block ? NC_NOERR : NC_ENOMEM;
    for (size_t at = 0, n, rows = (size_t)column->values.n_rows; !rc && at < rows; at += n) {
        n = rows - at < BLOCK ? rows - at : BLOCK;
        memset(block, 0, width * n);
        for (size_t i = 0; i < n; i++) {
            const struct shmf_text text = text_at(column, (int64_t)(at + i));
            memcpy(block + i * width, text.data, (size_t)text.size);
        }
        rc = nc_put_vara_text(job->output.nc.file, column->id, (size_t[]){at, 0},
                              (size_t[]){n, width}, block);
    }
    free(block);
    return rc;
}

/* With a stand-in for each null, some at a time. */
static int put_numbers(const struct job *job, const struct output_column *column)
{
    const struct shmf_column *values = &column->values;
    const bool boolean = column->type.dtype == SHMF_BOOL;
    const size_t width = boolean ? 1 : shmf_dtype_size(column->type.dtype);
    unsigned char block[BLOCK * 8];
    const size_t rows = (size_t)values->n_rows, zero = 0;
    if (!boolean && !values->null_count)
        return nc_put_vara(job->output.nc.file, column->id, &zero, &rows, values->data);
    int rc = NC_NOERR;
    for (size_t at = 0, n; !rc && at < rows; at += n) {
        n = rows - at < BLOCK ? rows - at : BLOCK;
        for (size_t i = 0; i < n; i++) {
            const size_t bit = at + i + (size_t)values->bit_offset;
            if (is_null(column, (int64_t)(at + i)))
                memcpy(block + i * width, column->fill, width);
            else if (boolean)
                block[i] = ((const uint8_t *)values->data)[bit / 8] >> bit % 8 & 1;
            else
                memcpy(block + i * width, (const char *)values->data + (at + i) * width, width);
        }
        rc = nc_put_vara(job->output.nc.file, column->id, &at, &n, block);
    }
    return rc;
}

/* ---- the frame ---------------------------------------------------------------------------- */

static int collect_labels(struct job *job, struct output_column *column, const char *dimension)
{
    const int64_t n = shmf_frame_rows(job->frame);
    column->name = strdup(dimension);
    if (!column->name)
        return shmfi_nc_said(&job->output.nc, NC_ENOMEM, dimension);
    if (shmf_frame_row_label_column(job->frame, &column->values) == SHMF_OK) {
        column->type.dtype = column->values.dtype;
        return prepare(job, column);
    }
    job->numbers = malloc((size_t)(n + 1) * sizeof *job->numbers);
    if (!job->numbers)
        return shmfi_nc_said(&job->output.nc, NC_ENOMEM, dimension);
    for (int64_t r = 0; r < n; r++)
        shmf_frame_row_number(job->frame, r, &job->numbers[r]);
    column->values = (struct shmf_column){.dtype = SHMF_INT64, .n_rows = n, .data = job->numbers};
    column->type.dtype = SHMF_INT64;
    return prepare(job, column);
}

static bool has_labels(const struct shmf_frame *frame)
{
    int64_t first = 0, second = 1;
    if (shmf_frame_row_labels(frame) != SHMF_ROWS_RANGE)
        return true;
    if (shmf_frame_rows(frame) > 0)
        shmf_frame_row_number(frame, 0, &first);
    if (shmf_frame_rows(frame) > 1)
        shmf_frame_row_number(frame, 1, &second);
    return first != 0 || second != 1;
}

static int collect(struct job *job, const char *dimension)
{
    int rc = SHMF_OK;
    for (int64_t c = 0; !rc && c < job->n; c++) {
        struct output_column *column = &job->columns[c];
        const struct shmf_text label = shmf_frame_column_label(job->frame, c);
        column->name = strndup(label.data, (size_t)label.size);
        if (!column->name)
            return shmfi_nc_said(&job->output.nc, NC_ENOMEM, dimension);
        shmf_frame_column(job->frame, c, &column->values);
        shmf_frame_type(job->frame, c, &column->type);
        rc = prepare(job, column);
    }
    job->labels = !rc && has_labels(job->frame) ? job->n : -1;
    return job->labels >= 0 ? collect_labels(job, &job->columns[job->n], dimension) : rc;
}

static int write_all(struct job *job, const char *dimension,
                     const struct shmf_netcdf_write_options *options)
{
    const int64_t n = job->labels >= 0 ? job->n + 1 : job->n;
    int rc = shmfi_nc_put_dimension(&job->output, dimension, (size_t)shmf_frame_rows(job->frame),
                                    &job->row);
    for (int64_t i = 0; !rc && i < shmf_frame_n_metadata(job->frame, -1); i++) {
        struct shmf_pair pair;
        shmf_frame_metadata_at(job->frame, -1, i, &pair);
        rc = shmfi_nc_put_attribute(&job->output, NC_GLOBAL, &pair);
    }
    for (int64_t i = 0; !rc && options && i < options->n_attributes; i++)
        rc = shmfi_nc_put_attribute(&job->output, NC_GLOBAL, &options->attributes[i]);
    for (int64_t c = 0; !rc && c < n; c++)
        rc = define(job, c);
    if (!rc)
        rc = shmfi_nc_said(&job->output.nc, nc_enddef(job->output.nc.file), NULL);
    for (int64_t c = 0; !rc && c < n && shmf_frame_rows(job->frame) > 0; c++) {
        const struct output_column *column = &job->columns[c];
        rc = shmfi_nc_said(&job->output.nc,
                           column->nc == NC_STRING ? put_strings(job, column)
                           : column->nc == NC_CHAR ? put_characters(job, column)
                                                   : put_numbers(job, column),
                           column->name);
    }
    return rc;
}

int shmf_netcdf_write_frame(const struct shmf_frame *frame, const char *path,
                            const struct shmf_netcdf_write_options *options, struct shmf_error *err)
{
    const char *dimension = options && options->dimensions ? options->dimensions[0] : "row";
    struct job job = {.frame = frame, .n = shmf_frame_columns(frame), .labels = -1};
    struct shmf_error why = {0};
    if (!frame)
        return shmf_error_set(err, SHMF_E_INVAL, "frame: NULL");
    /* Offsets and bits are followed here, which others may have written. */
    int rc = shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &why);
    if (rc)
        return shmf_error_set(err, rc, "frame: %.200s", why.message);
    job.columns = calloc((size_t)job.n + 1, sizeof *job.columns);
    if (!job.columns)
        return shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
    rc = shmfi_nc_output_begin(&job.output, path, options, err);
    if (!rc)
        rc = collect(&job, dimension);
    if (!rc)
        rc = write_all(&job, dimension, options);
    rc = shmfi_nc_output_end(&job.output, rc);
    for (int64_t c = 0; c <= job.n; c++)
        free(job.columns[c].name);
    free(job.columns);
    free(job.numbers);
    return rc;
}
