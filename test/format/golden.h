/* The golden segments: their names and their bytes. */
#ifndef TEST_FORMAT_GOLDEN_H
#define TEST_FORMAT_GOLDEN_H

#include <stddef.h>
#include <stdio.h>

struct segment_copy {
    unsigned char *base; /* from aligned_alloc(64), exactly `size` bytes: sanitizers see its end */
    size_t size;
};

/* Those with "_slots" are of before row labels had tags; nobody writes them any more. */
static const char *const golden_names[] = {"frame_mixed",       "frame_matrix",      "frame_range",
                                           "frame_empty",       "frame_types",       "array",
                                           "frame_mixed_slots", "frame_matrix_slots"};

enum { N_GOLDEN = sizeof golden_names / sizeof golden_names[0] };

/* Aborts where there is no such file, or no sense in it; the caller frees `base`. */
struct segment_copy read_golden(const char *name);

/* The file golden/NAME, to be closed by the caller. */
FILE *open_golden(const char *name, const char *mode);

/* As hexadecimal text: "size N", then "offset: 16 bytes" for rows that are not all zero. */
void write_golden(FILE *out, const struct segment_copy *copy);

#endif
