/* Columns of frames as vectors of DuckDB. Its import of Arrow arrays hangs the ownership of a whole
 * batch on the first column, so each column travels as a batch of its own. */
#include "duckdb_internal.h"

#include <shmframe/column.h>
#include <shmframe/derive.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* DuckDB converts a whole dictionary for each piece that refers to it. */
enum { MOST_CATEGORIES = 4096 };

/* Takes what a function returned. */
static int check(const struct shmfi_duckdb_api *api, void *error, const char *label,
                 struct shmf_error *err)
{
    int rc = SHMF_OK;
    if (error && api->error_data_has_error(error))
        rc = shmf_error_set(err, SHMF_E_UNSUPPORTED, "column \"%s\": %s", label,
                            api->error_data_message(error));
    if (error)
        api->destroy_error_data(&error);
    return rc;
}

static bool is_many(const struct shmf_frame *frame)
{
    struct shmf_column values;
    return !shmf_frame_categories(frame, 0, &values) && values.n_rows > MOST_CATEGORIES;
}

static int choose_way(const struct shmf_frame *frame, struct shmfi_duckdb_column *column)
{
    struct shmf_type type;
    int rc = shmf_frame_type(frame, 0, &type);
    if (rc)
        return rc;
    column->is_text = type.dtype == SHMF_DICTIONARY;
    bool unknown = type.dtype == SHMF_DECIMAL128 && (type.scale < 0 || type.scale > type.precision);
    column->way = type.dtype == SHMF_FLOAT16                       ? SHMFI_DUCKDB_FLOATS
                  : unknown || (column->is_text && is_many(frame)) ? SHMFI_DUCKDB_TEXTS
                                                                   : SHMFI_DUCKDB_ARROW;
    return SHMF_OK;
}

/* One row as a chunk tells DuckDB's type; an empty frame's chunk does so too. */
static int convert_type(const struct shmf_duckdb *duckdb, struct shmfi_duckdb_column *column,
                        const char *label, struct shmf_error *err)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    struct ArrowArray array;
    void *chunk = NULL;
    int64_t rows = shmf_frame_rows(column->frame) > 0;
    int rc = shmf_arrow_export_rows(column->frame, 0, rows, NULL, &array, err);
    if (rc)
        return rc;
    rc = check(api,
               api->data_chunk_from_arrow(duckdb->connection, &array, column->converted, &chunk),
               label, err);
    if (array.release)
        array.release(&array);
    if (rc)
        return rc;
    column->type = api->vector_get_column_type(api->data_chunk_get_vector(chunk, 0));
    api->destroy_data_chunk(&chunk);
    return SHMF_OK;
}

static int bind_column(const struct shmf_duckdb *duckdb, const struct shmf_frame *frame,
                       int64_t position, struct shmfi_duckdb_column *column, struct shmf_error *err)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    struct ArrowSchema schema;
    column->frame = shmf_frame_select(frame, &position, 1, err);
    if (!column->frame)
        return SHMF_E_NOMEM;
    int rc = choose_way(column->frame, column);
    if (rc)
        return shmf_error_set(err, rc, "column %lld: its type", (long long)position);
    if (column->way != SHMFI_DUCKDB_ARROW) {
        column->type = api->create_logical_type(
            column->way == SHMFI_DUCKDB_FLOATS ? SHMFI_DUCKDB_FLOAT : SHMFI_DUCKDB_VARCHAR);
        return SHMF_OK;
    }
    rc = shmf_arrow_export_schema(column->frame, NULL, &schema, err);
    if (rc)
        return rc;
    const char *label = schema.children[0]->name;
    rc = check(api, api->schema_from_arrow(duckdb->connection, &schema, &column->converted), label,
               err);
    if (!rc)
        rc = convert_type(duckdb, column, label, err);
    if (schema.release)
        schema.release(&schema);
    return rc;
}

void shmfi_duckdb_unbind(void *data)
{
    struct shmfi_duckdb_bound *bound = data;
    for (int64_t c = 0; bound && c < bound->n_columns; c++) {
        struct shmfi_duckdb_column *column = &bound->columns[c];
        if (column->converted)
            shmfi_duckdb_api.destroy_arrow_converted_schema(&column->converted);
        if (column->type)
            shmfi_duckdb_api.destroy_logical_type(&column->type);
        shmf_frame_free(column->frame);
    }
    free(bound);
}

struct shmfi_duckdb_bound *shmfi_duckdb_bind(const struct shmf_duckdb *duckdb,
                                             const struct shmf_frame *frame, struct shmf_error *err)
{
    int64_t n = shmf_frame_columns(frame);
    struct shmfi_duckdb_bound *bound =
        calloc(1, sizeof *bound + (size_t)n * sizeof bound->columns[0]);
    if (!bound) {
        shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
        return NULL;
    }
    bound->duckdb = duckdb;
    bound->n_rows = shmf_frame_rows(frame);
    bound->n_columns = n;
    for (int64_t c = 0; c < n; c++)
        if (bind_column(duckdb, frame, c, &bound->columns[c], err)) {
            shmfi_duckdb_unbind(bound);
            return NULL;
        }
    return bound;
}

/* ---- pieces ------------------------------------------------------------------------------- */

static void set_null(const struct shmfi_duckdb_api *api, void *vector, int64_t row)
{
    api->vector_ensure_validity_writable(vector);
    api->vector_get_validity(vector)[row / 64] &= ~(UINT64_C(1) << (row % 64));
}

static void fill_floats(const struct shmfi_duckdb_api *api, const struct shmf_frame *frame,
                        int64_t first, int64_t count, void *vector)
{
    float *to = api->vector_get_data(vector);
    for (int64_t r = 0; r < count; r++) {
        double value;
        if (shmf_frame_is_null(frame, first + r, 0))
            set_null(api, vector, r);
        else
            to[r] = shmf_frame_cell(frame, first + r, 0, &value) ? NAN : (float)value;
    }
}

static void fill_texts(const struct shmfi_duckdb_api *api, const struct shmfi_duckdb_column *column,
                       int64_t first, int64_t count, void *vector)
{
    const struct shmf_frame *frame = column->frame;
    for (int64_t r = 0; r < count; r++) {
        char number[64];
        struct shmf_text text = {number, 0};
        if (shmf_frame_is_null(frame, first + r, 0)) {
            set_null(api, vector, r);
            continue;
        }
        if (column->is_text) {
            text = shmf_frame_text(frame, first + r, 0);
        } else {
            shmf_frame_cell_text(frame, first + r, 0, number, sizeof number);
            text.size = (int64_t)strlen(number);
        }
        api->vector_assign_string_element_len(vector, (uint64_t)r, text.data ? text.data : "",
                                              (uint64_t)text.size);
    }
}

static int fill_arrow(const struct shmf_duckdb *duckdb, const struct shmfi_duckdb_column *column,
                      int64_t first, int64_t count, void *vector, struct shmf_error *err)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    struct ArrowArray array;
    void *chunk = NULL;
    int rc = shmf_arrow_export_rows(column->frame, first, count, NULL, &array, err);
    if (rc)
        return rc;
    rc = check(api,
               api->data_chunk_from_arrow(duckdb->connection, &array, column->converted, &chunk),
               "", err);
    if (array.release)
        array.release(&array);
    if (rc)
        return rc;
    api->vector_reference_vector(vector, api->data_chunk_get_vector(chunk, 0));
    api->destroy_data_chunk(&chunk);
    return SHMF_OK;
}

int shmfi_duckdb_fill(const struct shmf_duckdb *duckdb, const struct shmfi_duckdb_column *column,
                      int64_t first, int64_t count, void *vector, struct shmf_error *err)
{
    if (column->way == SHMFI_DUCKDB_ARROW)
        return fill_arrow(duckdb, column, first, count, vector, err);
    if (column->way == SHMFI_DUCKDB_FLOATS)
        fill_floats(&shmfi_duckdb_api, column->frame, first, count, vector);
    else
        fill_texts(&shmfi_duckdb_api, column, first, count, vector);
    return SHMF_OK;
}
