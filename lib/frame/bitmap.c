#include "frame/frame_internal.h"

#include <string.h>

int64_t shmfi_bitmap_count(const uint8_t *bitmap, int64_t n)
{
    int64_t bytes = n / 8, i = 0, count = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, bitmap + i, sizeof word);
        count += __builtin_popcountll(word);
    }
    for (; i < bytes; i++)
        count += __builtin_popcount(bitmap[i]);
    if (n % 8)
        count += __builtin_popcount(bitmap[bytes] & ((1u << (n % 8)) - 1));
    return count;
}

void shmfi_bitmap_fill(uint8_t *bitmap, int64_t n)
{
    size_t bytes = (size_t)n / 8, padded = ((size_t)n + 511) / 512 * 64;
    memset(bitmap, 0xFF, bytes);
    memset(bitmap + bytes, 0, padded - bytes);
    if (n % 8)
        bitmap[bytes] = (uint8_t)((1u << (n % 8)) - 1);
}
