/* libshmframe: frames: columnar tables with row and column labels in one shared segment.
 *
 * A frame is an opaque, process-private object that refers to a segment. It is built in place
 * (shmf_frame_new, write the columns, shmf_frame_finish), from data of the caller, row by row
 * (builder.h), from other frames (derive.h), or opened from a handle. Its columns' types in full,
 * text, categories and metadata are in column.h. Looking up a label costs O(1), touches no heap and
 * works at once in every process, because the labels' hash index lies in the segment.
 * Thread safety and fork: as for arrays (array.h); several threads, or workers, may write disjoint
 * parts of a frame that is being built. */
#ifndef SHMFRAME_FRAME_H
#define SHMFRAME_FRAME_H

#include <shmframe/column.h>
#include <shmframe/dtype.h>
#include <shmframe/error.h>
#include <shmframe/handle.h>

#include <stdbool.h>
#include <stdio.h>

SHMF_BEGIN_DECLS

/* What the rows are called: by numbers start, start + step, ...; by int64; by text. */
enum shmf_row_labels { SHMF_ROWS_RANGE = 0, SHMF_ROWS_INT64 = 1, SHMF_ROWS_UTF8 = 2 };

/* One column of a frame to be made; filled by the caller. */
struct shmf_column_spec {
    const char *label; /* UTF-8, NUL-terminated */
    enum shmf_dtype dtype;
    uint32_t nullable; /* nonzero: the column gets a validity bitmap, all valid at first */
};

/* A frame to be made; filled by the caller, zero means the default. */
struct shmf_frame_spec {
    int64_t n_rows;
    int64_t n_columns;
    const struct shmf_column_spec *columns; /* n_columns; or NULL: all alike, as the next two say */
    enum shmf_dtype dtype;                  /* of every column, where `columns` is NULL */
    const char *const *column_labels;       /* n_columns, without `columns`; NULL: "0", "1", ... */
    const char *const *row_labels;          /* n_rows UTF-8 row labels; or NULL */
    const int64_t *row_numbers;             /* n_rows int64 row labels; or NULL */
    int64_t range_start;                    /* with neither: rows are start, start + step, ... */
    int64_t range_step;                     /* 0 means 1 */
    const struct shmf_column_details *details; /* n_columns; or NULL: dtypes say all */
    const struct shmf_pair *metadata;          /* n_metadata pairs; or NULL */
    int64_t n_metadata;
    uint64_t reserved[8]; /* must be zero */
};

/* A frame of one dtype without nulls as a column-major matrix (BLAS, LAPACK, Fortran). */
struct shmf_matrix {
    enum shmf_dtype dtype;
    int64_t n_rows;
    int64_t n_columns;
    int64_t leading_dimension; /* elements from one column to the next, >= n_rows */
    const void *data;          /* element (r, c) is at data + c * leading_dimension + r */
};

/* ---- making ------------------------------------------------------------------------------- */

/* A new frame in the building state: labels are complete and indexed, the columns' contents are
 * NOT defined; write them through shmf_frame_data_mut and call shmf_frame_finish. Strings: their
 * bytes (details[c].data_size) and their n_rows + 1 offsets, the first of which is 0 already.
 * Errors: SHMF_E_INVAL (names the field of `spec`), SHMF_E_TOOBIG, SHMF_E_UNSUPPORTED (dtype),
 * SHMF_E_NOSPC, SHMF_E_NOMEM. The caller owns it. */
SHMF_API struct shmf_frame *shmf_frame_new(const struct shmf_frame_spec *spec,
                                           struct shmf_error *err);

/* A finished frame from columns of the caller: `data[c]` has n_rows elements laid out as in
 * struct shmf_column, but strings and binary are n_rows struct shmf_text, where data NULL is a
 * null; `validity` may be NULL, as may any entry of it. A column with a null gets a validity
 * bitmap whether the spec says nullable or not. */
SHMF_API struct shmf_frame *shmf_frame_from_columns(const struct shmf_frame_spec *spec,
                                                    const void *const *data,
                                                    const uint8_t *const *validity,
                                                    struct shmf_error *err);

/* A finished frame of one fixed-width dtype from a matrix of the caller: element (r, c) is at
 * data + r * row_stride + c * column_stride (bytes; may be negative or zero). Booleans are bytes
 * there, not zero means true. SHMF_E_DTYPE: the columns' dtypes differ, or are neither numbers
 * nor booleans. */
SHMF_API struct shmf_frame *shmf_frame_from_matrix(const struct shmf_frame_spec *spec,
                                                   const void *data, int64_t row_stride,
                                                   int64_t column_stride, struct shmf_error *err);

/* The column's elements for writing; NULL when the frame is read-only or finished (unless it was
 * opened copy-on-write or as a private copy), or the position is out of range. */
SHMF_API void *shmf_frame_data_mut(struct shmf_frame *frame, int64_t column);

/* The column's validity bitmap for writing; NULL as above and for a column that is not nullable. */
SHMF_API uint8_t *shmf_frame_validity_mut(struct shmf_frame *frame, int64_t column);

/* The n_rows + 1 offsets of a column of strings for writing (int32; int64 of large_utf8); NULL as
 * above and for a column of another dtype. */
SHMF_API void *shmf_frame_offsets_mut(struct shmf_frame *frame, int64_t column);

/* Check strings and indexes (SHMF_E_INVAL names the column and the row), count nulls, clear
 * padding, make the frame ready to be shared. Idempotent. A frame that was
 * opened copy-on-write or as a private copy needs it again after its validity was written.
 * SHMF_E_ACCESS: the frame is being built by the process that this one was forked from. */
SHMF_API int shmf_frame_finish(struct shmf_frame *frame, struct shmf_error *err);

/* The frame that `handle` names, with the handle's access; the caller frees it. Errors as for
 * shmf_array_open; SHMF_E_ACCESS: it is not finished. */
SHMF_API struct shmf_frame *shmf_frame_open(struct shmf_handle handle, struct shmf_error *err);

/* Lets go of the frame; its memory is used again when nobody needs it any more. NULL is fine. */
SHMF_API void shmf_frame_free(struct shmf_frame *frame);

/* The handle with read-only access; region 0 for NULL or an unfinished frame, and for a selection
 * of columns whose handle there is no memory for. */
SHMF_API struct shmf_handle shmf_frame_handle(const struct shmf_frame *frame);

/* ---- shape and columns -------------------------------------------------------------------- */

/* The shape; 0 for NULL. */
SHMF_API int64_t shmf_frame_rows(const struct shmf_frame *frame);
SHMF_API int64_t shmf_frame_columns(const struct shmf_frame *frame);

/* Fills `*column`. SHMF_E_RANGE: no such position. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_frame_column(const struct shmf_frame *frame, int64_t position,
                               struct shmf_column *column);

/* The column's elements if it has this dtype and position, else NULL. */
SHMF_API const void *shmf_frame_data(const struct shmf_frame *frame, int64_t position,
                                     enum shmf_dtype dtype);

/* The whole frame as one matrix. SHMF_E_DTYPE: the columns differ in dtype, have nulls, or are
 * no numbers; the message-less code is enough because the reasons are visible in the columns. */
SHMF_API int shmf_frame_matrix(const struct shmf_frame *frame, struct shmf_matrix *matrix);

/* Row `row` across all columns, converted to double, nulls as NaN, into out[0 .. columns-1].
 * SHMF_E_RANGE: no such row. SHMF_E_DTYPE: a column that is no number. */
SHMF_API int shmf_frame_row(const struct shmf_frame *frame, int64_t row, double *out);

/* One cell as a double (NaN for null). Errors as for shmf_frame_row. */
SHMF_API int shmf_frame_cell(const struct shmf_frame *frame, int64_t row, int64_t column,
                             double *value);

/* ---- labels ------------------------------------------------------------------------------- */

/* Which kind of labels the rows have. */
SHMF_API enum shmf_row_labels shmf_frame_row_labels(const struct shmf_frame *frame);

/* Label of a column or, for UTF-8 row labels, of a row; data NULL when out of range or none. */
SHMF_API struct shmf_text shmf_frame_column_label(const struct shmf_frame *frame, int64_t column);
SHMF_API struct shmf_text shmf_frame_row_text(const struct shmf_frame *frame, int64_t row);

/* Label of a row where labels are int64 or a range. SHMF_E_DTYPE: they are text. */
SHMF_API int shmf_frame_row_number(const struct shmf_frame *frame, int64_t row, int64_t *number);

/* The row labels as a column that points into the frame: int64, or strings. SHMF_E_DTYPE: a range,
 * which takes no memory. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_frame_row_label_column(const struct shmf_frame *frame,
                                         struct shmf_column *column);

/* The first row with this label, O(1), no allocation. Negative: SHMF_E_NOTFOUND, SHMF_E_DTYPE
 * (labels of the other kind), SHMF_E_INVAL (NULL). */
SHMF_API int64_t shmf_frame_loc(const struct shmf_frame *frame, const char *label);
SHMF_API int64_t shmf_frame_loc_number(const struct shmf_frame *frame, int64_t number);

/* The same for text of known length, and for numbers, with the number of rows that bear the label
 * in `*count` (which may be NULL). */
SHMF_API int64_t shmf_frame_loc_text(const struct shmf_frame *frame, struct shmf_text label,
                                     int64_t *count);
SHMF_API int64_t shmf_frame_loc_number_count(const struct shmf_frame *frame, int64_t number,
                                             int64_t *count);

/* The rows from the first that bears `from` to the last that bears `to`, whatever lies between, as
 * shmf_frame_slice takes them; no rows where the last comes before the first. O(1) where `to` is
 * borne once. SHMF_E_NOTFOUND: there is no such label. SHMF_E_DTYPE, SHMF_E_INVAL as above. */
SHMF_API int shmf_frame_loc_from_to(const struct shmf_frame *frame, const char *from,
                                    const char *to, int64_t *first, int64_t *count);
SHMF_API int shmf_frame_loc_numbers_from_to(const struct shmf_frame *frame, int64_t from,
                                            int64_t to, int64_t *first, int64_t *count);

/* The rows whose labels are `least`, `most` or between these, where the labels ascend (text by its
 * bytes, which is the order of code points) or are a range of any step; neither end need be there.
 * O(log rows). Labels in another order are not noticed: the rows may be any then. */
SHMF_API int shmf_frame_loc_between(const struct shmf_frame *frame, const char *least,
                                    const char *most, int64_t *first, int64_t *count);
SHMF_API int shmf_frame_loc_numbers_between(const struct shmf_frame *frame, int64_t least,
                                            int64_t most, int64_t *first, int64_t *count);

/* Position of the first column with this label; negative as for shmf_frame_loc. */
SHMF_API int64_t shmf_frame_column_loc(const struct shmf_frame *frame, const char *label);

/* ---- looking ------------------------------------------------------------------------------ */

/* How a frame is printed; zero means the default. */
struct shmf_print_options {
    int64_t max_rows;    /* 0: 10; the middle is elided */
    int64_t max_columns; /* 0: 8; the middle is elided */
    int precision;       /* significant digits of floating numbers; 0: 6 */
    int no_dtypes;       /* nonzero: leave the line of dtypes out */
};

/* Print the corner of the frame with labels, dtypes and its shape. `options` may be NULL. */
SHMF_API int shmf_frame_print(const struct shmf_frame *frame, FILE *out,
                              const struct shmf_print_options *options);

SHMF_END_DECLS

#endif
