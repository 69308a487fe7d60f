#include "frame/stream.h"

#include "base/error.h"
#include "base/sys.h"
#include "format/format.h"
#include "memory/memory.h"

/* The header of the segment, of which the generation is not ours to write, stays free. */
enum { BEGIN = 128, SMALLEST = 1 << 16, LARGEST = 1 << 24 };

struct shmfi_piece_of_stream {
    struct shmfi_piece_of_stream *next;
    struct shmfi_segment *segment;
    uint64_t used; /* bytes; of the last piece the stream's `at` says it */
};

static unsigned char *data_of(const struct shmfi_piece_of_stream *piece)
{
    return (unsigned char *)piece->segment->base + BEGIN;
}

static void free_piece(struct shmfi_piece_of_stream *piece)
{
    if (!piece)
        return;
    shmfi_segment_unref(piece->segment);
    shmfi_sys.free(piece);
}

static void note_used(struct shmfi_stream *stream)
{
    if (stream->last)
        stream->last->used = (uint64_t)(stream->at - data_of(stream->last));
    else if (stream->range)
        stream->in_range = (uint64_t)(stream->at - stream->range);
}

/* Twice as much as the piece before (the first: an eighth of the range), within limits: few pieces,
 * and little memory unused. */
static uint64_t next_size(const struct shmfi_stream *stream)
{
    uint64_t before = stream->range ? (uint64_t)(stream->end - stream->range) / 16 : 0;
    if (stream->last)
        before = stream->last->segment->length;
    return before >= LARGEST / 2 ? LARGEST : before <= SMALLEST / 2 ? SMALLEST : 2 * before;
}

static void begin_piece(struct shmfi_stream *stream, struct shmfi_piece_of_stream *piece)
{
    note_used(stream);
    if (stream->last)
        stream->last->next = piece;
    else
        stream->first = piece;
    stream->last = piece;
    stream->at = data_of(piece);
    stream->end = (unsigned char *)piece->segment->base + piece->segment->length;
}

int shmfi_stream_grow(struct shmfi_stream *stream, uint64_t size, struct shmf_error *err)
{
    uint64_t length = next_size(stream), room = (uint64_t)(stream->end - stream->at);
    if (stream->spare && stream->spare->segment->length - BEGIN + room >= size)
        return SHMF_OK;
    if (size > INT64_MAX - BEGIN)
        return shmfi_error(err, SHMF_E_TOOBIG, "a value of %llu bytes", (unsigned long long)size);
    if (length < size + BEGIN)
        length = size + BEGIN;
    struct shmfi_piece_of_stream *piece = shmfi_sys.calloc(1, sizeof *piece);
    if (!piece)
        return shmfi_error(err, SHMF_E_NOMEM, "piece of a column");
    int rc = shmfi_segment_new(length, 0, &piece->segment, err);
    if (rc) {
        shmfi_sys.free(piece);
        return rc;
    }
    if (!stream->last && !stream->range) {
        begin_piece(stream, piece);
        return SHMF_OK;
    }
    free_piece(stream->spare);
    stream->spare = piece;
    return SHMF_OK;
}

void shmfi_stream_put_split(struct shmfi_stream *stream, const void *bytes, uint64_t size)
{
    const unsigned char *from = bytes;
    uint64_t room = (uint64_t)(stream->end - stream->at);
    if (room > 0)
        memcpy(stream->at, from, room);
    stream->at += room;
    struct shmfi_piece_of_stream *spare = stream->spare;
    stream->spare = NULL;
    begin_piece(stream, spare);
    memcpy(stream->at, from + room, size - room);
    stream->at += size - room;
}

void shmfi_stream_drain(struct shmfi_stream *stream, unsigned char *to)
{
    struct shmfi_piece_of_stream *piece = stream->first;
    note_used(stream);
    if (to && stream->in_range > 0) {
        memcpy(to, stream->range, stream->in_range);
        to += stream->in_range;
    }
    while (piece) {
        struct shmfi_piece_of_stream *next = piece->next;
        if (to && piece->used > 0) {
            memcpy(to, data_of(piece), piece->used);
            to += piece->used;
        }
        free_piece(piece);
        piece = next;
    }
    free_piece(stream->spare);
    *stream = (struct shmfi_stream){0};
}

void shmfi_stream_clear(struct shmfi_stream *stream)
{
    shmfi_stream_drain(stream, NULL);
}
