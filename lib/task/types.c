#include "array/array_internal.h"
#include "frame/frame_internal.h"
#include "task/objects.h"

static int open_frame(struct shmfi_segment *segment, bool trusted, void **object,
                      struct shmf_error *err)
{
    struct shmf_frame *frame;
    int rc = shmfi_frame_from_segment(segment, trusted, &frame, err);
    if (!rc)
        *object = frame;
    return rc;
}

static int open_selection(const struct shmf_handle *handle, void **object, bool *keepable,
                          struct shmf_error *err)
{
    struct shmf_frame *frame;
    int rc = shmfi_selection_open(handle, true, &frame, err);
    if (rc)
        return rc;
    *keepable = *keepable && !shmfi_frame_segment(frame)->writable;
    *object = frame;
    return SHMF_OK;
}

static int open_granted_frame(struct shmfi_segment *segment, void **object, struct shmf_error *err)
{
    struct shmf_frame *frame;
    int rc = shmfi_frame_open_granted(segment, &frame, err);
    if (!rc)
        *object = frame;
    return rc;
}

static int slice_frame(const void *whole, const struct shmf_handle *handle, void **object,
                       struct shmf_error *err)
{
    struct shmf_frame *slice;
    int rc = handle->access == SHMF_WRITABLE
                 ? shmfi_frame_granted_slice(whole, handle->begin, handle->end, &slice, err)
                 : shmfi_frame_named_slice(whole, handle->begin, handle->end, &slice, err);
    if (!rc)
        *object = slice;
    return rc;
}

static void free_frame(void *object)
{
    shmf_frame_free(object);
}

static void free_made_frame(void *object)
{
    shmf_frame_free(object);
}

static int open_array(struct shmfi_segment *segment, bool trusted, void **object,
                      struct shmf_error *err)
{
    struct shmf_array *array;
    int rc = shmfi_array_from_segment(segment, trusted, &array, err);
    if (!rc)
        *object = array;
    return rc;
}

static int open_granted_array(struct shmfi_segment *segment, void **object, struct shmf_error *err)
{
    return open_array(segment, true, object, err);
}

static int slice_array(const void *whole, const struct shmf_handle *handle, void **object,
                       struct shmf_error *err)
{
    struct shmf_array *slice;
    bool all = !handle->begin && !handle->end;
    int rc = shmfi_array_slice(whole, handle->begin, all ? shmf_array_shape(whole)[0] : handle->end,
                               &slice, err);
    if (!rc)
        *object = slice;
    return rc;
}

static void free_array(void *object)
{
    shmf_array_free(object);
}

static void free_made_array(void *object)
{
    shmf_array_free(object);
}

const struct shmfi_object_type shmfi_frame_type = {
    .name = "frame",
    .kind = SHMF_KIND_FRAME,
    .selection_kind = SHMF_KIND_SELECTION,
    .open_selection = open_selection,
    .open = open_frame,
    .open_granted = open_granted_frame,
    .slice = slice_frame,
    .free = free_frame,
    .free_made = free_made_frame,
};
const struct shmfi_object_type shmfi_array_type = {
    .name = "array",
    .kind = SHMF_KIND_ARRAY,
    .open = open_array,
    .open_granted = open_granted_array,
    .slice = slice_array,
    .free = free_array,
    .free_made = free_made_array,
};
