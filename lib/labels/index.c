#include "labels/labels.h"

#include <string.h>

static uint64_t home_of(uint64_t hash, uint64_t capacity)
{
    return (uint64_t)((unsigned __int128)hash * capacity >> 64);
}

static bool has_text(const struct shmfi_labels *labels, uint64_t position, const char *text,
                     uint64_t size)
{
    const char *other;
    uint64_t other_size;
    return shmfi_strings_at(&labels->strings, position, &other, &other_size) &&
           other_size == size && memcmp(other, text, size) == 0;
}

/* `key` is the text, or the number's 8 bytes. */
static bool has_key(const struct shmfi_labels *labels, uint64_t position, const void *key,
                    uint64_t size)
{
    if (position >= labels->n)
        return false;
    if (labels->numbers)
        return memcmp(&labels->numbers[position], key, sizeof labels->numbers[0]) == 0;
    return has_text(labels, position, key, size);
}

/* The slot that holds the key or is free for it. There is one, because there are more slots than
 * labels and this process writes them. */
static struct shmf_format_slot *slot_for(struct shmf_format_slot *slots, uint64_t capacity,
                                         uint64_t hash, const struct shmfi_labels *labels,
                                         const void *key, uint64_t size)
{
    uint64_t at = home_of(hash, capacity);
    for (;;) {
        struct shmf_format_slot *slot = &slots[at];
        if (slot->first == 0 ||
            (slot->tag == (uint32_t)hash && has_key(labels, slot->first - 1, key, size)))
            return slot;
        at = at + 1 == capacity ? 0 : at + 1;
    }
}

void shmfi_index_build(struct shmf_format_slot *slots, uint64_t capacity,
                       const struct shmfi_labels *labels)
{
    memset(slots, 0, capacity * sizeof *slots);
    for (uint64_t i = 0; i < labels->n; i++) {
        const char *text;
        const void *key;
        uint64_t size = sizeof labels->numbers[0];
        if (labels->numbers)
            key = &labels->numbers[i];
        else if (shmfi_strings_at(&labels->strings, i, &text, &size))
            key = text;
        else
            continue;
        uint64_t hash = shmfi_hash(key, size);
        struct shmf_format_slot *slot = slot_for(slots, capacity, hash, labels, key, size);
        if (slot->first == 0) {
            slot->tag = (uint32_t)hash;
            slot->first = i + 1;
        }
        slot->count += slot->count != UINT32_MAX;
    }
}

static int64_t find(const struct shmfi_index *index, const struct shmfi_labels *labels,
                    const void *key, uint64_t size, int64_t *count)
{
    uint64_t hash = shmfi_hash(key, size);
    uint64_t at = home_of(hash, index->capacity);
    for (uint64_t probes = 0; probes < index->capacity; probes++) {
        const struct shmf_format_slot *slot = &index->slots[at];
        uint64_t first = __atomic_load_n(&slot->first, __ATOMIC_RELAXED);
        if (first == 0)
            break;
        if (slot->tag == (uint32_t)hash && has_key(labels, first - 1, key, size)) {
            if (count)
                *count = slot->count;
            return (int64_t)(first - 1);
        }
        at = at + 1 == index->capacity ? 0 : at + 1;
    }
    return SHMF_E_NOTFOUND;
}

int64_t shmfi_index_find_text(const struct shmfi_index *index, const struct shmfi_labels *labels,
                              const char *text, uint64_t size, int64_t *count)
{
    return find(index, labels, text, size, count);
}

int64_t shmfi_index_find_number(const struct shmfi_index *index, const struct shmfi_labels *labels,
                                int64_t number, int64_t *count)
{
    return find(index, labels, &number, sizeof number, count);
}
