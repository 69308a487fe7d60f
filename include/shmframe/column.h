/* libshmframe: columns of frames: their types in full, text, categories, key-value metadata.
 *
 * Numbers are described by their dtype alone; other columns need more: a unit, a width, a list of
 * categories. All functions read only: any number of threads may use one frame. What they return
 * points into the frame and lives as long as it does; text is never terminated by a NUL. */
#ifndef SHMFRAME_COLUMN_H
#define SHMFRAME_COLUMN_H

#include <shmframe/dtype.h>
#include <shmframe/error.h>

SHMF_BEGIN_DECLS

struct shmf_frame;

/* UTF-8, or bytes of any kind: `size` of them, NOT terminated by NUL. */
struct shmf_text {
    const char *data; /* NULL when there is none */
    int64_t size;
};

/* Units of time of columns. */
enum shmf_unit {
    SHMF_SECONDS = 1,
    SHMF_MILLISECONDS = 2,
    SHMF_MICROSECONDS = 3,
    SHMF_NANOSECONDS = 4
};

/* A dtype, and what it does not say by itself. Fields that a dtype does not use are zero. */
struct shmf_type {
    enum shmf_dtype dtype;
    enum shmf_unit unit;         /* time32 (s, ms), time64 (us, ns), timestamp, duration */
    enum shmf_dtype index_dtype; /* dictionary: an integer dtype; 0 in a spec means int32 */
    int ordered;                 /* dictionary: not zero: the categories are in order */
    uint32_t width;              /* fixed_binary: bytes of one value, 1 to 2^31 - 1 */
    int precision;               /* decimal128: decimal digits, 1 to 38 */
    int scale;                   /* decimal128: how many of them are behind the point */
    struct shmf_text zone;       /* timestamp: name of a time zone or "+01:00"; the values are UTC
                                    then. Without one they are local time of no known place */
};

/* One pair of metadata. */
struct shmf_pair {
    struct shmf_text key;
    struct shmf_text value;
};

/* What a column to be made needs besides label and dtype; zero means nothing. */
struct shmf_column_details {
    struct shmf_type type;          /* `dtype` is ignored: the spec says it */
    int64_t data_size;              /* strings: bytes that all rows have together at most */
    const struct shmf_text *values; /* dictionary: n_values categories, UTF-8 */
    int64_t n_values;
    const struct shmf_pair *metadata; /* n_metadata pairs */
    int64_t n_metadata;
    uint64_t reserved[4]; /* must be zero */
};

/* One column, for reading. */
struct shmf_column {
    enum shmf_dtype dtype;
    int64_t n_rows;
    int64_t null_count;
    const void *data;        /* n_rows elements; bits for SHMF_BOOL; the bytes of strings */
    const uint8_t *validity; /* bit r set: row r is not null; NULL when there are no nulls */
    const void *offsets;     /* strings: n_rows + 1 int32, of large_utf8 int64; else NULL */
    int64_t data_size;       /* bytes at `data` */
    int bit_offset;          /* of a slice: row r is bit r + this in validity and SHMF_BOOL */
};

/* ---- types and cells ---------------------------------------------------------------------- */

/* The column's type in full. SHMF_E_RANGE: no such position. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_frame_type(const struct shmf_frame *frame, int64_t column,
                             struct shmf_type *type);

/* 1: the cell is null, 0: it is not. SHMF_E_RANGE, SHMF_E_INVAL. */
SHMF_API int shmf_frame_is_null(const struct shmf_frame *frame, int64_t row, int64_t column);

/* The text of a cell of strings, the bytes of binary and fixed_binary, the category of a
 * dictionary. Data NULL for a null, where there is no such cell, and for other dtypes. */
SHMF_API struct shmf_text shmf_frame_text(const struct shmf_frame *frame, int64_t row,
                                          int64_t column);

/* A cell of integers, booleans, dates, times, timestamps, durations, or the index of a
 * dictionary's cell. SHMF_E_RANGE: no such cell, or a uint64 beyond int64. SHMF_E_DTYPE: another
 * dtype. SHMF_E_NOTFOUND: it is null. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_frame_cell_int64(const struct shmf_frame *frame, int64_t row, int64_t column,
                                   int64_t *value);

/* The cell as people read it, as the frame is printed but neither cut nor padded: dates as
 * "2024-02-29", timestamps as "2024-02-29 12:30:00.250" (with a zone: UTC and "Z", or local time
 * and "+01:00"), binary in hexadecimal, null as "null". Writes at most `size` bytes, a NUL
 * included, and returns how many bytes the whole text has. SHMF_E_RANGE, SHMF_E_INVAL. */
SHMF_API int64_t shmf_frame_cell_text(const struct shmf_frame *frame, int64_t row, int64_t column,
                                      char *to, size_t size);

/* ---- categories --------------------------------------------------------------------------- */

/* How many categories a dictionary column has; 0 for other columns. */
SHMF_API int64_t shmf_frame_n_categories(const struct shmf_frame *frame, int64_t column);

/* Data NULL when there is no such category. */
SHMF_API struct shmf_text shmf_frame_category(const struct shmf_frame *frame, int64_t column,
                                              int64_t index);

/* All of them as a column of strings (utf8 or large_utf8 by their size), which points into the
 * frame. SHMF_E_RANGE: no such column. SHMF_E_DTYPE: no dictionary. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_frame_categories(const struct shmf_frame *frame, int64_t column,
                                   struct shmf_column *categories);

/* ---- metadata; `column` -1 means the frame's own -------------------------------------------- */

/* How many pairs there are; 0 for a column that is not. */
SHMF_API int64_t shmf_frame_n_metadata(const struct shmf_frame *frame, int64_t column);

/* The pairs in the order in which they were given. SHMF_E_RANGE, SHMF_E_INVAL. */
SHMF_API int shmf_frame_metadata_at(const struct shmf_frame *frame, int64_t column,
                                    int64_t position, struct shmf_pair *pair);

/* The value of the first pair with this key; data NULL when there is none. */
SHMF_API struct shmf_text shmf_frame_metadata(const struct shmf_frame *frame, int64_t column,
                                              const char *key);

/* ---- checking ----------------------------------------------------------------------------- */

/* How much of a frame that others wrote is looked at. Opening does what MINIMAL does, and reading
 * through the functions of this library needs no more: they check what they follow. Who follows
 * offsets or indexes himself wants FULL. */
enum shmf_validation {
    SHMF_VALIDATE_NONE = 0,
    SHMF_VALIDATE_MINIMAL = 1, /* header and column table; cost: columns */
    SHMF_VALIDATE_DEFAULT = 2, /* and first and last offsets, zones, metadata; cost: columns */
    SHMF_VALIDATE_FULL = 3     /* and every offset, text, index, null count and label */
};

/* SHMF_E_CORRUPT names what is wrong. It holds for as long as nobody writes the segment.
 * SHMF_E_INVAL: no such level, NULL. SHMF_E_NOMEM. */
SHMF_API int shmf_frame_validate(const struct shmf_frame *frame, enum shmf_validation level,
                                 struct shmf_error *err);

SHMF_END_DECLS

#endif
