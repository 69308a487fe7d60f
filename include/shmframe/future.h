/* libshmframe: single tasks: submit now, wait later, cancel.
 *
 * A future stands for the result of one task. Submitting never waits: tasks beyond the pool's
 * window queue up in the application and move on whenever it is inside a function of the pool
 * (shmf_pool_progress() is enough). Thread safety: futures of one pool may be used from any thread
 * of the process that made them; one future by one thread at a time. */
#ifndef SHMFRAME_FUTURE_H
#define SHMFRAME_FUTURE_H

#include <shmframe/pool.h>

SHMF_BEGIN_DECLS

struct shmf_future;

/* Called once, when the task's result is there, in a thread that is inside a function of the pool;
 * it must not call functions of the same pool, those on this future's result excepted. */
typedef void (*shmf_future_fn)(struct shmf_future *future, void *user);

/* Zero means the default in every field. */
struct shmf_submit_options {
    void *context;           /* second argument of the task function */
    uint64_t seed;           /* shmf_task_seed */
    int attempts;            /* > 1: idempotent, see struct shmf_imap_options */
    double deadline_seconds; /* > 0: the worker is killed when the task has run that long */
    shmf_future_fn done_fn;
    void *user;
    int64_t index;        /* shmf_task_index */
    uint64_t reserved[7]; /* must be zero */
};

/* Queues one task; `input` (may be NULL) is copied, its handles are kept alive until the task is
 * done. The caller frees the future. Errors as for shmf_pool_imap. */
SHMF_API struct shmf_future *shmf_pool_submit(struct shmf_pool *pool, shmf_task_fn fn,
                                              const struct shmf_task_input *input,
                                              const struct shmf_submit_options *options,
                                              struct shmf_error *err);

/* Submits, waits, and returns the result, the caller's to free; NULL when the task could not be
 * submitted or the pool broke. A failed task is a result with a status. */
SHMF_API struct shmf_result *shmf_pool_apply(struct shmf_pool *pool, shmf_task_fn fn,
                                             const struct shmf_task_input *input,
                                             const struct shmf_submit_options *options,
                                             struct shmf_error *err);

/* Would shmf_future_wait return at once? 1, 0; does not wait. 1 with no result: the pool broke, or
 * was freed before the task was done. */
SHMF_API int shmf_future_done(struct shmf_future *future);

/* Waits until the result is there: SHMF_OK; SHMF_E_TIMEOUT after `seconds` (negative: no limit;
 * the task goes on); SHMF_E_NOFILES: it cannot be mapped now, is kept, and can be waited for
 * again; SHMF_E_POOL_BROKEN, SHMF_E_CLOSED, SHMF_E_WRONG_PROCESS. */
SHMF_API int shmf_future_wait(struct shmf_future *future, double seconds, struct shmf_error *err);

/* The result: NULL before it is there. Borrowed; or, taken, the caller's to free. */
SHMF_API struct shmf_result *shmf_future_result(struct shmf_future *future);
SHMF_API struct shmf_result *shmf_future_take(struct shmf_future *future);

/* Ends the task: one that waits is revoked at once; one that runs is ended with its worker. Its
 * result is then a failure with SHMF_E_CANCELLED, unless it finished first. Returns 0, or 1 when
 * the result was there already. */
SHMF_API int shmf_future_cancel(struct shmf_future *future);

/* Lets go of the future. A task that did not start is revoked; one that runs goes on and its result
 * is dropped. NULL is fine. */
SHMF_API void shmf_future_free(struct shmf_future *future);

/* ---- event loops -------------------------------------------------------------------------- */

/* Moves everything on without waiting: queues what fits, fetches results, calls done_fn. Returns
 * the number of results that came, or a negative status: SHMF_E_NOSPC, only results that the caller
 * holds block progress; free some. Goes on when the pool is closed. Beside the descriptor a call
 * now and then, say once a second, mends a wake-up that a killed worker took with it. */
SHMF_API int shmf_pool_progress(struct shmf_pool *pool, struct shmf_error *err);

/* A descriptor that becomes readable when shmf_pool_progress() may have something to do; for poll
 * and epoll. Level-triggered; owned by the pool. Call shmf_pool_progress() once before waiting. */
SHMF_API int shmf_pool_fd(struct shmf_pool *pool);

SHMF_END_DECLS

#endif
