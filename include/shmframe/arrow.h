/* libshmframe: the Apache Arrow C Data and C Stream interfaces: frames to and from any Arrow
 * consumer (DuckDB, Polars, nanoarrow, ...) in this process.
 *
 * Exporting copies nothing but labels and types: the buffers of what is exported are the frame's
 * own. Each exported structure keeps the memory of the frame alive until it is released; the frame
 * itself may be freed at once. Structures may be moved, released in any order and from any thread,
 * children apart from their parents, as the interfaces' specification demands. They hold their
 * process's reference: a forked child must not release what its parent exported.
 * Importing copies, once; what was given stays the caller's to release.
 *
 * Consumers follow offsets and indexes unchecked: a frame that others wrote is exported after
 * shmf_frame_validate(frame, SHMF_VALIDATE_FULL, ...) only.
 *
 * How dtypes travel: as what they are; complex numbers as fixed-size lists of their two parts,
 * marked by the metadata key "shmframe.complex" of the field. Metadata of frame and columns
 * travel both ways. docs/arrow.md has the table. */
#ifndef SHMFRAME_ARROW_H
#define SHMFRAME_ARROW_H

#include <shmframe/error.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* The structures of the specification, under its guards: any program may have declared them. */
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

/* ---- export ------------------------------------------------------------------------------- */

/* Zero means the default in every field; NULL for all of them. */
struct shmf_arrow_export_options {
    const char *row_labels; /* the row labels become a column of this name, the last one; NULL: they
                               are left out. Those of a range are computed, into private memory */
    int64_t batch_rows;     /* of a stream: rows of each batch but the last; 0: all in one. With a
                               multiple of 512 every bitmap keeps its alignment of 64 bytes */
    uint64_t reserved[4];   /* must be zero */
};

/* The frame's columns as the type of a struct: what the schema of a record batch is. It refers to
 * no memory of the frame. SHMF_E_INVAL, SHMF_E_NOMEM. `*schema` is the caller's to release. */
SHMF_API int shmf_arrow_export_schema(const struct shmf_frame *frame,
                                      const struct shmf_arrow_export_options *options,
                                      struct ArrowSchema *schema, struct shmf_error *err);

/* The rows `first` to first + count - 1 of a frame, slice or selection as one record batch. Null
 * counts are exact. `offset` is 0 but where bits begin inside a byte: in columns with nulls and
 * booleans, if `first` (counted in the whole, of a slice) is no multiple of 8.
 * SHMF_E_INVAL, SHMF_E_RANGE, SHMF_E_ACCESS (not finished), SHMF_E_NOMEM. */
SHMF_API int shmf_arrow_export_rows(const struct shmf_frame *frame, int64_t first, int64_t count,
                                    const struct shmf_arrow_export_options *options,
                                    struct ArrowArray *array, struct shmf_error *err);

/* The same for all rows. */
SHMF_API int shmf_arrow_export(const struct shmf_frame *frame,
                               const struct shmf_arrow_export_options *options,
                               struct ArrowArray *array, struct shmf_error *err);

/* All rows as a stream of record batches; at least one, also of a frame without rows. */
SHMF_API int shmf_arrow_export_stream(const struct shmf_frame *frame,
                                      const struct shmf_arrow_export_options *options,
                                      struct ArrowArrayStream *stream, struct shmf_error *err);

/* ---- import ------------------------------------------------------------------------------- */

/* Zero means the default in every field; NULL for all of them. */
struct shmf_arrow_import_options {
    const char *row_labels; /* the field that becomes the row labels, int64 or strings without
                               nulls; NULL: the one that an export marked, if there is one; "":
                               none, all fields become columns */
    uint64_t reserved[4];   /* must be zero */
};

/* A finished frame, which the caller owns, from a record batch (a struct array), or from an array
 * of any other type, which becomes its only column. utf8, large_utf8 and views of them become utf8
 * (large_utf8, if their bytes are more than 2^31 - 1), large and view types of binary become
 * binary, dictionaries of strings stay dictionaries, and those of values of fixed width (but bool)
 * become columns of these values. The structures are trusted as far as the
 * interface goes: it does not say how long buffers are. Contents are checked: SHMF_E_INVAL for
 * offsets, indexes and UTF-8 that are wrong, SHMF_E_UNSUPPORTED for types that a frame does not
 * have (nested ones, null, union, run-end encoded, wide decimals, dictionaries of bool or
 * binary): the message names the field. SHMF_E_NOTFOUND: no field for the row labels;
 * SHMF_E_DTYPE: not one that can be; also SHMF_E_TOOBIG, SHMF_E_NOSPC, SHMF_E_NOMEM. */
SHMF_API struct shmf_frame *shmf_arrow_import(const struct ArrowSchema *schema,
                                              const struct ArrowArray *array,
                                              const struct shmf_arrow_import_options *options,
                                              struct shmf_error *err);

/* The same from all that a stream has left; dictionaries that differ from batch to batch are
 * merged. The stream's own failure is SHMF_E_SYS with its errno and message. */
SHMF_API struct shmf_frame *
shmf_arrow_import_stream(struct ArrowArrayStream *stream,
                         const struct shmf_arrow_import_options *options, struct shmf_error *err);

SHMF_END_DECLS

#endif
