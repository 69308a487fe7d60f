/* Frames as tables of DuckDB, within the adapter. It lives on public headers alone. */
#ifndef SHMFI_DUCKDB_INTERNAL_H
#define SHMFI_DUCKDB_INTERNAL_H

#include <shmframe/arrow.h>
#include <shmframe/duckdb.h>

#include <stdbool.h>

/* duckdb.h of DuckDB's 1.5, as much of it as is called here; Debian has none. All handles are
 * pointers. */
struct shmfi_duckdb_result {
    void *words[6];
};

/* Of enum duckdb_type. */
enum { SHMFI_DUCKDB_FLOAT = 10, SHMFI_DUCKDB_VARCHAR = 17 };

typedef void (*shmfi_duckdb_callback)(void *info);
typedef void (*shmfi_duckdb_delete)(void *data);
typedef void (*shmfi_duckdb_scan)(void *info, void *chunk);
typedef void (*shmfi_duckdb_replace)(void *info, const char *table, void *data);

/* type, name behind "duckdb_", parameters */
#define SHMFI_DUCKDB_FUNCTIONS(X)                                                                  \
    X(int, open_ext, (const char *path, void **database, void *config, char **error))              \
    X(void, close, (void **database))                                                              \
    X(int, connect, (void *database, void **connection))                                           \
    X(void, disconnect, (void **connection))                                                       \
    X(void, free, (void *memory))                                                                  \
    X(int, create_config, (void **config))                                                         \
    X(int, set_config, (void *config, const char *name, const char *option))                       \
    X(void, destroy_config, (void **config))                                                       \
    X(int, query, (void *connection, const char *sql, struct shmfi_duckdb_result *result))         \
    X(void, destroy_result, (struct shmfi_duckdb_result * result))                                 \
    X(const char *, result_error, (struct shmfi_duckdb_result * result))                           \
    X(uint64_t, column_count, (struct shmfi_duckdb_result * result))                               \
    X(const char *, column_name, (struct shmfi_duckdb_result * result, uint64_t column))           \
    X(void *, column_logical_type, (struct shmfi_duckdb_result * result, uint64_t column))         \
    X(void *, fetch_chunk, (struct shmfi_duckdb_result result))                                    \
    X(void *, result_get_arrow_options, (struct shmfi_duckdb_result * result))                     \
    X(void, destroy_arrow_options, (void **options))                                               \
    X(void *, to_arrow_schema,                                                                     \
      (void *options, void **types, const char **names, uint64_t n, struct ArrowSchema *schema))   \
    X(void *, data_chunk_to_arrow, (void *options, void *chunk, struct ArrowArray *array))         \
    X(void *, schema_from_arrow, (void *connection, struct ArrowSchema *schema, void **converted)) \
    X(void *, data_chunk_from_arrow,                                                               \
      (void *connection, struct ArrowArray *array, void *converted, void **chunk))                 \
    X(void, destroy_arrow_converted_schema, (void **converted))                                    \
    X(const char *, error_data_message, (void *error))                                             \
    X(_Bool, error_data_has_error, (void *error))                                                  \
    X(void, destroy_error_data, (void **error))                                                    \
    X(void, destroy_data_chunk, (void **chunk))                                                    \
    X(void *, data_chunk_get_vector, (void *chunk, uint64_t column))                               \
    X(void, data_chunk_set_size, (void *chunk, uint64_t size))                                     \
    X(uint64_t, vector_size, (void))                                                               \
    X(void *, vector_get_column_type, (void *vector))                                              \
    X(void *, vector_get_data, (void *vector))                                                     \
    X(uint64_t *, vector_get_validity, (void *vector))                                             \
    X(void, vector_ensure_validity_writable, (void *vector))                                       \
    X(void, vector_assign_string_element_len,                                                      \
      (void *vector, uint64_t row, const char *text, uint64_t size))                               \
    X(void, vector_reference_vector, (void *to, void *from))                                       \
    X(void *, create_logical_type, (int type))                                                     \
    X(void, destroy_logical_type, (void **type))                                                   \
    X(void *, create_varchar, (const char *text))                                                  \
    X(char *, get_varchar, (void *value))                                                          \
    X(void, destroy_value, (void **value))                                                         \
    X(void *, create_table_function, (void))                                                       \
    X(void, destroy_table_function, (void **function))                                             \
    X(void, table_function_set_name, (void *function, const char *name))                           \
    X(void, table_function_add_parameter, (void *function, void *type))                            \
    X(void, table_function_set_extra_info,                                                         \
      (void *function, void *extra, shmfi_duckdb_delete destroy))                                  \
    X(void, table_function_set_bind, (void *function, shmfi_duckdb_callback bind))                 \
    X(void, table_function_set_init, (void *function, shmfi_duckdb_callback init))                 \
    X(void, table_function_set_function, (void *function, shmfi_duckdb_scan scan))                 \
    X(void, table_function_supports_projection_pushdown, (void *function, _Bool yes))              \
    X(int, register_table_function, (void *connection, void *function))                            \
    X(void *, bind_get_extra_info, (void *info))                                                   \
    X(void *, bind_get_parameter, (void *info, uint64_t index))                                    \
    X(void, bind_add_result_column, (void *info, const char *name, void *type))                    \
    X(void, bind_set_bind_data, (void *info, void *data, shmfi_duckdb_delete destroy))             \
    X(void, bind_set_cardinality, (void *info, uint64_t rows, _Bool exact))                        \
    X(void, bind_set_error, (void *info, const char *error))                                       \
    X(void *, init_get_bind_data, (void *info))                                                    \
    X(uint64_t, init_get_column_count, (void *info))                                               \
    X(uint64_t, init_get_column_index, (void *info, uint64_t position))                            \
    X(void, init_set_init_data, (void *info, void *data, shmfi_duckdb_delete destroy))             \
    X(void, init_set_max_threads, (void *info, uint64_t n))                                        \
    X(void, init_set_error, (void *info, const char *error))                                       \
    X(void *, function_get_bind_data, (void *info))                                                \
    X(void *, function_get_init_data, (void *info))                                                \
    X(void, function_set_error, (void *info, const char *error))                                   \
    X(void, add_replacement_scan,                                                                  \
      (void *database, shmfi_duckdb_replace replace, void *data, shmfi_duckdb_delete destroy))     \
    X(void, replacement_scan_set_function_name, (void *info, const char *name))                    \
    X(void, replacement_scan_add_parameter, (void *info, void *value))

/* NOLINTNEXTLINE(bugprone-macro-parentheses): a declaration */
#define SHMFI_DUCKDB_MEMBER(type, name, parameters) type(*name) parameters;

struct shmfi_duckdb_api {
    SHMFI_DUCKDB_FUNCTIONS(SHMFI_DUCKDB_MEMBER)
};

/* Of this process: callbacks have nothing else to find it by. Valid from the first load on. */
extern struct shmfi_duckdb_api shmfi_duckdb_api;

/* Finds every function. SHMF_E_NOTFOUND; SHMF_E_INVAL: another library is loaded already. It stays
 * loaded: DuckDB's threads may be in it. */
int shmfi_duckdb_load(const char *library, struct shmf_error *err);

/* A frame that was added. */
struct shmfi_duckdb_table {
    struct shmfi_duckdb_table *next;
    struct shmf_frame *frame;
    char name[];
};

struct shmf_duckdb {
    void *database, *connection;
    struct shmfi_duckdb_table *tables;
    bool names, trusted;
};

/* tables.c: NULL: none of this name was added. */
const struct shmf_frame *shmfi_duckdb_find(const struct shmf_duckdb *duckdb, const char *table);

/* The frame of a table, added or named, to be freed by the caller. */
struct shmf_frame *shmfi_duckdb_frame(const struct shmf_duckdb *duckdb, const char *table,
                                      struct shmf_error *err);

/* Lets DuckDB find tables. SHMF_E_SYS. */
int shmfi_duckdb_register(struct shmf_duckdb *duckdb, struct shmf_error *err);

/* ---- what a query reads ------------------------------------------------------------------- */

/* How a column goes to DuckDB. */
enum shmfi_duckdb_way {
    SHMFI_DUCKDB_ARROW,  /* as an Arrow array, not copied */
    SHMFI_DUCKDB_FLOATS, /* float16, which DuckDB does not have, converted */
    SHMFI_DUCKDB_TEXTS   /* as text, copied: dictionaries so large that DuckDB would unfold them
                            for each piece again; decimals that it cannot hold */
};

struct shmfi_duckdb_column {
    struct shmf_frame *frame; /* this column alone */
    void *converted;          /* its Arrow type; or NULL */
    void *type;
    enum shmfi_duckdb_way way;
    bool is_text; /* else decimals become text */
};

/* Of one use of a table in one query. */
struct shmfi_duckdb_bound {
    const struct shmf_duckdb *duckdb;
    int64_t n_rows, n_columns;
    struct shmfi_duckdb_column columns[];
};

/* bind.c: prepares all columns of a frame. SHMF_E_UNSUPPORTED, SHMF_E_NOMEM. */
struct shmfi_duckdb_bound *shmfi_duckdb_bind(const struct shmf_duckdb *duckdb,
                                             const struct shmf_frame *frame,
                                             struct shmf_error *err);
void shmfi_duckdb_unbind(void *bound);

/* Puts rows `first` to first + count - 1 of a column into a vector. */
int shmfi_duckdb_fill(const struct shmf_duckdb *duckdb, const struct shmfi_duckdb_column *column,
                      int64_t first, int64_t count, void *vector, struct shmf_error *err);

#endif
