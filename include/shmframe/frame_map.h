/* libshmframe: a function mapped over the rows of a frame, slice by slice.
 *
 * Each task sees some rows as a frame of their own, shared, not copied, and either returns a frame,
 * which are put one below the other, or writes the same rows of one output in place, with no copy
 * at all. Thread safety: as for the pool. */
#ifndef SHMFRAME_FRAME_MAP_H
#define SHMFRAME_FRAME_MAP_H

#include <shmframe/frame.h>
#include <shmframe/pool.h>

SHMF_BEGIN_DECLS

/* Zero means the default in every field. */
struct shmf_frame_map_options {
    int64_t rows; /* of a slice; 0: four slices for each worker. With `output` rounded up
                     to multiples of SHMF_SLICE_ROWS */
    const struct shmf_frame_spec *output; /* of a frame with as many rows (its n_rows may be 0),
                                which tasks write in place (grant.h); NULL: they return frames */
    void *context;                        /* second argument of the task function */
    uint64_t seed;                        /* shmf_task_seed */
    const struct shmf_handle *handles; /* more inputs of every task, after the slices; read-only */
    size_t n_handles;
    int attempts;            /* of a slice whose worker died; > 1: tasks are idempotent */
    double deadline_seconds; /* for a slice */
    const char *progress;    /* as in struct shmf_imap_options; counts slices */
    double call_seconds;     /* > 0: for the whole call, as there: SHMF_E_TIMEOUT */
    uint64_t reserved[7];    /* must be zero */
};

/* Runs `fn` for slices of `frame`, which together are all its rows, and waits. In a task,
 * shmf_task_frame(task, 0) is the slice, and shmf_task_handle(task, 0).begin its first row's place
 * in the segment, or in a selection; with `output`, shmf_task_frame(task, 1) is the same rows of
 * that, to be written. `frame` is finished; of one without rows there is one slice, without rows.
 * Returns a finished frame that the caller owns: the output, or what tasks returned, in the order
 * of the rows (as shmf_frame_concat; these wait in the workers' memory until all are there).
 * NULL: `*err` is how the first slice that failed did, with its rows, or the failure of the call
 * itself: as for shmf_pool_imap, shmf_frame_new_grantable, shmf_frame_concat; SHMF_E_INVAL: a task
 * returned no frame, or an argument. */
SHMF_API struct shmf_frame *shmf_pool_map_frame(struct shmf_pool *pool, shmf_task_fn fn,
                                                const struct shmf_frame *frame,
                                                const struct shmf_frame_map_options *options,
                                                struct shmf_error *err);

SHMF_END_DECLS

#endif
