/* libshmframe: SQL over frames, by DuckDB.
 *
 * DuckDB is loaded when it is asked for (libduckdb.so, C API of 1.3 or later); libshmframe does not
 * need it otherwise. Frames are read where they are: DuckDB gets pieces of 2,048 rows of the
 * columns that a query names, by the Arrow C Data interface, without a copy. Its answers are
 * copied into frames.
 *
 *     struct shmf_duckdb *duckdb = shmf_duckdb_open(NULL, &err);
 *     struct shmf_frame *answer = shmf_duckdb_query(
 *         duckdb, "SELECT city, avg(temp) FROM weather GROUP BY city", &err);
 *
 * A table that SQL does not know is looked for among the frames that were added, then among the
 * names of share.h: `weather` may be what another process published. shmframe('weather') is the
 * same as a table function. Names are validated in full each time that a query names them, because
 * DuckDB follows their offsets unchecked. docs/duckdb.md has the table of types.
 * Thread safety: one thread at a time. DuckDB starts threads: fork, and make pools, before; a
 * forked child must not use what its parent opened. */
#ifndef SHMFRAME_DUCKDB_H
#define SHMFRAME_DUCKDB_H

#include <shmframe/error.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* A connection to a database that sees frames. */
struct shmf_duckdb;

/* Zero means the default in every field. */
struct shmf_duckdb_options {
    const char *library;  /* path of libduckdb.so; NULL: what the program is linked with; else what
                             the environment's SHMFRAME_DUCKDB names; else where libraries are */
    const char *database; /* file of tables beside the frames; NULL: none, in memory */
    int32_t threads;      /* of DuckDB; 0: as many as it likes */
    uint32_t no_names;  /* nonzero: only frames that were added are tables, not names of share.h */
    uint32_t trusted;   /* nonzero: names are not validated beyond what attaching does */
    uint32_t reserved0; /* must be zero */
    uint64_t reserved[4]; /* must be zero */
};

/* `options` may be NULL. SHMF_E_NOTFOUND: there is no libduckdb.so, or it lacks a function: the
 * message says what was looked for. SHMF_E_SYS: DuckDB cannot open the database. SHMF_E_INVAL,
 * SHMF_E_NOMEM. The caller frees it. */
SHMF_API struct shmf_duckdb *shmf_duckdb_open(const struct shmf_duckdb_options *options,
                                              struct shmf_error *err);

/* Answers stay. NULL is fine. */
SHMF_API void shmf_duckdb_free(struct shmf_duckdb *duckdb);

/* The frame, slice or selection is a table of this name from now on, instead of one that was added
 * under it before. The rows are not copied; the frame may be freed at once. SHMF_E_INVAL: NULL, an
 * empty name; SHMF_E_ACCESS: not finished; SHMF_E_NOMEM. */
SHMF_API int shmf_duckdb_add(struct shmf_duckdb *duckdb, const char *table,
                             const struct shmf_frame *frame, struct shmf_error *err);

/* Runs SQL, one statement or several, and returns the last one's answer as a finished frame that
 * the caller owns. SHMF_E_INVAL: DuckDB's reason, in one line, with that of a frame that it could
 * not read; SHMF_E_UNSUPPORTED names a column of the answer whose type no frame has (lists,
 * structs, intervals: cast them in SQL); otherwise as for shmf_arrow_import_stream. */
SHMF_API struct shmf_frame *shmf_duckdb_query(struct shmf_duckdb *duckdb, const char *sql,
                                              struct shmf_error *err);

/* DuckDB's own duckdb_connection, for its C API: prepared statements, appenders. Borrowed. */
SHMF_API void *shmf_duckdb_connection(struct shmf_duckdb *duckdb);

SHMF_END_DECLS

#endif
