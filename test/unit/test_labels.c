/* labels/: UTF-8, strings as an Arrow column. */
#include "support/test.h"

#include "format/format.h"
#include "labels/labels.h"
#include "unit/sample_labels.h"

#include <shmframe/dtype.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- UTF-8 -------------------------------------------------------------------------------- */

static void test_valid_utf8_is_accepted(void **state)
{
    (void)state;
    const char *const texts[] = {
        "",
        "a",
        "Idx-17",
        "h\xC3\xA4user",
        "\xE2\x82\xAC",
        "\xF0\x9F\x98\x80",
        "\xC2\x80",
        "\xE0\xA0\x80",
        "\xED\x9F\xBF",
        "\xEE\x80\x80",
        "\xF0\x90\x80\x80",
        "\xF4\x8F\xBF\xBF",
        "sixteen ASCII ch\xC3\xA9racters and more",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(shmfi_utf8_valid(texts[i], strlen(texts[i])));
    assert_true(shmfi_utf8_valid("a\0b", 3));
}

static void test_invalid_utf8_is_refused_wherever_it_lies(void **state)
{
    (void)state;
    const char *const broken[] = {
        "\x80",
        "\xBF",
        "\xC0\xAF",
        "\xC1\xBF",
        "\xC3",
        "\xC3(",
        "\xE2\x82",
        "\xE2(\xAC",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF0\x9F\x98",
        "\xFE",
        "\xFF",
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        for (size_t before = 0; before < 18; before++) {
            char text[32];
            memset(text, 'x', before);
            strcpy(text + before, broken[i]);
            assert_false(shmfi_utf8_valid(text, strlen(text)));
        }
    }
}

/* ---- showing ------------------------------------------------------------------------------ */

static void assert_shown(const char *text, const char *expected, unsigned width)
{
    char shown[SHMFI_SHOWN_TEXT_SIZE];
    assert_int_equal(shmfi_text_show(shown, text, strlen(text)), width);
    assert_string_equal(shown, expected);
}

static void test_the_width_of_text_is_what_a_terminal_takes(void **state)
{
    (void)state;
    assert_shown("", "", 0);
    assert_shown("Idx-1", "Idx-1", 5);
    assert_shown("h\xC3\xA4user", "h\xC3\xA4user", 6);
    assert_shown("ha\xCC\x88user", "ha\xCC\x88user", 6);                     /* combining */
    assert_shown("\xE6\x9D\xB1\xE4\xBA\xAC", "\xE6\x9D\xB1\xE4\xBA\xAC", 4); /* wide */
    assert_shown("\xF0\x9F\x98\x80!", "\xF0\x9F\x98\x80!", 3);
    assert_shown("\xE2\x82\xAC", "\xE2\x82\xAC", 1);
}

static void test_control_characters_and_broken_text_are_made_harmless(void **state)
{
    (void)state;
    assert_shown("a\033[2Jb", "a\xEF\xBF\xBD[2Jb", 6);
    assert_shown("a\nb",
                 "a\xEF\xBF\xBD"
                 "b",
                 3);
    assert_shown("\xC2\x9B"
                 "1m",
                 "\xEF\xBF\xBD"
                 "1m",
                 3);
    assert_shown("\xC3(", "\xEF\xBF\xBD(", 2);
}

static void test_long_text_is_cut_to_the_width_and_fits_its_buffer(void **state)
{
    (void)state;
    char text[1000], shown[SHMFI_SHOWN_TEXT_SIZE];
    memset(text, 'x', sizeof text);
    assert_int_equal(shmfi_text_show(shown, text, SHMFI_SHOWN_TEXT_WIDTH), SHMFI_SHOWN_TEXT_WIDTH);
    assert_null(strstr(shown, "..."));
    assert_int_equal(shmfi_text_show(shown, text, SHMFI_SHOWN_TEXT_WIDTH + 1),
                     SHMFI_SHOWN_TEXT_WIDTH);
    assert_string_equal(shown + SHMFI_SHOWN_TEXT_WIDTH - 3, "...");
    for (size_t i = 0; i + 1 < sizeof text; i += 2) /* nothing but combining characters */
        memcpy(text + i, "\xCC\x88", 2);
    assert_int_equal(shmfi_text_show(shown, text, sizeof text), 3);
    assert_true(strlen(shown) < sizeof shown);
}

/* ---- strings ------------------------------------------------------------------------------ */

static void test_strings_are_read_back_as_written(void **state)
{
    (void)state;
    const char *const texts[] = {"alpha", "", "h\xC3\xA4user", "", "z"};
    struct sample sample = sample_of(texts, 5, true);
    for (uint64_t i = 0; i < 5; i++) {
        const char *text;
        uint64_t size;
        assert_true(shmfi_strings_at(&sample.labels.strings, i, &text, &size));
        assert_int_equal(size, strlen(texts[i]));
        assert_memory_equal(text, texts[i], size);
    }
    assert_int_equal(sample.column.dtype, SHMF_UTF8);
    free(sample.base);
}

static void test_offsets_and_bytes_are_padded_with_zeros(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "bc"};
    struct sample sample = sample_of(texts, 2, true);
    assert_int_equal(test_differs_from(sample.base + 12, 52, 0), -1);
    assert_int_equal(test_differs_from(sample.base + sample.column.data_offset + 3, 61, 0), -1);
    free(sample.base);
}

static void test_no_strings_have_one_offset(void **state)
{
    (void)state;
    struct sample sample = sample_of(NULL, 0, true);
    const char *text;
    uint64_t size;
    int32_t offset;
    memcpy(&offset, sample.base, sizeof offset);
    assert_int_equal(offset, 0);
    assert_false(shmfi_strings_at(&sample.labels.strings, 0, &text, &size));
    assert_int_equal(shmfi_index_find_text(&sample.index, &sample.labels, "", 0, NULL),
                     SHMF_E_NOTFOUND);
    free(sample.base);
}

static void test_more_than_two_gigabytes_get_wide_offsets(void **state)
{
    (void)state;
    struct shmf_format_column column;
    struct shmfi_layout layout = {0};
    shmfi_layout_strings(&layout, 3, INT32_MAX, &column);
    assert_int_equal(column.dtype, SHMF_UTF8);
    assert_true(column.data_offset == 64);
    shmfi_layout_strings(&layout, 100, (uint64_t)INT32_MAX + 1, &column);
    assert_int_equal(column.dtype, SHMF_LARGE_UTF8);
    assert_true(column.data_offset - column.offsets_offset == 832); /* 101 x 8, padded */
}

static void test_wide_offsets_are_written_and_read(void **state)
{
    (void)state;
    const char *const texts[] = {"north", "", "south"};
    struct shmfi_label_source source = {get_string, texts};
    struct shmf_format_column column = {
        .dtype = SHMF_LARGE_UTF8, .data_offset = 64, .data_size = 10};
    unsigned char *base = aligned_alloc(64, 128);
    assert_non_null(base);
    assert_int_equal(shmfi_labels_write(&source, 3, "labels", base, &column, NULL), 0);
    struct shmfi_strings strings = shmfi_strings_resolve(base, &column, 3);
    const char *text;
    uint64_t size;
    assert_true(shmfi_strings_at(&strings, 2, &text, &size));
    assert_int_equal(size, 5);
    assert_memory_equal(text, "south", 5);
    free(base);
}

static void test_a_missing_or_broken_label_is_named_by_its_position(void **state)
{
    (void)state;
    const char *const missing[] = {"a", "b", NULL, "d"};
    const char *const broken[] = {"a", "\xC3("};
    struct shmf_error err;
    uint64_t bytes;
    struct shmfi_label_source source = {get_string, missing};
    assert_int_equal(shmfi_labels_measure(&source, 4, "row_labels", &bytes, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "row_labels: label 2 is NULL");
    source.context = broken;
    assert_int_equal(shmfi_labels_measure(&source, 2, "columns", &bytes, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "columns: label 1 is not valid UTF-8");
}

static void test_labels_that_change_while_they_are_written_overrun_nothing(void **state)
{
    (void)state;
    const char *texts[] = {"ab", "cd"};
    struct shmfi_label_source source = {get_string, texts};
    struct shmf_format_column column = {.dtype = SHMF_UTF8, .data_offset = 64, .data_size = 4};
    unsigned char *base = aligned_alloc(64, 128);
    assert_non_null(base);
    texts[1] = "longer";
    assert_int_equal(shmfi_labels_write(&source, 2, "labels", base, &column, NULL), SHMF_E_INVAL);
    texts[1] = "";
    assert_int_equal(shmfi_labels_write(&source, 2, "labels", base, &column, NULL), SHMF_E_INVAL);
    free(base);
}

static void test_offsets_that_lie_lead_nowhere(void **state)
{
    (void)state;
    const char *const texts[] = {"ab", "cd"};
    struct sample sample = sample_of(texts, 2, false);
    const int32_t bad[] = {-1, 5, INT32_MAX, INT32_MIN};
    int32_t *offsets = (void *)sample.base;
    const char *text;
    uint64_t size;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        offsets[1] = bad[i];
        assert_false(shmfi_strings_at(&sample.labels.strings, 0, &text, &size));
        assert_false(shmfi_strings_at(&sample.labels.strings, 1, &text, &size));
        assert_int_equal(shmfi_index_find_text(&sample.index, &sample.labels, "ab", 2, NULL),
                         SHMF_E_NOTFOUND);
    }
    assert_false(shmfi_strings_at(&sample.labels.strings, UINT64_MAX, &text, &size));
    free(sample.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_utf8_is_accepted),
        cmocka_unit_test(test_invalid_utf8_is_refused_wherever_it_lies),
        cmocka_unit_test(test_the_width_of_text_is_what_a_terminal_takes),
        cmocka_unit_test(test_control_characters_and_broken_text_are_made_harmless),
        cmocka_unit_test(test_long_text_is_cut_to_the_width_and_fits_its_buffer),
        cmocka_unit_test(test_strings_are_read_back_as_written),
        cmocka_unit_test(test_offsets_and_bytes_are_padded_with_zeros),
        cmocka_unit_test(test_no_strings_have_one_offset),
        cmocka_unit_test(test_more_than_two_gigabytes_get_wide_offsets),
        cmocka_unit_test(test_wide_offsets_are_written_and_read),
        cmocka_unit_test(test_a_missing_or_broken_label_is_named_by_its_position),
        cmocka_unit_test(test_labels_that_change_while_they_are_written_overrun_nothing),
        cmocka_unit_test(test_offsets_that_lie_lead_nowhere),
    };
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
