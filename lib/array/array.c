#include "array/create.h"

#include "base/error.h"
#include "base/sys.h"
#include "format/format.h"
#include "memory/memory.h"

#include <stddef.h>
#include <string.h>

static void resolve(struct shmf_array *array, void *base)
{
    const struct shmf_format_array *header = &array->header;
    array->data = (unsigned char *)base + header->data_offset;
    array->size = 1;
    for (uint32_t d = 0; d < header->n_dims; d++)
        if (header->shape[d] == 0)
            array->size = 0;
    for (uint32_t d = 0; array->size && d < header->n_dims; d++)
        array->size *= header->shape[d];
}

/* An array over `memory`, whose header is read at `header`. */
static int make(void *memory, const void *header, uint64_t size, struct shmf_array **array,
                struct shmf_error *err)
{
    struct shmf_array *made = shmfi_sys.calloc(1, sizeof *made);
    if (!made)
        return shmfi_error(err, SHMF_E_NOMEM, "array object");
    int rc = shmfi_format_read_array(header, size, &made->header, err);
    if (rc) {
        shmfi_sys.free(made);
        return rc;
    }
    resolve(made, memory);
    *array = made;
    return SHMF_OK;
}

int shmfi_array_from_memory(void *memory, uint64_t size, struct shmf_array **array,
                            struct shmf_error *err)
{
    return make(memory, memory, size, array, err);
}

/* Takes the reference, on failure too. */
static int make_of_segment(struct shmfi_segment *segment, const void *header,
                           struct shmf_array **array, struct shmf_error *err)
{
    int rc = make(segment->base, header, segment->length, array, err);
    if (rc) {
        shmfi_segment_unref(segment);
        return rc;
    }
    (*array)->segment = segment;
    (*array)->writable = segment->writable;
    return SHMF_OK;
}

int shmfi_array_from_segment(struct shmfi_segment *segment, bool trusted, struct shmf_array **array,
                             struct shmf_error *err)
{
    (void)trusted;
    return make_of_segment(segment, segment->base, array, err);
}

int shmfi_array_from_attached(struct shmfi_segment *segment, struct shmf_array **array,
                              struct shmf_error *err)
{
    struct shmf_format_array header;
    int rc = shmfi_segment_read(segment, 0, &header, sizeof header, err);
    if (rc) {
        shmfi_segment_unref(segment);
        return rc;
    }
    return make_of_segment(segment, &header, array, err);
}

struct shmf_array *shmf_array_open(struct shmf_handle handle, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    struct shmf_array *array;
    if (handle.kind != SHMF_KIND_ARRAY) {
        shmfi_error(err, SHMF_E_INVAL, "handle: does not name an array (kind %u)", handle.kind);
        return NULL;
    }
    if (shmfi_segment_open(&handle, &segment, err) ||
        shmfi_array_from_segment(segment, false, &array, err))
        return NULL;
    array->writable = array->writable && handle.access != SHMF_READ_ONLY;
    if (!handle.begin && !handle.end)
        return array;
    struct shmf_array *slice = NULL;
    shmfi_array_slice(array, handle.begin, handle.end, &slice, err);
    shmf_array_free(array);
    return slice;
}

void shmf_array_free(struct shmf_array *array)
{
    if (!array)
        return;
    shmfi_segment_unref(array->segment);
    shmfi_sys.free(array);
}

/* Everything but the generation, which is the memory module's. */
static void write_header(void *base, const struct shmf_format_array *header)
{
    const unsigned char *from = (const unsigned char *)header;
    const size_t at = offsetof(struct shmf_format_header, generation);
    const size_t behind = at + sizeof header->header.generation;
    memcpy(base, from, at);
    memcpy((unsigned char *)base + behind, from + behind, sizeof *header - behind);
}

struct shmf_array *shmfi_array_create(const struct shmf_format_array *header, unsigned flags,
                                      struct shmf_error *err)
{
    struct shmf_array *array = shmfi_sys.calloc(1, sizeof *array);
    if (!array) {
        shmfi_error(err, SHMF_E_NOMEM, "array object");
        return NULL;
    }
    if (shmfi_segment_new(header->header.total_size, flags, &array->segment, err)) {
        shmfi_sys.free(array);
        return NULL;
    }
    array->header = *header;
    array->writable = true;
    write_header(array->segment->base, header);
    resolve(array, array->segment->base);
    return array;
}

struct shmfi_segment *shmfi_array_segment(const struct shmf_array *array)
{
    return array->segment;
}

struct shmf_handle shmf_array_handle(const struct shmf_array *array)
{
    if (!array || !array->segment)
        return (struct shmf_handle){0};
    struct shmf_handle handle = shmfi_segment_handle(array->segment, SHMF_KIND_ARRAY);
    return array->is_slice
               ? shmf_handle_slice(handle, array->first, array->first + array->header.shape[0])
               : handle;
}

enum shmf_dtype shmf_array_dtype(const struct shmf_array *array)
{
    return array ? (enum shmf_dtype)array->header.dtype : (enum shmf_dtype)0;
}

int shmf_array_ndim(const struct shmf_array *array)
{
    return array ? (int)array->header.n_dims : 0;
}

const int64_t *shmf_array_shape(const struct shmf_array *array)
{
    return array ? array->header.shape : NULL;
}

const int64_t *shmf_array_strides(const struct shmf_array *array)
{
    return array ? array->header.strides : NULL;
}

int64_t shmf_array_size(const struct shmf_array *array)
{
    return array ? array->size : 0;
}

const void *shmf_array_data(const struct shmf_array *array)
{
    return array ? array->data : NULL;
}

/* The segment is asked too: a frame or array that was made before a fork is read-only in the
 * pool's workers. */
void *shmf_array_data_mut(struct shmf_array *array)
{
    bool writable = array && array->writable && array->segment && array->segment->writable;
    return writable ? array->data : NULL;
}

int shmf_array_zero(struct shmf_array *array)
{
    if (!array)
        return SHMF_E_INVAL;
    void *data = shmf_array_data_mut(array);
    if (!data)
        return SHMF_E_ACCESS;
    memset(data, 0, array->header.data_size);
    return SHMF_OK;
}
