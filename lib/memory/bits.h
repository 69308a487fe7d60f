/* Bitmaps over pages and blocks; plain memory. Bit i is bit i % 64 of word i / 64. */
#ifndef SHMFI_MEMORY_BITS_H
#define SHMFI_MEMORY_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words that `bits` bits take. */
static inline size_t shmfi_bits_words(size_t bits)
{
    return bits / 64 + (bits % 64 != 0);
}

void shmfi_bits_set(uint64_t *words, size_t first, size_t count);
void shmfi_bits_clear(uint64_t *words, size_t first, size_t count);

/* Is any of these bits set? */
bool shmfi_bits_any(const uint64_t *words, size_t first, size_t count);

/* Position of the first bit at or after `from` that is set (`wanted`) or clear (!`wanted`), or
 * `bits` when there is none below `bits`. */
size_t shmfi_bits_next(const uint64_t *words, size_t bits, size_t from, bool wanted);

/* How many of these bits are set? */
size_t shmfi_bits_count(const uint64_t *words, size_t first, size_t count);

/* The lowest run of `count` clear bits. */
bool shmfi_bits_find_run(const uint64_t *words, size_t bits, size_t count, size_t *first);

#endif
