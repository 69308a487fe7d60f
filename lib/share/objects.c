/* Frames and arrays as the bytes of a file. */
#include "share/share_internal.h"

#include "array/array_internal.h"
#include "base/error.h"
#include "base/sys.h"
#include "frame/frame_internal.h"

#include <shmframe/derive.h>

#include <errno.h>
#include <fcntl.h>

/* Means nothing in a file, but must not be 0, which is that of released segments. */
#define GENERATION_OF_FILES 1

static void describe(struct shmfi_object_bytes *object, struct shmf_format_header *head,
                     uint64_t head_size)
{
    head->generation = GENERATION_OF_FILES;
    object->bytes = (struct shmfi_outside){.head = head,
                                           .head_size = head_size,
                                           .base = object->segment->base,
                                           .size = head->total_size};
}

/* Slices and selections have no bytes of their own. */
int shmfi_bytes_of_frame(const struct shmf_frame *frame, struct shmfi_object_bytes *object,
                         struct shmf_error *err)
{
    *object = (struct shmfi_object_bytes){.kind = SHMF_KIND_FRAME};
    if (!frame)
        return shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
    if (frame->building || __atomic_load_n(&frame->nulls_open, __ATOMIC_RELAXED))
        return shmfi_error(err, SHMF_E_ACCESS, "frame: it is not finished");
    if (frame->is_view) {
        struct shmf_error why = {.code = SHMF_E_NOMEM};
        object->stand_in = shmf_frame_concat(&frame, 1, &why);
        if (!object->stand_in && err)
            *err = why;
        if (!object->stand_in)
            return why.code;
        frame = object->stand_in;
    }
    object->segment = frame->segment;
    object->head.frame = frame->header;
    describe(object, &object->head.frame.header, sizeof object->head.frame);
    return SHMF_OK;
}

int shmfi_bytes_of_array(const struct shmf_array *array, struct shmfi_object_bytes *object,
                         struct shmf_error *err)
{
    *object = (struct shmfi_object_bytes){.kind = SHMF_KIND_ARRAY};
    if (!array)
        return shmfi_error(err, SHMF_E_INVAL, "array: NULL");
    object->segment = array->segment;
    object->head.array = array->header;
    describe(object, &object->head.array.header, sizeof object->head.array);
    return SHMF_OK;
}

static int make_sealed(const struct shmfi_object_bytes *object, int *fd, struct shmf_error *err)
{
    int made;
    int rc = shmfi_outside_memfd(&made, err);
    if (rc)
        return rc;
    rc = shmfi_outside_fill(made, &object->bytes, err);
    if (!rc)
        rc = shmfi_outside_seal(&made, err);
    if (rc) {
        shmfi_sys.close(made);
        return rc;
    }
    *fd = made;
    return SHMF_OK;
}

int shmfi_bytes_sealed(const struct shmfi_object_bytes *object, int *fd, struct shmf_error *err)
{
    int sealed = shmfi_segment_sealed_fd(object->segment);
    if (sealed < 0)
        return make_sealed(object, fd, err);
    *fd = shmfi_sys.fcntl(sealed, F_DUPFD_CLOEXEC, 3);
    return *fd < 0 ? shmfi_error_sys(err, errno, "descriptor of a sealed object") : SHMF_OK;
}
