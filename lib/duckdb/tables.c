/* The table function shmframe('name'), and its use for tables that SQL does not know. */
#include "duckdb_internal.h"

#include <shmframe/derive.h>

#include <shmframe/share.h>

#include <stdlib.h>
#include <string.h>

#define FUNCTION "shmframe"

/* A thread that has less to read is not worth waking. */
enum { PIECES_A_THREAD = 16 };

/* ---- frames ------------------------------------------------------------------------------- */

const struct shmf_frame *shmfi_duckdb_find(const struct shmf_duckdb *duckdb, const char *table)
{
    for (const struct shmfi_duckdb_table *at = duckdb->tables; at; at = at->next)
        if (strcmp(at->name, table) == 0)
            return at->frame;
    return NULL;
}

struct shmf_frame *shmfi_duckdb_frame(const struct shmf_duckdb *duckdb, const char *table,
                                      struct shmf_error *err)
{
    const struct shmf_frame *added = shmfi_duckdb_find(duckdb, table);
    const struct shmf_attach_options options = {
        .validation = duckdb->trusted ? SHMF_VALIDATE_MINIMAL : SHMF_VALIDATE_FULL};
    if (added)
        return shmf_frame_slice(added, 0, shmf_frame_rows(added), err);
    if (duckdb->names)
        return shmf_frame_attach(table, &options, err);
    shmf_error_set(err, SHMF_E_NOTFOUND, "table \"%s\": no frame of this name was added", table);
    return NULL;
}

/* ---- the table function ------------------------------------------------------------------- */

static int add_columns(void *info, const struct shmfi_duckdb_bound *bound)
{
    for (int64_t c = 0; c < bound->n_columns; c++) {
        struct shmf_text label = shmf_frame_column_label(bound->columns[c].frame, 0);
        char *name = strndup(label.data, (size_t)label.size);
        if (!name)
            return SHMF_E_NOMEM;
        shmfi_duckdb_api.bind_add_result_column(info, name, bound->columns[c].type);
        free(name);
    }
    return SHMF_OK;
}

static void bind(void *info)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    const struct shmf_duckdb *duckdb = api->bind_get_extra_info(info);
    struct shmf_error err = {.message = "private memory is exhausted"};
    void *value = api->bind_get_parameter(info, 0);
    char *table = api->get_varchar(value);
    struct shmf_frame *frame = shmfi_duckdb_frame(duckdb, table, &err);
    struct shmfi_duckdb_bound *bound = frame ? shmfi_duckdb_bind(duckdb, frame, &err) : NULL;
    if (!bound || add_columns(info, bound)) {
        api->bind_set_error(info, err.message);
        shmfi_duckdb_unbind(bound);
    } else {
        api->bind_set_cardinality(info, (uint64_t)bound->n_rows, true);
        api->bind_set_bind_data(info, bound, shmfi_duckdb_unbind);
    }
    shmf_frame_free(frame);
    api->free(table);
    api->destroy_value(&value);
}

/* Of one pass over the rows: which columns are wanted, and where the next piece begins. */
struct scan {
    int64_t next; /* atomic: DuckDB's threads share it */
    uint64_t n_columns;
    uint64_t columns[];
};

static void begin(void *info)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    const struct shmfi_duckdb_bound *bound = api->init_get_bind_data(info);
    uint64_t n = api->init_get_column_count(info);
    struct scan *scan = calloc(1, sizeof *scan + n * sizeof scan->columns[0]);
    if (!scan) {
        api->init_set_error(info, "private memory is exhausted");
        return;
    }
    scan->n_columns = n;
    for (uint64_t i = 0; i < n; i++)
        scan->columns[i] = api->init_get_column_index(info, i);
    api->init_set_init_data(info, scan, free);
    api->init_set_max_threads(info, (uint64_t)bound->n_rows / PIECES_A_THREAD / 2048 + 1);
}

/* Columns behind the last are DuckDB's own, which are asked for where none of ours is: nobody reads
 * them. */
static void fetch(void *info, void *chunk)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    const struct shmfi_duckdb_bound *bound = api->function_get_bind_data(info);
    struct scan *scan = api->function_get_init_data(info);
    struct shmf_error err = {.message = ""};
    int64_t size = (int64_t)api->vector_size();
    int64_t first = __atomic_fetch_add(&scan->next, size, __ATOMIC_RELAXED);
    int64_t count = first < bound->n_rows ? bound->n_rows - first : 0;
    count = count < size ? count : size;
    for (uint64_t i = 0; i < scan->n_columns && count > 0; i++) {
        uint64_t c = scan->columns[i];
        if (c < (uint64_t)bound->n_columns &&
            shmfi_duckdb_fill(bound->duckdb, &bound->columns[c], first, count,
                              api->data_chunk_get_vector(chunk, i), &err)) {
            api->function_set_error(info, err.message);
            return;
        }
    }
    api->data_chunk_set_size(chunk, (uint64_t)count);
}

/* ---- tables that SQL does not know -------------------------------------------------------- */

/* What is neither added nor a frame's name is left for DuckDB to refuse, or to take for a file. */
static void replace(void *info, const char *table, void *data)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    const struct shmf_duckdb *duckdb = data;
    struct shmf_name_info name;
    bool named = duckdb->names && !shmf_name_info(table, &name, NULL) &&
                 name.kind == SHMF_KIND_FRAME && name.state != SHMF_NAME_UNKNOWN;
    if (!named && !shmfi_duckdb_find(duckdb, table))
        return;
    void *value = api->create_varchar(table);
    api->replacement_scan_set_function_name(info, FUNCTION);
    api->replacement_scan_add_parameter(info, value);
    api->destroy_value(&value);
}

int shmfi_duckdb_register(struct shmf_duckdb *duckdb, struct shmf_error *err)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    void *function = api->create_table_function();
    void *text = api->create_logical_type(SHMFI_DUCKDB_VARCHAR);
    api->table_function_set_name(function, FUNCTION);
    api->table_function_add_parameter(function, text);
    api->table_function_set_extra_info(function, duckdb, NULL);
    api->table_function_set_bind(function, bind);
    api->table_function_set_init(function, begin);
    api->table_function_set_function(function, fetch);
    api->table_function_supports_projection_pushdown(function, true);
    int failed = api->register_table_function(duckdb->connection, function);
    api->destroy_logical_type(&text);
    api->destroy_table_function(&function);
    if (failed)
        return shmf_error_set(err, SHMF_E_SYS,
                              "DuckDB: the table function " FUNCTION " cannot be registered");
    api->add_replacement_scan(duckdb->database, replace, duckdb, NULL);
    return SHMF_OK;
}
