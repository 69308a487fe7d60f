/* Bitmaps whose bits begin anywhere; no byte is read that holds none of the bits in question. */
#include "import.h"

#include <string.h>

int64_t shmfi_arrow_count_bits(const uint8_t *bitmap, int64_t first, int64_t n)
{
    int64_t count = 0, i = first, end = first + n;
    for (; i < end && i % 8; i++)
        count += shmfi_arrow_bit(bitmap, i);
    for (uint64_t word; end - i >= 64; i += 64) {
        memcpy(&word, bitmap + i / 8, sizeof word);
        count += __builtin_popcountll(word);
    }
    for (; i < end; i++)
        count += shmfi_arrow_bit(bitmap, i);
    return count;
}

static void copy_bit(uint8_t *to, int64_t at, const uint8_t *bitmap, int64_t from)
{
    uint8_t mask = (uint8_t)(1u << (at % 8));
    if (shmfi_arrow_bit(bitmap, from))
        to[at / 8] |= mask;
    else
        to[at / 8] &= (uint8_t)~mask;
}

void shmfi_arrow_copy_bits(uint8_t *to, int64_t at, const uint8_t *bitmap, int64_t from, int64_t n)
{
    for (; n > 0 && at % 8; at++, from++, n--)
        copy_bit(to, at, bitmap, from);
    const uint8_t *source = bitmap + from / 8;
    uint8_t *target = to + at / 8;
    int64_t whole = n / 8, shift = from % 8;
    if (shift == 0 && whole > 0)
        memcpy(target, source, (size_t)whole);
    for (int64_t i = 0; shift && i < whole; i++)
        target[i] = (uint8_t)(source[i] >> shift | source[i + 1] << (8 - shift));
    for (int64_t i = whole * 8; i < n; i++)
        copy_bit(to, at + i, bitmap, from + i);
}
