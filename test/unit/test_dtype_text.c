/* dtype/: dates, times and decimals as text, against the C library's calendar where that reaches.
 */
#include "dtype/dtype.h"
#include "support/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void assert_time(uint32_t dtype, unsigned unit, const char *zone, int64_t value,
                        const char *expected)
{
    char text[SHMFI_ELEMENT_TEXT_SIZE];
    int32_t narrow = (int32_t)value;
    bool is_narrow = dtype == SHMF_DATE32 || dtype == SHMF_TIME32;
    size_t size = shmfi_time_text(text, dtype, unit, zone, zone ? strlen(zone) : 0,
                                  is_narrow ? (const void *)&narrow : (const void *)&value);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

static void test_every_day_of_many_centuries_is_that_of_the_calendar(void **state)
{
    (void)state;
    for (int64_t day = -800000; day < 2000000; day += 13) {
        time_t seconds = (time_t)(day * 86400);
        struct tm parts;
        char expected[32];
        assert_non_null(gmtime_r(&seconds, &parts));
        if (parts.tm_year + 1900 < 0)
            continue;
        snprintf(expected, sizeof expected, "%04d-%02d-%02d", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday);
        assert_time(SHMF_DATE32, 0, NULL, day, expected);
    }
}

static void test_days_far_away_have_a_sign(void **state)
{
    (void)state;
    assert_time(SHMF_DATE32, 0, NULL, 2932897, "+10000-01-01");
    assert_time(SHMF_DATE32, 0, NULL, -719528, "0000-01-01");
    assert_time(SHMF_DATE32, 0, NULL, -719529, "-0001-12-31");
    assert_time(SHMF_DATE32, 0, NULL, INT32_MAX, "+5881580-07-11");
    assert_time(SHMF_DATE32, 0, NULL, INT32_MIN, "-5877641-06-23");
    assert_time(SHMF_TIMESTAMP, 1, NULL, INT64_MAX, "+292277026596-12-04 15:30:07");
    assert_time(SHMF_TIMESTAMP, 4, NULL, INT64_MIN, "1677-09-21 00:12:43.145224192");
}

static void test_timestamps_show_their_zone(void **state)
{
    (void)state;
    assert_time(SHMF_TIMESTAMP, 2, NULL, 1500, "1970-01-01 00:00:01.500");
    assert_time(SHMF_TIMESTAMP, 3, "UTC", -1, "1969-12-31 23:59:59.999999Z");
    assert_time(SHMF_TIMESTAMP, 1, "Asia/Tokyo", 0, "1970-01-01 00:00:00Z");
    assert_time(SHMF_TIMESTAMP, 1, "+05:30", 0, "1970-01-01 05:30:00+05:30");
    assert_time(SHMF_TIMESTAMP, 1, "-00:30", 0, "1969-12-31 23:30:00-00:30");
    assert_time(SHMF_TIMESTAMP, 1, "+0530", 0, "1970-01-01 00:00:00Z");
    assert_time(SHMF_TIMESTAMP, 1, "+99:99", 0, "1970-01-05 04:39:00+100:39");
}

static void test_times_of_day_and_durations(void **state)
{
    (void)state;
    assert_time(SHMF_TIME32, 2, NULL, 86399999, "23:59:59.999");
    assert_time(SHMF_TIME64, 3, NULL, 1, "00:00:00.000001");
    assert_time(SHMF_TIME32, 1, NULL, -1, "-1s");
    assert_time(SHMF_TIME64, 4, NULL, INT64_MAX, "2562047:47:16.854775807");
    assert_time(SHMF_DURATION, 4, NULL, INT64_MIN, "-9223372036854775808ns");
    assert_time(SHMF_DATE64, 0, NULL, -86400000, "1969-12-31");
    assert_string_equal(shmfi_unit_name(9), "?");
}

static void assert_decimal(__int128 value, int scale, const char *expected)
{
    char text[SHMFI_ELEMENT_TEXT_SIZE];
    size_t size = shmfi_decimal_text(text, &value, scale);
    assert_string_equal(text, expected);
    assert_int_equal(size, strlen(expected));
}

static void test_decimals_have_their_point_where_the_scale_says(void **state)
{
    (void)state;
    const __int128 most = (__int128)(~(unsigned __int128)0 >> 1);
    assert_decimal(0, 0, "0");
    assert_decimal(0, 3, "0.000");
    assert_decimal(-7, 1, "-0.7");
    assert_decimal(12345, 2, "123.45");
    assert_decimal(5, -3, "5e3");
    assert_decimal(5, 39, "5e-39");
    assert_decimal(most, 0, "170141183460469231731687303715884105727");
    assert_decimal(-most - 1, 38, "-1.70141183460469231731687303715884105728");
    assert_decimal(1, 38, "0.00000000000000000000000000000000000001");
}

static void test_integers_of_all_kinds_become_int64(void **state)
{
    (void)state;
    const uint8_t bytes[8] = {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    const struct {
        uint32_t dtype;
        int64_t expected;
    } cases[] = {
        {SHMF_BOOL, 1},
        {SHMF_INT8, -2},
        {SHMF_UINT8, 254},
        {SHMF_INT16, -2},
        {SHMF_UINT16, 65534},
        {SHMF_INT32, -2},
        {SHMF_UINT32, UINT32_MAX - 1},
        {SHMF_INT64, -2},
        {SHMF_DATE32, -2},
        {SHMF_DATE64, -2},
        {SHMF_TIME32, -2},
        {SHMF_TIME64, -2},
        {SHMF_TIMESTAMP, -2},
        {SHMF_DURATION, -2},
    };
    int64_t value;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(shmfi_dtype_to_int64(cases[i].dtype, bytes, &value));
        assert_int_equal(value, cases[i].expected);
    }
    assert_false(shmfi_dtype_to_int64(SHMF_UINT64, bytes, &value));
    assert_false(shmfi_dtype_to_int64(SHMF_FLOAT64, bytes, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_of_many_centuries_is_that_of_the_calendar),
        cmocka_unit_test(test_days_far_away_have_a_sign),
        cmocka_unit_test(test_timestamps_show_their_zone),
        cmocka_unit_test(test_times_of_day_and_durations),
        cmocka_unit_test(test_decimals_have_their_point_where_the_scale_says),
        cmocka_unit_test(test_integers_of_all_kinds_become_int64),
    };
    return cmocka_run_group_tests_name("dtype text", tests, NULL, NULL);
}
