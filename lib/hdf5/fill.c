/* Values of columns. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 }; /* texts that are fetched together */

/* ---- text --------------------------------------------------------------------------------- */

static bool add_text(struct shmfi_h5_column *column, int64_t row, const char *text, size_t size)
{
    if ((int64_t)size > column->room - column->size) {
        const int64_t room = column->size + (int64_t)size + column->room / 2 + BLOCK;
        char *grown = realloc(column->bytes, (size_t)room);
        if (!grown)
            return false;
        column->bytes = grown;
        column->room = room;
    }
    if (size)
        memcpy(column->bytes + column->size, text, size);
    column->size += (int64_t)size;
    column->ends[row] = column->size;
    return true;
}

/* `n` texts from `first` on, each `width` bytes in `block` or, of any size, a pointer there. */
static bool add_block(struct shmfi_h5_column *column, int64_t first, size_t n, const char *block,
                      size_t width, bool variable)
{
    bool fine = true;
    for (size_t i = 0; fine && i < n; i++) {
        const char *text = block + i * width;
        if (variable)
            memcpy(&text, block + i * width, sizeof text);
        fine = add_text(column, first + (int64_t)i, text,
                        text ? strnlen(text, variable ? SIZE_MAX : width) : 0);
    }
    return fine;
}

int shmfi_h5_read_texts(const struct shmfi_h5_table *table, struct shmfi_h5_column *column)
{
    const size_t width = H5Tget_size(column->memory);
    const bool variable = H5Tis_variable_str(column->set.memory) > 0;
    hid_t file = H5Dget_space(column->set.id);
    char *block = malloc(width * BLOCK);
    column->ends = malloc((size_t)(table->rows + 1) * sizeof *column->ends);
    bool fine = block && column->ends;
    int rc = fine ? SHMF_OK
                  : shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
    for (hsize_t at = 0, n; !rc && at < (hsize_t)table->rows; at += n) {
        n = (hsize_t)table->rows - at < BLOCK ? (hsize_t)table->rows - at : BLOCK;
        hid_t memory = H5Screate_simple(1, &n, NULL);
        H5Sselect_hyperslab(file, H5S_SELECT_SET, &at, NULL, &n, NULL);
        if (H5Dread(column->set.id, column->memory, memory, file, H5P_DEFAULT, block) < 0)
            rc = shmfi_h5_said(table->h5, SHMF_E_CORRUPT, column->label);
        else if (!add_block(column, (int64_t)at, (size_t)n, block, width, variable))
            rc = shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
        if (variable && rc != SHMF_E_CORRUPT)
            H5Dvlen_reclaim(column->memory, memory, H5P_DEFAULT, block);
        H5Sclose(memory);
    }
    free(block);
    H5Sclose(file);
    return rc;
}

static void fill_texts(struct shmf_frame *frame, int64_t c, const struct shmfi_h5_column *column,
                       int64_t rows)
{
    int64_t *wide = shmf_frame_offsets_mut(frame, c);
    int32_t *narrow = (void *)wide;
    for (int64_t r = 0; r < rows; r++) {
        if (column->type.dtype == SHMF_LARGE_UTF8)
            wide[r + 1] = column->ends[r];
        else
            narrow[r + 1] = (int32_t)column->ends[r];
    }
    if (column->size)
        memcpy(shmf_frame_data_mut(frame, c), column->bytes, (size_t)column->size);
}

/* ---- bits --------------------------------------------------------------------------------- */

static void pack(uint8_t *bits, const uint8_t *bytes, int64_t n)
{
    memset(bits, 0, (size_t)((n + 7) / 8));
    for (int64_t i = 0; i < n; i++)
        bits[i / 8] |= (uint8_t)((bytes[i] != 0) << i % 8);
}

/* Booleans of a dataset as bits. */
static int read_bits(const struct shmfi_h5_table *table, hid_t id, hid_t memory, const char *name,
                     uint8_t *bits)
{
    uint8_t *bytes = malloc((size_t)table->rows + 1);
    int rc = SHMF_OK;
    if (!bytes)
        return shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
    if (H5Dread(id, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0)
        rc = shmfi_h5_said(table->h5, SHMF_E_CORRUPT, name);
    else
        pack(bits, bytes, table->rows);
    free(bytes);
    return rc;
}

static int read_validity(const struct shmfi_h5_table *table, struct shmf_frame *frame, int64_t c,
                         const char *name)
{
    struct shmfi_h5_set set;
    int rc = shmfi_h5_set_open(table->h5, table->place, name, &set);
    if (rc)
        return rc;
    if (set.n_dims != 1 || (int64_t)set.shape[0] != table->rows || set.dtype != SHMF_BOOL)
        rc = shmf_error_set(table->h5->err, SHMF_E_CORRUPT,
                            "%.120s: %.80s: no validity of %lld rows", table->h5->path, name,
                            (long long)table->rows);
    else
        rc = read_bits(table, set.id, set.memory, name, shmf_frame_validity_mut(frame, c));
    shmfi_h5_set_close(&set);
    return rc;
}

/* ---- the frame ---------------------------------------------------------------------------- */

static int fill(struct shmfi_h5_table *table, struct shmf_frame *frame, int64_t c)
{
    struct shmfi_h5_column *column = &table->columns[c];
    void *data = shmf_frame_data_mut(frame, c);
    int rc = SHMF_OK;
    if (column->type.dtype == SHMF_UTF8 || column->type.dtype == SHMF_LARGE_UTF8)
        fill_texts(frame, c, column, table->rows);
    else if (table->rows == 0)
        return SHMF_OK;
    else if (column->type.dtype == SHMF_BOOL)
        rc = read_bits(table, column->set.id, column->memory, column->label, data);
    else if (H5Dread(column->set.id, column->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        rc = shmfi_h5_said(table->h5, SHMF_E_CORRUPT, column->label);
    if (!rc && column->validity && table->rows > 0)
        rc = read_validity(table, frame, c, column->validity);
    return rc;
}

static void describe(const struct shmfi_h5_table *table, struct shmf_column_spec *columns,
                     struct shmf_column_details *details)
{
    for (size_t c = 0; c < table->n; c++) {
        const struct shmfi_h5_column *column = &table->columns[c];
        columns[c] =
            (struct shmf_column_spec){column->label, column->type.dtype, column->validity != NULL};
        details[c] = (struct shmf_column_details){.type = column->type,
                                                  .data_size = column->size,
                                                  .metadata = column->pairs.pairs,
                                                  .n_metadata = column->pairs.n};
    }
}

/* Row labels: text as C has it, or numbers. */
static int read_labels(struct shmfi_h5_table *table, struct shmf_frame_spec *spec, char **bytes,
                       const char ***texts, int64_t **numbers)
{
    struct shmfi_h5_column *labels = table->labels;
    const size_t n = (size_t)table->rows;
    if (!labels)
        return SHMF_OK;
    if (labels->type.dtype == SHMF_INT64) {
        spec->row_numbers = *numbers = malloc((n + 1) * sizeof **numbers);
        if (!*numbers)
            return shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
        return n > 0 && H5Dread(labels->set.id, labels->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                *numbers) < 0
                   ? shmfi_h5_said(table->h5, SHMF_E_CORRUPT, labels->label)
                   : SHMF_OK;
    }
    *bytes = malloc((size_t)labels->size + n + 1);
    spec->row_labels = *texts = malloc((n + 1) * sizeof **texts);
    if (!*bytes || !*texts)
        return shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
    char *to = *bytes;
    for (size_t r = 0; r < n; r++) {
        const int64_t begin = r ? labels->ends[r - 1] : 0;
        const size_t size = (size_t)(labels->ends[r] - begin);
        if (size)
            memcpy(to, labels->bytes + begin, size);
        to[size] = 0;
        (*texts)[r] = to;
        to += size + 1;
    }
    return SHMF_OK;
}

struct shmf_frame *shmfi_h5_make_frame(struct shmfi_h5_table *table)
{
    struct shmf_error err = {0};
    struct shmf_column_spec *columns = calloc(table->n + 1, sizeof *columns);
    struct shmf_column_details *details = calloc(table->n + 1, sizeof *details);
    struct shmf_frame_spec spec = {.n_rows = table->rows,
                                   .n_columns = (int64_t)table->n,
                                   .columns = columns,
                                   .details = details,
                                   .metadata = table->pairs.pairs,
                                   .n_metadata = table->pairs.n};
    struct shmf_frame *frame = NULL;
    char *bytes = NULL;
    const char **texts = NULL;
    int64_t *numbers = NULL;
    if (!columns || !details) {
        shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
    } else if (!read_labels(table, &spec, &bytes, &texts, &numbers)) {
        describe(table, columns, details);
        frame = shmf_frame_new(&spec, &err);
        if (!frame)
            shmfi_h5_core_said(table->h5, "frame", &err);
    }
    for (size_t c = 0; frame && c < table->n; c++)
        if (fill(table, frame, (int64_t)c)) {
            shmf_frame_free(frame);
            frame = NULL;
        }
    if (frame && shmf_frame_finish(frame, &err)) {
        shmfi_h5_core_said(table->h5, "frame", &err);
        shmf_frame_free(frame);
        frame = NULL;
    }
    free(columns);
    free(details);
    free(bytes);
    free(texts);
    free(numbers);
    return frame;
}
