/* Results, as the pool makes them and as lib/task looks into them. */
#ifndef SHMFI_POOL_RESULT_H
#define SHMFI_POOL_RESULT_H

#include "memory/memory.h"

#include <shmframe/format.h>
#include <shmframe/result.h>
#include <shmframe/task.h>

/* A segment of kind SHMF_KIND_BYTES: the header, then the bytes at this offset. */
#define SHMFI_BYTES_OFFSET 128

struct shmf_result {
    int64_t index;
    int worker;
    uint64_t nanoseconds;
    struct shmf_failure failure; /* code 0: none */
    uint32_t kind;               /* of `segment`, enum shmf_kind; SHMF_KIND_NONE: inline bytes */
    struct shmfi_segment *segment;
    uint64_t size; /* of the bytes */
    void *object;  /* what lib/task opened in the segment, and how to free it */
    void (*free_object)(void *object);
    struct shmfi_granted *granted; /* to a task that failed; or NULL */
    struct shmf_result *next;
    _Alignas(16) uint8_t bytes[SHMF_INLINE_RESULT];
};

struct shmf_result *shmfi_result_new(void);

#endif
