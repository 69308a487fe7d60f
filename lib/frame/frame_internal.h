/* The inside of a frame, for tasks and tests. */
#ifndef SHMFI_FRAME_INTERNAL_H
#define SHMFI_FRAME_INTERNAL_H

#include "labels/labels.h"

#include <shmframe/format.h>
#include <shmframe/frame.h>

struct shmfi_segment;

/* Private to the process. `header` is a checked copy. `columns` is the table in the segment where
 * the segment is our own or the application's, whom we trust; of any other a checked copy, kept in
 * `copied`. All pointers are set by shmfi_frame_resolve(). */
struct shmf_frame {
    struct shmfi_segment *segment; /* our reference; NULL over plain memory, in tests */
    unsigned char *base;
    struct shmf_format_frame header;
    const unsigned char *columns; /* descriptors, `column_size` bytes apart */
    uint64_t column_size;
    struct shmf_format_column *copied; /* to be freed; or NULL */
    struct shmfi_labels row_labels;    /* n is 0 for a range */
    struct shmfi_labels column_labels;
    struct shmfi_index row_index;
    struct shmfi_index column_index;
    bool building;   /* not finished yet, and ours */
    bool writable;   /* finished, but opened copy-on-write or as a private copy */
    bool nulls_open; /* validity was handed out for writing since nulls were counted; atomic */
};

static inline const struct shmf_format_column *
shmfi_frame_descriptor(const struct shmf_frame *frame, int64_t column)
{
    return (const void *)(frame->columns + (uint64_t)column * frame->column_size);
}

/* A frame over a segment that somebody opened; takes the reference, on failure too. Trusted: the
 * column table is used in place, so that the cost does not depend on the columns. A frame that is
 * not trusted has its table checked and copied. It may be written if the segment may. */
int shmfi_frame_from_segment(struct shmfi_segment *segment, bool trusted, struct shmf_frame **frame,
                             struct shmf_error *err);

/* The same over plain memory, which must outlive it. */
int shmfi_frame_from_memory(void *memory, uint64_t size, bool trusted, struct shmf_frame **frame,
                            struct shmf_error *err);

/* Borrowed. */
struct shmfi_segment *shmfi_frame_segment(const struct shmf_frame *frame);

/* ---- within the module -------------------------------------------------------------------- */

/* Sets every pointer from `base`, `header` and `columns`. */
void shmfi_frame_resolve(struct shmf_frame *frame);

/* A frame in the building state, after `spec`. A column is nullable where the spec says so, or
 * where `validity` (may be NULL, as may its entries) has a null. */
struct shmf_frame *shmfi_frame_create(const struct shmf_frame_spec *spec,
                                      const uint8_t *const *validity, struct shmf_error *err);

/* 0, or SHMF_E_INVAL, SHMF_E_TOOBIG, SHMF_E_UNSUPPORTED naming the field. */
int shmfi_frame_check_spec(const struct shmf_frame_spec *spec, struct shmf_error *err);
enum shmf_dtype shmfi_frame_spec_dtype(const struct shmf_frame_spec *spec, int64_t column);

/* Do the columns have one dtype, no nulls, and one distance? Then its bytes, and the dtype. */
bool shmfi_frame_find_matrix(const struct shmf_frame *frame, uint32_t *dtype, uint64_t *stride);

/* Is this frame a matrix now (numbers without nulls)? Then dtype, distance and first element. */
bool shmfi_frame_is_matrix(const struct shmf_frame *frame, uint32_t *dtype, uint64_t *stride,
                           const unsigned char **data);

/* The validity of a column where rows may be null, else NULL. */
const uint8_t *shmfi_frame_validity(const struct shmf_frame *frame,
                                    const struct shmf_format_column *column);

/* ---- bitmaps; bit i is bit i % 8 of byte i / 8 ---------------------------------------------- */

static inline bool shmfi_bit(const uint8_t *bitmap, int64_t i)
{
    return bitmap[i / 8] >> (i % 8) & 1;
}

/* How many of the first n bits are set; reads no byte behind them. */
int64_t shmfi_bitmap_count(const uint8_t *bitmap, int64_t n);

/* Sets the first n bits and clears those behind, up to the next multiple of 64 bytes. */
void shmfi_bitmap_fill(uint8_t *bitmap, int64_t n);

#endif
