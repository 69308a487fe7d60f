#include "support/pattern.h"

/* splitmix64 of the seed and the position of the eight bytes. */
static uint64_t word(uint64_t seed, size_t index)
{
    uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint8_t byte(uint64_t seed, size_t position)
{
    return (uint8_t)(word(seed, position / 8) >> (position % 8 * 8));
}

void test_fill(void *bytes, size_t size, uint64_t seed)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        at[i] = byte(seed, i);
}

ssize_t test_differs(const void *bytes, size_t size, uint64_t seed)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        if (at[i] != byte(seed, i))
            return (ssize_t)i;
    return -1;
}

ssize_t test_differs_from(const void *bytes, size_t size, uint8_t value)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++)
        if (at[i] != value)
            return (ssize_t)i;
    return -1;
}
