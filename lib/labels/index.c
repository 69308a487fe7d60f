#include "labels/labels.h"

#include "base/checked.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

static uint64_t home_of(uint64_t hash, uint64_t capacity)
{
    return (uint64_t)((unsigned __int128)hash * capacity >> 64);
}

/* The first and last eight bytes, which may overlap. */
static uint64_t differ_in_ends(const char *a, const char *b, uint64_t size)
{
    uint64_t heads[2], tails[2];
    memcpy(&heads[0], a, 8);
    memcpy(&heads[1], b, 8);
    memcpy(&tails[0], a + size - 8, 8);
    memcpy(&tails[1], b + size - 8, 8);
    return (heads[0] ^ heads[1]) | (tails[0] ^ tails[1]);
}

/* As memcmp() would have it, without a call for what labels mostly are. */
static bool same_bytes(const char *a, const char *b, uint64_t size)
{
    if (size < 8 || size > 32)
        return memcmp(a, b, size) == 0;
    uint64_t differ = differ_in_ends(a, b, size);
    if (size > 16) /* bytes 8 to 15, and as many before the last eight: they may overlap */
        differ |= differ_in_ends(a + 8, b + 8, size - 16 < 8 ? 8 : size - 16);
    return !differ;
}

/* `key` is the text, or the number's 8 bytes. That of text is compared where the slot says it
 * begins while the offsets, which must agree, are still on their way. */
static inline __attribute__((always_inline)) bool has_key(const struct shmfi_labels *labels,
                                                          const struct shmf_format_slot *slot,
                                                          uint64_t position, const void *key,
                                                          uint64_t size)
{
    if (position >= labels->n)
        return false;
    if (labels->numbers)
        return memcmp(&labels->numbers[position], key, sizeof labels->numbers[0]) == 0;
    uint64_t begin = __atomic_load_n(&slot->begin, __ATOMIC_RELAXED);
    return shmfi_inside(begin, size, labels->strings.bytes_size) &&
           same_bytes(labels->strings.bytes + begin, key, size) &&
           shmfi_strings_is_at(&labels->strings, position, begin, size);
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
            (slot->tag == (uint32_t)hash && has_key(labels, slot, slot->first - 1, key, size)))
            return slot;
        at = at + 1 == capacity ? 0 : at + 1;
    }
}

void shmfi_index_build(struct shmf_format_slot *slots, uint64_t capacity,
                       const struct shmfi_labels *labels)
{
    memset(slots, 0, capacity * sizeof *slots);
    for (uint64_t i = 0; i < labels->n; i++) {
        const char *text = NULL;
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
            slot->begin = text ? (uint64_t)(text - labels->strings.bytes) : 0;
        }
        slot->count += slot->count != UINT32_MAX;
    }
}

uint64_t shmfi_hash(const void *bytes, uint64_t size)
{
    return XXH3_64bits(bytes, size);
}

/* ---- looking up --------------------------------------------------------------------------- */

void shmfi_key_set(struct shmfi_key *key, const void *bytes, uint64_t size)
{
    *key = (struct shmfi_key){bytes, size, XXH3_64bits(bytes, size)};
}

int64_t shmfi_index_find(const struct shmfi_index *index, const struct shmfi_labels *labels,
                         const struct shmfi_key *key, int64_t *count)
{
    uint64_t at = home_of(key->hash, index->capacity);
    for (uint64_t probes = 0; probes < index->capacity; probes++) {
        const struct shmf_format_slot *slot = &index->slots[at];
        uint64_t first = __atomic_load_n(&slot->first, __ATOMIC_RELAXED);
        if (first == 0)
            break;
        if (slot->tag == (uint32_t)key->hash &&
            has_key(labels, slot, first - 1, key->bytes, key->size)) {
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
    uint64_t at = home_of(key->hash, index->capacity);
    for (unsigned probes = 0; probes < NEAR && at < index->capacity; probes++, at++) {
        const struct shmf_format_slot *slot = &index->slots[at];
        if (__atomic_load_n(&slot->first, __ATOMIC_RELAXED) == 0)
            break;
        if (slot->tag == (uint32_t)key->hash)
            return slot;
    }
    return NULL;
}

/* Slots first, then what they lead to: what one key waits for the others do not wait for. Nothing
 * is concluded from what is seen here, so that it may change. */
void shmfi_index_fetch(const struct shmfi_index *index, const struct shmfi_labels *labels,
                       const struct shmfi_key *keys, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(&index->slots[home_of(keys[i].hash, index->capacity)]);
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
