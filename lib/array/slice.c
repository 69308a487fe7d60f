/* Parts of arrays along the first axis, and arrays that are written in such parts. */
#include "array/create.h"

#include "base/error.h"
#include "base/sys.h"
#include "memory/memory.h"

#include <shmframe/grant.h>

int shmfi_array_slice(const struct shmf_array *whole, int64_t begin, int64_t end,
                      struct shmf_array **result, struct shmf_error *err)
{
    int64_t rows = whole->header.shape[0];
    if (begin == end)
        begin = end = begin < rows ? begin : rows;
    if (begin < 0 || begin > end || end > rows)
        return shmfi_error(err, SHMF_E_RANGE, "rows [%lld, %lld) of an array of %lld",
                           (long long)begin, (long long)end, (long long)rows);
    struct shmf_array *slice = shmfi_sys.calloc(1, sizeof *slice);
    if (!slice)
        return shmfi_error(err, SHMF_E_NOMEM, "array object");
    *slice = *whole;
    slice->segment = whole->segment ? shmfi_segment_ref(whole->segment) : NULL;
    slice->first = whole->first + begin;
    slice->is_slice = true;
    slice->header.shape[0] = end - begin;
    slice->size = rows ? whole->size / rows * (end - begin) : 0;
    slice->data = whole->data + begin * whole->header.strides[0];
    slice->header.data_size =
        slice->size ? (uint64_t)(end - begin) * (uint64_t)whole->header.strides[0] : 0;
    *result = slice;
    return SHMF_OK;
}

struct shmf_array *shmf_array_new_grantable(enum shmf_dtype dtype, int ndim, const int64_t *shape,
                                            struct shmf_error *err)
{
    return shmfi_array_new(dtype, ndim, shape, SHMFI_GRANTABLE, err);
}

struct shmf_handle shmf_array_grant(const struct shmf_array *array, int64_t begin, int64_t end,
                                    struct shmf_error *err)
{
    struct shmf_handle none = {0};
    if (!array) {
        shmfi_error(err, SHMF_E_INVAL, "array: NULL");
        return none;
    }
    int64_t rows = array->header.shape[0];
    if (begin < 0 || begin > end || end > rows) {
        shmfi_error(err, SHMF_E_RANGE, "begin, end: rows [%lld, %lld) of an array of %lld",
                    (long long)begin, (long long)end, (long long)rows);
        return none;
    }
    if (array->is_slice || !array->segment || !shmfi_segment_is_grantable(array->segment)) {
        shmfi_error(err, SHMF_E_ACCESS,
                    "array: not made by this process with shmf_array_new_grantable()");
        return none;
    }
    struct shmf_handle handle = shmf_handle_with(shmf_array_handle(array), SHMF_WRITABLE);
    return shmf_handle_slice(handle, begin, end);
}
