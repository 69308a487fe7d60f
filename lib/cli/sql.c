/* shmframe sql: named frames are tables. */
#include "files.h"

#include <string.h>

enum { KEY_DUCKDB = CLI_KEY_FIRST, KEY_DATABASE, KEY_NAME, KEY_ARROW };

struct sql {
    struct cli_names names; /* the statement */
    struct shmf_duckdb_options duckdb;
    const char *name;
    int64_t rows, columns;
    bool arrow;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct sql *sql = state->input;
    switch (key) {
    case 'n':
        sql->rows = cli_positive(state, argument);
        return 0;
    case 'c':
        sql->columns = cli_positive(state, argument);
        return 0;
    case KEY_NAME:
        sql->name = argument;
        return 0;
    case KEY_ARROW:
        sql->arrow = true;
        return 0;
    case KEY_DUCKDB:
        sql->duckdb.library = argument;
        return 0;
    case KEY_DATABASE:
        sql->duckdb.database = argument;
        return 0;
    default:
        return cli_option(key, &sql->names) ? cli_arguments(key, state, &sql->names, 1, 1) : 0;
    }
}

static int publish(const struct sql *sql, struct shmf_frame *answer)
{
    const struct shmf_publish_options persistent = {.policy = SHMF_PERSISTS};
    struct shmf_error err = {0};
    struct shmf_share *share = sql->arrow
                                   ? shmf_ipc_publish(answer, sql->name, NULL, &persistent, &err)
                                   : shmf_frame_publish(answer, sql->name, &persistent, &err);
    if (!share)
        return cli_fail(sql->name, &err);
    shmf_share_free(share);
    cli_report(sql->names.json, "name", sql->name, &(struct cli_object){.frame = answer});
    return CLI_OK;
}

static int show(const struct sql *sql, const struct shmf_frame *answer)
{
    if (!sql->names.json)
        return cli_print_rows("answer", answer, sql->rows ? sql->rows : 40, sql->columns);
    cli_json_rows(answer, sql->rows ? sql->rows : INT64_MAX, sql->columns);
    return CLI_OK;
}

int cli_sql(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"rows", 'n', "N", 0, "Rows of the answer; 40 unless told (in JSON all)", 0},
        {"columns", 'c', "N", 0, "Columns; 8 unless told (in JSON all)", 0},
        {"name", KEY_NAME, "NAME", 0, "The answer becomes a named frame instead, which persists",
         0},
        {"arrow", KEY_ARROW, NULL, 0, "With --name: it can be opened as an Arrow IPC file, too", 0},
        {"database", KEY_DATABASE, "FILE", 0, "A file of DuckDB's with more tables", 0},
        {"duckdb", KEY_DUCKDB, "LIBRARY", 0,
         "Where libduckdb.so is; else what SHMFRAME_DUCKDB names, or where libraries are", 0},
        CLI_OPTION_JSON,
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "STATEMENT",
        .doc = "Runs SQL in which named frames are tables, by DuckDB.\vNames that are no words of "
               "SQL are quoted: SELECT * FROM \"my-frame\"."};
    struct sql sql = {.duckdb = {.library = NULL}};
    struct shmf_error err = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &sql);
    struct shmf_duckdb *duckdb = shmf_duckdb_open(&sql.duckdb, &err);
    if (!duckdb)
        return cli_fail("sql", &err);
    struct shmf_frame *answer = shmf_duckdb_query(duckdb, sql.names.names[0], &err);
    int status = !answer    ? cli_fail("sql", &err)
                 : sql.name ? publish(&sql, answer)
                            : show(&sql, answer);
    shmf_frame_free(answer);
    shmf_duckdb_free(duckdb);
    return status;
}
