/* The inside of a builder. */
#ifndef SHMFI_FRAME_BUILDER_INTERNAL_H
#define SHMFI_FRAME_BUILDER_INTERNAL_H

#include "frame/frame_internal.h"
#include "frame/stream.h"

#include <shmframe/builder.h>

/* Bits, of which the last few have not become a byte of the stream yet. */
struct shmfi_bits {
    struct shmfi_stream bytes;
    uint8_t last;
    unsigned n_last; /* below 8 */
};

struct shmfi_growing {
    uint32_t dtype;
    uint32_t width;           /* bytes of a value; 0 for booleans and strings */
    bool is_int64;            /* values are stored as appended */
    bool nullable;            /* as the spec says */
    bool has_bits;            /* a null was seen */
    int64_t n;                /* values */
    int64_t whole;            /* bytes of validity before the first null; all their bits are set */
    uint64_t bytes;           /* of strings */
    struct shmfi_stream data; /* values, or bytes of strings */
    struct shmfi_stream ends; /* of strings: where each ends; the first offset, 0, is left out */
    struct shmfi_bits booleans;
    struct shmfi_bits validity;
};

struct shmf_builder {
    struct shmf_frame *model; /* without rows: columns, details, metadata */
    int64_t range_start, range_step;
    int64_t n_columns;
    struct shmfi_growing *columns;
    enum shmf_row_labels labels; /* what was appended so far */
    struct shmfi_growing row_labels;
    struct shmf_error failure; /* the first; code 0: none yet */
};

/* Room for one bit. */
static inline int shmfi_bits_need(struct shmfi_bits *bits, struct shmf_error *err)
{
    return shmfi_stream_need(&bits->bytes, 1, err);
}

static inline void shmfi_bits_put(struct shmfi_bits *bits, bool bit)
{
    bits->last |= (uint8_t)(bit << bits->n_last);
    if (++bits->n_last == 8) {
        shmfi_stream_put(&bits->bytes, &bits->last, 1);
        bits->last = 0;
        bits->n_last = 0;
    }
}

/* Copies all of them to `to` and forgets them. */
void shmfi_bits_drain(struct shmfi_bits *bits, unsigned char *to);

/* One value; `size` is the column's width, or that of a string. Nothing changes on failure. */
int shmfi_growing_put(struct shmfi_growing *column, const void *bytes, uint64_t size,
                      struct shmf_error *err);

#endif
