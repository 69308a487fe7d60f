/* The handful of functions of libduckdb.so that the tests call; the package brings no header. */
#ifndef TEST_CLIENT_DUCKDB_H
#define TEST_CLIENT_DUCKDB_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    void *unused[6];
} duckdb_result;

struct duckdb {
    int (*open)(const char *path, void **database);
    void (*close)(void **database);
    int (*connect)(void *database, void **connection);
    void (*disconnect)(void **connection);
    int (*query)(void *connection, const char *sql, duckdb_result *result);
    const char *(*result_error)(duckdb_result *result);
    void (*destroy_result)(duckdb_result *result);
    int (*arrow_scan)(void *connection, const char *view, void *stream);
    int (*query_arrow)(void *connection, const char *sql, void **result);
    int (*query_arrow_schema)(void *result, void **schema);
    int (*query_arrow_array)(void *result, void **array);
    const char *(*query_arrow_error)(void *result);
    void (*destroy_arrow)(void **result);
};

static inline void duckdb_find(void *library, const char *name, void *function)
{
    char symbol[64];
    snprintf(symbol, sizeof symbol, "duckdb_%s", name);
    *(void **)function = dlsym(library, symbol);
    if (!*(void **)function) {
        printf("libduckdb.so has no %s\n", symbol);
        exit(1);
    }
}

#define DUCKDB_FIND(library, duckdb, name) duckdb_find(library, #name, &(duckdb)->name)

/* Ends the program with status 77 where there is none. */
static inline void duckdb_load(struct duckdb *duckdb)
{
    char path[4096];
    const char *clients = getenv("SHMF_CLIENTS");
    snprintf(path, sizeof path, "%s/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so",
             clients ? clients : ".");
    void *library = dlopen(path, RTLD_NOW);
    if (!library) {
        printf("skipped: %s\n", dlerror());
        exit(77);
    }
    DUCKDB_FIND(library, duckdb, open);
    DUCKDB_FIND(library, duckdb, close);
    DUCKDB_FIND(library, duckdb, connect);
    DUCKDB_FIND(library, duckdb, disconnect);
    DUCKDB_FIND(library, duckdb, query);
    DUCKDB_FIND(library, duckdb, result_error);
    DUCKDB_FIND(library, duckdb, destroy_result);
    DUCKDB_FIND(library, duckdb, arrow_scan);
    DUCKDB_FIND(library, duckdb, query_arrow);
    DUCKDB_FIND(library, duckdb, query_arrow_schema);
    DUCKDB_FIND(library, duckdb, query_arrow_array);
    DUCKDB_FIND(library, duckdb, query_arrow_error);
    DUCKDB_FIND(library, duckdb, destroy_arrow);
}

#endif
