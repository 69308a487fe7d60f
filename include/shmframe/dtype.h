/* libshmframe: element types. The numbers are part of the segment format and never change.
 *
 * In a frame, buffers are laid out as Apache Arrow lays them out (booleans are bits, least
 * significant first). In an array every element has a fixed width (a boolean is one byte), as in
 * NumPy. Pure functions; safe from any thread. */
#ifndef SHMFRAME_DTYPE_H
#define SHMFRAME_DTYPE_H

#include <shmframe/base.h>

SHMF_BEGIN_DECLS

/* What an element is. The numbers are part of the segment format. */
enum shmf_dtype {
    SHMF_BOOL = 1,
    SHMF_INT8 = 2,
    SHMF_INT16 = 3,
    SHMF_INT32 = 4,
    SHMF_INT64 = 5,
    SHMF_UINT8 = 6,
    SHMF_UINT16 = 7,
    SHMF_UINT32 = 8,
    SHMF_UINT64 = 9,
    SHMF_FLOAT16 = 10,
    SHMF_FLOAT32 = 11,
    SHMF_FLOAT64 = 12,
    SHMF_COMPLEX64 = 13,    /* two float32 */
    SHMF_COMPLEX128 = 14,   /* two float64 */
    SHMF_UTF8 = 15,         /* int32 offsets */
    SHMF_LARGE_UTF8 = 16,   /* int64 offsets */
    SHMF_BINARY = 17,       /* int32 offsets */
    SHMF_FIXED_BINARY = 18, /* width given per column */
    SHMF_DICTIONARY = 19,   /* categorical: indexes into a dictionary of values */
    SHMF_DATE32 = 20,       /* days since 1970-01-01 */
    SHMF_DATE64 = 21,       /* milliseconds since 1970-01-01 */
    SHMF_TIME32 = 22,       /* s or ms since midnight */
    SHMF_TIME64 = 23,       /* us or ns since midnight */
    SHMF_TIMESTAMP = 24,    /* int64 since the epoch, with unit and zone */
    SHMF_DURATION = 25,     /* int64 with unit */
    SHMF_DECIMAL128 = 26    /* 128-bit integer with precision and scale */
};

/* Lower-case name as printed above a column ("float64"), or "?" for a number that is none. */
SHMF_API const char *shmf_dtype_name(enum shmf_dtype dtype);

/* Bytes of one element in an array: 1 for SHMF_BOOL, 8 for SHMF_FLOAT64, ...; 0 for types whose
 * width is not fixed by the dtype alone (strings, fixed-size binary, dictionaries). */
SHMF_API size_t shmf_dtype_size(enum shmf_dtype dtype);

SHMF_END_DECLS

#endif
