/* Many elements in one task: what map's application side and worker side agree on. */
#ifndef SHMFI_POOL_CHUNK_H
#define SHMFI_POOL_CHUNK_H

#include "pool/task_internal.h"

#include <shmframe/reduce.h>

/* The task's argument. */
struct shmfi_chunk {
    int64_t first, count;
    uint64_t function, context; /* addresses */
    uint64_t seed;              /* of the whole call */
    uint64_t arg_size;          /* > 0: handle 0 is a segment with all elements' arguments */
    uint64_t result_size;
};

/* The task's result: `count` results, and, if any failed, `count` int32 statuses and this. */
struct shmfi_chunk_reply {
    int64_t n_failed;
    int64_t first_failed; /* number of the element in the whole call */
    char message[SHMF_ERROR_MESSAGE_SIZE / 2];
};

/* The task function. */
int shmfi_run_chunk(struct shmf_task *task, void *unused);

/* ---- reduce ------------------------------------------------------------------------------- */

/* The task's argument; the accumulator as it is at first follows. The result is what it came to. */
struct shmfi_fold_chunk {
    int64_t first, count;
    uint64_t fold, context; /* addresses */
    uint64_t seed;          /* of the whole call */
    uint64_t arg_size;      /* as in struct shmfi_chunk */
};

/* The task function. */
int shmfi_run_fold(struct shmf_task *task, void *unused);

/* ---- elements.c: both --------------------------------------------------------------------- */

/* SHMF_E_INVAL names the field. */
int shmfi_check_elements(const struct shmf_tasks *tasks, struct shmf_error *err);

/* All arguments in one segment, and the handles of every chunk: of that segment, if there is one,
 * then the tasks'. Both are the caller's, on failure too. */
int shmfi_share_elements(const struct shmf_tasks *tasks, struct shmfi_segment **args,
                         struct shmf_handle **handles, size_t *n_handles, struct shmf_error *err);

/* Runs all chunks and gives each result to `take` in the order that `how` says. SHMF_OK: all were
 * there, which says nothing of their contents. */
int shmfi_run_chunks(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_tasks *chunks,
                     const struct shmf_imap_options *how,
                     void (*take)(void *call, const struct shmf_result *result), void *call,
                     struct shmf_error *err);

/* An element as a task, but for its number, seed and argument: the chunk's other handles are
 * its. */
struct shmf_task shmfi_element_of(const struct shmf_task *task, uint64_t arg_size);

/* The arguments of all elements; NULL where there are none. The segment is the caller's. */
int shmfi_open_args(struct shmf_task *task, uint64_t arg_size, struct shmfi_segment **segment,
                    const uint8_t **args);

#endif
