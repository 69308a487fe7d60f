/* Bytes that come one after the other, in a range that was reserved for them and, where that is not
 * enough or there is none, in pieces of shared memory: what is there stays where it is when more
 * comes. Private to the process; one thread at a time. */
#ifndef SHMFI_FRAME_STREAM_H
#define SHMFI_FRAME_STREAM_H

#include <shmframe/error.h>

#include <stdbool.h>
#include <string.h>

struct shmfi_piece_of_stream;

struct shmfi_stream {
    unsigned char *range; /* somebody else's memory, where the first bytes are; or NULL */
    uint64_t in_range;    /* bytes; while there is no piece `at` says it */
    struct shmfi_piece_of_stream *first, *last;
    unsigned char *at, *end; /* the room in the last piece but `spare`, or in the range */
    struct shmfi_piece_of_stream *spare;
};

/* Gives an empty stream a range of `size` bytes to begin with. */
static inline void shmfi_stream_begin(struct shmfi_stream *stream, unsigned char *range,
                                      uint64_t size)
{
    stream->range = range;
    stream->at = range;
    stream->end = range + size;
}

/* Are all bytes where they began, in the range? Then how many there are. */
static inline bool shmfi_stream_is_range(const struct shmfi_stream *stream, uint64_t *size)
{
    *size = stream->range ? (uint64_t)(stream->at - stream->range) : 0;
    return stream->range && !stream->first;
}

/* Makes sure that `size` bytes can be put without asking for memory. */
int shmfi_stream_grow(struct shmfi_stream *stream, uint64_t size, struct shmf_error *err);

static inline int shmfi_stream_need(struct shmfi_stream *stream, uint64_t size,
                                    struct shmf_error *err)
{
    return (uint64_t)(stream->end - stream->at) >= size ? SHMF_OK
                                                        : shmfi_stream_grow(stream, size, err);
}

/* Puts bytes for which there is room; they may be split. */
void shmfi_stream_put_split(struct shmfi_stream *stream, const void *bytes, uint64_t size);

static inline void shmfi_stream_put(struct shmfi_stream *stream, const void *bytes, uint64_t size)
{
    if ((uint64_t)(stream->end - stream->at) < size) {
        shmfi_stream_put_split(stream, bytes, size);
        return;
    }
    if (size == 0) /* there may be no piece yet */
        return;
    memcpy(stream->at, bytes, size);
    stream->at += size;
}

/* Copies all bytes to `to`, and gives every piece back as soon as it was copied. */
void shmfi_stream_drain(struct shmfi_stream *stream, unsigned char *to);

/* Gives everything back. */
void shmfi_stream_clear(struct shmfi_stream *stream);

#endif
