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
    int64_t first;       /* of a slice: the first row's position in the whole */
    bool is_slice;       /* part of another array, whose segment it shares */
    bool writable;       /* it was made here, or opened copy-on-write or as a private copy */
};

/* An array over a segment that somebody opened; takes the reference, on failure too. It may be
 * written if the segment may. Arrays are checked in any case: that costs next to nothing. */
int shmfi_array_from_segment(struct shmfi_segment *segment, bool trusted, struct shmf_array **array,
                             struct shmf_error *err);

/* The same over plain memory, which must outlive it. */
int shmfi_array_from_memory(void *memory, uint64_t size, struct shmf_array **array,
                            struct shmf_error *err);

/* The same for a segment that shmfi_segment_attach made: the header is read from its file, so that
 * a file that becomes shorter meanwhile is an error, not SIGBUS. */
int shmfi_array_from_attached(struct shmfi_segment *segment, struct shmf_array **array,
                              struct shmf_error *err);

/* The part begin <= i < end of the first axis, sharing the segment; as writable as the whole. No
 * rows at all are in any array. */
int shmfi_array_slice(const struct shmf_array *whole, int64_t begin, int64_t end,
                      struct shmf_array **slice, struct shmf_error *err);

/* Borrowed. */
struct shmfi_segment *shmfi_array_segment(const struct shmf_array *array);

#endif
