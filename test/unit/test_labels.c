/* labels/: UTF-8, strings as an Arrow column, hash indexes against a naive search. */
#include "support/test.h"

#include "format/format.h"
#include "labels/labels.h"

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

static const char *get_string(const void *context, uint64_t i, char buffer[SHMFI_NUMBER_SIZE])
{
    (void)buffer;
    return ((const char *const *)context)[i];
}

/* A segment with strings and their index, on the heap, exactly as large as it must be. */
struct sample {
    unsigned char *base;
    uint64_t size;
    struct shmf_format_column column;
    struct shmf_format_index place;
    struct shmfi_labels labels;
    struct shmfi_index index;
};

static struct shmf_format_slot *slots_of(const struct sample *sample)
{
    return (void *)(sample->base + sample->place.offset);
}

static struct sample sample_of(const char *const *texts, uint64_t n)
{
    struct shmfi_label_source source = {get_string, texts};
    struct sample sample = {.labels = {.n = n}};
    struct shmfi_layout layout = {0};
    uint64_t bytes;
    assert_int_equal(shmfi_labels_measure(&source, n, "labels", &bytes, NULL), 0);
    shmfi_layout_strings(&layout, n, bytes, &sample.column);
    shmfi_layout_index(&layout, n, &sample.place);
    sample.size = layout.end;
    sample.base = aligned_alloc(64, sample.size);
    assert_non_null(sample.base);
    memset(sample.base, 0xA5, sample.size);
    assert_int_equal(shmfi_labels_write(&source, n, "labels", sample.base, &sample.column, NULL),
                     0);
    sample.labels.strings = shmfi_strings_resolve(sample.base, &sample.column, n);
    shmfi_index_build(slots_of(&sample), sample.place.capacity, &sample.labels);
    sample.index = (struct shmfi_index){slots_of(&sample), sample.place.capacity};
    return sample;
}

static void test_strings_are_read_back_as_written(void **state)
{
    (void)state;
    const char *const texts[] = {"alpha", "", "h\xC3\xA4user", "", "z"};
    struct sample sample = sample_of(texts, 5);
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
    struct sample sample = sample_of(texts, 2);
    assert_int_equal(test_differs_from(sample.base + 12, 52, 0), -1);
    assert_int_equal(test_differs_from(sample.base + sample.column.data_offset + 3, 61, 0), -1);
    free(sample.base);
}

static void test_no_strings_have_one_offset(void **state)
{
    (void)state;
    struct sample sample = sample_of(NULL, 0);
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
    struct sample sample = sample_of(texts, 2);
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

/* ---- index -------------------------------------------------------------------------------- */

static uint64_t random_state = 42;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

/* What a search from the front says. */
static int64_t naive(const char *const *texts, int64_t n, const char *wanted, int64_t *count)
{
    int64_t first = SHMF_E_NOTFOUND;
    *count = 0;
    for (int64_t i = n - 1; i >= 0; i--)
        if (strcmp(texts[i], wanted) == 0) {
            first = i;
            ++*count;
        }
    return first;
}

static void check_against_naive(const struct sample *sample, const char *const *texts, int64_t n,
                                const char *wanted)
{
    int64_t expected_count, count = 0;
    int64_t expected = naive(texts, n, wanted, &expected_count);
    assert_int_equal(
        shmfi_index_find_text(&sample->index, &sample->labels, wanted, strlen(wanted), &count),
        expected);
    assert_int_equal(count, expected_count);
}

static void test_lookups_agree_with_a_naive_search_however_many_duplicates(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        uint64_t n = random_below(300), kinds = 1 + random_below(1 + 2 * n);
        char(*pool)[16] = calloc(kinds, sizeof *pool);
        const char **texts = calloc(n + 1, sizeof *texts);
        assert_true(pool && texts);
        for (uint64_t k = 0; k < kinds; k++)
            snprintf(pool[k], sizeof pool[k], k ? "L%llx" : "%.0llx",
                     (unsigned long long)(k ? k : 0));
        for (uint64_t i = 0; i < n; i++)
            texts[i] = pool[random_below(kinds)];
        struct sample sample = sample_of(texts, n);
        for (uint64_t k = 0; k < kinds; k++)
            check_against_naive(&sample, texts, (int64_t)n, pool[k]);
        check_against_naive(&sample, texts, (int64_t)n, "absent");
        free(sample.base);
        free(texts);
        free(pool);
    }
}

static void test_numbers_are_found_with_their_count(void **state)
{
    (void)state;
    const int64_t numbers[] = {5, -1, INT64_MIN, 5, INT64_MAX, 0, 5};
    struct shmfi_labels labels = {.numbers = numbers, .n = 7};
    struct shmf_format_slot slots[10];
    struct shmfi_index index = {slots, 10};
    int64_t count;
    shmfi_index_build(slots, 10, &labels);
    assert_int_equal(shmfi_index_find_number(&index, &labels, 5, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(shmfi_index_find_number(&index, &labels, INT64_MIN, &count), 2);
    assert_int_equal(count, 1);
    assert_int_equal(shmfi_index_find_number(&index, &labels, INT64_MAX, NULL), 4);
    assert_int_equal(shmfi_index_find_number(&index, &labels, 6, NULL), SHMF_E_NOTFOUND);
}

static void test_an_index_without_a_free_slot_ends_the_search(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b", "c"};
    struct sample sample = sample_of(texts, 3);
    struct shmf_format_slot *slots = slots_of(&sample);
    uint32_t tag = (uint32_t)shmfi_hash("x", 1);
    for (uint64_t i = 0; i < sample.place.capacity; i++)
        slots[i] = (struct shmf_format_slot){.tag = tag, .count = 1, .first = 2};
    assert_int_equal(shmfi_index_find_text(&sample.index, &sample.labels, "x", 1, NULL),
                     SHMF_E_NOTFOUND);
    free(sample.base);
}

static void test_an_index_that_points_behind_the_labels_is_not_followed(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b", "c"};
    struct sample sample = sample_of(texts, 3);
    struct shmf_format_slot *slots = slots_of(&sample);
    const uint64_t bad[] = {4, 5, 1u << 31, UINT64_MAX};
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        for (uint64_t i = 0; i < sample.place.capacity; i++)
            slots[i].first = slots[i].first ? bad[b] : 0;
        assert_int_equal(shmfi_index_find_text(&sample.index, &sample.labels, "b", 1, NULL),
                         SHMF_E_NOTFOUND);
    }
    free(sample.base);
}

static void test_an_index_that_says_where_text_does_not_begin_is_not_believed(void **state)
{
    (void)state;
    const char *const texts[] = {"ab", "abab", "ab ab ab ab ab ab ab ab ab ab ab ab ab ab"};
    struct sample sample = sample_of(texts, 3);
    struct shmf_format_slot *slots = slots_of(&sample);
    const uint64_t bad[] = {2,
                            4,
                            6,
                            sample.labels.strings.bytes_size - 2,
                            sample.labels.strings.bytes_size,
                            UINT64_MAX - 1,
                            UINT64_MAX};
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        for (uint64_t i = 0; i < sample.place.capacity; i++)
            slots[i].begin = slots[i].first ? bad[b] : 0;
        assert_int_equal(shmfi_index_find_text(&sample.index, &sample.labels, "ab", 2, NULL),
                         SHMF_E_NOTFOUND);
        struct shmfi_key key;
        shmfi_key_set(&key, "ab", 2);
        shmfi_index_fetch(&sample.index, &sample.labels, &key, 1);
    }
    free(sample.base);
}

static void test_labels_of_every_length_are_told_from_those_that_differ_in_one_byte(void **state)
{
    (void)state;
    enum { LONGEST = 70 };
    for (size_t length = 1; length <= LONGEST; length++) {
        char label[LONGEST + 1] = {0}, other[LONGEST + 1] = {0};
        for (size_t i = 0; i < length; i++)
            label[i] = (char)('a' + i % 26);
        const char *const texts[] = {"before", label};
        struct sample sample = sample_of(texts, 2);
        assert_int_equal(shmfi_index_find_text(&sample.index, &sample.labels, label, length, NULL),
                         1);
        struct shmf_format_slot *slots = slots_of(&sample);
        for (size_t i = 0; i < length; i++) { /* as if the hash were that of the other one, too */
            memcpy(other, label, length);
            other[i] = '#';
            uint64_t hash = shmfi_hash(other, length);
            for (uint64_t s = 0; s < sample.place.capacity; s++)
                slots[s] = (struct shmf_format_slot){(uint32_t)hash, 1, 2, strlen("before")};
            assert_int_equal(
                shmfi_index_find_text(&sample.index, &sample.labels, other, length, NULL),
                SHMF_E_NOTFOUND);
        }
        free(sample.base);
    }
}

/* The format fixes hash and place: other programs compute them too. */
static void test_hash_and_first_slot_are_those_of_the_format(void **state)
{
    (void)state;
    const char *const texts[] = {"Idx-0"};
    struct sample sample = sample_of(texts, 1);
    assert_true(shmfi_hash("", 0) == 0x2D06800538D394C2u); /* XXH3_64bits of nothing */
    uint64_t hash = shmfi_hash("Idx-0", 5);
    uint64_t slot = (uint64_t)((unsigned __int128)hash * sample.place.capacity >> 64);
    assert_true(slots_of(&sample)[slot].tag == (uint32_t)hash);
    assert_true(slots_of(&sample)[slot].first == 1);
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
        cmocka_unit_test(test_lookups_agree_with_a_naive_search_however_many_duplicates),
        cmocka_unit_test(test_numbers_are_found_with_their_count),
        cmocka_unit_test(test_an_index_without_a_free_slot_ends_the_search),
        cmocka_unit_test(test_an_index_that_points_behind_the_labels_is_not_followed),
        cmocka_unit_test(test_an_index_that_says_where_text_does_not_begin_is_not_believed),
        cmocka_unit_test(test_labels_of_every_length_are_told_from_those_that_differ_in_one_byte),
        cmocka_unit_test(test_hash_and_first_slot_are_those_of_the_format),
    };
    return cmocka_run_group_tests_name("labels", tests, NULL, NULL);
}
