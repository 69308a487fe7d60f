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

/* Values that can be put without a look at the dtype, while there is no null. */
enum shmfi_plain_way { SHMFI_WAY_NONE = 0, SHMFI_WAY_INT64, SHMFI_WAY_DOUBLE, SHMFI_WAY_TEXT };

struct shmfi_growing {
    uint32_t dtype;
    uint32_t width;           /* bytes of a value; 0 for booleans and strings */
    enum shmfi_plain_way way; /* none from the first null on */
    bool nullable;            /* as the spec says */
    bool has_bits;            /* a null was seen */
    int64_t n;                /* values */
    int64_t whole;            /* bytes of validity before the first null; all their bits are set */
    uint64_t bytes;           /* of strings */
    unsigned char *bitmap;    /* reserved for validity; or NULL */
    uint64_t bitmap_size;     /* bytes there */
    struct shmfi_stream data; /* values, or bytes of strings */
    struct shmfi_stream ends; /* of strings: where each ends; the first offset, 0, is left out */
    struct shmfi_bits booleans;
    struct shmfi_bits validity;
};

struct shmf_builder {
    struct shmf_frame *model; /* without rows: columns, details, metadata */
    int64_t range_start, range_step;
    struct shmf_frame
        *reserved;            /* in whose columns the rows are put while they have room; or NULL */
    int64_t expected_rows;    /* of the frame that is built next; 0: unknown */
    uint64_t *expected_bytes; /* of its columns of strings; n_columns */
    bool begun;               /* rows may be reserved already */
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

/* Makes a byte of the last few; whoever put them made sure of the room. */
static inline void shmfi_bits_flush(struct shmfi_bits *bits)
{
    if (bits->n_last > 0)
        shmfi_stream_put(&bits->bytes, &bits->last, 1);
    bits->last = 0;
    bits->n_last = 0;
}

/* Copies all of them to `to` and forgets them. */
void shmfi_bits_drain(struct shmfi_bits *bits, unsigned char *to);

/* One value; `size` is the column's width, or that of a string. Nothing changes on failure. */
int shmfi_growing_put(struct shmfi_growing *column, const void *bytes, uint64_t size,
                      struct shmf_error *err);

/* ---- ranges that are reserved ------------------------------------------------------------- */

/* Makes a frame with room for the rows that are expected, if any are, and has the columns grow in
 * it. Without one they grow in pieces; so what fails here is not reported. */
void shmfi_builder_reserve(struct shmf_builder *builder);

/* How many rows and bytes the next frame will probably have: those of this one. */
void shmfi_builder_expect(struct shmf_builder *builder);

/* The frame in which the rows were put, made to have just these; NULL where they must be put
 * together in another one: more came than were reserved, or there are labels, or the gaps that
 * would stay exceed an eighth of what is there. */
struct shmf_frame *shmfi_builder_take_reserved(struct shmf_builder *builder);

#endif
