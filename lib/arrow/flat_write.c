#include "flat_write.h"

#include <stdlib.h>
#include <string.h>

void shmfi_flat_free(struct shmfi_flat *flat)
{
    free(flat->bytes);
    flat->bytes = NULL;
}

size_t shmfi_flat_space(struct shmfi_flat *flat, size_t size, size_t alignment)
{
    size_t at = (flat->size + alignment - 1) & ~(alignment - 1), end = at + size;
    if (end > flat->room && !flat->failed) {
        size_t room = end < 2 * flat->room ? 2 * flat->room : end + 1024;
        unsigned char *bytes = realloc(flat->bytes, room);
        if (bytes) {
            flat->bytes = bytes;
            flat->room = room;
        }
        flat->failed = !bytes;
    }
    if (flat->failed)
        return 0;
    memset(flat->bytes + flat->size, 0, end - flat->size);
    flat->size = end;
    return at;
}

void shmfi_flat_put(struct shmfi_flat *flat, size_t at, const void *bytes, size_t size)
{
    if (!flat->failed && size > 0)
        memcpy(flat->bytes + at, bytes, size);
}

/* The vtable, and right behind it the table: its offset to the vtable, and the fields, the largest
 * first, so that each is aligned. */
size_t shmfi_flat_table(struct shmfi_flat *flat, const struct shmfi_flat_field *fields, unsigned n,
                        size_t *where)
{
    uint16_t vtable[2 + 8] = {(uint16_t)(4 + 2 * n)}, end = 4;
    static const unsigned sizes[] = {8, 4, 2, 1};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (unsigned i = 0; i < n; i++)
            if (fields[i].size == sizes[s]) {
                end = (uint16_t)((end + sizes[s] - 1) & ~(sizes[s] - 1));
                vtable[2 + i] = end;
                end = (uint16_t)(end + sizes[s]);
            }
    vtable[1] = end;
    size_t before = shmfi_flat_space(flat, vtable[0], 8);
    size_t table = shmfi_flat_space(flat, end, 8);
    int32_t back = (int32_t)(table - before);
    shmfi_flat_put(flat, before, vtable, vtable[0]);
    shmfi_flat_put(flat, table, &back, sizeof back);
    for (unsigned i = 0; i < n; i++) {
        where[i] = table + vtable[2 + i];
        if (fields[i].size)
            shmfi_flat_put(flat, where[i], &fields[i].value, fields[i].size);
    }
    return table;
}

void shmfi_flat_point(struct shmfi_flat *flat, size_t at, size_t target)
{
    uint32_t offset = (uint32_t)(target - at);
    shmfi_flat_put(flat, at, &offset, sizeof offset);
}

size_t shmfi_flat_string(struct shmfi_flat *flat, struct shmf_text text)
{
    uint32_t size = (uint32_t)text.size;
    size_t at = shmfi_flat_space(flat, sizeof size + size + 1, 4);
    shmfi_flat_put(flat, at, &size, sizeof size);
    shmfi_flat_put(flat, at + sizeof size, text.data, size);
    return at;
}

size_t shmfi_flat_vector(struct shmfi_flat *flat, size_t n, size_t size)
{
    uint32_t count = (uint32_t)n;
    shmfi_flat_space(flat, 0, 8);
    if (size > 4) /* the elements are aligned, not their number */
        shmfi_flat_space(flat, 4, 4);
    size_t at = shmfi_flat_space(flat, sizeof count + n * size, 4);
    shmfi_flat_put(flat, at, &count, sizeof count);
    return at;
}
