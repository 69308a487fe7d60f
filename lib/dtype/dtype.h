/* What the library knows about each element type, beyond its public name and size. */
#ifndef SHMFI_DTYPE_DTYPE_H
#define SHMFI_DTYPE_DTYPE_H

#include <shmframe/dtype.h>

#include <stdbool.h>

enum shmfi_dtype_class {
    SHMFI_CLASS_NONE, /* the number names no dtype */
    SHMFI_CLASS_BOOL, /* bits in a frame, bytes in an array */
    SHMFI_CLASS_INTEGER,
    SHMFI_CLASS_FLOAT,
    SHMFI_CLASS_COMPLEX,
    SHMFI_CLASS_STRING, /* offsets and bytes */
    SHMFI_CLASS_FIXED_BINARY,
    SHMFI_CLASS_DICTIONARY,
    SHMFI_CLASS_TIME,
    SHMFI_CLASS_DECIMAL
};

struct shmfi_dtype_info {
    const char *name;
    uint8_t size;      /* bytes of an element in an array; 0: not fixed by the dtype */
    uint8_t alignment; /* of an element; a power of two */
    uint8_t class;     /* enum shmfi_dtype_class */
};

/* The entry of class SHMFI_CLASS_NONE for a number that names no dtype. */
const struct shmfi_dtype_info *shmfi_dtype_info(uint32_t dtype);

/* Booleans, integers, floating and complex numbers: what arrays hold so far. */
static inline bool shmfi_dtype_is_plain(uint32_t dtype)
{
    return dtype >= SHMF_BOOL && dtype <= SHMF_COMPLEX128;
}

/* The same without booleans: elements of whole bytes, one after the other, in frames too. */
static inline bool shmfi_dtype_is_number(uint32_t dtype)
{
    return dtype >= SHMF_INT8 && dtype <= SHMF_COMPLEX128;
}

/* Strings and binary: offsets and bytes. */
static inline bool shmfi_dtype_is_string(uint32_t dtype)
{
    return dtype >= SHMF_UTF8 && dtype <= SHMF_BINARY;
}

/* Bytes of one value in a frame's column; 0 for booleans, which are bits, and for strings. `width`
 * is that of fixed_binary, `index_dtype` that of a dictionary. */
uint32_t shmfi_dtype_width(uint32_t dtype, uint32_t width, uint32_t index_dtype);

/* Bytes of `rows` values of a plain dtype in a frame's column. False: overflow. */
bool shmfi_dtype_column_bytes(uint32_t dtype, uint64_t rows, uint64_t *bytes);

/* An integer (of at most 8 bytes) at `element`, a boolean, or what is stored as one. False: another
 * dtype, or a uint64 beyond int64. */
bool shmfi_dtype_to_int64(uint32_t dtype, const void *element, int64_t *value);

/* IEEE 754 binary16, as stored. */
double shmfi_half_to_double(uint16_t half);

/* One element at `element` (a boolean: one byte) as a double. False: complex or not plain. */
bool shmfi_dtype_to_double(uint32_t dtype, const void *element, double *value);

/* Packs `n` elements of `size` bytes (1, 2, 4, 8 or 16) that lie `stride` bytes apart, from
 * anywhere to anywhere else. */
void shmfi_dtype_pack(unsigned char *to, const unsigned char *from, int64_t n, int64_t stride,
                      size_t size);

/* ---- text; '.' is the decimal point whatever the locale ------------------------------------ */

#define SHMFI_ELEMENT_TEXT_SIZE 96

/* Makes the locale's decimal point, which may be several bytes, a '.' in what printf wrote for a
 * floating number. Returns the new length. */
size_t shmfi_number_normalise(char *text);

/* Digits after the point that `element` needs when it is shown with `precision` significant
 * digits; at least 1, so that floating numbers look like it. Negative: it needs an exponent.
 * 0 for dtypes without a point. */
int shmfi_element_decimals(uint32_t dtype, const void *element, int precision);

/* Writes one element of a plain dtype; with decimals >= 0 floating numbers get that many digits
 * after the point, otherwise `precision` significant ones. Returns the length. */
size_t shmfi_element_text(char to[SHMFI_ELEMENT_TEXT_SIZE], uint32_t dtype, const void *element,
                          int precision, int decimals);

/* "s", "ms", "us", "ns"; "?" for a number that names no unit. */
const char *shmfi_unit_name(unsigned unit);

/* One date, time, timestamp or duration. With a zone (not NULL) a timestamp is shown in UTC and
 * says so by a "Z", or in local time where the zone is an offset such as "+01:00". */
size_t shmfi_time_text(char to[SHMFI_ELEMENT_TEXT_SIZE], uint32_t dtype, unsigned unit,
                       const char *zone, uint64_t zone_size, const void *element);

/* One decimal128. */
size_t shmfi_decimal_text(char to[SHMFI_ELEMENT_TEXT_SIZE], const void *element, int scale);

#endif
