/* Reading Arrow IPC, within the adapter: bytes become the structures of the C Data interface, which
 * point into them, and these become a frame. */
#ifndef SHMFI_ARROW_IPC_READ_H
#define SHMFI_ARROW_IPC_READ_H

#include "flat_read.h"
#include "import.h"
#include "ipc_format.h"

#include <shmframe/ipc.h>

/* Memory that lasts as long as the reader. */
struct shmfi_ipc_memory {
    struct shmfi_ipc_memory *next;
    _Alignas(16) unsigned char bytes[];
};

/* A field as the file has it. */
struct shmfi_ipc_field {
    struct shmfi_arrow_type type;
    int64_t id;                /* of its dictionary; -1: none */
    struct ArrowArray *values; /* the dictionary as it is now; or NULL */
};

struct shmfi_ipc_reader {
    const unsigned char *bytes;
    size_t size;
    struct shmfi_ipc_memory *memory;
    size_t allocated;
    struct ArrowSchema schema; /* `release` NULL: not read yet */
    struct shmfi_ipc_field *fields;
    struct ArrowArray *batches;
    int64_t n_batches, room;
    struct shmf_error *err;
};

/* Zeros, aligned to 16; NULL, with the reason recorded: no memory. */
void *shmfi_ipc_allocate(struct shmfi_ipc_reader *reader, size_t count, size_t size);

/* SHMF_E_CORRUPT: byte `at` of the file belongs to what is wrong. */
int shmfi_ipc_corrupt(struct shmfi_ipc_reader *reader, size_t at, const char *format, ...)
    SHMF_PRINTF(3, 4);

/* Reads a Schema; `at` is where its flatbuffer begins in the file. */
int shmfi_ipc_read_schema(struct shmfi_ipc_reader *reader, const struct shmfi_table *schema,
                          size_t at);

/* Reads a RecordBatch, or a DictionaryBatch, whose body is at `body`; `at` as above. */
int shmfi_ipc_read_rows(struct shmfi_ipc_reader *reader, const struct shmfi_table *batch, size_t at,
                        size_t body, size_t body_size);
int shmfi_ipc_read_dictionary(struct shmfi_ipc_reader *reader, const struct shmfi_table *batch,
                              size_t at, size_t body, size_t body_size);

#endif
