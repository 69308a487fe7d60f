/* Bytes that can be recognised: filled from a seed by one process, checked by another. */
#ifndef TEST_SUPPORT_PATTERN_H
#define TEST_SUPPORT_PATTERN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Fills `size` bytes; every byte depends on the seed and on its position. */
void test_fill(void *bytes, size_t size, uint64_t seed);

/* The position of the first byte that is not what test_fill wrote; -1: all are. */
ssize_t test_differs(const void *bytes, size_t size, uint64_t seed);

/* The position of the first byte that is not `value`; -1: all are. */
ssize_t test_differs_from(const void *bytes, size_t size, uint8_t value);

#endif
