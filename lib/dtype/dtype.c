#include "dtype/dtype.h"

#include "base/checked.h"

static const struct shmfi_dtype_info infos[] = {
    [0] = {"?", 0, 1, SHMFI_CLASS_NONE},
    [SHMF_BOOL] = {"bool", 1, 1, SHMFI_CLASS_BOOL},
    [SHMF_INT8] = {"int8", 1, 1, SHMFI_CLASS_INTEGER},
    [SHMF_INT16] = {"int16", 2, 2, SHMFI_CLASS_INTEGER},
    [SHMF_INT32] = {"int32", 4, 4, SHMFI_CLASS_INTEGER},
    [SHMF_INT64] = {"int64", 8, 8, SHMFI_CLASS_INTEGER},
    [SHMF_UINT8] = {"uint8", 1, 1, SHMFI_CLASS_INTEGER},
    [SHMF_UINT16] = {"uint16", 2, 2, SHMFI_CLASS_INTEGER},
    [SHMF_UINT32] = {"uint32", 4, 4, SHMFI_CLASS_INTEGER},
    [SHMF_UINT64] = {"uint64", 8, 8, SHMFI_CLASS_INTEGER},
    [SHMF_FLOAT16] = {"float16", 2, 2, SHMFI_CLASS_FLOAT},
    [SHMF_FLOAT32] = {"float32", 4, 4, SHMFI_CLASS_FLOAT},
    [SHMF_FLOAT64] = {"float64", 8, 8, SHMFI_CLASS_FLOAT},
    [SHMF_COMPLEX64] = {"complex64", 8, 4, SHMFI_CLASS_COMPLEX},
    [SHMF_COMPLEX128] = {"complex128", 16, 8, SHMFI_CLASS_COMPLEX},
    [SHMF_UTF8] = {"utf8", 0, 4, SHMFI_CLASS_STRING},
    [SHMF_LARGE_UTF8] = {"large_utf8", 0, 8, SHMFI_CLASS_STRING},
    [SHMF_BINARY] = {"binary", 0, 4, SHMFI_CLASS_STRING},
    [SHMF_FIXED_BINARY] = {"fixed_binary", 0, 1, SHMFI_CLASS_FIXED_BINARY},
    [SHMF_DICTIONARY] = {"dictionary", 0, 1, SHMFI_CLASS_DICTIONARY},
    [SHMF_DATE32] = {"date32", 4, 4, SHMFI_CLASS_TIME},
    [SHMF_DATE64] = {"date64", 8, 8, SHMFI_CLASS_TIME},
    [SHMF_TIME32] = {"time32", 4, 4, SHMFI_CLASS_TIME},
    [SHMF_TIME64] = {"time64", 8, 8, SHMFI_CLASS_TIME},
    [SHMF_TIMESTAMP] = {"timestamp", 8, 8, SHMFI_CLASS_TIME},
    [SHMF_DURATION] = {"duration", 8, 8, SHMFI_CLASS_TIME},
    [SHMF_DECIMAL128] = {"decimal128", 16, 8, SHMFI_CLASS_DECIMAL},
};

const struct shmfi_dtype_info *shmfi_dtype_info(uint32_t dtype)
{
    return &infos[dtype < sizeof infos / sizeof infos[0] ? dtype : 0];
}

const char *shmf_dtype_name(enum shmf_dtype dtype)
{
    return shmfi_dtype_info((uint32_t)dtype)->name;
}

size_t shmf_dtype_size(enum shmf_dtype dtype)
{
    return shmfi_dtype_info((uint32_t)dtype)->size;
}

bool shmfi_dtype_column_bytes(uint32_t dtype, uint64_t rows, uint64_t *bytes)
{
    if (dtype == SHMF_BOOL) {
        *bytes = rows / 8 + (rows % 8 != 0);
        return true;
    }
    return shmfi_mul(rows, shmfi_dtype_info(dtype)->size, bytes);
}

uint32_t shmfi_dtype_width(uint32_t dtype, uint32_t width, uint32_t index_dtype)
{
    switch (dtype) {
    case SHMF_BOOL:
        return 0;
    case SHMF_FIXED_BINARY:
        return width;
    case SHMF_DICTIONARY:
        return shmfi_dtype_info(index_dtype)->size;
    default:
        return shmfi_dtype_info(dtype)->size;
    }
}
