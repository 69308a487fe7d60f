/* Decimal numbers as text: a 128-bit integer whose last `scale` digits are behind the point. */
#include "dtype/dtype.h"

#include <stdio.h>
#include <string.h>

enum { MOST_DIGITS = 40 };

/* Least digit first; at least one. */
static int digits_of(unsigned __int128 value, char digits[MOST_DIGITS])
{
    int n = 0;
    do {
        digits[n++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value);
    return n;
}

size_t shmfi_decimal_text(char to[SHMFI_ELEMENT_TEXT_SIZE], const void *element, int scale)
{
    __int128 value;
    char digits[MOST_DIGITS];
    memcpy(&value, element, sizeof value);
    unsigned __int128 magnitude = (unsigned __int128)value;
    int n = digits_of(value < 0 ? -magnitude : magnitude, digits);
    char *at = to;
    if (value < 0)
        *at++ = '-';
    if (scale < 0 || scale > 38) { /* as in science: there is no room for so many zeros */
        while (n > 0)
            *at++ = digits[--n];
        return (size_t)(at - to) + (size_t)snprintf(at, 16, "e%d", -scale);
    }
    while (n <= scale) /* zeros in front, one of them before the point */
        digits[n++] = '0';
    while (n > scale)
        *at++ = digits[--n];
    if (scale > 0)
        *at++ = '.';
    while (n > 0)
        *at++ = digits[--n];
    *at = '\0';
    return (size_t)(at - to);
}
