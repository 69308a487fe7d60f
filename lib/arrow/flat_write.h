/* FlatBuffers, written front to back, as much of them as Arrow's metadata need: no vtable is shared
 * (some readers refuse one that lies before a parent), everything is aligned to 8. */
#ifndef SHMFI_ARROW_FLAT_WRITE_H
#define SHMFI_ARROW_FLAT_WRITE_H

#include "adapter.h"

struct shmfi_flat {
    unsigned char *bytes;
    size_t size, room;
    bool failed; /* no memory: what follows does nothing */
};

/* One field of a table: `size` 0: it is not there. Offsets have size 4, and a value of 0 until they
 * are set. */
struct shmfi_flat_field {
    unsigned size;
    int64_t value;
};

void shmfi_flat_free(struct shmfi_flat *flat);

/* Writes zeros; returns where. */
size_t shmfi_flat_space(struct shmfi_flat *flat, size_t size, size_t alignment);

void shmfi_flat_put(struct shmfi_flat *flat, size_t at, const void *bytes, size_t size);

/* A table with `n` fields in the order of the schema; where[i] is set to the place of field i. */
size_t shmfi_flat_table(struct shmfi_flat *flat, const struct shmfi_flat_field *fields, unsigned n,
                        size_t *where);

/* Lets the offset at `at` lead to `target`, which lies behind it. */
void shmfi_flat_point(struct shmfi_flat *flat, size_t at, size_t target);

size_t shmfi_flat_string(struct shmfi_flat *flat, struct shmf_text text);

/* A vector of `n` elements of `size` bytes (4 or a multiple of 8), all zero. Returns where it is;
 * the first element is 4 bytes behind that. */
size_t shmfi_flat_vector(struct shmfi_flat *flat, size_t n, size_t size);

/* Writes the type of a record batch as a Schema; `ids` as in ipc_message.h. */
size_t shmfi_ipc_put_schema_table(struct shmfi_flat *flat, const struct ArrowSchema *schema,
                                  const int64_t *ids);

#endif
