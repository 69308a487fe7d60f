/* What both kinds of index do to compare labels. */
#ifndef SHMFI_LABELS_MATCH_H
#define SHMFI_LABELS_MATCH_H

#include "labels/labels.h"

#include "base/checked.h"

#include <string.h>

/* Where among `n` places or groups a probe begins. */
static inline uint64_t shmfi_home(uint64_t hash, uint64_t n)
{
    return (uint64_t)((unsigned __int128)hash * n >> 64);
}

static inline uint64_t shmfi_differ_8(const char *a, const char *b)
{
    uint64_t left, right;
    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return left ^ right;
}

static inline uint32_t shmfi_differ_4(const char *a, const char *b)
{
    uint32_t left, right;
    memcpy(&left, a, sizeof left);
    memcpy(&right, b, sizeof right);
    return left ^ right;
}

/* As memcmp() would have it, without a call for what labels mostly are. The words may overlap. */
static inline bool shmfi_same_bytes(const char *a, const char *b, uint64_t size)
{
    if (size > 32)
        return memcmp(a, b, size) == 0;
    if (size > 16)
        return !(shmfi_differ_8(a, b) | shmfi_differ_8(a + 8, b + 8) |
                 shmfi_differ_8(a + size - 16, b + size - 16) |
                 shmfi_differ_8(a + size - 8, b + size - 8));
    if (size >= 8)
        return !(shmfi_differ_8(a, b) | shmfi_differ_8(a + size - 8, b + size - 8));
    if (size >= 4)
        return !(shmfi_differ_4(a, b) | shmfi_differ_4(a + size - 4, b + size - 4));
    return size == 0 || (a[0] == b[0] && a[size / 2] == b[size / 2] && a[size - 1] == b[size - 1]);
}

/* Is the text of this position, said to begin there, that of the key? It is compared while the
 * offsets, which must agree, are still on their way. */
static inline bool shmfi_text_is(const struct shmfi_strings *strings, uint64_t position,
                                 uint64_t begin, const struct shmfi_key *key)
{
    return shmfi_inside(begin, key->size, strings->bytes_size) &&
           shmfi_same_bytes(strings->bytes + begin, key->bytes, key->size) &&
           shmfi_strings_is_at(strings, position, begin, key->size);
}

/* The key that a position bears, and where its text begins; false: its offsets lead nowhere. */
bool shmfi_key_of(const struct shmfi_labels *labels, uint64_t position, struct shmfi_key *key,
                  uint64_t *begin);

/* ---- indexes of slots; docs/format.md: column labels, and row labels of older segments --------
 */

void shmfi_slots_build(struct shmf_format_slot *slots, uint64_t capacity,
                       const struct shmfi_labels *labels);
int64_t shmfi_slots_find(const struct shmfi_index *index, const struct shmfi_labels *labels,
                         const struct shmfi_key *key, int64_t *count);
void shmfi_slots_fetch(const struct shmfi_index *index, const struct shmfi_labels *labels,
                       const struct shmfi_key *keys, unsigned n);
bool shmfi_slot_is_good(const struct shmfi_index *index, const struct shmfi_labels *labels,
                        uint64_t place, const uint32_t *counts, uint64_t *taken);

#endif
