/* A hash table of nodes that lie inside the objects that they find. It grows when it can: without
 * memory for more buckets it only becomes slower, so insertion cannot fail. */
#ifndef SHMFI_MEMORY_TABLE_H
#define SHMFI_MEMORY_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct shmfi_node {
    struct shmfi_node *next; /* in the same bucket */
    uint64_t key;
};

#define SHMFI_TABLE_FIRST 64

/* All zero is an empty table. */
struct shmfi_table {
    struct shmfi_node **buckets; /* NULL: `first` */
    size_t n_buckets;            /* a power of two; 0 while `first` is used */
    size_t count;
    struct shmfi_node *first[SHMFI_TABLE_FIRST];
};

/* A permutation of the 64-bit numbers that leaves no pattern; 0 stays 0. */
static inline uint64_t shmfi_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void shmfi_table_insert(struct shmfi_table *table, struct shmfi_node *node, uint64_t key);
void shmfi_table_remove(struct shmfi_table *table, struct shmfi_node *node);

/* First node with this key, then the next ones; NULL when there are no more. */
struct shmfi_node *shmfi_table_find(const struct shmfi_table *table, uint64_t key);
struct shmfi_node *shmfi_table_again(const struct shmfi_node *node);

/* Calls `visit` for every node; it may remove the one that it is given. */
void shmfi_table_each(struct shmfi_table *table, void (*visit)(struct shmfi_node *, void *),
                      void *context);

/* Frees the buckets; the nodes are others' business. */
void shmfi_table_deinit(struct shmfi_table *table);

#endif
