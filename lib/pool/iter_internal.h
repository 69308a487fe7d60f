/* One call of imap. All of it is protected by its pool's lock; what is ready once the pool is gone
 * by its own. */
#ifndef SHMFI_POOL_ITER_INTERNAL_H
#define SHMFI_POOL_ITER_INTERNAL_H

#include "pool/pool_internal.h"
#include "pool/progress.h"

struct shmf_iter {
    struct shmfi_sink sink; /* first: the sink's deliver() gets a pointer to it */
    struct shmf_pool *pool; /* NULL: the pool was freed */
    uint64_t epoch;
    struct shmf_iter *previous, *next;

    shmf_task_fn function;
    struct shmf_tasks tasks;
    uint64_t deadline; /* ns for each task; 0: none */
    uint64_t end;      /* shmfi_call_end() */
    bool unordered;
    bool running;     /* in an inline pool: a task does, with the pool's lock released */
    pthread_t runner; /* in this thread */

    struct shmfi_shared *shared; /* handles of all tasks */

    int64_t submitted;              /* tasks that were given an index so far */
    int64_t taken;                  /* results that the caller took */
    uint32_t window;                /* submitted - taken never exceeds it */
    bool ended;                     /* there are no more tasks */
    int producer_error;             /* what `next` or a submission returned, for after the last
                                       result */
    struct shmf_error producer_why; /* of a submission */
    bool have_input;                /* `next` yielded `input`, which waits for room */
    struct shmf_task_input input;

    struct shmf_result **ready; /* `window` places: ordered by index, or first in, first out */
    int64_t arrived;            /* results that came in */
    pthread_mutex_t lock;       /* of ready, taken and arrived, when there is no pool */
    struct shmfi_progress progress;
};

/* Its sink's deliver(). */
void shmfi_iter_deliver(struct shmfi_sink *sink, struct shmf_result *result);

/* Frees the iterator, unlinked or never linked, and all that it holds. */
void shmfi_iter_destroy(struct shmf_iter *iter);

#endif
