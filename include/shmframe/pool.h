/* libshmframe: the pool: worker processes that map a function over tasks.
 *
 * A pool forks a supervisor, which forks the workers and replaces those that die. Tasks carry
 * handles and small arguments; results are built in place in the workers' memory and delivered by
 * handle. A worker that crashes costs the task it was running and nothing else. When the
 * application ends, however it ends, supervisor and workers end too and the memory is gone.
 *
 * Thread safety: all functions on one pool may be called from any thread of the process that
 * created it. Fork: a pool belongs to that process; in a forked child every call is refused with
 * SHMF_E_WRONG_PROCESS, and shmf_pool_free only forgets the child's copy. A task may have a pool of
 * its own (tested three deep); say how many workers, the default would be as many again.
 * Processes that a task starts and leaves behind do not outlive the pool: they are killed when a
 * worker dies or the pool ends.
 * Threads of the application that run while a pool is made do not exist in its workers, and locks
 * that they held stay locked there, but for those of malloc and of this library: make pools before
 * threads, or let tasks keep away from what such threads use. */
#ifndef SHMFRAME_POOL_H
#define SHMFRAME_POOL_H

#include <shmframe/progress.h>
#include <shmframe/result.h>
#include <shmframe/task.h>

SHMF_BEGIN_DECLS

struct shmf_pool;
struct shmf_iter;

/* ---- the pool ----------------------------------------------------------------------------- */

/* Of the fields `workers` and `window`: no processes at all, and the most that there can be. */
#define SHMF_INLINE      (-1) /* no processes: tasks run in the application, for gdb and perf */
#define SHMF_MAX_WORKERS 1024
#define SHMF_MAX_WINDOW  65536

/* Which CPUs a worker may run on. */
enum shmf_affinity {
    SHMF_AFFINITY_NONE = 0, /* workers run where the maker of the pool may run */
    SHMF_AFFINITY_SPREAD    /* each is bound to one of these CPUs, in turn; see shmf_worker_stats */
};

/* Of which moment workers are copies. */
enum shmf_start {
    SHMF_START_NOW = 0, /* when the pool is made */
    SHMF_START_EARLY    /* shmf_early_start(), <shmframe/early.h>, which must have been called */
};

/* Zero means the default in every field. */
struct shmf_pool_options {
    int workers;           /* 0: one per allowed CPU (affinity, cgroup quota); or SHMF_INLINE */
    int window;            /* tasks in flight, all iterators together; 0: max(64, 4 x workers) */
    uint64_t budget_bytes; /* shared memory that workers may hold; 0: half of what is available.
                              Each worker caches what it once needed: to bound a stream of large
                              results, give (window + workers) times their size */
    const int *keep_fds;   /* descriptors that workers inherit beside 0, 1 and 2; those of early
                              ones are given to shmf_early_start */
    size_t n_keep_fds;
    int (*initializer)(int worker, void *context); /* runs in each new worker; nonzero: it exits */
    void *initializer_context;                     /* of the finalizer too */
    void (*finalizer)(int worker, void *context);  /* runs in a worker that ends by itself, as idle
                                ones do when the pool is freed, which waits for a second then */
    int64_t tasks_per_worker; /* a worker is replaced after so many tasks; 0: never */
    int affinity;             /* enum shmf_affinity */
    int worker_threads; /* threads that OpenMP and BLAS libraries (OpenBLAS, MKL, BLIS) may use in
                           each worker; 0: one; negative: as these libraries please */
    int refuse_threads; /* nonzero: SHMF_E_INVAL where the application has other threads now;
                           zero: shmf_pool_stats.threads_at_creation tells */
    int no_backtraces;  /* nonzero: workers get no handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE and
                           SIGABRT that say where they were; see struct shmf_failure. They get
                           none either where the application ignores these signals, and the
                           initializer may install its own */
    int max_workers;    /* as many as shmf_pool_resize may ask for; 0: no more than at first */
    int start;          /* enum shmf_start */
    uint64_t max_worker_bytes; /* a worker is replaced between tasks when its private memory has
                           grown by more than this since its initializer; 0: never */
    int first_workers;    /* forked when the pool is made; the others when more tasks are in flight
                             than workers are there, see shmf_pool_new; 0: all */
    int reserved0;        /* must be zero */
    uint64_t reserved[6]; /* must be zero */
};

/* Forks supervisor and workers; returns when they exist. Workers inherit the application's memory
 * as it is now, copy-on-write: functions, globals, plain data; frames and arrays stay shared, but
 * become read-only there. Tasks run on a copy of the calling thread's stack, with its size. What a
 * compiler kept in registers was not in memory at the fork: data for tasks should be static, on the
 * heap, or passed as arguments. A function that was loaded later (dlopen) is refused when it is
 * submitted, with SHMF_E_INVAL. `options` may be NULL.
 * With SHMF_START_EARLY all of this is as of shmf_early_start(), and threads that run now matter to
 * nobody. Errors then, beside the others: SHMF_E_CLOSED (that process is gone),
 * SHMF_E_WRONG_PROCESS (an ancestor of this process has called it).
 * With `first_workers` only these are forked and waited for; a pool that gets no more tasks at a
 * time than that never has more processes. Whatever tasks come, in calls of any kind, there will be
 * a worker for each that is in flight, until there are as many as `workers`: tasks may wait for
 * each other as ever. Those that are forked later are copies of the same moment as the first, since
 * the supervisor forks them; results, and how calls are divided among workers, are those of a pool
 * of `workers`. What differs: the calls that need more workers pay for the forks, without waiting
 * for them; inputs that are younger than the pool reach a new worker when the application is next
 * in a call of the pool, for which its task waits, outside its deadline; and a fork that fails is
 * tried again, as is one in the stead of a worker that died, where it would have been an error
 * here: nothing tells of it while another worker has a task. Workers once forked stay. An inline
 * pool has none, whatever it says.
 * Errors: SHMF_E_INVAL (names the field), SHMF_E_NOMEM, SHMF_E_NOFILES, SHMF_E_SYS. */
SHMF_API struct shmf_pool *shmf_pool_new(const struct shmf_pool_options *options,
                                         struct shmf_error *err);

/* Takes no more work from now on: what is submitted goes on, new calls fail with SHMF_E_CLOSED. */
SHMF_API int shmf_pool_close(struct shmf_pool *pool);

/* Waits until every submitted task is done (an iterator submits as its results are taken: iterate
 * first). SHMF_E_TIMEOUT after `seconds`; negative: no limit. */
SHMF_API int shmf_pool_join(struct shmf_pool *pool, double seconds, struct shmf_error *err);

/* Ends the pool: running tasks are killed, processes are gone when it returns. Iterators and
 * results stay valid objects: iterators end with SHMF_E_CLOSED, results stay readable. Calls on
 * the pool that other threads are in, even if only just, come back with SHMF_E_CLOSED before it
 * returns; none may begin afterwards. Calls on iterators and futures may begin at any time. */
SHMF_API void shmf_pool_free(struct shmf_pool *pool);

/* That are wanted, forked already or not; 0 when inline. */
SHMF_API int shmf_pool_workers(const struct shmf_pool *pool);

/* The process id of a worker, for gdb and tests; 0 while it is being replaced. */
SHMF_API int64_t shmf_pool_worker_pid(const struct shmf_pool *pool, int worker);

/* ---- tasks -------------------------------------------------------------------------------- */

/* What one task works on. The library copies it; it need only live until the call returns. */
struct shmf_task_input {
    const void *arg;
    size_t arg_size;
    const struct shmf_handle *handles; /* after those that all tasks share */
    size_t n_handles;
};

/* The tasks of one call: `count` inputs of `arg_size` bytes each, one after the other in `args`,
 * or whatever `next` yields. Must stay as it is until the iterator is freed. */
struct shmf_tasks {
    int64_t count;    /* of tasks; with `next`, -1: unknown (no total to show) */
    const void *args; /* may be NULL when arg_size is 0 */
    size_t arg_size;
    int (*next)(struct shmf_task_input *input, void *user); /* 1: one more, 0: no more, < 0: error;
                                           must not call functions of the same pool */
    void *user;
    const struct shmf_handle *handles; /* given to every task: shmf_task_frame(task, 0), ... */
    size_t n_handles;
    void *context;        /* second argument of the task function */
    uint64_t seed;        /* shmf_task_seed derives from it and the task's index */
    uint64_t reserved[4]; /* must be zero */
};

/* ---- lazy iteration ----------------------------------------------------------------------- */

/* How an iteration goes; zero means the default in every field. */
struct shmf_imap_options {
    int unordered; /* nonzero: results in order of completion */
    int window;    /* tasks submitted whose results were not taken; 0: 2 x workers, at most
                      the pool's window. The consumer sets the pace. */
    int attempts;  /* > 1: tasks are idempotent; one whose worker died starts again, up to
                      this many attempts in all */
    double deadline_seconds; /* > 0: a task that runs longer is ended with its worker, and fails
                                with SHMF_E_TIMEOUT (not in an inline pool) */
    const char *progress;    /* title of a progress bar on stderr (only on a terminal); NULL: none;
                                kept until the iterator is freed */
    int progress_always;     /* nonzero: print the bar even when stderr is no terminal */
    shmf_progress_fn progress_fn; /* called as results complete, at most ten times a second and
                                     at the end */
    void *progress_user;
    double call_seconds;  /* > 0: when so much time has passed, what did not start is revoked, what
                             runs is ended with its worker, and the iterator ends with
                             SHMF_E_TIMEOUT after the results that are there */
    uint64_t reserved[7]; /* must be zero */
};

/* Starts mapping `fn` over `tasks`; `options` may be NULL. The caller frees the iterator.
 * Errors: SHMF_E_INVAL (names the field), SHMF_E_STALE (a handle), SHMF_E_WRONG_PROCESS,
 * SHMF_E_CLOSED, SHMF_E_POOL_BROKEN, SHMF_E_NOMEM. */
SHMF_API struct shmf_iter *shmf_pool_imap(struct shmf_pool *pool, shmf_task_fn fn,
                                          const struct shmf_tasks *tasks,
                                          const struct shmf_imap_options *options,
                                          struct shmf_error *err);

/* The next result, waiting for it. Threads may share an iterator: each result goes to one of them.
 * In an inline pool the task runs now, in this thread; no other of the iterator's does meanwhile,
 * and a task that asks its own iterator gets SHMF_E_INVAL. Returns 1 with `*result` set (the
 * caller's to free), 0 at the end, or the iterator's own failure: what `next` of the tasks
 * returned, SHMF_E_POOL_BROKEN, SHMF_E_CLOSED, SHMF_E_WRONG_PROCESS, SHMF_E_TIMEOUT (call_seconds
 * are over); or SHMF_E_NOSPC: only results that the caller holds block progress; free some and call
 * again. */
SHMF_API int shmf_iter_next(struct shmf_iter *iter, struct shmf_result **result,
                            struct shmf_error *err);

/* Revokes what did not start, forgets what did. NULL is fine. */
SHMF_API void shmf_iter_free(struct shmf_iter *iter);

SHMF_END_DECLS

#endif
