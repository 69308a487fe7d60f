/* One submitted task. Protected by its pool's lock, but for `done`, which is set last, and
 * `result`, which is its owner's from then on. */
#ifndef SHMFI_POOL_FUTURE_INTERNAL_H
#define SHMFI_POOL_FUTURE_INTERNAL_H

#include "pool/submit.h"

#include <shmframe/future.h>

struct shmf_future {
    struct shmfi_sink sink; /* first: deliver() gets a pointer to it */
    struct shmf_pool *pool; /* NULL: the pool was freed */
    uint64_t epoch;
    struct shmf_future *previous, *next;     /* in pool->futures */
    struct shmf_future *waiting, **waits_at; /* the next one in the backlog; what points to us */
    bool in_backlog;
    struct shmfi_order order;    /* while it is in the backlog: its own copies */
    struct shmfi_segment **pins; /* of order.input.handles */
    shmf_future_fn done_fn;
    void *user;
    _Atomic bool done;
    struct shmf_result *result;
};

/* SHMF_E_INVAL and others: the arguments of a submission make no sense. `options` may be NULL, here
 * and below: the defaults. */
int shmfi_future_check(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_task_input *input,
                       const struct shmf_submit_options *options, struct shmf_error *err);

void shmfi_future_init(struct shmf_future *future, struct shmf_pool *pool, shmf_task_fn fn,
                       const struct shmf_task_input *input,
                       const struct shmf_submit_options *options);

/* Queues its task, or has it wait in the backlog. SHMF_OK: it is one of the pool's futures. */
int shmfi_future_start(struct shmf_future *future, struct shmf_error *err);

/* It is none of its pool's futures any more, and its task, if it is not done, nobody's. */
void shmfi_future_leave(struct shmf_future *future);

/* Removes it from the backlog and frees what it kept for the submission. */
void shmfi_future_leave_backlog(struct shmf_future *future);

/* Its result is this failure. */
void shmfi_future_fail(struct shmf_future *future, int code, const char *why);

#endif
