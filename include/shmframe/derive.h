/* libshmframe: frames from frames: slices, rows taken, frames put one below the other, compared,
 * described.
 *
 * What is made is a finished frame that the caller owns; the frames that it is made from are only
 * read, and may be freed before it. Thread safety: as for reading frames. */
#ifndef SHMFRAME_DERIVE_H
#define SHMFRAME_DERIVE_H

#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* Rows `first` to first + count - 1, without copying them; the cost depends on the columns (and on
 * the rows of those with nulls, which are counted). It is read like any frame and keeps the memory
 * of the whole alive; its handle names these rows of the whole (shmf_handle_slice), for tasks.
 * Elements are aligned to their size only; see bit_offset in struct shmf_column. Looking up a label
 * that several rows of the whole bear reads the slice's labels. A whole that was opened
 * copy-on-write or as a private copy must not be written meanwhile. SHMF_E_RANGE: no such rows.
 * SHMF_E_ACCESS: the frame is not finished. SHMF_E_NOMEM. */
SHMF_API struct shmf_frame *shmf_frame_slice(const struct shmf_frame *frame, int64_t first,
                                             int64_t count, struct shmf_error *err);

/* The columns at these positions, in this order, as often as they are named, without copying them;
 * otherwise as for slices. Its handle (SHMF_KIND_SELECTION) names a segment of its own, made when
 * it is first asked for, that says which columns are meant; tasks open it as they open frames. It
 * keeps the memory of the whole as long as itself. */
SHMF_API struct shmf_frame *shmf_frame_select(const struct shmf_frame *frame,
                                              const int64_t *columns, int64_t n,
                                              struct shmf_error *err);

/* The rows with these numbers, in this order, as often as they are named; labels come along (those
 * of a range become numbers). SHMF_E_RANGE names a row that is not there. SHMF_E_CORRUPT: strings
 * whose offsets lead nowhere. SHMF_E_INVAL: a label with a NUL byte. Otherwise as for
 * shmf_frame_from_columns. */
SHMF_API struct shmf_frame *shmf_frame_take(const struct shmf_frame *frame, const int64_t *rows,
                                            int64_t n, struct shmf_error *err);

/* The rows of all frames (at least one), one below the other. They must have the same columns:
 * labels, types and categories; details and metadata are those of the first. Row labels must be
 * text in all or in none; ranges that do not continue each other become numbers. SHMF_E_DTYPE names
 * the frame and the column that differ. */
SHMF_API struct shmf_frame *shmf_frame_concat(const struct shmf_frame *const *frames, int64_t n,
                                              struct shmf_error *err);

/* 1: shape, labels, types and all values are equal, 0: they are not. Nulls are equal to nulls
 * whatever lies below them, NaN to NaN, 0 to -0; categories are compared by their text. Metadata
 * do not count. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_frame_equal(const struct shmf_frame *a, const struct shmf_frame *b);

/* What a column of numbers or booleans holds. An infinite value leaves no finite mean. */
struct shmf_summary {
    int64_t count; /* values that are neither null nor NaN */
    int64_t nulls; /* null or NaN */
    double mean;   /* NaN without values, as are the others */
    double std;    /* of a sample: divided by count - 1; NaN below two values */
    double min;
    double max;
};

/* SHMF_E_RANGE: no such column. SHMF_E_DTYPE: no integers, floating numbers or booleans.
 * SHMF_E_INVAL: NULL. */
SHMF_API int shmf_frame_summarize(const struct shmf_frame *frame, int64_t column,
                                  struct shmf_summary *summary);

/* The summaries of all columns that have one, as a frame of float64 with rows "count", "nulls",
 * "mean", "std", "min" and "max". */
SHMF_API struct shmf_frame *shmf_frame_describe(const struct shmf_frame *frame,
                                                struct shmf_error *err);

/* The first row of each label, as shmf_frame_loc and shmf_frame_loc_number find it: rows[i] is a
 * row or a negative status. Returns how many were found. SHMF_E_INVAL: NULL, or n negative.
 * SHMF_E_DTYPE: labels of the other kind. Allocates nothing. */
SHMF_API int64_t shmf_frame_loc_texts(const struct shmf_frame *frame,
                                      const struct shmf_text *labels, int64_t n, int64_t *rows);
SHMF_API int64_t shmf_frame_loc_numbers(const struct shmf_frame *frame, const int64_t *labels,
                                        int64_t n, int64_t *rows);

SHMF_END_DECLS

#endif
