/* libshmframe: a pool that runs: its statistics, its workers, its memory.
 *
 * Thread and fork safety as in <shmframe/pool.h>: any thread of the process that made the pool. */
#ifndef SHMFRAME_CONTROL_H
#define SHMFRAME_CONTROL_H

#include <shmframe/pool.h>
#include <stdio.h>

SHMF_BEGIN_DECLS

/* ---- statistics --------------------------------------------------------------------------- */

/* What workers count about themselves is as of their last task or sleep, at most 10 ms of work or a
 * second of sleep ago; a worker that dies loses that much. In an inline pool there is none of
 * it. */
struct shmf_pool_stats {
    uint64_t tasks_done; /* delivered to whoever asked for them, failures included */
    uint64_t tasks_failed;
    uint64_t tasks_retried;
    uint64_t workers_died;
    uint64_t bytes_held; /* pages that the workers hold now, those asked for included */
    uint64_t bytes_budget;
    uint64_t bytes_delivered;     /* results delivered so far, in segments */
    uint64_t respawns;            /* workers forked in the place of one that ended */
    uint64_t threads_at_creation; /* of the application, beside the one that made the pool */

    /* sums over all workers */
    uint64_t bytes_cached; /* of bytes_held, waiting to be used again */
    uint64_t bytes_huge;   /* of bytes_held, in huge pages as far as the kernel said */
    uint64_t recycled;     /* objects that were built in pages already there */
    uint64_t fresh;        /* objects for which pages had to be obtained */
    uint64_t minor_faults, major_faults;
    uint64_t working_ns;  /* in task functions */
    uint64_t waiting_ns;  /* without a task */
    uint64_t reserved[8]; /* zero */
};

/* SHMF_E_INVAL, SHMF_E_WRONG_PROCESS. */
SHMF_API int shmf_pool_get_stats(struct shmf_pool *pool, struct shmf_pool_stats *stats);

/* One worker; the counters go on from process to process in its place. */
struct shmf_worker_stats {
    int64_t pid;                       /* 0: none lives now */
    int64_t cpu;                       /* to which it is bound, -1: none */
    uint64_t processes;                /* that this worker has been so far */
    uint64_t tasks_done, tasks_failed; /* delivered; those lost with a process are not among them */
    uint64_t working_ns, waiting_ns;
    uint64_t minor_faults, major_faults;
    uint64_t recycled, fresh;
    uint64_t bytes_held, bytes_cached, bytes_huge;
    uint64_t reserved[8]; /* zero */
};

/* SHMF_E_INVAL, SHMF_E_WRONG_PROCESS; SHMF_E_RANGE: there is no such worker. */
SHMF_API int shmf_pool_get_worker_stats(struct shmf_pool *pool, int worker,
                                        struct shmf_worker_stats *stats);

/* Prints all of that as a table, the same in every locale. SHMF_E_SYS: the stream failed. */
SHMF_API int shmf_pool_report(struct shmf_pool *pool, FILE *stream);

/* ---- memory ------------------------------------------------------------------------------- */

/* Has workers give back the pages that they cache: those without a task now, the others when their
 * task is over. Waits for the former, at most a second, and returns how many bytes came back
 * meanwhile; or SHMF_E_INVAL, SHMF_E_WRONG_PROCESS, SHMF_E_POOL_BROKEN, SHMF_E_CLOSED (the pool was
 * freed meanwhile). In an inline pool it is shmf_memory_trim(0). */
SHMF_API int64_t shmf_pool_trim(struct shmf_pool *pool, struct shmf_error *err);

/* ---- workers ------------------------------------------------------------------------------ */

/* From now on so many workers, 1 to max_workers of the pool's options. Does not wait: new ones are
 * forked by the supervisor, so they see the application's memory as it was when the pool was made;
 * surplus ones, those with the highest numbers, end when the task that they run is over, and queued
 * tasks are done by the others. Budget and window stay. Where the pool's `first_workers` are given,
 * it forks those only that tasks in flight need, and the rest when they do.
 * Errors: SHMF_E_INVAL, SHMF_E_WRONG_PROCESS, SHMF_E_CLOSED, SHMF_E_POOL_BROKEN;
 * SHMF_E_UNSUPPORTED: an inline pool. */
SHMF_API int shmf_pool_resize(struct shmf_pool *pool, int workers, struct shmf_error *err);

SHMF_END_DECLS

#endif
