#include "flat_read.h"

#include <string.h>

static bool inside(size_t at, size_t size, size_t all)
{
    return at <= all && size <= all - at;
}

static bool read_u32(const unsigned char *bytes, size_t all, size_t at, uint32_t *value)
{
    if (!inside(at, sizeof *value, all))
        return false;
    memcpy(value, bytes + at, sizeof *value);
    return true;
}

/* A table says how far before it (or, negative, behind it) its vtable is. */
static bool table_at(const unsigned char *bytes, size_t all, size_t at, struct shmfi_table *table)
{
    int32_t back;
    uint16_t sizes[2];
    if (!inside(at, sizeof back, all) || all > INT64_MAX)
        return false;
    memcpy(&back, bytes + at, sizeof back);
    int64_t vtable = (int64_t)at - back;
    if (vtable < 0 || !inside((size_t)vtable, sizeof sizes, all))
        return false;
    memcpy(sizes, bytes + vtable, sizeof sizes);
    *table = (struct shmfi_table){bytes, all, at, sizes[1], (size_t)vtable, sizes[0]};
    return sizes[0] >= sizeof sizes && inside((size_t)vtable, sizes[0], all) &&
           sizes[1] >= sizeof back && inside(at, sizes[1], all);
}

bool shmfi_table_root(const void *bytes, size_t size, struct shmfi_table *table)
{
    uint32_t root;
    return read_u32(bytes, size, 0, &root) && table_at(bytes, size, root, table);
}

/* Where the field is; 0: it is absent. */
static bool place(const struct shmfi_table *table, unsigned field, size_t size, size_t *at)
{
    uint16_t offset = 0;
    size_t slot = 4 + 2 * (size_t)field;
    if (table->size > 0 && slot + sizeof offset <= table->vtable_size)
        memcpy(&offset, table->bytes + table->vtable + slot, sizeof offset);
    *at = offset ? table->at + offset : 0;
    return inside(offset, offset ? size : 0, table->size);
}

bool shmfi_table_number(const struct shmfi_table *table, unsigned field, size_t size,
                        int64_t absent, int64_t *value)
{
    size_t at;
    int64_t read = 0;
    if (!place(table, field, size, &at))
        return false;
    *value = absent;
    if (!at)
        return true;
    memcpy(&read, table->bytes + at, size);
    unsigned unused = 64 - 8 * (unsigned)size;
    *value = (int64_t)((uint64_t)read << unused) >> unused;
    return true;
}

/* Where an offset leads to; 0: there is none. */
static bool follow(const struct shmfi_table *table, unsigned field, size_t *target)
{
    size_t at;
    uint32_t offset;
    *target = 0;
    if (!place(table, field, sizeof offset, &at))
        return false;
    if (!at)
        return true;
    memcpy(&offset, table->bytes + at, sizeof offset);
    *target = at + offset;
    return offset > 0 && *target < table->buffer_size;
}

bool shmfi_table_table(const struct shmfi_table *table, unsigned field, struct shmfi_table *below)
{
    size_t at;
    *below = (struct shmfi_table){.size = 0};
    if (!follow(table, field, &at))
        return false;
    return !at || table_at(table->bytes, table->buffer_size, at, below);
}

bool shmfi_table_vector(const struct shmfi_table *table, unsigned field, size_t each,
                        struct shmfi_vector *vector)
{
    size_t at;
    uint32_t n;
    *vector = (struct shmfi_vector){table->bytes, table->buffer_size, 0, 0};
    if (!follow(table, field, &at))
        return false;
    if (!at)
        return true;
    if (!read_u32(table->bytes, table->buffer_size, at, &n))
        return false;
    vector->at = at + sizeof n;
    vector->n = n;
    return n <= (table->buffer_size - vector->at) / each;
}

bool shmfi_vector_table(const struct shmfi_vector *vector, size_t i, struct shmfi_table *table)
{
    uint32_t offset;
    size_t at = vector->at + i * sizeof offset;
    return i < vector->n && read_u32(vector->bytes, vector->buffer_size, at, &offset) &&
           offset > 0 && table_at(vector->bytes, vector->buffer_size, at + offset, table);
}

bool shmfi_table_string(const struct shmfi_table *table, unsigned field, const char **text,
                        size_t *size)
{
    struct shmfi_vector letters;
    if (!shmfi_table_vector(table, field, 1, &letters))
        return false;
    *text = letters.at ? (const char *)letters.bytes + letters.at : NULL;
    *size = letters.n;
    return true;
}
