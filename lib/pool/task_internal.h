/* A task while it runs: in a worker, or in the application for an inline pool. */
#ifndef SHMFI_POOL_TASK_INTERNAL_H
#define SHMFI_POOL_TASK_INTERNAL_H

#include "memory/memory.h"

#include <shmframe/task.h>

/* Something to be freed when the task is over. */
struct shmfi_deferred {
    void (*destroy)(void *object);
    void *object;
};

struct shmf_task {
    /* what it is */
    const void *arg;
    size_t arg_size;
    const struct shmf_handle *shared; /* handles that all tasks of the call have ... */
    size_t n_shared;
    const struct shmf_handle *own; /* ... and this one's, numbered after them */
    size_t n_own;
    size_t n_cut; /* so many of them, in front, grant the following rows where
                     they grant */
    int64_t begin, end;
    int64_t index;
    uint64_t seed;
    int attempt;
    int worker;

    /* what came of it */
    uint64_t began; /* shmfi_now(), when its function was called, or when it came to a worker that
                       waited for it; before it runs: 0, not known yet */
    uint64_t nanoseconds;
    struct shmf_error error;       /* code 0: none so far */
    uint32_t kind;                 /* of the segment; SHMF_KIND_NONE: inline bytes */
    struct shmfi_segment *segment; /* a reference that goes to the consumer */
    uint64_t size;                 /* of the bytes */
    _Alignas(16) uint8_t bytes[SHMF_INLINE_RESULT];

    void *scratch; /* private memory that grows with need and stays from task to task */
    size_t scratch_size;
    struct shmfi_deferred *deferred;
    size_t n_deferred, deferred_capacity;
};

/* Runs `function` and settles what came of it: afterwards either error.code is set and there is no
 * segment, or it is SHMF_OK. */
void shmfi_task_run(struct shmf_task *task, shmf_task_fn function, void *context);

/* Frees what the task obtained, last first; keeps the list's memory for the next task. */
void shmfi_task_clean(struct shmf_task *task);

/* For lib/task: frees the object when the task is over. On failure it is still the caller's. */
int shmfi_task_defer(struct shmf_task *task, void (*destroy)(void *object), void *object);

/* For lib/task, which keeps inputs from task to task: `forget` is called between tasks for each
 * region that the application has given up. */
void shmfi_task_watch_drops(void (*forget)(uint64_t region_id));

/* For lib/task: make the segment (a new reference is taken) the task's result. */
int shmfi_task_return_segment(struct shmf_task *task, struct shmfi_segment *segment, uint32_t kind);

/* Records an error of the library's own as the task's; returns its code. */
int shmfi_task_error(struct shmf_task *task, const struct shmf_error *err);

#endif
