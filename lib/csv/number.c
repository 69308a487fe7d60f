/* Booleans and numbers. */
#include "digits.h"
#include "field.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool is(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && memcmp(text, word, size) == 0;
}

bool shmfi_csv_bool(const char *text, size_t size, bool *value)
{
    *value = is(text, size, "true") || is(text, size, "True") || is(text, size, "TRUE");
    return *value || is(text, size, "false") || is(text, size, "False") || is(text, size, "FALSE");
}

/* Digits without a needless zero in front, below 2^64. */
static bool digits(const char *text, size_t size, uint64_t *value)
{
    uint64_t sum = 0, last;
    size_t at = 0;
    if (size - 1 > 19 || (size > 1 && text[0] == '0'))
        return false;
    for (; size - at > 8; at += 8) {
        if (!shmfi_csv_eight_digits(text + at, 8, &last))
            return false;
        sum = sum * 100000000 + last;
    }
    static const uint64_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
    return shmfi_csv_eight_digits(text + at, size - at, &last) &&
           !__builtin_mul_overflow(sum, tens[size - at], &sum) &&
           !__builtin_add_overflow(sum, last, value);
}

bool shmfi_csv_uint64(const char *text, size_t size, uint64_t *value)
{
    return digits(text, size, value);
}

bool shmfi_csv_int64(const char *text, size_t size, int64_t *value)
{
    uint64_t magnitude;
    bool negative = size > 0 && text[0] == '-';
    if (!digits(text + negative, size - negative, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

/* ---- floating numbers --------------------------------------------------------------------- */

/* Those that are no digits. */
static bool special(const char *text, size_t size, double *value)
{
    bool negative = size > 0 && text[0] == '-';
    const char *word = text + negative;
    size -= negative;
    if (!negative && (is(word, size, "nan") || is(word, size, "NaN") || is(word, size, "NAN"))) {
        *value = (double)NAN;
        return true;
    }
    *value = negative ? -INFINITY : INFINITY;
    return is(word, size, "inf") || is(word, size, "Inf") || is(word, size, "INF") ||
           is(word, size, "Infinity") || is(word, size, "infinity");
}

/* A number as it is written: the digits without the point, and the power of ten behind them. */
struct decimal {
    uint64_t mantissa;
    int exponent;
    int count; /* digits, those that did not fit into the mantissa included */
    bool negative;
};

static const char *take_digits(const char *at, const char *end, struct decimal *number, int step)
{
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (number->count++ < 19) {
            number->mantissa = number->mantissa * 10 + (unsigned)(*at - '0');
            number->exponent -= step;
        }
    }
    return at;
}

static const char *take_exponent(const char *at, const char *end, struct decimal *number)
{
    int sign = 1, power = 0;
    at++;
    if (at < end && (*at == '+' || *at == '-'))
        sign = *at++ == '-' ? -1 : 1;
    if (at == end)
        return NULL;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        power = power < 10000 ? power * 10 + (*at - '0') : power;
    number->exponent += sign * power;
    return at;
}

static bool scan(const char *text, size_t size, struct decimal *number)
{
    const char *end = text + size, *at = text;
    *number = (struct decimal){.negative = at < end && *at == '-'};
    at += number->negative;
    const char *first = at;
    at = take_digits(at, end, number, 0);
    if (at - first > 1 && *first == '0')
        return false;
    if (at < end && *at == '.')
        at = take_digits(at + 1, end, number, 1);
    if (number->count == 0)
        return false;
    if (at < end && (*at == 'e' || *at == 'E'))
        at = take_exponent(at, end, number);
    return at == end;
}

static locale_t plain_locale;

static void make_locale(void)
{
    plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Where a product or quotient of two exact doubles is exact but for one rounding (Clinger, "How to
 * read floating point numbers accurately", 1990), else by the C library. */
bool shmfi_csv_double(const char *text, size_t size, double *value)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct decimal number;
    if (!scan(text, size, &number))
        return special(text, size, value);
    if (number.count <= 19 && number.mantissa <= (1ull << 53) && number.exponent >= -22 &&
        number.exponent <= 22) {
        double magnitude = (double)number.mantissa;
        magnitude = number.exponent < 0 ? magnitude / tens[-number.exponent]
                                        : magnitude * tens[number.exponent];
        *value = number.negative ? -magnitude : magnitude;
        return true;
    }
    pthread_once(&once, make_locale);
    *value = plain_locale ? strtod_l(text, NULL, plain_locale) : strtod(text, NULL);
    return true;
}
