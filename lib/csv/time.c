/* Dates and timestamps, ISO 8601 with some freedom. */
#include "digits.h"
#include "field.h"

#include <string.h>

static bool two(const char *text, int64_t *value)
{
    unsigned tens = (unsigned char)text[0] - (unsigned)'0',
             ones = (unsigned char)text[1] - (unsigned)'0';
    *value = (int64_t)tens * 10 + ones;
    return tens <= 9 && ones <= 9;
}

/* ---- eight digits at a time ----------------------------------------------------------------- */

/* Punctuation is made zeros of by AT(). Byte i as a digit, times `by`. */
static unsigned digit(uint64_t word, int i, unsigned by)
{
    return (unsigned)(word >> 8 * i & 15) * by;
}

#define AT(i, character) ((uint64_t)((character) ^ '0') << 8 * (i))

/* Days since 1970-01-01 of a month's first day, in the Gregorian calendar, which begins, as if it
 * had always been there, with the leap year 0. */
static void find_month(struct shmfi_csv_month *month, unsigned year, unsigned number)
{
    static const uint16_t before[2][13] = {
        {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
        {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366}};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    month->length = (unsigned)before[leap][number] - before[leap][number - 1];
    month->first =
        (int64_t)year * 365 +
        ((year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400 + before[leap][number - 1]) -
        719528;
}

/* "YYYY-MM-DD". Dates that follow each other are of one month more often than not. */
static inline bool date(const char *text, struct shmfi_csv_month *month, int64_t *days)
{
    const uint64_t start = shmfi_csv_word(text);
    if (start != month->start) {
        const uint64_t word = start ^ AT(4, '-') ^ AT(7, '-');
        const unsigned number = digit(word, 5, 10) + digit(word, 6, 1);
        if (!shmfi_csv_are_digits(word) || digit(word, 4, 1) || digit(word, 7, 1) ||
            number - 1 > 11)
            return false;
        find_month(month,
                   digit(word, 0, 1000) + digit(word, 1, 100) + digit(word, 2, 10) +
                       digit(word, 3, 1),
                   number);
        month->start = start;
    }
    const unsigned tens = (unsigned char)text[8] - (unsigned)'0',
                   ones = (unsigned char)text[9] - (unsigned)'0', day = tens * 10 + ones - 1;
    *days = month->first + day;
    return tens <= 9 && ones <= 9 && day < month->length;
}

bool shmfi_csv_date(const char *text, size_t size, int64_t *days)
{
    struct shmfi_csv_month none = {0};
    return size == 10 && date(text, &none, days);
}

bool shmfi_csv_seconds(const char *text, struct shmfi_csv_month *month, int64_t *seconds)
{
    int64_t days;
    const uint64_t word = shmfi_csv_word(text + 11) ^ AT(2, ':') ^ AT(5, ':'); /* "HH:MM:SS" */
    const unsigned hour = digit(word, 0, 10) + digit(word, 1, 1),
                   minute = digit(word, 3, 10) + digit(word, 4, 1),
                   second = digit(word, 6, 10) + digit(word, 7, 1);
    if ((text[10] != ' ' && text[10] != 'T') || !shmfi_csv_are_digits(word) || digit(word, 2, 1) ||
        digit(word, 5, 1) || hour > 23 || minute > 59 || second > 59 || !date(text, month, &days))
        return false;
    *seconds = days * 86400 + (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
    return true;
}

/* ---- piece by piece ------------------------------------------------------------------------ */

/* "Z", "+hh:mm", "+hhmm", "+hh" */
static bool zone(const char *text, size_t size, struct shmfi_csv_time *time)
{
    int64_t hours, minutes = 0;
    time->has_zone = size > 0;
    if (size == 0 || (size == 1 && text[0] == 'Z'))
        return true;
    if ((text[0] != '+' && text[0] != '-') || size < 3 || !two(text + 1, &hours))
        return false;
    if (size == 6   ? text[3] != ':' || !two(text + 4, &minutes)
        : size == 5 ? !two(text + 3, &minutes)
                    : size != 3)
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    int64_t offset = hours * 3600 + minutes * 60;
    time->seconds += text[0] == '+' ? -offset : offset;
    return true;
}

static size_t fraction(const char *text, size_t size, struct shmfi_csv_time *time)
{
    static const int64_t scale[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                    10000,      1000,      100,      10,      1};
    size_t i = 0;
    for (; i < size && i < 9 && text[i] >= '0' && text[i] <= '9'; i++)
        time->fraction = time->fraction * 10 + (text[i] - '0');
    time->fraction *= scale[i];
    time->digits = (int)i;
    return i;
}

bool shmfi_csv_time(const char *text, size_t size, struct shmfi_csv_time *time)
{
    int64_t hour, minute, second = 0;
    *time = (struct shmfi_csv_time){0};
    if (size < 10 || !shmfi_csv_date(text, 10, &time->days))
        return false;
    if (size == 10)
        return true;
    if (size < 16 || (text[10] != ' ' && text[10] != 'T') || text[13] != ':')
        return false;
    if (!two(text + 11, &hour) || !two(text + 14, &minute) || hour > 23 || minute > 59)
        return false;
    size_t at = 16;
    if (size >= 19 && text[16] == ':') {
        if (!two(text + 17, &second) || second > 59)
            return false;
        at = 19;
        if (size > 20 && text[19] == '.') {
            size_t n = fraction(text + 20, size - 20, time);
            if (n == 0)
                return false;
            at = 20 + n;
        }
    }
    time->has_clock = true;
    time->seconds = hour * 3600 + minute * 60 + second;
    return zone(text + at, size - at, time);
}

bool shmfi_csv_timestamp(const struct shmfi_csv_time *time, int digits, int64_t *value)
{
    static const int64_t scale[] = {1,      10,      100,      1000,      10000,
                                    100000, 1000000, 10000000, 100000000, 1000000000};
    int64_t below = scale[9 - digits];
    int64_t seconds = time->days * 86400 + time->seconds;
    return (time->fraction == 0 || time->fraction % below == 0) &&
           !__builtin_mul_overflow(seconds, scale[digits], value) &&
           !__builtin_add_overflow(*value, time->fraction / below, value);
}
