#include "array/create.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"
#include "format/format.h"

#include <string.h>

static int check_arguments(enum shmf_dtype dtype, int ndim, const int64_t *shape,
                           struct shmf_error *err)
{
    const struct shmfi_dtype_info *info = shmfi_dtype_info((uint32_t)dtype);
    if (info->class == SHMFI_CLASS_NONE)
        return shmfi_error(err, SHMF_E_INVAL, "dtype: %d names no dtype", (int)dtype);
    if (info->size == 0)
        return shmfi_error(err, SHMF_E_DTYPE, "dtype: %s has no fixed width", info->name);
    if (!shmfi_dtype_is_plain((uint32_t)dtype))
        return shmfi_error(err, SHMF_E_UNSUPPORTED, "dtype: arrays of %s", info->name);
    if (ndim < 1 || ndim > SHMF_MAX_DIMS)
        return shmfi_error(err, SHMF_E_INVAL, "ndim: %d is not in 1 to %d", ndim, SHMF_MAX_DIMS);
    if (!shape)
        return shmfi_error(err, SHMF_E_INVAL, "shape: NULL");
    for (int d = 0; d < ndim; d++)
        if (shape[d] < 0)
            return shmfi_error(err, SHMF_E_INVAL, "shape[%d]: %lld is negative", d,
                               (long long)shape[d]);
    return SHMF_OK;
}

/* Shape, C-contiguous strides and sizes. A dimension of 0 counts as 1 in the strides, as in NumPy,
 * so that they stay distinct; the data are empty then. */
static int describe(struct shmf_format_array *header, enum shmf_dtype dtype, int ndim,
                    const int64_t *shape, struct shmf_error *err)
{
    uint64_t stride = shmf_dtype_size(dtype);
    bool empty = false;
    header->dtype = (uint32_t)dtype;
    header->n_dims = (uint32_t)ndim;
    for (int d = ndim - 1; d >= 0; d--) {
        header->shape[d] = shape[d];
        header->strides[d] = (int64_t)stride;
        empty |= shape[d] == 0;
        if (!shmfi_mul(stride, shape[d] ? (uint64_t)shape[d] : 1, &stride) || stride > INT64_MAX)
            return shmfi_error(err, SHMF_E_TOOBIG, "shape[%d]: the array is too large", d);
    }
    struct shmfi_layout layout = {.end = SHMFI_BODY_OFFSET};
    header->data_size = empty ? 0 : stride;
    header->data_offset = shmfi_layout_put(&layout, header->data_size);
    if (layout.overflow)
        return shmfi_error(err, SHMF_E_TOOBIG, "shape: the array is too large");
    header->header.total_size = layout.end;
    return SHMF_OK;
}

struct shmf_array *shmfi_array_new(enum shmf_dtype dtype, int ndim, const int64_t *shape,
                                   unsigned flags, struct shmf_error *err)
{
    struct shmf_format_array header = {
        .header = {.version = SHMF_FORMAT_VERSION,
                   .header_size = sizeof header,
                   .kind = SHMF_KIND_ARRAY,
                   .state = SHMF_FORMAT_READY},
    };
    memcpy(header.header.magic, SHMF_FORMAT_MAGIC, sizeof header.header.magic);
    if (check_arguments(dtype, ndim, shape, err) || describe(&header, dtype, ndim, shape, err))
        return NULL;
    return shmfi_array_create(&header, flags, err);
}

struct shmf_array *shmf_array_new(enum shmf_dtype dtype, int ndim, const int64_t *shape,
                                  struct shmf_error *err)
{
    return shmfi_array_new(dtype, ndim, shape, 0, err);
}

static unsigned char *copy_dimension(unsigned char *to, const unsigned char *from, int ndim,
                                     const int64_t *shape, const int64_t *strides, size_t size)
{
    if (ndim == 1) {
        shmfi_dtype_pack(to, from, shape[0], strides[0], size);
        return to + (size_t)shape[0] * size;
    }
    for (int64_t i = 0; i < shape[0]; i++)
        to = copy_dimension(to, from + i * strides[0], ndim - 1, shape + 1, strides + 1, size);
    return to;
}

struct shmf_array *shmf_array_from_data(enum shmf_dtype dtype, int ndim, const int64_t *shape,
                                        const int64_t *strides, const void *data,
                                        struct shmf_error *err)
{
    struct shmf_array *array = shmf_array_new(dtype, ndim, shape, err);
    if (!array || array->size == 0)
        return array;
    if (!data) {
        shmfi_error(err, SHMF_E_INVAL, "data: NULL");
        shmf_array_free(array);
        return NULL;
    }
    if (strides)
        copy_dimension(array->data, data, ndim, shape, strides, shmf_dtype_size(dtype));
    else
        memcpy(array->data, data, array->header.data_size);
    return array;
}
