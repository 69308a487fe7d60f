#include "memory/table.h"

#include "base/sys.h"

#include <string.h>

static struct shmfi_node *const *buckets_of(const struct shmfi_table *table, size_t *count)
{
    *count = table->buckets ? table->n_buckets : SHMFI_TABLE_FIRST;
    return table->buckets ? table->buckets : table->first;
}

/* The bucket is the mixed key's low bits. */
static struct shmfi_node **bucket_of(struct shmfi_table *table, uint64_t key)
{
    size_t count = table->buckets ? table->n_buckets : SHMFI_TABLE_FIRST;
    struct shmfi_node **buckets = table->buckets ? table->buckets : table->first;
    return &buckets[shmfi_mix(key) & (count - 1)];
}

static void grow(struct shmfi_table *table)
{
    size_t count;
    struct shmfi_node *const *old = buckets_of(table, &count);
    size_t n_new = count * 4;
    struct shmfi_node **fresh = shmfi_sys.calloc(n_new, sizeof *fresh);
    if (!fresh)
        return;
    for (size_t i = 0; i < count; i++) {
        struct shmfi_node *next;
        for (struct shmfi_node *node = old[i]; node; node = next) {
            struct shmfi_node **bucket = &fresh[shmfi_mix(node->key) & (n_new - 1)];
            next = node->next;
            node->next = *bucket;
            *bucket = node;
        }
    }
    shmfi_sys.free(table->buckets);
    table->buckets = fresh;
    table->n_buckets = n_new;
}

void shmfi_table_insert(struct shmfi_table *table, struct shmfi_node *node, uint64_t key)
{
    size_t count;
    buckets_of(table, &count);
    if (table->count >= count)
        grow(table);
    struct shmfi_node **bucket = bucket_of(table, key);
    node->key = key;
    node->next = *bucket;
    *bucket = node;
    table->count++;
}

void shmfi_table_remove(struct shmfi_table *table, struct shmfi_node *node)
{
    struct shmfi_node **link = bucket_of(table, node->key);
    while (*link && *link != node)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = node->next;
    node->next = NULL;
    table->count--;
}

static struct shmfi_node *from(struct shmfi_node *node, uint64_t key)
{
    while (node && node->key != key)
        node = node->next;
    return node;
}

struct shmfi_node *shmfi_table_find(const struct shmfi_table *table, uint64_t key)
{
    size_t count;
    struct shmfi_node *const *buckets = buckets_of(table, &count);
    return from(buckets[shmfi_mix(key) & (count - 1)], key);
}

struct shmfi_node *shmfi_table_again(const struct shmfi_node *node)
{
    return from(node->next, node->key);
}

void shmfi_table_each(struct shmfi_table *table, void (*visit)(struct shmfi_node *, void *),
                      void *context)
{
    size_t count;
    struct shmfi_node *const *buckets = buckets_of(table, &count);
    for (size_t i = 0; i < count; i++) {
        struct shmfi_node *next;
        for (struct shmfi_node *node = buckets[i]; node; node = next) {
            next = node->next;
            visit(node, context);
        }
    }
}

void shmfi_table_deinit(struct shmfi_table *table)
{
    shmfi_sys.free(table->buckets);
    memset(table, 0, sizeof *table);
}
