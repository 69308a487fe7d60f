/* Arrow IPC, file or stream, into a frame. A file goes by its footer: there are writers that leave
 * out the first schema. Whatever the bytes are, what is allocated and copied stays in proportion to
 * them. */
#include "ipc_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory and errors -------------------------------------------------------------------- */

/* Descriptions that refer to the same bytes again and again could make a small file ask for all
 * memory; no honest one comes near this. */
#define MOST_MEMORY(size) ((1u << 20) + 256 * (size))

void *shmfi_ipc_allocate(struct shmfi_ipc_reader *reader, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > MOST_MEMORY(reader->size) ||
        (reader->allocated += bytes) > MOST_MEMORY(reader->size)) {
        shmf_error_set(reader->err, SHMF_E_NOMEM,
                       "the metadata describe more than %zu bytes can hold", reader->size);
        return NULL;
    }
    struct shmfi_ipc_memory *memory = calloc(1, sizeof *memory + bytes);
    if (!memory) {
        shmfi_arrow_no_memory(reader->err);
        return NULL;
    }
    memory->next = reader->memory;
    reader->memory = memory;
    return memory->bytes;
}

int shmfi_ipc_corrupt(struct shmfi_ipc_reader *reader, size_t at, const char *format, ...)
{
    char what[SHMF_ERROR_MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return shmf_error_set(reader->err, SHMF_E_CORRUPT, "byte %zu: %s", at, what);
}

/* ---- messages ----------------------------------------------------------------------------- */

struct message {
    size_t flat, flat_size; /* of the flatbuffer */
    size_t body, body_size;
    int64_t kind;
    struct shmfi_table header;
};

static uint32_t u32_at(const struct shmfi_ipc_reader *reader, size_t at)
{
    uint32_t value;
    memcpy(&value, reader->bytes + at, sizeof value);
    return value;
}

/* The message at `at`, at most up to `end`. `flat_size` is 0 where the stream ends. Older writers
 * leave out the continuation marker. */
static int read_message(struct shmfi_ipc_reader *reader, size_t at, size_t end,
                        struct message *message)
{
    struct shmfi_table table;
    int64_t version, body_size;
    *message = (struct message){.flat_size = 0};
    if (at == end)
        return SHMF_OK;
    size_t prefix = end - at >= 4 && u32_at(reader, at) == SHMFI_IPC_CONTINUATION ? 8 : 4;
    if (end - at < prefix)
        return shmfi_ipc_corrupt(reader, at, "the data end inside a message");
    message->flat = at + prefix;
    message->flat_size = u32_at(reader, at + prefix - 4);
    if (message->flat_size == 0)
        return SHMF_OK;
    if (message->flat_size > end - message->flat)
        return shmfi_ipc_corrupt(reader, at, "a message of %zu bytes, but there are %zu",
                                 message->flat_size, end - message->flat);
    if (!shmfi_table_root(reader->bytes + message->flat, message->flat_size, &table) ||
        !shmfi_table_number(&table, SHMFI_MESSAGE_VERSION, 2, 0, &version) ||
        !shmfi_table_number(&table, SHMFI_MESSAGE_KIND, 1, 0, &message->kind) ||
        !shmfi_table_number(&table, SHMFI_MESSAGE_BODY, 8, 0, &body_size) ||
        !shmfi_table_table(&table, SHMFI_MESSAGE_HEADER, &message->header))
        return shmfi_ipc_corrupt(reader, at, "a message's metadata");
    if (version < SHMFI_IPC_V4 || version > SHMFI_IPC_V5)
        return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED, "byte %zu: metadata version %lld",
                              at, (long long)version + 1);
    message->body = message->flat + message->flat_size;
    if (body_size < 0 || (uint64_t)body_size > end - message->body)
        return shmfi_ipc_corrupt(reader, message->body, "a body of %lld bytes, but there are %zu",
                                 (long long)body_size, end - message->body);
    message->body_size = (size_t)body_size;
    return SHMF_OK;
}

/* `wanted`: the kind that the footer promises; 0: any. */
static int take_message(struct shmfi_ipc_reader *reader, const struct message *message,
                        int64_t wanted)
{
    size_t at = message->flat;
    if (wanted && message->kind != wanted)
        return shmfi_ipc_corrupt(reader, at, "a message of kind %lld, not %lld",
                                 (long long)message->kind, (long long)wanted);
    if (message->kind == SHMFI_IPC_SCHEMA)
        return shmfi_ipc_read_schema(reader, &message->header, at);
    if (!reader->schema.release)
        return shmfi_ipc_corrupt(reader, at, "a message before the schema");
    if (message->kind == SHMFI_IPC_DICTIONARY_BATCH)
        return shmfi_ipc_read_dictionary(reader, &message->header, at, message->body,
                                         message->body_size);
    if (message->kind == SHMFI_IPC_RECORD_BATCH)
        return shmfi_ipc_read_rows(reader, &message->header, at, message->body, message->body_size);
    return shmfi_ipc_corrupt(reader, at, "a message of kind %lld", (long long)message->kind);
}

static int read_stream(struct shmfi_ipc_reader *reader)
{
    struct message message;
    for (size_t at = 0;; at = message.body + message.body_size) {
        int rc = read_message(reader, at, reader->size, &message);
        if (rc || message.flat_size == 0)
            return rc || reader->schema.release
                       ? rc
                       : shmfi_ipc_corrupt(reader, at, "there is no schema");
        rc = take_message(reader, &message, 0);
        if (rc)
            return rc;
    }
}

/* ---- files -------------------------------------------------------------------------------- */

/* Blocks lie one behind the other, in front of the footer. */
static int read_blocks(struct shmfi_ipc_reader *reader, const struct shmfi_table *footer,
                       unsigned field, int64_t kind, size_t end)
{
    struct shmfi_vector blocks;
    struct message message;
    size_t before = 0;
    int rc = SHMF_OK;
    if (!shmfi_table_vector(footer, field, 24, &blocks))
        return shmfi_ipc_corrupt(reader, end, "the footer's blocks");
    for (size_t i = 0; i < blocks.n && !rc; i++) {
        int64_t offset;
        memcpy(&offset, blocks.bytes + blocks.at + 24 * i, sizeof offset);
        if (offset < (int64_t)before || (uint64_t)offset >= end)
            return shmfi_ipc_corrupt(reader, end, "the footer: block %zu at byte %lld", i,
                                     (long long)offset);
        rc = read_message(reader, (size_t)offset, end, &message);
        if (!rc && message.flat_size == 0)
            rc = shmfi_ipc_corrupt(reader, (size_t)offset, "there is no message");
        if (!rc)
            rc = take_message(reader, &message, kind);
        before = message.body + message.body_size;
    }
    return rc;
}

static int read_file(struct shmfi_ipc_reader *reader)
{
    const size_t tail = sizeof(uint32_t) + SHMFI_IPC_MAGIC_SIZE;
    struct shmfi_table footer, schema;
    int64_t version;
    if (reader->size < 8 + tail || memcmp(reader->bytes + reader->size - SHMFI_IPC_MAGIC_SIZE,
                                          SHMFI_IPC_MAGIC, SHMFI_IPC_MAGIC_SIZE) != 0)
        return shmfi_ipc_corrupt(reader, reader->size,
                                 "the file does not end as it must: it is cut off");
    size_t size = u32_at(reader, reader->size - tail), end = reader->size - tail;
    if (size > end - 8)
        return shmfi_ipc_corrupt(reader, end, "a footer of %zu bytes", size);
    end -= size;
    if (!shmfi_table_root(reader->bytes + end, size, &footer) ||
        !shmfi_table_number(&footer, SHMFI_FOOTER_VERSION, 2, 0, &version) ||
        !shmfi_table_table(&footer, SHMFI_FOOTER_SCHEMA, &schema))
        return shmfi_ipc_corrupt(reader, end, "the footer");
    if (version < SHMFI_IPC_V4 || version > SHMFI_IPC_V5)
        return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED, "byte %zu: metadata version %lld",
                              end, (long long)version + 1);
    if (!schema.size)
        return shmfi_ipc_corrupt(reader, end, "the footer has no schema");
    int rc = shmfi_ipc_read_schema(reader, &schema, end);
    if (!rc)
        rc = read_blocks(reader, &footer, SHMFI_FOOTER_DICTIONARIES, SHMFI_IPC_DICTIONARY_BATCH,
                         end);
    return rc ? rc
              : read_blocks(reader, &footer, SHMFI_FOOTER_BATCHES, SHMFI_IPC_RECORD_BATCH, end);
}

/* ---- all ---------------------------------------------------------------------------------- */

struct shmf_frame *shmf_ipc_read_memory(const void *data, size_t size,
                                        const struct shmf_arrow_import_options *options,
                                        struct shmf_error *err)
{
    struct shmfi_ipc_reader reader = {.bytes = data, .size = size, .err = err};
    struct shmf_frame *frame = NULL;
    if ((!data && size > 0) || (uintptr_t)data % 8) {
        shmf_error_set(err, SHMF_E_INVAL, "data: NULL, or not aligned to 8 bytes");
        return NULL;
    }
    if (options && shmfi_arrow_check_reserved(options->reserved, 4, err))
        return NULL;
    bool is_file =
        size >= SHMFI_IPC_MAGIC_SIZE && memcmp(data, SHMFI_IPC_MAGIC, SHMFI_IPC_MAGIC_SIZE) == 0;
    if (!(is_file ? read_file(&reader) : read_stream(&reader)))
        frame = shmfi_arrow_import_batches(&reader.schema, reader.batches, reader.n_batches,
                                           options, err);
    while (reader.memory) {
        struct shmfi_ipc_memory *next = reader.memory->next;
        free(reader.memory);
        reader.memory = next;
    }
    return frame;
}
