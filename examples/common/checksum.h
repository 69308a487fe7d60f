/* What one task delivered, as the examples look at it: lines of bytes, perhaps with gaps between
 * them (the padding between a frame's columns), and a checksum of them. */
#ifndef EXAMPLES_CHECKSUM_H
#define EXAMPLES_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

struct view {
    const void *data;
    size_t line_bytes;
    int64_t n_lines;
    size_t stride; /* bytes from line to line */
};

/* Depends on every bit and on its place; never 0. The same bytes in one line or in several give
 * the same sum, provided that lines are whole numbers of eight-byte words. */
uint64_t checksum(const struct view *view);

#endif
