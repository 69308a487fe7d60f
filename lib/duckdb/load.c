#include "duckdb_internal.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct shmfi_duckdb_api shmfi_duckdb_api;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *loaded;

static const char *const names[] = {
#define AS_NAME(type, name, parameters) "duckdb_" #name,
    SHMFI_DUCKDB_FUNCTIONS(AS_NAME)};

_Static_assert(sizeof(struct shmfi_duckdb_api) == sizeof names, "one pointer for each name");

/* NULL: there is none; `*tried` is what was looked for. */
static void *find_library(const char *library, const char **tried)
{
    const char *told = getenv("SHMFRAME_DUCKDB");
    if (!library && dlsym(RTLD_DEFAULT, names[0])) {
        *tried = "the program itself";
        return dlopen(NULL, RTLD_NOW);
    }
    *tried = library ? library : told && *told ? told : "libduckdb.so";
    return dlopen(*tried, RTLD_NOW | RTLD_LOCAL);
}

static int find_functions(void *handle, const char *tried, struct shmf_error *err)
{
    void *functions[sizeof names / sizeof names[0]];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        functions[i] = dlsym(handle, names[i]);
        if (!functions[i])
            return shmf_error_set(err, SHMF_E_NOTFOUND, "DuckDB: %s has no %s", tried, names[i]);
    }
    memcpy(&shmfi_duckdb_api, functions, sizeof functions);
    loaded = handle;
    return SHMF_OK;
}

static int load(const char *library, struct shmf_error *err)
{
    const char *tried;
    void *handle = find_library(library, &tried);
    if (!handle) {
        const char *why = dlerror();
        return shmf_error_set(err, SHMF_E_NOTFOUND, "DuckDB: %s (SHMFRAME_DUCKDB can name it)",
                              why ? why : tried);
    }
    if (!loaded)
        return find_functions(handle, tried, err);
    dlclose(handle);
    return handle == loaded ? SHMF_OK
                            : shmf_error_set(err, SHMF_E_INVAL,
                                             "options.library: another one is in use already");
}

int shmfi_duckdb_load(const char *library, struct shmf_error *err)
{
    pthread_mutex_lock(&mutex);
    int rc = load(library, err);
    pthread_mutex_unlock(&mutex);
    return rc;
}
