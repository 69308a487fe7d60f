#include "format/check.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"

#include <shmframe/handle.h>

#include <inttypes.h>

/* Do all elements lie inside the data? The last one ends at the sum of (shape - 1) * stride plus
 * an element, because no stride is negative. */
static const char *check_elements(const struct shmf_format_array *h)
{
    const struct shmfi_dtype_info *info = shmfi_dtype_info(h->dtype);
    uint64_t elements = 1, end = info->size;
    bool empty = false, too_many = false, too_far = false;
    for (uint32_t d = 0; d < SHMF_FORMAT_MAX_DIMS; d++) {
        uint64_t step;
        if (h->shape[d] < 0 || (d >= h->n_dims && h->shape[d]))
            return "shape";
        if (h->strides[d] < 0 || (d >= h->n_dims && h->strides[d]) ||
            h->strides[d] % info->alignment != 0)
            return "strides";
        if (d >= h->n_dims)
            continue;
        empty |= h->shape[d] == 0;
        if (h->shape[d] == 0)
            continue;
        too_many |= !shmfi_mul(elements, (uint64_t)h->shape[d], &elements);
        too_far |= !shmfi_mul((uint64_t)h->shape[d] - 1, (uint64_t)h->strides[d], &step) ||
                   !shmfi_add(end, step, &end);
    }
    if (too_many || elements > INT64_MAX)
        return "shape";
    return !too_far && (empty || end <= h->data_size) ? NULL : "strides";
}

static const char *check_fields(const struct shmf_format_array *h)
{
    if (!shmfi_dtype_is_plain(h->dtype))
        return "dtype";
    if (h->n_dims < 1 || h->n_dims > SHMF_FORMAT_MAX_DIMS)
        return "n_dims";
    if (h->data_offset % SHMFI_BUFFER_ALIGNMENT != 0 || h->data_offset < h->header.header_size ||
        h->data_offset > h->header.total_size)
        return "data_offset";
    if (!shmfi_inside(h->data_offset, h->data_size, h->header.total_size))
        return "data_size";
    if (h->width | h->unit | h->precision | (uint16_t)h->scale)
        return h->width ? "width" : h->unit ? "unit" : h->precision ? "precision" : "scale";
    if (h->reserved0 | h->reserved1 | h->reserved2)
        return "reserved";
    return check_elements(h);
}

int shmfi_format_read_array(const void *segment, uint64_t size, struct shmf_format_array *header,
                            struct shmf_error *err)
{
    if (size < sizeof *header)
        return shmfi_error(err, SHMF_E_CORRUPT, "a segment of %" PRIu64 " bytes holds no array",
                           size);
    shmfi_format_snapshot(header, segment, sizeof *header);
    int rc = shmfi_format_check_header(&header->header, SHMF_KIND_ARRAY, sizeof *header, size, err);
    if (rc)
        return rc;
    const struct shmfi_dtype_info *info = shmfi_dtype_info(header->dtype);
    if (info->class != SHMFI_CLASS_NONE && !shmfi_dtype_is_plain(header->dtype))
        return shmfi_error(err, SHMF_E_UNSUPPORTED, "array header: dtype %s", info->name);
    const char *field = check_fields(header);
    return field ? shmfi_error(err, SHMF_E_CORRUPT, "array header: %s", field) : SHMF_OK;
}
