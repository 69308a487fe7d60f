/* Frames and arrays as inputs and results of tasks. */
#include "array/array_internal.h"
#include "frame/frame_internal.h"
#include "task/objects.h"

struct shmf_frame *shmf_task_frame(struct shmf_task *task, size_t position)
{
    return shmfi_task_open(task, position, &shmfi_frame_type);
}

struct shmf_array *shmf_task_array(struct shmf_task *task, size_t position)
{
    return shmfi_task_open(task, position, &shmfi_array_type);
}

struct shmf_array *shmf_task_new_array(struct shmf_task *task, enum shmf_dtype dtype, int ndim,
                                       const int64_t *shape)
{
    struct shmf_error err;
    return shmfi_task_own(task, shmf_array_new(dtype, ndim, shape, &err), &shmfi_array_type, &err);
}

struct shmf_frame *shmf_task_new_frame(struct shmf_task *task, const struct shmf_frame_spec *spec)
{
    struct shmf_error err;
    return shmfi_task_own(task, shmf_frame_new(spec, &err), &shmfi_frame_type, &err);
}

/* NULL without a reason is still a failure. */
static const struct shmf_error *reason(const struct shmf_error *err)
{
    static const struct shmf_error unknown = {.code = SHMF_E_INVAL, .message = "object: NULL"};
    return err && err->code ? err : &unknown;
}

struct shmf_array *shmf_task_own_array(struct shmf_task *task, struct shmf_array *array,
                                       const struct shmf_error *err)
{
    return shmfi_task_own(task, array, &shmfi_array_type, reason(err));
}

struct shmf_frame *shmf_task_own_frame(struct shmf_task *task, struct shmf_frame *frame,
                                       const struct shmf_error *err)
{
    return shmfi_task_own(task, frame, &shmfi_frame_type, reason(err));
}

/* Delivering a segment takes one that this process wrote and that shows nobody else's. */
static bool is_own(const struct shmfi_segment *segment)
{
    return segment && shmfi_segment_is_own(segment);
}

int shmf_task_return_array(struct shmf_task *task, struct shmf_array *array)
{
    if (!array)
        return shmf_task_fail(task, SHMF_E_INVAL, "array: NULL");
    if (!shmfi_task_made(task, array, &shmfi_array_type))
        return shmf_task_fail(task, SHMF_E_INVAL, "array: not made by this task");
    if (array->is_slice || !is_own(array->segment))
        return shmf_task_fail(task, SHMF_E_INVAL, "array: has no memory of its own");
    return shmfi_task_return_segment(task, shmfi_array_segment(array), SHMF_KIND_ARRAY);
}

int shmf_task_return_frame(struct shmf_task *task, struct shmf_frame *frame)
{
    struct shmf_error err;
    if (!frame)
        return shmf_task_fail(task, SHMF_E_INVAL, "frame: NULL");
    if (!shmfi_task_made(task, frame, &shmfi_frame_type))
        return shmf_task_fail(task, SHMF_E_INVAL, "frame: not made by this task");
    if (frame->is_view || !is_own(frame->segment))
        return shmf_task_fail(task, SHMF_E_INVAL, "frame: has no memory of its own");
    if (shmf_frame_finish(frame, &err))
        return shmfi_task_error(task, &err);
    return shmfi_task_return_segment(task, shmfi_frame_segment(frame), SHMF_KIND_FRAME);
}
