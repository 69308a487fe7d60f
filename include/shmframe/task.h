/* libshmframe: what a task function sees and may do.
 *
 * A task function runs in a worker process (or, in a pool with workers = SHMF_INLINE, in the
 * application). It returns 0 on success; any other value fails the task, with the code and text
 * given to shmf_task_fail or recorded by the shmf_task_* call that failed, or else SHMF_E_TASK.
 * Everything a task obtains from these functions dies with the task, unless it is returned.
 * A `struct shmf_task` belongs to the thread that runs the task function. */
#ifndef SHMFRAME_TASK_H
#define SHMFRAME_TASK_H

#include <shmframe/array.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

struct shmf_task;

/* `context` is what was given with the tasks (struct shmf_tasks): memory of the application as it
 * was when the pool was created, inherited copy-on-write. */
typedef int (*shmf_task_fn)(struct shmf_task *task, void *context);

/* ---- what the task is --------------------------------------------------------------------- */

/* The argument: a copy in this worker, or the shared bytes themselves where it is large. */
SHMF_API const void *shmf_task_arg(const struct shmf_task *task); /* 16-byte aligned */
SHMF_API size_t shmf_task_arg_size(const struct shmf_task *task);
SHMF_API int64_t shmf_task_index(const struct shmf_task *task); /* 0, 1, 2, ... in input order */
SHMF_API uint64_t shmf_task_seed(const struct shmf_task *task); /* from the tasks' seed and index */

/* That seed outside a task, to repeat one task's random numbers elsewhere. */
SHMF_API uint64_t shmf_task_seed_of(uint64_t seed, int64_t index);

SHMF_API int
shmf_task_attempt(const struct shmf_task *task);             /* 1, or more after a worker's death */
SHMF_API int shmf_task_worker(const struct shmf_task *task); /* 0 .. workers-1; -1 inline */

/* ---- its inputs, shared, not copied ------------------------------------------------------- */

/* The handles: those of all tasks first, then its own. Region 0 for a position that it has not. */
SHMF_API size_t shmf_task_n_handles(const struct shmf_task *task);
SHMF_API struct shmf_handle shmf_task_handle(const struct shmf_task *task, size_t position);

/* The frame or array behind the task's handle number `position`, opened with the handle's access;
 * NULL with the task's error recorded. Borrowed. */
SHMF_API struct shmf_frame *shmf_task_frame(struct shmf_task *task, size_t position);
SHMF_API struct shmf_array *shmf_task_array(struct shmf_task *task, size_t position);

/* ---- its result --------------------------------------------------------------------------- */

/* New objects in recycled memory of this worker, freed with the task unless returned. As
 * shmf_array_new and shmf_frame_new; NULL with the task's error recorded. */
SHMF_API struct shmf_array *shmf_task_new_array(struct shmf_task *task, enum shmf_dtype dtype,
                                                int ndim, const int64_t *shape);
SHMF_API struct shmf_frame *shmf_task_new_frame(struct shmf_task *task,
                                                const struct shmf_frame_spec *spec);

/* For objects that the task made by other means (builder.h, derive.h, shmf_frame_from_columns,
 * ...): they become the task's, freed with it, and may be returned like those above. Returns the
 * object; NULL, with the task's error recorded, for NULL (`err`, which may be NULL, says why it is
 * none) and where there is no memory to note it: the object is freed then. */
SHMF_API struct shmf_array *shmf_task_own_array(struct shmf_task *task, struct shmf_array *array,
                                                const struct shmf_error *err);
SHMF_API struct shmf_frame *shmf_task_own_frame(struct shmf_task *task, struct shmf_frame *frame,
                                                const struct shmf_error *err);

/* Make this the task's result (the last call counts). Return their value from the task function.
 * The object must come from this task, and lie in memory of its own: no slice, no selection,
 * nothing that was opened (shmf_frame_take copies rows). A frame is finished if it is not yet. */
SHMF_API int shmf_task_return_array(struct shmf_task *task, struct shmf_array *array);
SHMF_API int shmf_task_return_frame(struct shmf_task *task, struct shmf_frame *frame);

/* Bytes of any number: up to SHMF_INLINE_RESULT travel in the completion record itself. */
#define SHMF_INLINE_RESULT 256
SHMF_API int shmf_task_return_bytes(struct shmf_task *task, const void *bytes, size_t size);
SHMF_API int shmf_task_return_double(struct shmf_task *task, double value);

/* Record why the task fails; the first call counts. Returns `code` (SHMF_E_TASK when `code` is
 * not negative), to be returned from the task function. */
SHMF_API int shmf_task_fail(struct shmf_task *task, int code, const char *format, ...)
    SHMF_PRINTF(3, 4);

SHMF_END_DECLS

#endif
