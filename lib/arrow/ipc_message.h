/* Messages and the footer of Arrow IPC, as bytes that need only be written. */
#ifndef SHMFI_ARROW_IPC_MESSAGE_H
#define SHMFI_ARROW_IPC_MESSAGE_H

#include "flat_write.h"
#include "ipc_format.h"

/* Where a message is in a file. */
struct shmfi_ipc_block {
    int64_t offset;
    int32_t metadata_size; /* up to the body */
    int32_t padding;
    int64_t body_size;
};

struct shmfi_ipc_blocks {
    const struct shmfi_ipc_block *blocks;
    size_t n;
};

struct shmfi_ipc_batch {
    int64_t n_rows;
    uint64_t body_size;
    const int64_t *nodes; /* length and null count of each */
    size_t n_nodes;
    const uint64_t *buffers; /* offset in the body and size of each */
    size_t n_buffers;
};

/* The type of a record batch. Field f has dictionary ids[f]; NULL: 0, 1, ... in the order of those
 * that have one. Behind the root offset are `slack` bytes that are nobody's, at least. */
void shmfi_ipc_put_schema(struct shmfi_flat *flat, const struct ArrowSchema *schema,
                          const int64_t *ids, size_t slack);

/* A record batch (`id` < 0) or a dictionary. */
void shmfi_ipc_put_batch(struct shmfi_flat *flat, const struct shmfi_ipc_batch *batch, int64_t id);

/* Pads a message that will be written at `offset` so that its body begins `phase` bytes behind a
 * multiple of `alignment`, both multiples of 8, and says how long it is. */
struct shmfi_ipc_block shmfi_ipc_end_message(struct shmfi_flat *flat, uint64_t offset,
                                             uint64_t phase, uint64_t alignment);

/* What a file ends with: footer, its size, magic. It will be written at `offset`, a multiple of 8,
 * and is padded so that the file's size is a multiple of `alignment`. */
void shmfi_ipc_put_footer(struct shmfi_flat *flat, const struct ArrowSchema *schema,
                          const int64_t *ids, const struct shmfi_ipc_blocks *dictionaries,
                          const struct shmfi_ipc_blocks *batches, uint64_t offset,
                          uint64_t alignment);

#endif
