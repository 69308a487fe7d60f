/* libshmframe: whole calls: map a function over all elements, or over a range, and wait.
 *
 * Elements travel in chunks, so that a call costs far less per element than a task of its own.
 * Every element has its result and its status: one that fails does not stop the others. Thread
 * safety: as for the pool. */
#ifndef SHMFRAME_MAP_H
#define SHMFRAME_MAP_H

#include <shmframe/frame.h>
#include <shmframe/pool.h>

SHMF_BEGIN_DECLS

/* Zero means the default in every field. */
struct shmf_map_options {
    int64_t chunk;           /* elements that travel together; 0: from measured durations, about
                                half a millisecond of work */
    int attempts;            /* of a chunk whose worker died; > 1: elements are idempotent */
    double deadline_seconds; /* for a chunk */
    const char *progress;    /* as in struct shmf_imap_options; counts chunks */
    double call_seconds;     /* > 0: for the whole call, as there: SHMF_E_TIMEOUT */
    uint64_t reserved[7];    /* must be zero */
};

/* Runs `fn` for each of tasks->count elements (`next` is not supported; `args`, `arg_size`,
 * `handles`, `context` and `seed` are as for shmf_pool_imap) and waits for all. An element returns
 * `result_size` bytes (shmf_task_return_bytes or _double), which go to results + i * result_size;
 * nothing when result_size is 0. statuses[i], unless NULL, tells how element i went
 * (SHMF_E_CANCELLED: the call failed before it was run); the bytes of one that failed are not
 * touched. Of what is granted in tasks->handles (grant.h) element i may write row i. An element's
 * argument is aligned as it is in `args`, if that is aligned to 64 bytes.
 * Returns SHMF_OK, or the status of the first element that failed, with its number and reason in
 * `*err`; or the failure of the call itself. */
SHMF_API int shmf_pool_map(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_tasks *tasks,
                           const struct shmf_map_options *options, void *results,
                           size_t result_size, int *statuses, struct shmf_error *err);

/* A part of a range: begin <= i < end. Fails as a task function does. */
typedef int (*shmf_range_fn)(struct shmf_task *task, int64_t begin, int64_t end, void *context);

/* A part that failed: its rows in what it was granted are undefined. Must not call functions of the
 * pool; `failure` is the library's. */
typedef void (*shmf_part_failed_fn)(int64_t begin, int64_t end, const struct shmf_failure *failure,
                                    void *user);

/* Zero means the default in every field. */
struct shmf_for_options {
    int64_t grain;  /* numbers that travel together; 0: the range in equal parts, one for each
                       worker (and the caller) */
    int caller_too; /* nonzero: the caller runs parts as well */
    const struct shmf_handle *handles; /* inputs of every part; of what is granted (grant.h) a part
                             may write the rows begin <= r < end */
    size_t n_handles;
    shmf_part_failed_fn failed_fn; /* called for each part that failed, before the call returns */
    void *failed_user;
    int attempts;        /* of a part whose worker died; > 1: parts are idempotent */
    int reserved0;       /* must be zero */
    double call_seconds; /* > 0: for the whole call, as in struct shmf_imap_options: SHMF_E_TIMEOUT;
                            a part that the caller runs itself comes to its end */
    uint64_t reserved[4]; /* must be zero */
};

/* Runs `fn` over the parts of begin <= i < end and waits. `context` is memory of the application as
 * it was when the pool was created; what parts compute goes into objects granted to them. Returns
 * SHMF_OK, or how the first part that failed did, its bounds in `*err`; the others ran. */
SHMF_API int shmf_pool_for(struct shmf_pool *pool, int64_t begin, int64_t end, shmf_range_fn fn,
                           void *context, const struct shmf_for_options *options,
                           struct shmf_error *err);

/* shmf_frame_describe(), by the pool's workers, in parts of 262,144 rows of one column. Counts,
 * nulls, min and max are the same; mean and std of columns that are longer than a part differ from
 * those by rounding alone, as a rule below 1e-10 of their size (the parts are merged by Chan's
 * formula, always in the same order: the result does not depend on the workers). The frame must
 * have a handle. Errors as for shmf_pool_map; SHMF_E_INVAL: NULL, or a frame without a handle. */
SHMF_API struct shmf_frame *
shmf_pool_describe(struct shmf_pool *pool, const struct shmf_frame *frame, struct shmf_error *err);

SHMF_END_DECLS

#endif
