/* Arithmetic on sizes that may come from anywhere: every function returns false on overflow. */
#ifndef SHMFI_BASE_CHECKED_H
#define SHMFI_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

static inline bool shmfi_add(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool shmfi_mul(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* `alignment` is a power of two. */
static inline bool shmfi_round_up(uint64_t value, uint64_t alignment, uint64_t *rounded)
{
    uint64_t sum;
    if (!shmfi_add(value, alignment - 1, &sum))
        return false;
    *rounded = sum & ~(alignment - 1);
    return true;
}

/* Is [offset, offset + length) inside [0, size)? */
static inline bool shmfi_inside(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

#endif
