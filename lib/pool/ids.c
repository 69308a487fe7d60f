#include "pool/ids.h"

#include "base/sys.h"

#include <shmframe/error.h>
#include <string.h>

/* Where `id` is, or would be. */
static size_t place_of(const struct shmfi_ids *set, uint64_t id)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool shmfi_ids_has(const struct shmfi_ids *set, uint64_t id)
{
    size_t at = place_of(set, id);
    return at < set->count && set->ids[at] == id;
}

int shmfi_ids_add(struct shmfi_ids *set, uint64_t id)
{
    size_t at = place_of(set, id);
    if (at < set->count && set->ids[at] == id)
        return SHMF_OK;
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 8;
        uint64_t *grown = shmfi_sys.realloc(set->ids, capacity * sizeof *grown);
        if (!grown)
            return SHMF_E_NOMEM;
        set->ids = grown;
        set->capacity = capacity;
    }
    memmove(&set->ids[at + 1], &set->ids[at], (set->count - at) * sizeof *set->ids);
    set->ids[at] = id;
    set->count++;
    return SHMF_OK;
}

void shmfi_ids_remove(struct shmfi_ids *set, uint64_t id)
{
    size_t at = place_of(set, id);
    if (at == set->count || set->ids[at] != id)
        return;
    set->count--;
    memmove(&set->ids[at], &set->ids[at + 1], (set->count - at) * sizeof *set->ids);
}

void shmfi_ids_clear(struct shmfi_ids *set)
{
    shmfi_sys.free(set->ids);
    *set = (struct shmfi_ids){0};
}
