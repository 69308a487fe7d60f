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

static void free_array(void *object)
{
    shmf_array_free(object);
}

static void free_made_array(void *object)
{
    shmf_array_free(object);
}

const struct shmfi_object_type shmfi_frame_type = {"frame", SHMF_KIND_FRAME, open_frame, free_frame,
                                                   free_made_frame};
const struct shmfi_object_type shmfi_array_type = {"array", SHMF_KIND_ARRAY, open_array, free_array,
                                                   free_made_array};
