/* libshmframe: in-place work: objects that tasks write where they are.
 *
 * An array, or a frame that is not finished, is made for granting, and its rows (the elements of an
 * array's first axis) are granted to tasks by handles with access SHMF_WRITABLE:
 *
 *     out = shmf_array_new_grantable(SHMF_FLOAT64, 2, (int64_t[]){n, m}, &err);
 *     all = shmf_array_grant(out, 0, n, &err);
 *     shmf_pool_for(pool, 0, n, fill, NULL, &(struct shmf_for_options){.handles = &all,
 *                                                                      .n_handles = 1}, &err);
 *
 * and in `fill`, shmf_task_array(task, 0) is the rows begin <= r < end of `out`, writable.
 *
 * Which rows: a handle of one task's own (struct shmf_task_input) grants the rows that it names;
 * one that all tasks of a call have is cut for each: a part of shmf_pool_for gets the rows of its
 * part, task or element i of shmf_pool_imap and shmf_pool_map gets row i. No row is granted twice:
 * what overlaps a slice of the same call, or of a task of another call that is not over, in any
 * pool of the process, is refused with SHMF_E_ACCESS where it is submitted; the message names both
 * slices.
 *
 * What is enforced: the hardware keeps a worker from writing objects that were not granted to it,
 * and a granted one through anything but what shmf_task_array and shmf_task_frame return for the
 * granting handle (other handles, inherited pointers: read-only). Within one granted object the
 * library hands out disjoint slices, and it is the task's duty to stay in its own. A worker keeps
 * its mapping of the object for later calls, which so cost no system call; the kernel cannot take
 * it back. So memory of objects made for granting is never used again for others, nor at all when
 * somebody who could write it has died.
 *
 * Failure: slices of a task that failed, or died with its worker, are undefined: its result names
 * them (shmf_result_undefined), as do failed_fn of struct shmf_for_options and the message; other
 * slices are not touched. A task that may be started again (attempts) gets the same slices again.
 *
 * The application may read and write the object all the time; what tasks wrote is there when their
 * results are. It may free it: memory goes when the last task that was granted it is over. Thread
 * safety: as for arrays; granting itself may be done in any thread. */
#ifndef SHMFRAME_GRANT_H
#define SHMFRAME_GRANT_H

#include <shmframe/array.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* As shmf_array_new, in memory of its own whatever its size: a descriptor and whole pages. */
SHMF_API struct shmf_array *shmf_array_new_grantable(enum shmf_dtype dtype, int ndim,
                                                     const int64_t *shape, struct shmf_error *err);

/* The handle that grants begin <= i < end of the first axis. Region 0 and `*err`: SHMF_E_INVAL
 * (NULL), SHMF_E_RANGE, SHMF_E_ACCESS (not made for granting, or elsewhere). */
SHMF_API struct shmf_handle shmf_array_grant(const struct shmf_array *array, int64_t begin,
                                             int64_t end, struct shmf_error *err);

/* As shmf_frame_new, likewise; columns of strings are refused with SHMF_E_DTYPE, since where one
 * row's text lies depends on all before it. The application finishes the frame when the calls are
 * over. */
SHMF_API struct shmf_frame *shmf_frame_new_grantable(const struct shmf_frame_spec *spec,
                                                     struct shmf_error *err);

/* The handle that grants the rows begin <= r < end. As shmf_array_grant; SHMF_E_INVAL too for rows
 * that SHMF_SLICE_ROWS (handle.h) forbids, SHMF_E_ACCESS too for a frame that is finished. What a
 * task sees is a frame in the building state, with the columns and rows that it was granted; it may
 * not finish it. */
SHMF_API struct shmf_handle shmf_frame_grant(struct shmf_frame *frame, int64_t begin, int64_t end,
                                             struct shmf_error *err);

SHMF_END_DECLS

#endif
