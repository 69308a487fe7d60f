/* RecordBatch and DictionaryBatch -> ArrowArray. Every buffer is held against its body, every
 * offset of text against its buffer: what comes out can be followed like any array of the C Data
 * interface. */
#include "ipc_read.h"

#include <stdio.h>
#include <string.h>

/* A batch that is being read, and how far. */
struct cursor {
    struct shmfi_ipc_reader *reader;
    size_t at; /* of the flatbuffer in the file */
    size_t body, body_size;
    struct shmfi_vector nodes, buffers, variadic;
    size_t node, buffer, view; /* the next ones */
    uint64_t used;             /* bytes of the body that buffers had so far */
    int64_t length;
    const char *name; /* of the field, for messages */
};

struct array {
    struct ArrowArray array;
    struct ArrowArray *child;
    const void *buffers[3];
};

static void release(struct ArrowArray *array)
{
    array->release = NULL; /* all memory is the reader's */
}

static int wrong(const struct cursor *cursor, const char *what)
{
    return shmfi_ipc_corrupt(cursor->reader, cursor->at, "field \"%s\": %s", cursor->name, what);
}

static void read_two(const struct shmfi_vector *vector, size_t i, int64_t two[2])
{
    memcpy(two, vector->bytes + vector->at + i * 16, 16);
}

static int next_node(struct cursor *cursor, int64_t length, struct ArrowArray *array)
{
    int64_t node[2];
    if (cursor->node >= cursor->nodes.n)
        return wrong(cursor, "there is no node for it");
    read_two(&cursor->nodes, cursor->node++, node);
    if (node[0] != length)
        return wrong(cursor, "its length is not that of the batch");
    *array =
        (struct ArrowArray){.length = length, .null_count = node[1] ? -1 : 0, .release = release};
    return SHMF_OK;
}

/* The next buffer, of `least` bytes or more. Together they have no more bytes than the body. */
static int next_buffer(struct cursor *cursor, uint64_t least, const void **data, int64_t *size)
{
    int64_t place[2];
    char what[96];
    if (cursor->buffer >= cursor->buffers.n)
        return wrong(cursor, "there are too few buffers");
    read_two(&cursor->buffers, cursor->buffer++, place);
    if (place[0] < 0 || place[1] < 0 || (uint64_t)place[0] > cursor->body_size ||
        (uint64_t)place[1] > cursor->body_size - (uint64_t)place[0] ||
        (cursor->used += (uint64_t)place[1]) > cursor->body_size) {
        snprintf(what, sizeof what, "buffer %zu does not lie inside the body", cursor->buffer - 1);
        return wrong(cursor, what);
    }
    if ((uint64_t)place[1] < least) {
        snprintf(what, sizeof what, "buffer %zu has %lld bytes, not %llu", cursor->buffer - 1,
                 (long long)place[1], (unsigned long long)least);
        return wrong(cursor, what);
    }
    *data = cursor->reader->bytes + cursor->body + place[0];
    *size = place[1];
    if (place[1] > 0 && (uintptr_t)*data % 8)
        return wrong(cursor, "a buffer that is not aligned to 8 bytes");
    return SHMF_OK;
}

/* Absent where there are no nulls; a bitmap of no bytes says the same. */
static int next_validity(struct cursor *cursor, struct array *made)
{
    int64_t size;
    const void *data;
    int rc = next_buffer(cursor, 0, &data, &size);
    if (rc)
        return rc;
    uint64_t least = ((uint64_t)made->array.length + 7) / 8;
    if (size > 0 && (uint64_t)size < least)
        return wrong(cursor, "its bitmap is too short");
    if (size == 0 && least > 0 && made->array.null_count) {
        made->array.null_count = 0;
        return wrong(cursor, "it has nulls, but no bitmap");
    }
    made->buffers[0] = size > 0 ? data : NULL;
    return SHMF_OK;
}

/* ---- text --------------------------------------------------------------------------------- */

static bool offsets_fine(const struct ArrowArray *array, bool wide, int64_t size)
{
    const int64_t *wide_at = array->buffers[1];
    const int32_t *narrow_at = array->buffers[1];
    int64_t last = 0;
    for (int64_t i = 0; i <= array->length; i++) {
        int64_t next = wide ? wide_at[i] : narrow_at[i];
        if (next < last)
            return false;
        last = next;
    }
    return last <= size;
}

/* Without rows there need be no offset. */
static int read_texts(struct cursor *cursor, struct array *made, bool wide)
{
    int64_t size, n = made->array.length;
    uint64_t least = n > 0 ? ((uint64_t)n + 1) * (wide ? 8 : 4) : 0;
    int rc = next_buffer(cursor, least, &made->buffers[1], &size);
    if (!rc)
        rc = next_buffer(cursor, 0, &made->buffers[2], &size);
    made->array.n_buffers = 3;
    if (!rc && n > 0 && !offsets_fine(&made->array, wide, size))
        return wrong(cursor, "its offsets do not lie in order inside its data");
    return rc;
}

/* As many data buffers as the batch says, and their sizes, as the C Data interface wants them. */
static int read_views(struct cursor *cursor, struct array *made)
{
    struct ArrowArray *array = &made->array;
    int64_t n, size;
    if (cursor->view >= cursor->variadic.n)
        return wrong(cursor, "the number of its data buffers is missing");
    memcpy(&n, cursor->variadic.bytes + cursor->variadic.at + 8 * cursor->view++, sizeof n);
    if (n < 0 || (uint64_t)n > cursor->buffers.n)
        return wrong(cursor, "the number of its data buffers");
    const void **buffers = shmfi_ipc_allocate(cursor->reader, (size_t)n + 3, sizeof *buffers);
    int64_t *sizes = shmfi_ipc_allocate(cursor->reader, (size_t)n, sizeof *sizes);
    if (!buffers || !sizes)
        return SHMF_E_NOMEM;
    buffers[0] = made->buffers[0];
    int rc = next_buffer(cursor, (uint64_t)array->length * 16, &buffers[1], &size);
    for (int64_t i = 0; i < n && !rc; i++)
        rc = next_buffer(cursor, 0, &buffers[2 + i], &sizes[i]);
    buffers[2 + n] = sizes;
    array->buffers = buffers;
    array->n_buffers = n + 3;
    return rc;
}

/* ---- arrays ------------------------------------------------------------------------------- */

static int read_parts(struct cursor *cursor, struct array *made, int64_t width)
{
    struct array *parts = shmfi_ipc_allocate(cursor->reader, 1, sizeof *parts);
    int64_t size, n = made->array.length;
    if (!parts)
        return SHMF_E_NOMEM;
    made->child = &parts->array;
    made->array.n_buffers = 1;
    made->array.n_children = 1;
    made->array.children = &made->child;
    int rc = next_node(cursor, 2 * n, &parts->array);
    parts->array.buffers = parts->buffers;
    parts->array.n_buffers = 2;
    if (!rc)
        rc = next_validity(cursor, parts);
    return rc ? rc : next_buffer(cursor, (uint64_t)n * (uint64_t)width, &parts->buffers[1], &size);
}

static int read_array(struct cursor *cursor, enum shmfi_arrow_layout layout, int64_t width,
                      struct array *made)
{
    int64_t size, n = cursor->length;
    int rc = next_node(cursor, n, &made->array);
    made->array.buffers = made->buffers;
    made->array.n_buffers = 2;
    if (!rc)
        rc = next_validity(cursor, made);
    if (rc)
        return rc;
    switch (layout) {
    case SHMFI_ARROW_BITS:
        return next_buffer(cursor, ((uint64_t)n + 7) / 8, &made->buffers[1], &size);
    case SHMFI_ARROW_TEXT:
    case SHMFI_ARROW_LARGE:
        return read_texts(cursor, made, layout == SHMFI_ARROW_LARGE);
    case SHMFI_ARROW_VIEW:
        return read_views(cursor, made);
    case SHMFI_ARROW_PARTS:
        return read_parts(cursor, made, width);
    default:
        return next_buffer(cursor, (uint64_t)n * (uint64_t)width, &made->buffers[1], &size);
    }
}

/* ---- batches ------------------------------------------------------------------------------ */

/* A value of 16 bytes at most a row (a fixed one may be longer): no product overflows. */
#define MAX_ROWS (INT64_MAX >> 32)

static int begin(struct cursor *cursor, const struct shmfi_table *batch)
{
    struct shmfi_table compression;
    cursor->name = "";
    if (!shmfi_table_number(batch, SHMFI_BATCH_LENGTH, 8, 0, &cursor->length) ||
        !shmfi_table_vector(batch, SHMFI_BATCH_NODES, 16, &cursor->nodes) ||
        !shmfi_table_vector(batch, SHMFI_BATCH_BUFFERS, 16, &cursor->buffers) ||
        !shmfi_table_vector(batch, SHMFI_BATCH_VARIADIC, 8, &cursor->variadic) ||
        !shmfi_table_table(batch, SHMFI_BATCH_COMPRESSION, &compression))
        return wrong(cursor, "the batch's metadata");
    if (compression.size)
        return shmf_error_set(cursor->reader->err, SHMF_E_UNSUPPORTED,
                              "byte %zu: the batch is compressed", cursor->at);
    if (cursor->length < 0 || cursor->length > MAX_ROWS)
        return shmfi_ipc_corrupt(cursor->reader, cursor->at, "a batch of %lld rows",
                                 (long long)cursor->length);
    return SHMF_OK;
}

static struct ArrowArray *no_values(struct shmfi_ipc_reader *reader, bool fixed)
{
    struct array *made = shmfi_ipc_allocate(reader, 1, sizeof *made);
    if (!made)
        return NULL;
    made->array = (struct ArrowArray){
        .n_buffers = fixed ? 2 : 3, .buffers = made->buffers, .release = release};
    return &made->array;
}

static struct ArrowArray *add_batch(struct shmfi_ipc_reader *reader)
{
    if (reader->n_batches == reader->room) {
        int64_t room = reader->room ? 2 * reader->room : 16;
        struct ArrowArray *batches =
            shmfi_ipc_allocate(reader, (size_t)room, sizeof reader->batches[0]);
        if (!batches)
            return NULL;
        if (reader->n_batches)
            memcpy(batches, reader->batches, (size_t)reader->n_batches * sizeof *batches);
        reader->batches = batches;
        reader->room = room;
    }
    return &reader->batches[reader->n_batches];
}

int shmfi_ipc_read_rows(struct shmfi_ipc_reader *reader, const struct shmfi_table *batch, size_t at,
                        size_t body, size_t body_size)
{
    struct cursor cursor = {.reader = reader, .at = at, .body = body, .body_size = body_size};
    size_t n = (size_t)reader->schema.n_children;
    struct array *arrays = shmfi_ipc_allocate(reader, n, sizeof *arrays);
    struct ArrowArray **children = shmfi_ipc_allocate(reader, n, sizeof *children);
    struct ArrowArray *root = add_batch(reader);
    if (!arrays || !children || !root)
        return SHMF_E_NOMEM;
    int rc = begin(&cursor, batch);
    for (size_t f = 0; f < n && !rc; f++) {
        struct shmfi_ipc_field *field = &reader->fields[f];
        cursor.name = shmfi_arrow_name(reader->schema.children[f]);
        rc = read_array(&cursor, field->type.layout, field->type.width, &arrays[f]);
        children[f] = &arrays[f].array;
        if (field->id < 0 || rc)
            continue;
        if (!field->values)
            field->values = no_values(reader, field->type.layout == SHMFI_ARROW_LOOKUP);
        if (!field->values)
            return SHMF_E_NOMEM;
        arrays[f].array.dictionary = field->values;
    }
    if (rc)
        return rc;
    *root = (struct ArrowArray){.length = cursor.length,
                                .n_children = (int64_t)n,
                                .children = children,
                                .release = release};
    reader->n_batches++;
    return SHMF_OK;
}

/* It takes the place of the one with this id, for the batches to come. */
int shmfi_ipc_read_dictionary(struct shmfi_ipc_reader *reader, const struct shmfi_table *batch,
                              size_t at, size_t body, size_t body_size)
{
    struct shmfi_table data;
    int64_t id, delta;
    if (!shmfi_table_number(batch, SHMFI_DICTIONARY_ID, 8, 0, &id) ||
        !shmfi_table_number(batch, SHMFI_DICTIONARY_DELTA, 1, 0, &delta) ||
        !shmfi_table_table(batch, SHMFI_DICTIONARY_DATA, &data))
        return shmfi_ipc_corrupt(reader, at, "a dictionary");
    for (int64_t f = 0; f < reader->schema.n_children; f++) {
        struct shmfi_ipc_field *field = &reader->fields[f];
        struct cursor cursor = {.reader = reader, .at = at, .body = body, .body_size = body_size};
        if (field->id != id)
            continue;
        if (delta && field->values)
            return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED,
                                  "byte %zu: field \"%s\": a dictionary that grows", at,
                                  shmfi_arrow_name(reader->schema.children[f]));
        struct array *made = shmfi_ipc_allocate(reader, 1, sizeof *made);
        if (!made)
            return SHMF_E_NOMEM;
        int rc = begin(&cursor, &data);
        cursor.name = shmfi_arrow_name(reader->schema.children[f]);
        if (!rc)
            rc = read_array(&cursor, field->type.values, field->type.values_width, made);
        if (rc)
            return rc;
        field->values = &made->array;
    }
    return SHMF_OK;
}
