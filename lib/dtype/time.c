/* Dates and times as text. Days are those of the proleptic Gregorian calendar, as in Arrow. */
#include "dtype/dtype.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SECONDS_A_DAY = 86400 };

static const int64_t per_second[] = {1, 1, 1000, 1000000, 1000000000};

/* Rounds down, so that what is left is not negative. */
static int64_t divide(int64_t value, int64_t by, int64_t *rest)
{
    int64_t quotient = value / by;
    *rest = value % by;
    if (*rest < 0) {
        *rest += by;
        quotient--;
    }
    return quotient;
}

/* Years are counted from March of the year 0, so that the leap day is the last of its year, and
 * in eras of 400 years, which all have the same number of days. */
static size_t date_text(char *to, size_t size, int64_t days)
{
    int64_t day, era = divide(days + 719468, 146097, &day);
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    int64_t day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    const char *sign = year < 0 ? "-" : year > 9999 ? "+" : "";
    return (size_t)snprintf(to, size, "%s%04" PRId64 "-%02" PRId64 "-%02" PRId64, sign,
                            year < 0 ? -year : year, month, day_of_month);
}

/* `seconds` and `fraction` are not negative. */
static size_t clock_text(char *to, size_t size, int64_t seconds, int64_t fraction, unsigned unit)
{
    size_t used = (size_t)snprintf(to, size, "%02" PRId64 ":%02" PRId64 ":%02" PRId64,
                                   seconds / 3600, seconds / 60 % 60, seconds % 60);
    if (unit > 1)
        used +=
            (size_t)snprintf(to + used, size - used, ".%0*" PRId64, ((int)unit - 1) * 3, fraction);
    return used;
}

/* "+HH:MM" or "-HH:MM" in minutes. False: the zone has a name, whose rules are not known here. */
static bool parse_offset(const char *zone, uint64_t size, int *minutes)
{
    static const char pattern[] = "+00:00";
    if (size != sizeof pattern - 1 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':')
        return false;
    for (unsigned i = 1; i < size; i++)
        if (i != 3 && (zone[i] < '0' || zone[i] > '9'))
            return false;
    *minutes = ((zone[1] - '0') * 10 + zone[2] - '0') * 60 + (zone[4] - '0') * 10 + zone[5] - '0';
    if (zone[0] == '-')
        *minutes = -*minutes;
    return true;
}

static size_t timestamp_text(char to[SHMFI_ELEMENT_TEXT_SIZE], int64_t value, unsigned unit,
                             const char *zone, uint64_t zone_size)
{
    int64_t fraction, second;
    int64_t seconds = divide(value, per_second[unit], &fraction);
    int64_t days = divide(seconds, SECONDS_A_DAY, &second);
    int minutes = 0;
    bool shifted = zone && parse_offset(zone, zone_size, &minutes);
    if (shifted) {
        int64_t carried = divide(second + minutes * INT64_C(60), SECONDS_A_DAY, &second);
        days += carried;
    }
    size_t used = date_text(to, SHMFI_ELEMENT_TEXT_SIZE, days);
    to[used++] = ' ';
    used += clock_text(to + used, SHMFI_ELEMENT_TEXT_SIZE - used, second, fraction, unit);
    if (shifted)
        used += (size_t)snprintf(to + used, SHMFI_ELEMENT_TEXT_SIZE - used, "%c%02d:%02d", zone[0],
                                 (minutes < 0 ? -minutes : minutes) / 60,
                                 (minutes < 0 ? -minutes : minutes) % 60);
    else if (zone)
        used += (size_t)snprintf(to + used, SHMFI_ELEMENT_TEXT_SIZE - used, "Z");
    return used;
}

/* Times of day should lie inside one day, but anything may be stored. */
static size_t time_of_day_text(char to[SHMFI_ELEMENT_TEXT_SIZE], int64_t value, unsigned unit)
{
    int64_t fraction, seconds = divide(value, per_second[unit], &fraction);
    if (value < 0)
        return (size_t)snprintf(to, SHMFI_ELEMENT_TEXT_SIZE, "%" PRId64 "%s", value,
                                shmfi_unit_name(unit));
    return clock_text(to, SHMFI_ELEMENT_TEXT_SIZE, seconds, fraction, unit);
}

static size_t date64_text(char to[SHMFI_ELEMENT_TEXT_SIZE], int64_t value)
{
    int64_t rest, days = divide(value, (int64_t)SECONDS_A_DAY * 1000, &rest);
    if (rest)
        return timestamp_text(to, value, 2, NULL, 0);
    return date_text(to, SHMFI_ELEMENT_TEXT_SIZE, days);
}

const char *shmfi_unit_name(unsigned unit)
{
    static const char *const names[] = {"?", "s", "ms", "us", "ns"};
    return names[unit <= 4 ? unit : 0];
}

size_t shmfi_time_text(char to[SHMFI_ELEMENT_TEXT_SIZE], uint32_t dtype, unsigned unit,
                       const char *zone, uint64_t zone_size, const void *element)
{
    int64_t value;
    int32_t narrow;
    if (unit > 4) /* a table that is trusted is not checked */
        unit = 1;
    if (dtype == SHMF_DATE32 || dtype == SHMF_TIME32) {
        memcpy(&narrow, element, sizeof narrow);
        value = narrow;
    } else {
        memcpy(&value, element, sizeof value);
    }
    switch (dtype) {
    case SHMF_DATE32:
        return date_text(to, SHMFI_ELEMENT_TEXT_SIZE, value);
    case SHMF_DATE64:
        return date64_text(to, value);
    case SHMF_TIME32:
    case SHMF_TIME64:
        return time_of_day_text(to, value, unit);
    case SHMF_TIMESTAMP:
        return timestamp_text(to, value, unit, zone, zone_size);
    default:
        return (size_t)snprintf(to, SHMFI_ELEMENT_TEXT_SIZE, "%" PRId64 "%s", value,
                                shmfi_unit_name(unit));
    }
}
