/* Objects become sealed files: in place where they have a region to themselves, by one copy
 * elsewhere. */
#include "share/share_internal.h"

#include "array/array_internal.h"
#include "base/error.h"
#include "base/sys.h"
#include "frame/frame_internal.h"

#include <shmframe/image.h>

/* What frames and arrays have in common here. */
struct object {
    struct shmf_frame *frame; /* or */
    struct shmf_array *array;
};

static const struct shmf_attach_options plainly;

static int open_file(int fd, bool may_be_open, uint32_t kind, struct object *object,
                     struct shmf_error *err)
{
    if (kind == SHMF_KIND_FRAME)
        return shmfi_frame_of_file(fd, may_be_open, &plainly, &object->frame, err);
    return shmfi_array_of_file(fd, may_be_open, &plainly, &object->array, err);
}

static void let_go(struct object *object)
{
    shmf_frame_free(object->frame);
    shmf_array_free(object->array);
    *object = (struct object){0};
}

static int bytes_of(const struct object *object, struct shmfi_object_bytes *bytes,
                    struct shmf_error *err)
{
    return object->frame ? shmfi_bytes_of_frame(object->frame, bytes, err)
                         : shmfi_bytes_of_array(object->array, bytes, err);
}

/* ---- by a copy ------------------------------------------------------------------------------- */

static int replace_by_copy(struct object *object, const struct shmfi_object_bytes *bytes,
                           struct shmf_error *err)
{
    struct object copy = {0};
    int fd;
    int rc = shmfi_bytes_sealed(bytes, &fd, err);
    if (!rc)
        rc = open_file(fd, false, bytes->kind, &copy, err);
    if (rc)
        return rc;
    let_go(object);
    *object = copy;
    return SHMF_OK;
}

/* ---- in place -------------------------------------------------------------------------------- */

/* The object is opened a second time, through its file, before it leaves its region: so there is
 * always one of both. */
static int replace_in_place(struct object *object, struct shmfi_aside *aside, uint32_t kind,
                            struct shmf_error *err)
{
    struct object opened = {0};
    struct shmfi_object_bytes bytes;
    int fd = shmfi_outside_reader(aside->fd, err);
    int rc = fd < 0 ? fd : open_file(fd, true, kind, &opened, err);
    if (rc) {
        shmfi_aside_undo(aside);
        return rc;
    }
    shmfi_aside_commit(aside);
    let_go(object);
    *object = opened;
    if (shmfi_aside_seal(aside, err) == SHMF_OK)
        return SHMF_OK;
    rc = bytes_of(object, &bytes, err); /* somebody else maps it for writing */
    return rc ? rc : replace_by_copy(object, &bytes, err);
}

static bool is_sealed(const struct shmfi_object_bytes *bytes)
{
    return !bytes->stand_in && shmfi_segment_sealed_fd(bytes->segment) >= 0;
}

static int seal(struct object *object, struct shmf_error *err)
{
    struct shmfi_object_bytes bytes;
    struct shmfi_aside aside;
    int rc = bytes_of(object, &bytes, err);
    if (rc || is_sealed(&bytes))
        return rc;
    struct shmfi_segment *segment = (struct shmfi_segment *)(uintptr_t)bytes.segment;
    int alone = bytes.stand_in ? 0 : shmfi_aside_begin(segment, &aside, err);
    if (alone < 0)
        return alone;
    rc = alone ? replace_in_place(object, &aside, bytes.kind, err)
               : replace_by_copy(object, &bytes, err);
    shmf_frame_free(bytes.stand_in);
    return rc;
}

int shmf_frame_seal(struct shmf_frame **frame, struct shmf_error *err)
{
    if (!frame || !*frame)
        return shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
    struct object object = {.frame = *frame};
    int rc = seal(&object, err);
    *frame = object.frame;
    return rc;
}

int shmf_array_seal(struct shmf_array **array, struct shmf_error *err)
{
    if (!array || !*array)
        return shmfi_error(err, SHMF_E_INVAL, "array: NULL");
    struct object object = {.array = *array};
    int rc = seal(&object, err);
    *array = object.array;
    return rc;
}

/* ---- images ---------------------------------------------------------------------------------- */

static const void *image_of(const struct object *object, uint64_t *size)
{
    struct shmfi_object_bytes bytes;
    bool is_part = object->frame ? object->frame->is_view : object->array->is_slice;
    if (is_part || bytes_of(object, &bytes, NULL) || !is_sealed(&bytes))
        return NULL;
    if (size)
        *size = bytes.bytes.size;
    return bytes.segment->base;
}

const void *shmf_frame_image(const struct shmf_frame *frame, uint64_t *size)
{
    struct object object = {.frame = (struct shmf_frame *)(uintptr_t)frame};
    return frame ? image_of(&object, size) : NULL;
}

const void *shmf_array_image(const struct shmf_array *array, uint64_t *size)
{
    struct object object = {.array = (struct shmf_array *)(uintptr_t)array};
    return array ? image_of(&object, size) : NULL;
}

struct shmf_image {
    int fd;
    void *base; /* mapped for writing */
    uint64_t size;
};

struct shmf_image *shmf_image_new(uint64_t size, struct shmf_error *err)
{
    struct shmf_image *image = NULL;
    int rc = SHMF_OK;
    if (!size)
        rc = shmfi_error(err, SHMF_E_INVAL, "size: 0");
    else if (size > INT64_MAX)
        rc = shmfi_error(err, SHMF_E_TOOBIG, "size: %llu", (unsigned long long)size);
    else if (!(image = shmfi_sys.calloc(1, sizeof *image)))
        rc = shmfi_error(err, SHMF_E_NOMEM, "image");
    if (rc)
        return NULL;
    image->size = size;
    rc = shmfi_outside_memfd(&image->fd, err);
    if (!rc) {
        rc = shmfi_outside_map(image->fd, size, &image->base, err);
        if (rc)
            shmfi_sys.close(image->fd);
    }
    if (!rc)
        return image;
    shmfi_sys.free(image);
    return NULL;
}

void *shmf_image_data(struct shmf_image *image)
{
    return image ? image->base : NULL;
}

/* `image` is dead afterwards. */
static int open_image(struct shmf_image *image, uint32_t kind, struct object *object,
                      struct shmf_error *err)
{
    if (!image)
        return shmfi_error(err, SHMF_E_INVAL, "image: NULL");
    int fd = image->fd;
    shmfi_outside_unmap(image->base, image->size);
    shmfi_sys.free(image);
    int rc = shmfi_outside_seal(&fd, err);
    if (rc) {
        shmfi_sys.close(fd);
        return rc;
    }
    return open_file(fd, false, kind, object, err);
}

struct shmf_frame *shmf_image_frame(struct shmf_image *image, struct shmf_error *err)
{
    struct object object = {0};
    return open_image(image, SHMF_KIND_FRAME, &object, err) ? NULL : object.frame;
}

struct shmf_array *shmf_image_array(struct shmf_image *image, struct shmf_error *err)
{
    struct object object = {0};
    return open_image(image, SHMF_KIND_ARRAY, &object, err) ? NULL : object.array;
}

void shmf_image_free(struct shmf_image *image)
{
    if (!image)
        return;
    shmfi_outside_unmap(image->base, image->size);
    shmfi_sys.close(image->fd);
    shmfi_sys.free(image);
}
