/* A database that sees frames, and its answers as frames. */
#include "duckdb_internal.h"

#include <shmframe/derive.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening ------------------------------------------------------------------------------ */

static int open_database(struct shmf_duckdb *duckdb, const struct shmf_duckdb_options *options,
                         struct shmf_error *err)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    char threads[16], *why = NULL;
    void *config = NULL;
    snprintf(threads, sizeof threads, "%d", options->threads);
    if (api->create_config(&config) ||
        (options->threads > 0 && api->set_config(config, "threads", threads)))
        return shmf_error_set(err, SHMF_E_SYS, "DuckDB: its configuration");
    int rc = SHMF_OK;
    if (api->open_ext(options->database, &duckdb->database, config, &why))
        rc = shmf_error_set(err, SHMF_E_SYS, "DuckDB: %s: %s",
                            options->database ? options->database : "a database in memory",
                            why ? why : "it cannot be opened");
    api->free(why);
    api->destroy_config(&config);
    if (!rc && api->connect(duckdb->database, &duckdb->connection))
        rc = shmf_error_set(err, SHMF_E_SYS, "DuckDB: no connection");
    return rc ? rc : shmfi_duckdb_register(duckdb, err);
}

static int check_options(const struct shmf_duckdb_options *options, struct shmf_error *err)
{
    if (options->threads < 0)
        return shmf_error_set(err, SHMF_E_INVAL, "duckdb_options.threads: %d", options->threads);
    uint64_t reserved = options->reserved0;
    for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        reserved |= options->reserved[i];
    return reserved ? shmf_error_set(err, SHMF_E_INVAL, "duckdb_options.reserved: must be zero")
                    : SHMF_OK;
}

struct shmf_duckdb *shmf_duckdb_open(const struct shmf_duckdb_options *options,
                                     struct shmf_error *err)
{
    static const struct shmf_duckdb_options defaults;
    const struct shmf_duckdb_options *o = options ? options : &defaults;
    if (check_options(o, err) || shmfi_duckdb_load(o->library, err))
        return NULL;
    struct shmf_duckdb *duckdb = calloc(1, sizeof *duckdb);
    if (!duckdb) {
        shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
        return NULL;
    }
    duckdb->names = !o->no_names;
    duckdb->trusted = o->trusted != 0;
    if (!open_database(duckdb, o, err))
        return duckdb;
    shmf_duckdb_free(duckdb);
    return NULL;
}

void shmf_duckdb_free(struct shmf_duckdb *duckdb)
{
    if (!duckdb)
        return;
    if (duckdb->connection)
        shmfi_duckdb_api.disconnect(&duckdb->connection);
    if (duckdb->database)
        shmfi_duckdb_api.close(&duckdb->database);
    while (duckdb->tables) {
        struct shmfi_duckdb_table *next = duckdb->tables->next;
        shmf_frame_free(duckdb->tables->frame);
        free(duckdb->tables);
        duckdb->tables = next;
    }
    free(duckdb);
}

void *shmf_duckdb_connection(struct shmf_duckdb *duckdb)
{
    return duckdb ? duckdb->connection : NULL;
}

int shmf_duckdb_add(struct shmf_duckdb *duckdb, const char *table, const struct shmf_frame *frame,
                    struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    if (!duckdb || !frame || !table || !*table)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL or empty",
                              !duckdb  ? "duckdb"
                              : !frame ? "frame"
                                       : "table");
    struct shmfi_duckdb_table *added = malloc(sizeof *added + strlen(table) + 1);
    if (!added)
        return shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
    strcpy(added->name, table);
    added->frame = shmf_frame_slice(frame, 0, shmf_frame_rows(frame), &why);
    if (!added->frame) {
        free(added);
        if (err)
            *err = why;
        return why.code;
    }
    struct shmfi_duckdb_table **at = &duckdb->tables;
    while (*at && strcmp((*at)->name, table) != 0)
        at = &(*at)->next;
    struct shmfi_duckdb_table *old = *at;
    added->next = old ? old->next : NULL;
    *at = added;
    if (old)
        shmf_frame_free(old->frame);
    free(old);
    return SHMF_OK;
}

/* ---- answers ------------------------------------------------------------------------------ */

/* The pieces of an answer, as a stream. */
struct answer {
    struct shmfi_duckdb_result result;
    void *options;
    char why[SHMF_ERROR_MESSAGE_SIZE];
};

static int failed(struct answer *answer, void *error)
{
    bool bad = error && shmfi_duckdb_api.error_data_has_error(error);
    if (bad)
        snprintf(answer->why, sizeof answer->why, "%s", shmfi_duckdb_api.error_data_message(error));
    if (error)
        shmfi_duckdb_api.destroy_error_data(&error);
    return bad ? EINVAL : 0;
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *schema)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    struct answer *answer = stream->private_data;
    uint64_t n = api->column_count(&answer->result);
    void **types = calloc(n + 1, sizeof *types);
    const char **names = calloc(n + 1, sizeof *names);
    int rc = ENOMEM;
    for (uint64_t c = 0; types && names && c < n; c++) {
        types[c] = api->column_logical_type(&answer->result, c);
        names[c] = api->column_name(&answer->result, c);
    }
    if (types && names)
        rc = failed(answer, api->to_arrow_schema(answer->options, types, names, n, schema));
    for (uint64_t c = 0; types && c < n; c++)
        api->destroy_logical_type(&types[c]);
    free(types);
    free(names);
    return rc;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *array)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    struct answer *answer = stream->private_data;
    void *chunk = api->fetch_chunk(answer->result);
    *array = (struct ArrowArray){.release = NULL};
    if (!chunk)
        return 0;
    int rc = failed(answer, api->data_chunk_to_arrow(answer->options, chunk, array));
    api->destroy_data_chunk(&chunk);
    return rc;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
    return ((struct answer *)stream->private_data)->why;
}

static void release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

/* In one line: it may quote the statement, and point at the place from the line below. */
static void tell(const char *reason, struct shmf_error *err)
{
    char line[SHMF_ERROR_MESSAGE_SIZE];
    size_t n = 0;
    for (const char *at = reason ? reason : "DuckDB gives no reason"; *at && n + 1 < sizeof line;
         at++) {
        bool space = *at == ' ' || *at == '\n';
        if (!space || (n > 0 && line[n - 1] != ' '))
            line[n++] = space ? ' ' : *at;
    }
    while (n > 0 && (line[n - 1] == ' ' || line[n - 1] == '^'))
        n--;
    line[n] = '\0';
    shmf_error_set(err, SHMF_E_INVAL, "%s", line);
}

struct shmf_frame *shmf_duckdb_query(struct shmf_duckdb *duckdb, const char *sql,
                                     struct shmf_error *err)
{
    const struct shmfi_duckdb_api *api = &shmfi_duckdb_api;
    struct answer answer = {.options = NULL};
    struct shmf_frame *frame = NULL;
    if (!duckdb || !sql) {
        shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", duckdb ? "sql" : "duckdb");
        return NULL;
    }
    if (api->query(duckdb->connection, sql, &answer.result)) {
        tell(api->result_error(&answer.result), err);
    } else {
        struct ArrowArrayStream stream = {get_schema, get_next, get_last_error, release, &answer};
        answer.options = api->result_get_arrow_options(&answer.result);
        frame = shmf_arrow_import_stream(&stream, NULL, err);
        api->destroy_arrow_options(&answer.options);
    }
    api->destroy_result(&answer.result);
    return frame;
}
