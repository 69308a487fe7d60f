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

/* Removes it from the backlog and frees what it kept for the submission. */
void shmfi_future_leave_backlog(struct shmf_future *future);

/* Its result is this failure. */
void shmfi_future_fail(struct shmf_future *future, int code, const char *why);

#endif
