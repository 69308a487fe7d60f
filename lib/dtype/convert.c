#include "dtype/dtype.h"

#include <math.h>
#include <string.h>

double shmfi_half_to_double(uint16_t half)
{
    int exponent = (half >> 10) & 31;
    int fraction = half & 1023;
    double magnitude;
    if (exponent == 31)
        magnitude = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(fraction, -24);
    else
        magnitude = ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

/* Reads through memcpy: elements that users hand in need not be aligned. */
#define CONVERT(type)                                                                              \
    do {                                                                                           \
        type read_;                                                                                \
        memcpy(&read_, element, sizeof read_);                                                     \
        *value = (double)read_;                                                                    \
        return true;                                                                               \
    } while (0)

bool shmfi_dtype_to_double(uint32_t dtype, const void *element, double *value)
{
    uint16_t half;
    switch (dtype) {
    case SHMF_BOOL:
        *value = *(const uint8_t *)element != 0;
        return true;
    case SHMF_INT8:
        CONVERT(int8_t);
    case SHMF_INT16:
        CONVERT(int16_t);
    case SHMF_INT32:
        CONVERT(int32_t);
    case SHMF_INT64:
        CONVERT(int64_t);
    case SHMF_UINT8:
        CONVERT(uint8_t);
    case SHMF_UINT16:
        CONVERT(uint16_t);
    case SHMF_UINT32:
        CONVERT(uint32_t);
    case SHMF_UINT64:
        CONVERT(uint64_t);
    case SHMF_FLOAT16:
        memcpy(&half, element, sizeof half);
        *value = shmfi_half_to_double(half);
        return true;
    case SHMF_FLOAT32:
        CONVERT(float);
    case SHMF_FLOAT64:
        CONVERT(double);
    default:
        return false;
    }
}
