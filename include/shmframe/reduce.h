/* libshmframe: map-reduce: elements are folded into accumulators in the workers, and these
 * combined.
 *
 * What travels is one accumulator for each chunk of elements, not a result for each element; a
 * worker's death costs its chunk. Thread safety: as for the pool. */
#ifndef SHMFRAME_REDUCE_H
#define SHMFRAME_REDUCE_H

#include <shmframe/map.h>

SHMF_BEGIN_DECLS

/* Puts one element into the accumulator; shmf_task_arg, shmf_task_index, shmf_task_frame, ... tell
 * which. It may be in any state when this fails, as task functions do: its chunk fails. */
typedef int (*shmf_fold_fn)(struct shmf_task *task, void *accumulator, void *context);

/* Puts what `other` has come to into the accumulator; runs in the application. Must not call
 * functions of the pool. */
typedef void (*shmf_combine_fn)(void *accumulator, const void *other, void *context);

/* Zero means the default in every field. */
struct shmf_reduce_options {
    int64_t chunk; /* elements folded into one accumulator; 0: eight chunks for each worker */
    int attempts;  /* of a chunk whose worker died; > 1: elements are idempotent */
    double deadline_seconds;       /* for a chunk */
    const char *progress;          /* as in struct shmf_imap_options; counts chunks */
    shmf_part_failed_fn failed_fn; /* called for each chunk that failed: its elements are not in the
                                accumulator */
    void *failed_user;
    int64_t begin, end; /* only the elements begin <= i < end of all; both 0: all of them */
    double
        call_seconds; /* > 0: for the whole call, as in struct shmf_imap_options: SHMF_E_TIMEOUT */
    uint64_t reserved[5]; /* must be zero */
};

/* Folds tasks->count elements (as for shmf_pool_map; nothing can be granted) and waits.
 * `accumulator`, `size` bytes without pointers, is at first the neutral element, with which every
 * chunk begins; in the end it is the combination of all chunks. They are combined in the order of
 * their elements, whichever workers folded them and however long that took: with the same `chunk`
 * the result is the same to the bit, floating-point sums included (without one, for the same number
 * of workers). Returns SHMF_OK, or how the first chunk that failed did, its elements in `*err`; the
 * others are in the accumulator. Or the failure of the call itself. */
SHMF_API int shmf_pool_reduce(struct shmf_pool *pool, shmf_fold_fn fold, shmf_combine_fn combine,
                              const struct shmf_tasks *tasks,
                              const struct shmf_reduce_options *options, void *accumulator,
                              size_t size, struct shmf_error *err);

SHMF_END_DECLS

#endif
