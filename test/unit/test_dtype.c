/* dtype/: names, sizes, conversion to double, text. */
#include "support/test.h"

#include "dtype/dtype.h"

#include <locale.h>
#include <math.h>
#include <string.h>

static void test_every_dtype_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_string_equal(shmf_dtype_name(SHMF_BOOL), "bool");
    assert_string_equal(shmf_dtype_name(SHMF_FLOAT64), "float64");
    assert_string_equal(shmf_dtype_name(SHMF_DECIMAL128), "decimal128");
    for (int a = SHMF_BOOL; a <= SHMF_DECIMAL128; a++)
        for (int b = a + 1; b <= SHMF_DECIMAL128; b++)
            assert_string_not_equal(shmf_dtype_name((enum shmf_dtype)a),
                                    shmf_dtype_name((enum shmf_dtype)b));
}

static void test_numbers_that_are_no_dtype_have_neither_name_nor_size(void **state)
{
    (void)state;
    const int others[] = {0, -1, SHMF_DECIMAL128 + 1, 1000000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_string_equal(shmf_dtype_name((enum shmf_dtype)others[i]), "?");
        assert_int_equal(shmf_dtype_size((enum shmf_dtype)others[i]), 0);
        assert_false(shmfi_dtype_is_plain((uint32_t)others[i]));
    }
}

static void test_sizes_are_those_of_the_c_types(void **state)
{
    (void)state;
    assert_int_equal(shmf_dtype_size(SHMF_BOOL), 1);
    assert_int_equal(shmf_dtype_size(SHMF_INT16), sizeof(int16_t));
    assert_int_equal(shmf_dtype_size(SHMF_UINT32), sizeof(uint32_t));
    assert_int_equal(shmf_dtype_size(SHMF_FLOAT16), 2);
    assert_int_equal(shmf_dtype_size(SHMF_FLOAT32), sizeof(float));
    assert_int_equal(shmf_dtype_size(SHMF_COMPLEX64), 2 * sizeof(float));
    assert_int_equal(shmf_dtype_size(SHMF_COMPLEX128), 2 * sizeof(double));
    assert_int_equal(shmf_dtype_size(SHMF_UTF8), 0);
    assert_int_equal(shmf_dtype_size(SHMF_DICTIONARY), 0);
}

static void test_a_column_of_booleans_takes_bits_and_overflow_is_seen(void **state)
{
    (void)state;
    uint64_t bytes;
    assert_true(shmfi_dtype_column_bytes(SHMF_BOOL, 17, &bytes));
    assert_int_equal(bytes, 3);
    assert_true(shmfi_dtype_column_bytes(SHMF_BOOL, UINT64_MAX, &bytes));
    assert_true(bytes == (uint64_t)1 << 61);
    assert_true(shmfi_dtype_column_bytes(SHMF_COMPLEX128, 3, &bytes));
    assert_int_equal(bytes, 48);
    assert_false(shmfi_dtype_column_bytes(SHMF_FLOAT64, UINT64_MAX / 8 + 1, &bytes));
}

/* The value of a binary16 from its definition, digit by digit. */
static double half_by_definition(uint16_t half)
{
    double sign = half >> 15 ? -1 : 1;
    unsigned exponent = half >> 10 & 31;
    double fraction = 0, weight = 0.5;
    for (int bit = 9; bit >= 0; bit--, weight /= 2)
        if (half >> bit & 1)
            fraction += weight;
    if (exponent == 0)
        return sign * fraction / 16384;
    return sign * (1 + fraction) * pow(2, (double)exponent - 15);
}

static void test_all_half_precision_numbers_convert_exactly(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 65536; half++) {
        double value = shmfi_half_to_double((uint16_t)half);
        if ((half & 0x7C00) != 0x7C00)
            assert_true(value == half_by_definition((uint16_t)half));
        else if (half & 0x3FF)
            assert_true(isnan(value));
        else
            assert_true(value == (half >> 15 ? -(double)INFINITY : (double)INFINITY));
    }
    assert_true(signbit(shmfi_half_to_double(0x8000)));
}

#define ASSERT_DOUBLE(dtype, type, written, expected)                                              \
    do {                                                                                           \
        unsigned char bytes_[1 + sizeof(type)];                                                    \
        const type element_ = (written);                                                           \
        memcpy(bytes_ + 1, &element_, sizeof element_);                                            \
        double value_;                                                                             \
        assert_true(shmfi_dtype_to_double(dtype, bytes_ + 1, &value_));                            \
        assert_true(value_ == (expected));                                                         \
    } while (0)

static void test_elements_convert_to_double_wherever_they_lie(void **state)
{
    (void)state;
    ASSERT_DOUBLE(SHMF_BOOL, uint8_t, 2, 1.0);
    ASSERT_DOUBLE(SHMF_INT8, int8_t, -128, -128.0);
    ASSERT_DOUBLE(SHMF_INT16, int16_t, -32768, -32768.0);
    ASSERT_DOUBLE(SHMF_INT32, int32_t, INT32_MIN, -2147483648.0);
    ASSERT_DOUBLE(SHMF_INT64, int64_t, INT64_MIN, -9223372036854775808.0);
    ASSERT_DOUBLE(SHMF_UINT8, uint8_t, 255, 255.0);
    ASSERT_DOUBLE(SHMF_UINT16, uint16_t, 65535, 65535.0);
    ASSERT_DOUBLE(SHMF_UINT32, uint32_t, UINT32_MAX, 4294967295.0);
    ASSERT_DOUBLE(SHMF_UINT64, uint64_t, UINT64_MAX, 18446744073709551616.0);
    ASSERT_DOUBLE(SHMF_FLOAT16, uint16_t, 0x3E00, 1.5);
    ASSERT_DOUBLE(SHMF_FLOAT32, float, 0.1f, (double)0.1f);
    ASSERT_DOUBLE(SHMF_FLOAT64, double, 0.1, 0.1);
}

static void test_complex_numbers_and_strings_are_no_doubles(void **state)
{
    (void)state;
    const double parts[2] = {1, 2};
    double value;
    assert_false(shmfi_dtype_to_double(SHMF_COMPLEX64, parts, &value));
    assert_false(shmfi_dtype_to_double(SHMF_COMPLEX128, parts, &value));
    assert_false(shmfi_dtype_to_double(SHMF_UTF8, parts, &value));
    assert_false(shmfi_dtype_to_double(0, parts, &value));
}

static void assert_text(uint32_t dtype, const void *element, int precision, int decimals,
                        const char *expected)
{
    char text[SHMFI_ELEMENT_TEXT_SIZE];
    size_t length = shmfi_element_text(text, dtype, element, precision, decimals);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static void test_elements_are_written_as_people_write_them(void **state)
{
    (void)state;
    assert_text(SHMF_BOOL, &(uint8_t){1}, 6, 0, "true");
    assert_text(SHMF_BOOL, &(uint8_t){0}, 6, 0, "false");
    assert_text(SHMF_INT8, &(int8_t){-7}, 6, 0, "-7");
    assert_text(SHMF_UINT32, &(uint32_t){UINT32_MAX}, 6, 0, "4294967295");
    assert_text(SHMF_INT64, &(int64_t){INT64_MIN}, 6, 0, "-9223372036854775808");
    assert_text(SHMF_UINT64, &(uint64_t){UINT64_MAX}, 6, 0, "18446744073709551615");
    assert_text(SHMF_FLOAT64, &(double){1234.5}, 6, -1, "1234.5");
    assert_text(SHMF_FLOAT64, &(double){2}, 6, 1, "2.0");
    assert_text(SHMF_FLOAT32, &(float){0.25f}, 6, 3, "0.250");
    assert_text(SHMF_FLOAT16, &(uint16_t){0xC000}, 6, 1, "-2.0");
    assert_text(SHMF_FLOAT64, &(double){-(double)NAN}, 6, 3, "nan");
    assert_text(SHMF_FLOAT64, &(double){-(double)INFINITY}, 6, 3, "-inf");
    assert_text(SHMF_COMPLEX128, (const double[]){1, -2.5}, 6, 1, "1.0-2.5i");
    assert_text(SHMF_COMPLEX64, (const float[]){0.5f, 3}, 6, 2, "0.50+3.00i");
}

static void test_numbers_too_long_for_their_place_get_an_exponent(void **state)
{
    (void)state;
    assert_text(SHMF_FLOAT64, &(double){1e300}, 3, 5, "1e+300");
    assert_text(SHMF_COMPLEX128, (const double[]){1e300, -1e-300}, 3, -1, "1e+300-1e-300i");
}

static void test_decimals_are_those_that_the_precision_shows(void **state)
{
    (void)state;
    assert_int_equal(shmfi_element_decimals(SHMF_FLOAT64, &(double){1.0 / 7}, 6), 6);
    assert_int_equal(shmfi_element_decimals(SHMF_FLOAT64, &(double){1234.5}, 6), 1);
    assert_int_equal(shmfi_element_decimals(SHMF_FLOAT64, &(double){3}, 6), 1);
    assert_int_equal(shmfi_element_decimals(SHMF_FLOAT64, &(double){1e20}, 6), -1);
    assert_int_equal(shmfi_element_decimals(SHMF_FLOAT64, &(double){(double)NAN}, 6), 1);
    assert_int_equal(shmfi_element_decimals(SHMF_INT32, &(int32_t){3}, 6), 0);
    assert_int_equal(shmfi_element_decimals(SHMF_COMPLEX64, (const float[]){0.5f, 0.125f}, 6), 3);
    assert_int_equal(shmfi_element_decimals(SHMF_COMPLEX64, (const float[]){0.5f, 1e30f}, 6), -1);
}

static void test_whatever_point_a_locale_has_becomes_a_point(void **state)
{
    (void)state;
    const char *const texts[][2] = {
        {"-1.5e-07", "-1.5e-07"},
        {"3,25", "3.25"},
        {"-0\xD9\xAB"
         "5e+10",
         "-0.5e+10"},
        {"inf", "inf"},
        {"-nan", "-nan"},
        {"12", "12"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[32];
        strcpy(text, texts[i][0]);
        assert_int_equal(shmfi_number_normalise(text), strlen(texts[i][1]));
        assert_string_equal(text, texts[i][1]);
    }
}

/* Runs only where a locale with a decimal comma is installed. */
static void test_numbers_have_a_point_in_a_locale_with_commas(void **state)
{
    (void)state;
    const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "es_ES.UTF-8", "ru_RU.UTF-8"};
    size_t i = 0, n = sizeof names / sizeof names[0];
    while (i < n && !setlocale(LC_ALL, names[i]))
        i++;
    if (i == n)
        skip();
    assert_text(SHMF_FLOAT64, &(double){1234567.5}, 6, 1, "1234567.5");
    assert_int_equal(shmfi_element_decimals(SHMF_FLOAT64, &(double){0.25}, 6), 2);
    setlocale(LC_ALL, "C");
}

/* Bytes that count up, 33 apart, forwards, backwards and side by side. */
static void test_elements_are_packed_from_wherever_they_lie(void **state)
{
    (void)state;
    enum { N = 7, APART = 33 };
    unsigned char from[N * APART], to[N * 16 + 1];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (unsigned char)i;
    for (size_t size = 1; size <= 16; size *= 2) {
        const int64_t strides[] = {APART, -APART, (int64_t)size};
        for (size_t s = 0; s < 3; s++) {
            const int64_t first = strides[s] < 0 ? (N - 1) * APART : 0;
            memset(to, 0xee, sizeof to);
            shmfi_dtype_pack(to, from + first, N, strides[s], size);
            for (int64_t i = 0; i < N; i++)
                assert_memory_equal(to + i * (int64_t)size, from + first + i * strides[s], size);
            assert_int_equal(to[N * size], 0xee);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_dtype_has_a_name_of_its_own),
        cmocka_unit_test(test_numbers_that_are_no_dtype_have_neither_name_nor_size),
        cmocka_unit_test(test_sizes_are_those_of_the_c_types),
        cmocka_unit_test(test_a_column_of_booleans_takes_bits_and_overflow_is_seen),
        cmocka_unit_test(test_all_half_precision_numbers_convert_exactly),
        cmocka_unit_test(test_elements_convert_to_double_wherever_they_lie),
        cmocka_unit_test(test_complex_numbers_and_strings_are_no_doubles),
        cmocka_unit_test(test_elements_are_written_as_people_write_them),
        cmocka_unit_test(test_numbers_too_long_for_their_place_get_an_exponent),
        cmocka_unit_test(test_decimals_are_those_that_the_precision_shows),
        cmocka_unit_test(test_whatever_point_a_locale_has_becomes_a_point),
        cmocka_unit_test(test_numbers_have_a_point_in_a_locale_with_commas),
        cmocka_unit_test(test_elements_are_packed_from_wherever_they_lie),
    };
    return cmocka_run_group_tests_name("dtype", tests, NULL, NULL);
}
