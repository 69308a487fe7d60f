/* Bytes that come one after the other, in pieces of shared memory: what is there stays where it is
 * when more comes. Private to the process; one thread at a time. */
#ifndef SHMFI_FRAME_STREAM_H
#define SHMFI_FRAME_STREAM_H

#include <shmframe/error.h>

#include <stdbool.h>
#include <string.h>

struct shmfi_piece_of_stream;

struct shmfi_stream {
    struct shmfi_piece_of_stream *first, *last;
    unsigned char *at, *end; /* the room in the last piece but `spare` */
    struct shmfi_piece_of_stream *spare;
};

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
