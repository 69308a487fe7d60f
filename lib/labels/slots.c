#include "labels/match.h"

static inline bool has_key(const struct shmfi_labels *labels, const struct shmf_format_slot *slot,
                           uint64_t position, const struct shmfi_key *key)
{
    if (position >= labels->n)
        return false;
    if (labels->numbers)
        return memcmp(&labels->numbers[position], key->bytes, sizeof labels->numbers[0]) == 0;
    return shmfi_text_is(&labels->strings, position,
                         __atomic_load_n(&slot->begin, __ATOMIC_RELAXED), key);
}

/* The slot that holds the key or is free for it. There is one, because there are more slots than
 * labels and this process writes them. */
static struct shmf_format_slot *slot_for(struct shmf_format_slot *slots, uint64_t capacity,
                                         const struct shmfi_labels *labels,
                                         const struct shmfi_key *key)
{
    uint64_t at = shmfi_home(key->hash, capacity);
    for (;;) {
        struct shmf_format_slot *slot = &slots[at];
        if (slot->first == 0 ||
            (slot->tag == (uint32_t)key->hash && has_key(labels, slot, slot->first - 1, key)))
            return slot;
        at = at + 1 == capacity ? 0 : at + 1;
    }
}

void shmfi_slots_build(struct shmf_format_slot *slots, uint64_t capacity,
                       const struct shmfi_labels *labels)
{
    struct shmfi_key key;
    uint64_t begin;
    memset(slots, 0, capacity * sizeof *slots);
    for (uint64_t i = 0; i < labels->n; i++) {
        if (!shmfi_key_of(labels, i, &key, &begin))
            continue;
        struct shmf_format_slot *slot = slot_for(slots, capacity, labels, &key);
        if (slot->first == 0) {
            slot->tag = (uint32_t)key.hash;
            slot->first = i + 1;
            slot->begin = begin;
        }
        slot->count += slot->count != UINT32_MAX;
    }
}

int64_t shmfi_slots_find(const struct shmfi_index *index, const struct shmfi_labels *labels,
                         const struct shmfi_key *key, int64_t *count)
{
    uint64_t at = shmfi_home(key->hash, index->capacity);
    for (uint64_t probes = 0; probes < index->capacity; probes++) {
        const struct shmf_format_slot *slot = &index->slots[at];
        uint64_t first = __atomic_load_n(&slot->first, __ATOMIC_RELAXED);
        if (first == 0)
            break;
        if (slot->tag == (uint32_t)key->hash && has_key(labels, slot, first - 1, key)) {
            if (count)
                *count = slot->count;
            return (int64_t)(first - 1);
        }
        at = at + 1 == index->capacity ? 0 : at + 1;
    }
    return SHMF_E_NOTFOUND;
}

/* The first slot that a probe will compare with the key, if that is near. */
static const struct shmf_format_slot *candidate(const struct shmfi_index *index,
                                                const struct shmfi_key *key)
{
    enum { NEAR = 8 };
    uint64_t at = shmfi_home(key->hash, index->capacity);
    for (unsigned probes = 0; probes < NEAR && at < index->capacity; probes++, at++) {
        const struct shmf_format_slot *slot = &index->slots[at];
        if (__atomic_load_n(&slot->first, __ATOMIC_RELAXED) == 0)
            break;
        if (slot->tag == (uint32_t)key->hash)
            return slot;
    }
    return NULL;
}

void shmfi_slots_fetch(const struct shmfi_index *index, const struct shmfi_labels *labels,
                       const struct shmfi_key *keys, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(&index->slots[shmfi_home(keys[i].hash, index->capacity)]);
    for (unsigned i = 0; i < n; i++) {
        const struct shmf_format_slot *slot = candidate(index, &keys[i]);
        uint64_t position = slot ? slot->first - 1 : labels->n;
        if (position >= labels->n)
            continue;
        if (labels->numbers)
            __builtin_prefetch(&labels->numbers[position]);
        else
            shmfi_strings_fetch(&labels->strings, position, slot->begin);
    }
}

bool shmfi_slot_is_good(const struct shmfi_index *index, const struct shmfi_labels *labels,
                        uint64_t place, const uint32_t *counts, uint64_t *taken)
{
    const struct shmf_format_slot *slot = &index->slots[place];
    uint64_t first = __atomic_load_n(&slot->first, __ATOMIC_RELAXED); /* once: it may change */
    if (first == 0)
        return !slot->tag && !slot->count && !slot->begin;
    ++*taken;
    return first <= labels->n && counts[first - 1] == slot->count &&
           !(labels->numbers && slot->begin);
}
