/* A frame as Arrow IPC: what the C Stream interface exports, with messages around it. */
#include "flat_write.h"
#include "ipc_format.h"

#include <shmframe/ipc.h>

#include "import.h"

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

struct block {
    int64_t offset;
    int32_t metadata_size;
    int32_t padding;
    int64_t body_size;
};

struct writer {
    int fd;
    uint64_t at; /* bytes written */
    struct ArrowSchema schema;
    struct piece *pieces; /* of one batch */
    int64_t *nodes;       /* length and null count of each */
    size_t n_pieces, n_nodes;
    struct block *dictionaries, *batches;
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
            shmfi_arrow_error(writer->err, code == ENOSPC ? SHMF_E_NOSPC : SHMF_E_SYS,
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

static uint64_t padded(uint64_t size)
{
    return (size + SHMFI_IPC_ALIGNMENT - 1) & ~(uint64_t)(SHMFI_IPC_ALIGNMENT - 1);
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

/* Continuation, size, flatbuffer, and zeros so that the body is aligned in the file. */
static int write_message(struct writer *writer, struct shmfi_flat *flat, int32_t *metadata_size)
{
    if (flat->failed)
        return shmfi_arrow_no_memory(writer->err);
    uint64_t end = padded(writer->at + 8 + flat->size);
    *metadata_size = (int32_t)(end - writer->at);
    const uint32_t prefix[] = {SHMFI_IPC_CONTINUATION, (uint32_t)(end - writer->at - 8)};
    int rc = write_bytes(writer, prefix, sizeof prefix);
    if (!rc)
        rc = write_bytes(writer, flat->bytes, flat->size);
    return rc ? rc : write_padding(writer, SHMFI_IPC_ALIGNMENT);
}

/* The root, and the message's own table. Returns the place where its header's offset goes. */
static size_t begin_message(struct shmfi_flat *flat, int kind, uint64_t body_size)
{
    size_t root = shmfi_flat_space(flat, 4, 8), where[4];
    const struct shmfi_flat_field fields[] = {
        [SHMFI_MESSAGE_VERSION] = {2, SHMFI_IPC_V5},
        [SHMFI_MESSAGE_KIND] = {1, kind},
        [SHMFI_MESSAGE_HEADER] = {4, 0},
        [SHMFI_MESSAGE_BODY] = {8, (int64_t)body_size},
    };
    shmfi_flat_point(flat, root, shmfi_flat_table(flat, fields, 4, where));
    return where[SHMFI_MESSAGE_HEADER];
}

static uint64_t body_size(const struct writer *writer)
{
    uint64_t size = 0;
    for (size_t i = 0; i < writer->n_pieces; i++)
        size += padded(writer->pieces[i].size);
    return size;
}

static size_t put_batch(struct writer *writer, struct shmfi_flat *flat, int64_t n_rows)
{
    size_t where[3];
    const struct shmfi_flat_field fields[] = {
        [SHMFI_BATCH_LENGTH] = {8, n_rows},
        [SHMFI_BATCH_NODES] = {4, 0},
        [SHMFI_BATCH_BUFFERS] = {4, 0},
    };
    size_t table = shmfi_flat_table(flat, fields, 3, where);
    size_t nodes = shmfi_flat_vector(flat, writer->n_nodes, 16);
    shmfi_flat_point(flat, where[SHMFI_BATCH_NODES], nodes);
    shmfi_flat_put(flat, nodes + 4, writer->nodes, writer->n_nodes * 16);
    size_t buffers = shmfi_flat_vector(flat, writer->n_pieces, 16);
    shmfi_flat_point(flat, where[SHMFI_BATCH_BUFFERS], buffers);
    uint64_t at = 0;
    for (size_t i = 0; i < writer->n_pieces; i++) {
        const uint64_t buffer[] = {at, writer->pieces[i].size};
        shmfi_flat_put(flat, buffers + 4 + i * 16, buffer, sizeof buffer);
        at += padded(writer->pieces[i].size);
    }
    return table;
}

/* What is in pieces and nodes, as a record batch (`id` < 0) or as a dictionary. */
static int write_batch(struct writer *writer, int64_t n_rows, int64_t id, struct block *block)
{
    struct shmfi_flat flat = {NULL, 0, 0, false};
    uint64_t size = body_size(writer);
    *block = (struct block){.offset = (int64_t)writer->at, .body_size = (int64_t)size};
    if (id < 0) {
        size_t header = begin_message(&flat, SHMFI_IPC_RECORD_BATCH, size);
        shmfi_flat_point(&flat, header, put_batch(writer, &flat, n_rows));
    } else {
        size_t header = begin_message(&flat, SHMFI_IPC_DICTIONARY_BATCH, size), where[2];
        const struct shmfi_flat_field fields[] = {
            [SHMFI_DICTIONARY_ID] = {8, id},
            [SHMFI_DICTIONARY_DATA] = {4, 0},
        };
        shmfi_flat_point(&flat, header, shmfi_flat_table(&flat, fields, 2, where));
        shmfi_flat_point(&flat, where[SHMFI_DICTIONARY_DATA], put_batch(writer, &flat, n_rows));
    }
    int rc = write_message(writer, &flat, &block->metadata_size);
    free(flat.bytes);
    return rc ? rc : write_body(writer);
}

static int write_schema(struct writer *writer)
{
    struct shmfi_flat flat = {NULL, 0, 0, false};
    int32_t unused;
    size_t header = begin_message(&flat, SHMFI_IPC_SCHEMA, 0);
    shmfi_flat_point(&flat, header, shmfi_ipc_put_schema(&flat, &writer->schema));
    int rc = write_message(writer, &flat, &unused);
    free(flat.bytes);
    return rc;
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
    struct block *blocks =
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
            return shmfi_arrow_error(writer->err, SHMF_E_NOMEM, "%s",
                                     stream->get_last_error(stream));
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

static void put_blocks(struct shmfi_flat *flat, size_t where, const struct block *blocks, size_t n)
{
    size_t vector = shmfi_flat_vector(flat, n, sizeof *blocks);
    shmfi_flat_point(flat, where, vector);
    shmfi_flat_put(flat, vector + 4, blocks, n * sizeof *blocks);
}

static int write_footer(struct writer *writer)
{
    struct shmfi_flat flat = {NULL, 0, 0, false};
    size_t root = shmfi_flat_space(&flat, 4, 8), where[4];
    const struct shmfi_flat_field fields[] = {
        [SHMFI_FOOTER_VERSION] = {2, SHMFI_IPC_V5},
        [SHMFI_FOOTER_SCHEMA] = {4, 0},
        [SHMFI_FOOTER_DICTIONARIES] = {4, 0},
        [SHMFI_FOOTER_BATCHES] = {4, 0},
    };
    shmfi_flat_point(&flat, root, shmfi_flat_table(&flat, fields, 4, where));
    shmfi_flat_point(&flat, where[SHMFI_FOOTER_SCHEMA],
                     shmfi_ipc_put_schema(&flat, &writer->schema));
    put_blocks(&flat, where[SHMFI_FOOTER_DICTIONARIES], writer->dictionaries,
               writer->n_dictionaries);
    put_blocks(&flat, where[SHMFI_FOOTER_BATCHES], writer->batches, writer->n_batches);
    shmfi_flat_space(&flat, 0, 8);
    int32_t size = (int32_t)flat.size;
    int rc = flat.failed ? shmfi_arrow_no_memory(writer->err)
                         : write_bytes(writer, flat.bytes, flat.size);
    free(flat.bytes);
    if (!rc)
        rc = write_bytes(writer, &size, sizeof size);
    return rc ? rc : write_bytes(writer, SHMFI_IPC_MAGIC, SHMFI_IPC_MAGIC_SIZE);
}

static int write_all(struct writer *writer, struct ArrowArrayStream *stream,
                     enum shmf_ipc_format format)
{
    static const uint32_t end[] = {SHMFI_IPC_CONTINUATION, 0};
    size_t n = (size_t)writer->schema.n_children + 1; /* two nodes and four buffers at most */
    writer->pieces = calloc(4 * n, sizeof writer->pieces[0]);
    writer->nodes = calloc(2 * n, 2 * sizeof writer->nodes[0]);
    writer->dictionaries = calloc(n, sizeof writer->dictionaries[0]);
    if (!writer->pieces || !writer->nodes || !writer->dictionaries)
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
        return shmfi_arrow_error(err, SHMF_E_INVAL, "options.format: %d", (int)o->format);
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
    free(writer.dictionaries);
    free(writer.batches);
    return rc;
}
