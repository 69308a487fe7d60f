/* A frame as Arrow IPC: what the C Stream interface exports, with messages around it. */
#include "import.h"
#include "ipc_message.h"

#include <shmframe/ipc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One buffer of a body. */
struct piece {
    const void *data;
    void *copy; /* of data that could not be taken as they were; to be freed */
    uint64_t size;
};

struct writer {
    int fd;
    uint64_t at; /* bytes written */
    struct ArrowSchema schema;
    struct piece *pieces; /* of one batch */
    int64_t *nodes;       /* length and null count of each */
    uint64_t *buffers;    /* offset in the body and size of each piece */
    size_t n_pieces, n_nodes;
    struct shmfi_ipc_block *dictionaries, *batches;
    size_t n_dictionaries, n_batches;
    struct shmf_error *err;
};

/* ---- bytes -------------------------------------------------------------------------------- */

static int write_bytes(struct writer *writer, const void *bytes, uint64_t size)
{
    const unsigned char *from = bytes;
    while (size > 0) {
        ssize_t n = write(writer->fd, from, size < (1u << 30) ? size : 1u << 30);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int code = n < 0 ? errno : EIO;
            shmf_error_set(writer->err, code == ENOSPC ? SHMF_E_NOSPC : SHMF_E_SYS,
                           "write behind byte %llu: %s", (unsigned long long)writer->at,
                           strerror(code));
            if (writer->err)
                writer->err->sys_errno = code;
            return code == ENOSPC ? SHMF_E_NOSPC : SHMF_E_SYS;
        }
        from += n;
        size -= (uint64_t)n;
        writer->at += (uint64_t)n;
    }
    return SHMF_OK;
}

static int write_padding(struct writer *writer, uint64_t alignment)
{
    static const unsigned char zeros[SHMFI_IPC_ALIGNMENT];
    return write_bytes(writer, zeros, -writer->at & (alignment - 1));
}

/* ---- bodies ------------------------------------------------------------------------------- */

static void add_piece(struct writer *writer, const void *data, uint64_t size)
{
    writer->pieces[writer->n_pieces++] = (struct piece){data, NULL, data ? size : 0};
}

static void add_node(struct writer *writer, const struct ArrowArray *array)
{
    writer->nodes[2 * writer->n_nodes] = array->length;
    writer->nodes[2 * writer->n_nodes + 1] = array->null_count;
    writer->n_nodes++;
}

/* Bits that begin inside a byte are moved: bodies have no offsets. False: no memory. */
static bool add_bits(struct writer *writer, const uint8_t *bits, int64_t first, int64_t n)
{
    uint64_t size = (uint64_t)(n + 7) / 8;
    if (!bits || (first % 8 == 0 && n % 8 == 0)) {
        add_piece(writer, bits ? bits + first / 8 : NULL, size);
        return true;
    }
    uint8_t *copy = calloc(1, size + 1);
    if (!copy)
        return false;
    shmfi_arrow_copy_bits(copy, 0, bits, first, n);
    add_piece(writer, copy, size);
    writer->pieces[writer->n_pieces - 1].copy = copy;
    return true;
}

/* Offsets begin at 0: those of other slices are moved. */
static bool add_texts(struct writer *writer, const struct ArrowArray *array, bool wide)
{
    size_t width = wide ? sizeof(int64_t) : sizeof(int32_t), n = (size_t)array->length + 1;
    const int64_t *wide_from = (const int64_t *)array->buffers[1] + array->offset;
    const int32_t *narrow_from = (const int32_t *)array->buffers[1] + array->offset;
    int64_t begin = wide ? wide_from[0] : narrow_from[0];
    int64_t end = wide ? wide_from[n - 1] : narrow_from[n - 1];
    add_piece(writer, wide ? (const void *)wide_from : narrow_from, n * width);
    if (begin != 0) {
        void *copy = malloc(n * width);
        if (!copy)
            return false;
        for (size_t i = 0; i < n && wide; i++)
            ((int64_t *)copy)[i] = wide_from[i] - begin;
        for (size_t i = 0; i < n && !wide; i++)
            ((int32_t *)copy)[i] = (int32_t)(narrow_from[i] - begin);
        struct piece *piece = &writer->pieces[writer->n_pieces - 1];
        piece->data = piece->copy = copy;
    }
    add_piece(writer, (const char *)array->buffers[2] + begin, (uint64_t)(end - begin));
    return true;
}

static bool add_array(struct writer *writer, const struct ArrowArray *array,
                      const struct shmfi_arrow_type *type, enum shmfi_arrow_layout layout)
{
    size_t width = (size_t)type->width;
    const unsigned char *data = layout == SHMFI_ARROW_PARTS ? NULL : array->buffers[1];
    add_node(writer, array);
    if (!add_bits(writer, array->buffers[0], array->offset, array->length))
        return false;
    switch (layout) {
    case SHMFI_ARROW_BITS:
        return add_bits(writer, array->buffers[1], array->offset, array->length);
    case SHMFI_ARROW_TEXT:
    case SHMFI_ARROW_LARGE:
        return add_texts(writer, array, layout == SHMFI_ARROW_LARGE);
    case SHMFI_ARROW_PARTS: {
        struct ArrowArray parts = *array->children[0];
        parts.length = 2 * array->length;
        add_node(writer, &parts);
        add_piece(writer, NULL, 0);
        add_piece(writer, (const unsigned char *)parts.buffers[1] + (size_t)array->offset * width,
                  (size_t)array->length * width);
        return true;
    }
    default:
        add_piece(writer, data + (size_t)array->offset * width, (size_t)array->length * width);
        return true;
    }
}

static void clear_pieces(struct writer *writer)
{
    for (size_t i = 0; i < writer->n_pieces; i++)
        free(writer->pieces[i].copy);
    writer->n_pieces = writer->n_nodes = 0;
}

static int write_body(struct writer *writer)
{
    int rc = SHMF_OK;
    for (size_t i = 0; i < writer->n_pieces && !rc; i++) {
        rc = write_bytes(writer, writer->pieces[i].data, writer->pieces[i].size);
        if (!rc)
            rc = write_padding(writer, SHMFI_IPC_ALIGNMENT);
    }
    return rc;
}

/* ---- messages ----------------------------------------------------------------------------- */

static int write_message(struct writer *writer, struct shmfi_flat *flat)
{
    int rc = flat->failed ? shmfi_arrow_no_memory(writer->err)
                          : write_bytes(writer, flat->bytes, flat->size);
    shmfi_flat_free(flat);
    return rc;
}

/* Where the pieces lie in the body. Returns its size. */
static uint64_t place_pieces(struct writer *writer)
{
    uint64_t at = 0;
    for (size_t i = 0; i < writer->n_pieces; i++) {
        writer->buffers[2 * i] = at;
        writer->buffers[2 * i + 1] = writer->pieces[i].size;
        at += (writer->pieces[i].size + SHMFI_IPC_ALIGNMENT - 1) &
              ~(uint64_t)(SHMFI_IPC_ALIGNMENT - 1);
    }
    return at;
}

/* What is in pieces and nodes, as a record batch (`id` < 0) or as a dictionary. */
static int write_batch(struct writer *writer, int64_t n_rows, int64_t id,
                       struct shmfi_ipc_block *block)
{
    struct shmfi_flat flat = {NULL, 0, 0, false};
    const struct shmfi_ipc_batch batch = {.n_rows = n_rows,
                                          .body_size = place_pieces(writer),
                                          .nodes = writer->nodes,
                                          .n_nodes = writer->n_nodes,
                                          .buffers = writer->buffers,
                                          .n_buffers = writer->n_pieces};
    shmfi_ipc_put_batch(&flat, &batch, id);
    *block = shmfi_ipc_end_message(&flat, writer->at, 0, SHMFI_IPC_ALIGNMENT);
    block->body_size = (int64_t)batch.body_size;
    int rc = write_message(writer, &flat);
    return rc ? rc : write_body(writer);
}

static int write_schema(struct writer *writer)
{
    struct shmfi_flat flat = {NULL, 0, 0, false};
    shmfi_ipc_put_schema(&flat, &writer->schema, NULL, 0);
    shmfi_ipc_end_message(&flat, writer->at, 0, SHMFI_IPC_ALIGNMENT);
    return write_message(writer, &flat);
}

/* ---- frames ------------------------------------------------------------------------------- */

/* All batches of a frame have the same dictionaries: those of the first are written. */
static int write_dictionaries(struct writer *writer, const struct ArrowArray *batch)
{
    int64_t id = 0;
    int rc = SHMF_OK;
    for (int64_t c = 0; c < batch->n_children && !rc; c++) {
        const struct ArrowArray *values = batch->children[c]->dictionary;
        struct shmfi_arrow_type type;
        if (!values)
            continue;
        shmfi_arrow_type(writer->schema.children[c], &type, NULL);
        bool fine = add_array(writer, values, &type, type.values);
        rc = fine ? write_batch(writer, values->length, id, &writer->dictionaries[id])
                  : shmfi_arrow_no_memory(writer->err);
        clear_pieces(writer);
        id++;
    }
    writer->n_dictionaries = (size_t)id;
    return rc;
}

static int write_rows(struct writer *writer, const struct ArrowArray *batch)
{
    struct shmfi_ipc_block *blocks =
        realloc(writer->batches, (writer->n_batches + 1) * sizeof writer->batches[0]);
    bool fine = blocks != NULL;
    if (blocks)
        writer->batches = blocks;
    for (int64_t c = 0; c < batch->n_children && fine; c++) {
        struct shmfi_arrow_type type;
        shmfi_arrow_type(writer->schema.children[c], &type, NULL);
        fine = add_array(writer, batch->children[c], &type, type.layout);
    }
    int rc = fine ? write_batch(writer, batch->length, -1, &writer->batches[writer->n_batches])
                  : shmfi_arrow_no_memory(writer->err);
    clear_pieces(writer);
    writer->n_batches++;
    return rc;
}

static int write_batches(struct writer *writer, struct ArrowArrayStream *stream)
{
    int rc = SHMF_OK;
    while (!rc) {
        struct ArrowArray batch = {.release = NULL};
        if (stream->get_next(stream, &batch))
            return shmf_error_set(writer->err, SHMF_E_NOMEM, "%s", stream->get_last_error(stream));
        if (!batch.release)
            return SHMF_OK;
        if (writer->n_batches == 0)
            rc = write_dictionaries(writer, &batch);
        if (!rc)
            rc = write_rows(writer, &batch);
        batch.release(&batch);
    }
    return rc;
}

static int write_footer(struct writer *writer)
{
    struct shmfi_flat flat = {NULL, 0, 0, false};
    shmfi_ipc_put_footer(&flat, &writer->schema, NULL,
                         &(struct shmfi_ipc_blocks){writer->dictionaries, writer->n_dictionaries},
                         &(struct shmfi_ipc_blocks){writer->batches, writer->n_batches}, writer->at,
                         8);
    return write_message(writer, &flat);
}

static int write_all(struct writer *writer, struct ArrowArrayStream *stream,
                     enum shmf_ipc_format format)
{
    static const uint32_t end[] = {SHMFI_IPC_CONTINUATION, 0};
    size_t n = (size_t)writer->schema.n_children + 1; /* two nodes and four buffers at most */
    writer->pieces = calloc(4 * n, sizeof writer->pieces[0]);
    writer->nodes = calloc(2 * n, 2 * sizeof writer->nodes[0]);
    writer->buffers = calloc(4 * n, 2 * sizeof writer->buffers[0]);
    writer->dictionaries = calloc(n, sizeof writer->dictionaries[0]);
    if (!writer->pieces || !writer->nodes || !writer->buffers || !writer->dictionaries)
        return shmfi_arrow_no_memory(writer->err);
    int rc = SHMF_OK;
    if (format == SHMF_IPC_FILE)
        rc = write_bytes(writer, SHMFI_IPC_MAGIC "\0", 8);
    if (!rc)
        rc = write_schema(writer);
    if (!rc)
        rc = write_batches(writer, stream);
    if (!rc)
        rc = write_bytes(writer, end, sizeof end);
    return rc || format == SHMF_IPC_STREAM ? rc : write_footer(writer);
}

int shmf_ipc_write(const struct shmf_frame *frame, int fd, const struct shmf_ipc_options *options,
                   struct shmf_error *err)
{
    static const struct shmf_ipc_options defaults;
    const struct shmf_ipc_options *o = options ? options : &defaults;
    struct shmf_arrow_export_options export = {.row_labels = o->row_labels,
                                               .batch_rows = o->batch_rows};
    struct ArrowArrayStream stream;
    struct writer writer = {.fd = fd, .err = err};
    if (shmfi_arrow_check_reserved(o->reserved, 4, err))
        return SHMF_E_INVAL;
    if (o->format != SHMF_IPC_FILE && o->format != SHMF_IPC_STREAM)
        return shmf_error_set(err, SHMF_E_INVAL, "options.format: %d", (int)o->format);
    int rc = shmf_arrow_export_stream(frame, &export, &stream, err);
    if (rc)
        return rc;
    rc = shmf_arrow_export_schema(frame, &export, &writer.schema, err);
    if (!rc) {
        rc = write_all(&writer, &stream, o->format);
        writer.schema.release(&writer.schema);
    }
    stream.release(&stream);
    clear_pieces(&writer);
    free(writer.pieces);
    free(writer.nodes);
    free(writer.buffers);
    free(writer.dictionaries);
    free(writer.batches);
    return rc;
}
