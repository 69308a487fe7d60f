/* The inside of an array, for tasks and tests. */
#ifndef SHMFI_ARRAY_INTERNAL_H
#define SHMFI_ARRAY_INTERNAL_H

#include <shmframe/array.h>
#include <shmframe/format.h>

#include <stdbool.h>

struct shmfi_segment;

/* Private to the process. What was checked is in `header`, a copy; the header in the segment is
 * not looked at again. */
struct shmf_array {
    struct shmfi_segment *segment; /* our reference; NULL over plain memory, in tests */
    struct shmf_format_array header;
    unsigned char *data; /* the first element */
    int64_t size;        /* elements */
    bool writable;       /* it was made here, or opened copy-on-write or as a private copy */
};

/* An array over a segment that somebody opened; takes the reference, on failure too. It may be
 * written if the segment may. Arrays are checked in any case: that costs next to nothing. */
int shmfi_array_from_segment(struct shmfi_segment *segment, bool trusted, struct shmf_array **array,
                             struct shmf_error *err);

/* The same over plain memory, which must outlive it. */
int shmfi_array_from_memory(void *memory, uint64_t size, struct shmf_array **array,
                            struct shmf_error *err);

/* The same for a segment that shmfi_segment_attach made: the header is read from its file, so that a
 * file that becomes shorter meanwhile is an error, not SIGBUS. */
int shmfi_array_from_attached(struct shmfi_segment *segment, struct shmf_array **array,
                              struct shmf_error *err);

/* Borrowed. */
struct shmfi_segment *shmfi_array_segment(const struct shmf_array *array);

#endif
