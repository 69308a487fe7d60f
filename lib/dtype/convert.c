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

#define WIDEN(type)                                                                                \
    do {                                                                                           \
        type read_;                                                                                \
        memcpy(&read_, element, sizeof read_);                                                     \
        *value = (int64_t)read_;                                                                   \
        return true;                                                                               \
    } while (0)

bool shmfi_dtype_to_int64(uint32_t dtype, const void *element, int64_t *value)
{
    uint64_t natural;
    switch (dtype) {
    case SHMF_BOOL:
        *value = *(const uint8_t *)element != 0;
        return true;
    case SHMF_INT8:
        WIDEN(int8_t);
    case SHMF_INT16:
        WIDEN(int16_t);
    case SHMF_INT32:
    case SHMF_DATE32:
    case SHMF_TIME32:
        WIDEN(int32_t);
    case SHMF_INT64:
    case SHMF_DATE64:
    case SHMF_TIME64:
    case SHMF_TIMESTAMP:
    case SHMF_DURATION:
        WIDEN(int64_t);
    case SHMF_UINT8:
        WIDEN(uint8_t);
    case SHMF_UINT16:
        WIDEN(uint16_t);
    case SHMF_UINT32:
        WIDEN(uint32_t);
    case SHMF_UINT64:
        memcpy(&natural, element, sizeof natural);
        *value = (int64_t)natural;
        return natural <= INT64_MAX;
    default:
        return false;
    }
}
