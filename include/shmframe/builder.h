/* libshmframe: builders: frames whose rows are not known beforehand.
 *
 * Values are appended to columns, one at a time, many at a time or row by row. What is there is not
 * copied when a column grows. Where it is known how many rows will come, each column has a range of
 * the future frame for itself, and finishing copies nothing, unless more came, or rows have labels,
 * or so few came that the gaps between columns exceed an eighth of them. Beyond its range, and
 * where nothing is known, a column goes on in other pieces of memory, recycled like all memory of
 * the library, and shmf_builder_finish puts the pieces together, once. Nothing outlives the process
 * or shmf_builder_free.
 * The first failure of an append is remembered: nothing can be appended after it, and
 * shmf_builder_finish fails with its code and message, so that single appends need not be checked.
 * Thread safety: a builder belongs to one thread at a time, and to the process that made it. */
#ifndef SHMFRAME_BUILDER_H
#define SHMFRAME_BUILDER_H

#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

struct shmf_builder;

/* One cell of a row. */
enum shmf_cell_kind { SHMF_CELL_NULL = 0, SHMF_CELL_INT64, SHMF_CELL_DOUBLE, SHMF_CELL_TEXT };

/* Its kind says which member of `value` counts. */
struct shmf_cell {
    enum shmf_cell_kind kind;
    union {
        int64_t integer;
        double number;
        struct shmf_text text;
    } value;
};

/* `spec` says columns, details and metadata, as for shmf_frame_new; every column may have nulls.
 * row_labels and row_numbers must be zero. n_rows and the data sizes of strings are what is
 * expected: as much memory is reserved with the first value, if it is to be had, and no promise is
 * made by them; zero: not known. A builder that is used again expects what it had the last time.
 * Errors as for shmf_frame_new. */
SHMF_API struct shmf_builder *shmf_builder_new(const struct shmf_frame_spec *spec,
                                               struct shmf_error *err);

/* Gives up what was not finished. NULL is fine. */
SHMF_API void shmf_builder_free(struct shmf_builder *builder);

/* ---- by column ---------------------------------------------------------------------------- */

/* One value. Integers go to integers, booleans, dates, times, timestamps, durations, floating
 * numbers and, as index of a category, dictionaries; doubles to floating numbers (not float16);
 * text to strings, binary and fixed_binary. SHMF_E_RANGE: no such column, or the value does not fit
 * into the dtype. SHMF_E_DTYPE: not for this dtype. SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_NOFILES,
 * SHMF_E_TOOBIG: no room. Whether text is UTF-8 and categories exist is checked at the end. */
SHMF_API int shmf_builder_append_int64(struct shmf_builder *builder, int64_t column, int64_t value);
SHMF_API int shmf_builder_append_double(struct shmf_builder *builder, int64_t column, double value);
SHMF_API int shmf_builder_append_text(struct shmf_builder *builder, int64_t column,
                                      const char *data, int64_t size);
SHMF_API int shmf_builder_append_null(struct shmf_builder *builder, int64_t column);

/* `n` values laid out as in struct shmf_column, for columns of fixed width that are no booleans. */
SHMF_API int shmf_builder_append_many(struct shmf_builder *builder, int64_t column,
                                      const void *values, int64_t n);

/* ---- by row ------------------------------------------------------------------------------- */

/* A cell for each column. */
SHMF_API int shmf_builder_append_row(struct shmf_builder *builder, const struct shmf_cell *cells);

/* The label of the next row that has none. Either all rows get one, all of one kind, or none
 * does: then they are a range, as the spec says. Text is without NUL bytes. */
SHMF_API int shmf_builder_label_text(struct shmf_builder *builder, const char *data, int64_t size);
SHMF_API int shmf_builder_label_number(struct shmf_builder *builder, int64_t number);

/* Rows of the longest column so far. */
SHMF_API int64_t shmf_builder_rows(const struct shmf_builder *builder);

/* ---- the end ------------------------------------------------------------------------------ */

/* The finished frame, which the caller owns. The builder is empty then and takes the rows of
 * another. SHMF_E_INVAL: columns or labels of different length, text that is not UTF-8, an index
 * without category (the message names them); the failure that was remembered; no room. After a
 * failure the builder can only be freed. */
SHMF_API struct shmf_frame *shmf_builder_finish(struct shmf_builder *builder,
                                                struct shmf_error *err);

SHMF_END_DECLS

#endif
