/* Rows across columns, as doubles. */
#include "frame/frame_internal.h"

#include "dtype/dtype.h"

#include <math.h>

static double same(double value)
{
    return value;
}

#define GATHER(dtype_code, type, convert)                                                          \
    case dtype_code:                                                                               \
        for (int64_t c = 0; c < n; c++)                                                            \
            out[c] = convert(*(const type *)(at + (uint64_t)c * stride));                          \
        return SHMF_OK

/* One row of a matrix: `at` is its first element, `stride` the bytes from column to column. */
static int gather(uint32_t dtype, const unsigned char *at, uint64_t stride, int64_t n, double *out)
{
    switch (dtype) {
        GATHER(SHMF_INT8, int8_t, (double));
        GATHER(SHMF_INT16, int16_t, (double));
        GATHER(SHMF_INT32, int32_t, (double));
        GATHER(SHMF_INT64, int64_t, (double));
        GATHER(SHMF_UINT8, uint8_t, (double));
        GATHER(SHMF_UINT16, uint16_t, (double));
        GATHER(SHMF_UINT32, uint32_t, (double));
        GATHER(SHMF_UINT64, uint64_t, (double));
        GATHER(SHMF_FLOAT16, uint16_t, shmfi_half_to_double);
        GATHER(SHMF_FLOAT32, float, (double));
        GATHER(SHMF_FLOAT64, double, same);
    default:
        return SHMF_E_DTYPE;
    }
}

static int cell(const struct shmf_frame *frame, int64_t row, int64_t position, double *value)
{
    const struct shmf_format_column *column = shmfi_frame_descriptor(frame, position);
    const unsigned char *data = frame->base + column->data_offset;
    const uint8_t *validity = shmfi_frame_validity(frame, column);
    uint32_t dtype = column->dtype;
    if (!shmfi_dtype_is_plain(dtype) || dtype == SHMF_COMPLEX64 || dtype == SHMF_COMPLEX128)
        return SHMF_E_DTYPE;
    if (validity && !shmfi_row_bit(frame, validity, row)) {
        *value = (double)NAN;
        return SHMF_OK;
    }
    if (dtype == SHMF_BOOL) {
        *value = shmfi_row_bit(frame, data, row);
        return SHMF_OK;
    }
    uint64_t offset = (uint64_t)row * shmfi_dtype_info(dtype)->size;
    return shmfi_dtype_to_double(dtype, data + offset, value) ? SHMF_OK : SHMF_E_DTYPE;
}

int shmf_frame_row(const struct shmf_frame *frame, int64_t row, double *out)
{
    uint32_t dtype;
    uint64_t stride;
    const unsigned char *data;
    if (!frame || (!out && frame->header.n_columns))
        return SHMF_E_INVAL;
    if (row < 0 || row >= (int64_t)frame->header.n_rows)
        return SHMF_E_RANGE;
    int64_t n = (int64_t)frame->header.n_columns;
    if (n > 0 &&
        shmfi_frame_is_matrix(frame, &dtype, &stride, &data)) /* else `row` leads nowhere */
        return gather(dtype, data + (uint64_t)row * shmfi_dtype_info(dtype)->size, stride, n, out);
    for (int64_t c = 0; c < n; c++) {
        int rc = cell(frame, row, c, &out[c]);
        if (rc)
            return rc;
    }
    return SHMF_OK;
}

int shmf_frame_cell(const struct shmf_frame *frame, int64_t row, int64_t column, double *value)
{
    if (!frame || !value)
        return SHMF_E_INVAL;
    if (row < 0 || row >= (int64_t)frame->header.n_rows || column < 0 ||
        column >= (int64_t)frame->header.n_columns)
        return SHMF_E_RANGE;
    return cell(frame, row, column, value);
}
