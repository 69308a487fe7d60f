#include "ipc_message.h"

enum { PREFIX = 8 }; /* continuation and size */

/* The prefix, the root offset, and behind `slack` bytes the message's own table. Returns the place
 * where its header's offset goes. */
static size_t begin_message(struct shmfi_flat *flat, int kind, uint64_t body_size, size_t slack)
{
    static const uint32_t continuation = SHMFI_IPC_CONTINUATION;
    size_t where[4];
    shmfi_flat_put(flat, shmfi_flat_space(flat, PREFIX, 8), &continuation, sizeof continuation);
    size_t root = shmfi_flat_space(flat, 4, 8);
    shmfi_flat_space(flat, slack, 1);
    const struct shmfi_flat_field fields[] = {
        [SHMFI_MESSAGE_VERSION] = {2, SHMFI_IPC_V5},
        [SHMFI_MESSAGE_KIND] = {1, kind},
        [SHMFI_MESSAGE_HEADER] = {4, 0},
        [SHMFI_MESSAGE_BODY] = {8, (int64_t)body_size},
    };
    shmfi_flat_point(flat, root, shmfi_flat_table(flat, fields, 4, where));
    return where[SHMFI_MESSAGE_HEADER];
}

struct shmfi_ipc_block shmfi_ipc_end_message(struct shmfi_flat *flat, uint64_t offset,
                                             uint64_t phase, uint64_t alignment)
{
    shmfi_flat_space(flat, 0, 8);
    uint64_t beyond = (offset + flat->size - phase) % alignment;
    shmfi_flat_space(flat, beyond ? alignment - beyond : 0, 1);
    uint32_t size = (uint32_t)(flat->size - PREFIX);
    shmfi_flat_put(flat, PREFIX - sizeof size, &size, sizeof size);
    return (struct shmfi_ipc_block){.offset = (int64_t)offset,
                                    .metadata_size = (int32_t)flat->size};
}

/* ---- schema and batches ------------------------------------------------------------------- */

void shmfi_ipc_put_schema(struct shmfi_flat *flat, const struct ArrowSchema *schema,
                          const int64_t *ids, size_t slack)
{
    size_t header = begin_message(flat, SHMFI_IPC_SCHEMA, 0, slack);
    shmfi_flat_point(flat, header, shmfi_ipc_put_schema_table(flat, schema, ids));
}

static size_t put_rows(struct shmfi_flat *flat, const struct shmfi_ipc_batch *batch)
{
    size_t where[3];
    const struct shmfi_flat_field fields[] = {
        [SHMFI_BATCH_LENGTH] = {8, batch->n_rows},
        [SHMFI_BATCH_NODES] = {4, 0},
        [SHMFI_BATCH_BUFFERS] = {4, 0},
    };
    size_t table = shmfi_flat_table(flat, fields, 3, where);
    size_t nodes = shmfi_flat_vector(flat, batch->n_nodes, 16);
    shmfi_flat_point(flat, where[SHMFI_BATCH_NODES], nodes);
    shmfi_flat_put(flat, nodes + 4, batch->nodes, batch->n_nodes * 16);
    size_t buffers = shmfi_flat_vector(flat, batch->n_buffers, 16);
    shmfi_flat_point(flat, where[SHMFI_BATCH_BUFFERS], buffers);
    shmfi_flat_put(flat, buffers + 4, batch->buffers, batch->n_buffers * 16);
    return table;
}

void shmfi_ipc_put_batch(struct shmfi_flat *flat, const struct shmfi_ipc_batch *batch, int64_t id)
{
    if (id < 0) {
        size_t header = begin_message(flat, SHMFI_IPC_RECORD_BATCH, batch->body_size, 0);
        shmfi_flat_point(flat, header, put_rows(flat, batch));
        return;
    }
    size_t header = begin_message(flat, SHMFI_IPC_DICTIONARY_BATCH, batch->body_size, 0), where[2];
    const struct shmfi_flat_field fields[] = {
        [SHMFI_DICTIONARY_ID] = {8, id},
        [SHMFI_DICTIONARY_DATA] = {4, 0},
    };
    shmfi_flat_point(flat, header, shmfi_flat_table(flat, fields, 2, where));
    shmfi_flat_point(flat, where[SHMFI_DICTIONARY_DATA], put_rows(flat, batch));
}

/* ---- footer ------------------------------------------------------------------------------- */

static void put_blocks(struct shmfi_flat *flat, size_t where, const struct shmfi_ipc_blocks *blocks)
{
    size_t vector = shmfi_flat_vector(flat, blocks->n, sizeof blocks->blocks[0]);
    shmfi_flat_point(flat, where, vector);
    shmfi_flat_put(flat, vector + 4, blocks->blocks, blocks->n * sizeof blocks->blocks[0]);
}

void shmfi_ipc_put_footer(struct shmfi_flat *flat, const struct ArrowSchema *schema,
                          const int64_t *ids, const struct shmfi_ipc_blocks *dictionaries,
                          const struct shmfi_ipc_blocks *batches, uint64_t offset,
                          uint64_t alignment)
{
    const size_t tail = sizeof(int32_t) + SHMFI_IPC_MAGIC_SIZE;
    size_t root = shmfi_flat_space(flat, 4, 8), where[4];
    const struct shmfi_flat_field fields[] = {
        [SHMFI_FOOTER_VERSION] = {2, SHMFI_IPC_V5},
        [SHMFI_FOOTER_SCHEMA] = {4, 0},
        [SHMFI_FOOTER_DICTIONARIES] = {4, 0},
        [SHMFI_FOOTER_BATCHES] = {4, 0},
    };
    shmfi_flat_point(flat, root, shmfi_flat_table(flat, fields, 4, where));
    shmfi_flat_point(flat, where[SHMFI_FOOTER_SCHEMA],
                     shmfi_ipc_put_schema_table(flat, schema, ids));
    put_blocks(flat, where[SHMFI_FOOTER_DICTIONARIES], dictionaries);
    put_blocks(flat, where[SHMFI_FOOTER_BATCHES], batches);
    uint64_t beyond = (offset + flat->size + tail) % alignment;
    shmfi_flat_space(flat, beyond ? alignment - beyond : 0, 1);
    int32_t size = (int32_t)flat->size;
    shmfi_flat_put(flat, shmfi_flat_space(flat, sizeof size, 1), &size, sizeof size);
    shmfi_flat_put(flat, shmfi_flat_space(flat, SHMFI_IPC_MAGIC_SIZE, 1), SHMFI_IPC_MAGIC,
                   SHMFI_IPC_MAGIC_SIZE);
}
