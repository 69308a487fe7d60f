/* Many elements in one task: what map's application side and worker side agree on. */
#ifndef SHMFI_POOL_CHUNK_H
#define SHMFI_POOL_CHUNK_H

#include "pool/task_internal.h"

/* The task's argument. */
struct shmfi_chunk {
    int64_t first, count;
    uint64_t function, context; /* addresses */
    uint64_t seed;              /* of the whole call */
    uint64_t arg_size;          /* > 0: handle 0 is a segment with all elements' arguments */
    uint64_t result_size;
};

/* The task's result: this, `count` results, and, if any failed, `count` int32 statuses. */
struct shmfi_chunk_reply {
    int64_t n_failed;
    int64_t first_failed;       /* number of the element in the whole call */
    char message[SHMF_ERROR_MESSAGE_SIZE / 2];
};

/* The task function. */
int shmfi_run_chunk(struct shmf_task *task, void *unused);

#endif
