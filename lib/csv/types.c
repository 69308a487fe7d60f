/* What a field's text can be, and whether it is text at all. */
#include "field.h"

#include <string.h>

#define BIT SHMFI_CSV_BIT

static unsigned times(const char *text, size_t size)
{
    struct shmfi_csv_time time;
    int64_t value;
    if (!shmfi_csv_time(text, size, &time))
        return 0;
    unsigned types = !time.has_clock ? BIT(SHMFI_CSV_DATE) : 0;
    int shift = time.has_zone ? SHMFI_CSV_MICRO_UTC - SHMFI_CSV_MICRO : 0;
    if (shmfi_csv_timestamp(&time, 6, &value))
        types |= BIT(SHMFI_CSV_MICRO) << shift;
    if (shmfi_csv_timestamp(&time, 9, &value))
        types |= BIT(SHMFI_CSV_NANO) << shift;
    return types;
}

unsigned shmfi_csv_types(const char *text, size_t size)
{
    const int64_t exact = INT64_C(1) << 53;
    unsigned types = BIT(SHMFI_CSV_TEXT);
    int64_t integer;
    double number;
    bool truth;
    if (shmfi_csv_int64(text, size, &integer)) {
        types |= BIT(SHMFI_CSV_INT64);
        if (integer >= -exact && integer <= exact && !(integer == 0 && text[0] == '-'))
            types |= BIT(SHMFI_CSV_FLOAT64);
        return integer == 0 && text[0] == '-' ? BIT(SHMFI_CSV_TEXT) | BIT(SHMFI_CSV_FLOAT64)
                                              : types;
    }
    /* Digits alone that are no int64 would lose some as a floating number. */
    bool marked = memchr(text, '.', size) || memchr(text, 'e', size) || memchr(text, 'E', size) ||
                  memchr(text, 'n', size) || memchr(text, 'N', size);
    if (marked && shmfi_csv_double(text, size, &number))
        return types | BIT(SHMFI_CSV_FLOAT64);
    if (shmfi_csv_bool(text, size, &truth))
        return types | BIT(SHMFI_CSV_BOOL);
    return types | times(text, size);
}

/* ---- UTF-8, RFC 3629 ----------------------------------------------------------------------- */

/* Bytes of the character at `at`, or 0. */
static size_t character(const unsigned char *at, size_t left)
{
    static const unsigned char least[] = {0, 0, 0x80, 0xa0,
                                          0x90}; /* of the second byte, after e0, f0 */
    size_t size = at[0] < 0x80   ? 1
                  : at[0] < 0xc2 ? 0
                  : at[0] < 0xe0 ? 2
                  : at[0] < 0xf0 ? 3
                  : at[0] < 0xf5 ? 4
                                 : 0;
    if (size > left || size < 2)
        return size > left ? 0 : size;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 || at[0] == 0xf0) && at[1] < least[size])
        return 0;
    if ((at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

size_t shmfi_csv_utf8(const char *text, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < size) {
        size_t step = character(bytes + at, size - at);
        if (step == 0)
            return at;
        at += step;
    }
    return size;
}
