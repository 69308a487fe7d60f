/* Fields of comma-separated values, and what a field's text can be. */
#ifndef SHMFI_CSV_FIELD_H
#define SHMFI_CSV_FIELD_H

#include <shmframe/dtype.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a column can be; a field has a bit for each that holds it without loss. In the order in
 * which they are preferred. */
enum shmfi_csv_type {
    SHMFI_CSV_BOOL,
    SHMFI_CSV_INT64,
    SHMFI_CSV_FLOAT64,
    SHMFI_CSV_DATE,
    SHMFI_CSV_MICRO,     /* timestamp in microseconds, of no known place */
    SHMFI_CSV_NANO,      /* in nanoseconds */
    SHMFI_CSV_MICRO_UTC, /* the same with 'Z' or an offset */
    SHMFI_CSV_NANO_UTC,
    SHMFI_CSV_TEXT,
    SHMFI_CSV_TYPES
};

#define SHMFI_CSV_BIT(type) (1u << (type))
#define SHMFI_CSV_ANY       (SHMFI_CSV_BIT(SHMFI_CSV_TYPES) - 1)

/* A time as it is written. */
struct shmfi_csv_time {
    int64_t days;     /* since 1970-01-01 */
    int64_t seconds;  /* of the day, the offset subtracted: may be outside 0 .. 86399 */
    int64_t fraction; /* nanoseconds */
    int digits;       /* of the fraction */
    bool has_clock;
    bool has_zone;
};

/* Which types the text (unquoted, not null) is a value of. */
unsigned shmfi_csv_types(const char *text, size_t size);

/* The text as a value; false when it is none. Eight bytes from where the text begins can be read,
 * whatever its size. */
bool shmfi_csv_bool(const char *text, size_t size, bool *value);
bool shmfi_csv_int64(const char *text, size_t size, int64_t *value);
bool shmfi_csv_uint64(const char *text, size_t size, uint64_t *value);
/* A byte that belongs to no number must follow the text. */
bool shmfi_csv_double(const char *text, size_t size, double *value);
bool shmfi_csv_date(const char *text, size_t size, int64_t *days);
/* The month of the date before; zeroed at first. */
struct shmfi_csv_month {
    uint64_t start; /* "YYYY-MM-" */
    int64_t first;  /* day, since 1970 */
    unsigned length;
};

/* "2024-02-29 12:30:00", which has 19 bytes, in seconds since 1970. */
bool shmfi_csv_seconds(const char *text, struct shmfi_csv_month *month, int64_t *seconds);
bool shmfi_csv_time(const char *text, size_t size, struct shmfi_csv_time *time);

/* In units of 10^-digits seconds since the epoch; false: it does not fit, or digits would be
 * lost. */
bool shmfi_csv_timestamp(const struct shmfi_csv_time *time, int digits, int64_t *value);

/* The first byte that is not UTF-8, or `size`. */
size_t shmfi_csv_utf8(const char *text, size_t size);

#endif
