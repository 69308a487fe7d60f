#include "dtype/dtype.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* What printf writes for a floating number consists of digits, signs, the letters of "e", "inf" and
 * "nan", and the decimal point. */
size_t shmfi_number_normalise(char *text)
{
    char *to = text;
    bool in_point = false;
    for (const char *from = text; *from; from++) {
        bool plain = strchr("0123456789+-einfa", *from) != NULL;
        if (plain)
            *to++ = *from;
        else if (!in_point)
            *to++ = '.';
        in_point = !plain;
    }
    *to = '\0';
    return (size_t)(to - text);
}

static int clamp_digits(int digits)
{
    return digits < 1 ? 1 : digits > 17 ? 17 : digits;
}

/* `size` > 0; a number that does not fit with so many decimals is written with an exponent. */
static size_t double_text(char *to, size_t size, double value, int precision, int decimals)
{
    if (isnan(value)) /* without a sign, which would say nothing */
        return (size_t)snprintf(to, size, "nan");
    int written = -1;
    if (decimals >= 0)
        written = snprintf(to, size, "%.*f", decimals, value);
    if (written < 0 || (size_t)written >= size)
        snprintf(to, size, "%.*g", clamp_digits(precision), value);
    return shmfi_number_normalise(to);
}

static int double_decimals(double value, int precision)
{
    char text[64];
    if (!isfinite(value))
        return 1;
    double_text(text, sizeof text, value, precision, -1);
    if (strchr(text, 'e'))
        return -1;
    const char *point = strchr(text, '.');
    return point ? (int)strlen(point + 1) : 1;
}

static void read_complex(uint32_t dtype, const void *element, double parts[2])
{
    if (dtype == SHMF_COMPLEX128) {
        memcpy(parts, element, 2 * sizeof parts[0]);
        return;
    }
    float narrow[2];
    memcpy(narrow, element, sizeof narrow);
    parts[0] = (double)narrow[0];
    parts[1] = (double)narrow[1];
}

static bool is_complex(uint32_t dtype)
{
    return shmfi_dtype_info(dtype)->class == SHMFI_CLASS_COMPLEX;
}

int shmfi_element_decimals(uint32_t dtype, const void *element, int precision)
{
    double parts[2];
    if (is_complex(dtype)) {
        read_complex(dtype, element, parts);
        int real = double_decimals(parts[0], precision);
        int imaginary = double_decimals(parts[1], precision);
        if (real < 0 || imaginary < 0)
            return -1;
        return real > imaginary ? real : imaginary;
    }
    if (shmfi_dtype_info(dtype)->class != SHMFI_CLASS_FLOAT)
        return 0;
    shmfi_dtype_to_double(dtype, element, &parts[0]);
    return double_decimals(parts[0], precision);
}

static size_t integer_text(char to[SHMFI_ELEMENT_TEXT_SIZE], uint32_t dtype, const void *element)
{
    int64_t number = 0;
    uint64_t natural = 0;
    double small;
    switch (dtype) {
    case SHMF_INT64:
        memcpy(&number, element, sizeof number);
        break;
    case SHMF_UINT64:
        memcpy(&natural, element, sizeof natural);
        return (size_t)snprintf(to, SHMFI_ELEMENT_TEXT_SIZE, "%" PRIu64, natural);
    default: /* at most 32 bits: exact in a double */
        shmfi_dtype_to_double(dtype, element, &small);
        number = (int64_t)small;
    }
    return (size_t)snprintf(to, SHMFI_ELEMENT_TEXT_SIZE, "%" PRId64, number);
}

static size_t complex_text(char to[SHMFI_ELEMENT_TEXT_SIZE], uint32_t dtype, const void *element,
                           int precision, int decimals)
{
    enum { HALF = SHMFI_ELEMENT_TEXT_SIZE / 2 - 2 };
    double parts[2];
    char real[HALF], imaginary[HALF];
    read_complex(dtype, element, parts);
    double_text(real, sizeof real, parts[0], precision, decimals);
    double_text(imaginary, sizeof imaginary, parts[1], precision, decimals);
    const char *sign = imaginary[0] == '-' ? "" : "+";
    return (size_t)snprintf(to, SHMFI_ELEMENT_TEXT_SIZE, "%s%s%si", real, sign, imaginary);
}

size_t shmfi_element_text(char to[SHMFI_ELEMENT_TEXT_SIZE], uint32_t dtype, const void *element,
                          int precision, int decimals)
{
    double value;
    if (dtype == SHMF_BOOL)
        return (size_t)snprintf(to, SHMFI_ELEMENT_TEXT_SIZE, "%s",
                                *(const uint8_t *)element ? "true" : "false");
    if (is_complex(dtype))
        return complex_text(to, dtype, element, precision, decimals);
    if (shmfi_dtype_info(dtype)->class == SHMFI_CLASS_INTEGER)
        return integer_text(to, dtype, element);
    if (shmfi_dtype_to_double(dtype, element, &value))
        return double_text(to, SHMFI_ELEMENT_TEXT_SIZE, value, precision, decimals);
    return (size_t)snprintf(to, SHMFI_ELEMENT_TEXT_SIZE, "?");
}
