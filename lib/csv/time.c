/* Dates and timestamps, ISO 8601 with some freedom. */
#include "field.h"

static bool two(const char *text, int64_t *value)
{
    unsigned tens = (unsigned char)text[0] - (unsigned)'0',
             ones = (unsigned char)text[1] - (unsigned)'0';
    *value = (int64_t)tens * 10 + ones;
    return tens <= 9 && ones <= 9;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": days_from_civil. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool shmfi_csv_date(const char *text, size_t size, int64_t *days)
{
    static const int64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t century, years, month, day;
    if (size != 10 || text[4] != '-' || text[7] != '-')
        return false;
    if (!two(text, &century) || !two(text + 2, &years) || !two(text + 5, &month) ||
        !two(text + 8, &day))
        return false;
    if (month < 1 || month > 12 || day < 1)
        return false;
    int64_t year = century * 100 + years;
    if (day > lengths[month - 1] + (month == 2 && is_leap(year)))
        return false;
    *days = days_of(year, month, day);
    return true;
}

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
    return time->fraction % below == 0 && !__builtin_mul_overflow(seconds, scale[digits], value) &&
           !__builtin_add_overflow(*value, time->fraction / below, value);
}
