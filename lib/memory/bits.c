#include "memory/bits.h"

/* The bits of word `word` that belong to [first, end). */
static uint64_t mask_of(size_t word, size_t first, size_t end)
{
    size_t base = word * 64;
    uint64_t mask = UINT64_MAX;
    if (first > base)
        mask &= UINT64_MAX << (first - base);
    if (end < base + 64)
        mask &= UINT64_MAX >> (base + 64 - end);
    return mask;
}

void shmfi_bits_set(uint64_t *words, size_t first, size_t count)
{
    size_t end = first + count;
    for (size_t word = first / 64; word * 64 < end; word++)
        words[word] |= mask_of(word, first, end);
}

void shmfi_bits_clear(uint64_t *words, size_t first, size_t count)
{
    size_t end = first + count;
    for (size_t word = first / 64; word * 64 < end; word++)
        words[word] &= ~mask_of(word, first, end);
}

bool shmfi_bits_any(const uint64_t *words, size_t first, size_t count)
{
    size_t end = first + count;
    for (size_t word = first / 64; word * 64 < end; word++) {
        if (words[word] & mask_of(word, first, end))
            return true;
    }
    return false;
}

size_t shmfi_bits_count(const uint64_t *words, size_t first, size_t count)
{
    size_t end = first + count;
    size_t set = 0;
    for (size_t word = first / 64; word * 64 < end; word++)
        set += (size_t)__builtin_popcountll(words[word] & mask_of(word, first, end));
    return set;
}

size_t shmfi_bits_next(const uint64_t *words, size_t bits, size_t from, bool wanted)
{
    for (size_t word = from / 64; word * 64 < bits; word++) {
        uint64_t hits = (wanted ? words[word] : ~words[word]) & mask_of(word, from, bits);
        if (hits)
            return word * 64 + (size_t)__builtin_ctzll(hits);
    }
    return bits;
}

bool shmfi_bits_find_run(const uint64_t *words, size_t bits, size_t count, size_t *first)
{
    size_t start = shmfi_bits_next(words, bits, 0, false);
    while (count <= bits && start <= bits - count) {
        size_t end = shmfi_bits_next(words, bits, start, true);
        if (end - start >= count) {
            *first = start;
            return true;
        }
        start = shmfi_bits_next(words, bits, end, false);
    }
    return false;
}
