/* libshmframe: frames from and to comma-separated values (RFC 4180).
 *
 * Reading finds the rows first, so that ranges of the file are parsed by the workers of a pool at
 * once, then each column's type, unless they are given. It is exact: a type is taken when every
 * field of the column is a value of it without loss, text otherwise ("007", "+49 30" and integers
 * beyond int64 are text). Fields may be quoted and then hold delimiters, line ends, and quotes
 * written twice. A quote within a field that does not begin with one, rows of different length,
 * line ends of two kinds, text that is not UTF-8 and an end within quotes are errors that say
 * where; no frame is made then. Thread safety: all functions may be called by any thread. */
#ifndef SHMFRAME_CSV_H
#define SHMFRAME_CSV_H

#include <shmframe/pool.h>

SHMF_BEGIN_DECLS

/* ---- reading ------------------------------------------------------------------------------ */

/* Zero means the default in every field. */
struct shmf_csv_options {
    char delimiter;       /* 0: a comma; not a quote, line end or letter, digit, '.', '-' */
    uint8_t no_header;    /* nonzero: the first line holds values; columns are "0", "1", ... */
    uint8_t reserved0[6]; /* must be zero */
    const struct shmf_column_spec *columns; /* n_columns: dtypes, and labels, which must be those of
                                  the header; NULL: found out. Fields are parsed as these dtypes:
                                  integers of all widths, float32, float64, bool, date32, timestamp,
                                  utf8 and large_utf8 */
    const struct shmf_column_details *details; /* n_columns: unit and zone of timestamps; or NULL */
    int64_t n_columns;
    const char *const *nulls; /* n_nulls unquoted texts that mean null, as the empty field does */
    size_t n_nulls;
    const char *row_labels; /* label of the column (of integers or text, without nulls) whose values
                               become the row labels; NULL: rows are numbered */
    struct shmf_pool *pool; /* whose workers parse; NULL: the calling thread does */
    int64_t chunk_bytes;    /* bytes that one task parses; 0: 256 KiB */
    const char *progress;   /* with a pool: as in struct shmf_imap_options; NULL: no bar */
    uint64_t reserved[7];   /* must be zero */
};

/* The frame that a file holds; the caller owns it. Types found out are, the first that fits: bool
 * (true, false, in the usual cases), int64, float64, date32 (2024-02-29), timestamp in microseconds
 * or nanoseconds (2024-02-29 12:30[:00[.123456789]], 'T' between, with 'Z' or an offset: in UTC),
 * utf8 (large_utf8 for a file of 2 GiB and more). The file is read piece by piece, twice, by those
 * who parse it (for first finding the rows): what takes memory is the frame, and the pieces in
 * work. With row_labels the parts are kept until the end. A file that is changed meanwhile is an
 * error (SHMF_E_CORRUPT). Errors: SHMF_E_CORRUPT (line and column), SHMF_E_INVAL (names the
 * option), SHMF_E_NOTFOUND (no file; row_labels), SHMF_E_PERM, SHMF_E_DTYPE (a column's dtype
 * cannot be read), SHMF_E_TOOBIG, SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_SYS, and those of the pool. */
SHMF_API struct shmf_frame *shmf_csv_read(const char *path, const struct shmf_csv_options *options,
                                          struct shmf_error *err);

/* The same from memory. */
SHMF_API struct shmf_frame *shmf_csv_parse(const void *bytes, size_t size,
                                           const struct shmf_csv_options *options,
                                           struct shmf_error *err);

/* ---- writing ------------------------------------------------------------------------------ */

/* Zero means the default in every field. */
struct shmf_csv_write_options {
    char delimiter;       /* 0: a comma */
    uint8_t no_header;    /* nonzero: values only */
    uint8_t crlf;         /* nonzero: lines end with CR LF, as RFC 4180 has it; otherwise with LF */
    uint8_t reserved0[5]; /* must be zero */
    const char *null;     /* how a null is written; NULL: as an empty field */
    const char *row_labels; /* write row labels as a first column with this label; NULL: do not */
    uint64_t reserved[8];   /* must be zero */
};

/* Writes a finished frame so that reading gives the same values: floating numbers with as many
 * digits as it takes, empty text as "", other cells as shmf_frame_cell_text does (a timestamp with
 * a zone as UTC). SHMF_E_INVAL, SHMF_E_NOMEM, SHMF_E_SYS (the stream failed). */
SHMF_API int shmf_csv_write(const struct shmf_frame *frame, FILE *out,
                            const struct shmf_csv_write_options *options, struct shmf_error *err);

SHMF_END_DECLS

#endif
