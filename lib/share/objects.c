/* Frames and arrays as the bytes of a file. */
#include "share/share_internal.h"

#include "array/array_internal.h"
#include "base/error.h"
#include "base/sys.h"
#include "frame/frame_internal.h"

#include <shmframe/derive.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The bytes are those of no other format, even if the segment's are: its values may have been
 * changed since, in a private view. */
static void describe(struct shmfi_object_bytes *object, struct shmf_format_header *head,
                     uint64_t head_size)
{
    memset(head->foreign, 0, sizeof head->foreign);
    head->generation = SHMFI_GENERATION_OF_FILES;
    object->pieces[0] = (struct shmfi_outside_piece){0, head, head_size};
    object->pieces[1] =
        (struct shmfi_outside_piece){head_size, (const uint8_t *)object->segment->base + head_size,
                                     head->total_size - head_size};
    object->bytes = (struct shmfi_outside){object->pieces, 2, head->total_size};
}

/* Slices and selections have no bytes of their own. */
const struct shmf_frame *shmfi_whole_frame(const struct shmf_frame *frame,
                                           struct shmf_frame **stand_in, struct shmf_error *err)
{
    *stand_in = NULL;
    if (!frame) {
        shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
        return NULL;
    }
    if (frame->building || __atomic_load_n(&frame->nulls_open, __ATOMIC_RELAXED)) {
        shmfi_error(err, SHMF_E_ACCESS, "frame: it is not finished");
        return NULL;
    }
    return frame->is_view ? *stand_in = shmf_frame_concat(&frame, 1, err) : frame;
}

int shmfi_bytes_of_frame(const struct shmf_frame *frame, struct shmfi_object_bytes *object,
                         struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    *object = (struct shmfi_object_bytes){.kind = SHMF_KIND_FRAME};
    frame = shmfi_whole_frame(frame, &object->stand_in, &why);
    if (!frame) {
        if (err)
            *err = why;
        return why.code;
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
