/* labels/: both kinds of hash index against a naive search, and what is made of those that lie. */
#include "unit/sample_labels.h"

#include <stdio.h>

static struct shmf_format_slot *slots_of(const struct sample *sample)
{
    return (void *)(sample->base + sample->place.offset);
}

static struct shmf_format_entry *entries_of(const struct sample *sample)
{
    return (void *)(sample->base + sample->place.offset);
}

static uint8_t *tags_of(const struct sample *sample)
{
    return (void *)(entries_of(sample) + sample->place.capacity);
}

static uint8_t tag_of(const char *text, uint64_t size)
{
    uint8_t low = (uint8_t)shmfi_hash(text, size);
    return low ? low : 1;
}

static int64_t find(const struct sample *sample, const char *text)
{
    return shmfi_index_find_text(&sample->index, &sample->labels, text, strlen(text), NULL);
}

/* Nothing is found, and nothing goes wrong while it is fetched. */
static void assert_not_found(const struct sample *sample, const char *text, uint64_t size)
{
    struct shmfi_key key;
    shmfi_key_set(&key, text, size);
    shmfi_index_fetch(&sample->index, &sample->labels, &key, 1);
    assert_int_equal(shmfi_index_find(&sample->index, &sample->labels, &key, NULL),
                     SHMF_E_NOTFOUND);
}

/* ---- what is written is found ---------------------------------------------------------------- */

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

enum { LONGEST = 70 };

/* The empty label, and others of many lengths that begin and end alike. */
static void make_label(char to[LONGEST + 1], uint64_t k)
{
    static const int widths[] = {1, 6, 14, 17, 19, 30, 60};
    snprintf(to, LONGEST + 1, k ? "L%0*llxL" : "%.0d%.0llx", widths[k % 7], (unsigned long long)k);
    if (!k)
        to[0] = '\0';
}

static void test_lookups_agree_with_a_naive_search_however_many_duplicates(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        uint64_t n = random_below(300), kinds = 1 + random_below(1 + 2 * n);
        char(*pool)[LONGEST + 1] = calloc(kinds, sizeof *pool);
        const char **texts = calloc(n + 1, sizeof *texts);
        assert_true(pool && texts);
        for (uint64_t k = 0; k < kinds; k++)
            make_label(pool[k], k);
        for (uint64_t i = 0; i < n; i++)
            texts[i] = pool[random_below(kinds)];
        struct sample sample = sample_of(texts, n, round % 3 > 0);
        for (uint64_t k = 0; k < kinds; k++)
            check_against_naive(&sample, texts, (int64_t)n, pool[k]);
        check_against_naive(&sample, texts, (int64_t)n, "absent");
        check_against_naive(&sample, texts, (int64_t)n, "absent, and longer than an entry");
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
    for (int tagged = 0; tagged <= 1; tagged++) {
        struct shmf_format_index place;
        struct shmfi_layout layout = {0};
        int64_t count;
        shmfi_layout_index(&layout, 7, tagged, &place);
        void *memory = aligned_alloc(64, layout.end);
        assert_non_null(memory);
        shmfi_index_build(memory, place.capacity, tagged, &labels);
        struct shmfi_index index = shmfi_index_resolve(memory, &place, tagged);
        assert_int_equal(shmfi_index_find_number(&index, &labels, 5, &count), 0);
        assert_int_equal(count, 3);
        assert_int_equal(shmfi_index_find_number(&index, &labels, INT64_MIN, &count), 2);
        assert_int_equal(count, 1);
        assert_int_equal(shmfi_index_find_number(&index, &labels, INT64_MAX, NULL), 4);
        assert_int_equal(shmfi_index_find_number(&index, &labels, 6, NULL), SHMF_E_NOTFOUND);
        free(memory);
    }
}

/* The next text from `*seed` on whose hash has this low byte. */
static void text_with_byte(char to[16], uint8_t byte, unsigned *seed)
{
    do
        snprintf(to, 16, "t%u", ++*seed);
    while ((uint8_t)shmfi_hash(to, strlen(to)) != byte);
}

static void test_a_hash_whose_tag_would_be_zero_shares_that_of_one(void **state)
{
    (void)state;
    char texts[6][16];
    const char *labels[6];
    unsigned seed = 0;
    for (unsigned i = 0; i < 6; i++) {
        text_with_byte(texts[i], i % 2, &seed);
        labels[i] = texts[i];
    }
    struct sample sample = sample_of(labels, 6, true);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(find(&sample, texts[i]), i);
    uint64_t ones = 0;
    for (uint64_t i = 0; i < sample.place.capacity; i++) {
        assert_true(tags_of(&sample)[i] <= 1);
        ones += tags_of(&sample)[i];
    }
    assert_int_equal(ones, 6);
    free(sample.base);
}

/* ---- the bytes are those of the format: other programs compute them too -----------------------
 */

static void test_hash_and_first_slot_are_those_of_the_format(void **state)
{
    (void)state;
    const char *const texts[] = {"Idx-0"};
    struct sample sample = sample_of(texts, 1, false);
    assert_true(shmfi_hash("", 0) == 0x2D06800538D394C2u); /* XXH3_64bits of nothing */
    uint64_t hash = shmfi_hash("Idx-0", 5);
    uint64_t slot = (uint64_t)((unsigned __int128)hash * sample.place.capacity >> 64);
    assert_true(slots_of(&sample)[slot].tag == (uint32_t)hash);
    assert_true(slots_of(&sample)[slot].first == 1);
    free(sample.base);
}

static void test_tag_group_and_entry_are_those_of_the_format(void **state)
{
    (void)state;
    char many[40][8];
    const char *texts[40];
    for (int i = 0; i < 40; i++) {
        snprintf(many[i], sizeof many[i], "n%d", i);
        texts[i] = many[i];
    }
    texts[0] = "Idx-0";
    texts[1] = "a label of more than 19 bytes";
    struct sample sample = sample_of(texts, 40, true);
    assert_int_equal(sample.place.capacity, 56); /* 40 / 6 + 1 groups of eight */
    assert_int_equal(sample.place.offset % 64, 0);
    for (int i = 0; i < 2; i++) { /* who came first has the place that it prefers */
        uint64_t hash = shmfi_hash(texts[i], strlen(texts[i]));
        uint64_t group = (uint64_t)((unsigned __int128)hash * 7 >> 64);
        uint64_t place = group * 8 + (hash >> 8 & 7);
        struct shmf_format_entry *entry = &entries_of(&sample)[place];
        assert_int_equal(tags_of(&sample)[place], tag_of(texts[i], strlen(texts[i])));
        assert_true(entry->first == (uint64_t)i + 1 && entry->count == 1);
        if (i == 0) {
            assert_int_equal(entry->size, 5);
            assert_memory_equal(entry->text, "Idx-0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 19);
        } else {
            const uint64_t words[] = {5, hash};
            assert_int_equal(entry->size, SHMF_FORMAT_LONG);
            assert_memory_equal(entry->text, words, 16);
            assert_memory_equal(entry->text + 16, "\0\0\0", 3);
        }
    }
    free(sample.base);
}

/* ---- an index that lies leads nowhere ---------------------------------------------------------
 */

static void test_an_index_without_a_free_place_ends_the_search(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b", "c"};
    struct sample sample = sample_of(texts, 3, false);
    for (uint64_t i = 0; i < sample.place.capacity; i++)
        slots_of(&sample)[i] = (struct shmf_format_slot){(uint32_t)shmfi_hash("x", 1), 1, 2, 0};
    assert_not_found(&sample, "x", 1);
    free(sample.base);
    sample = sample_of(texts, 3, true);
    memset(tags_of(&sample), tag_of("x", 1), sample.place.capacity);
    assert_not_found(&sample, "x", 1);
    memset(tags_of(&sample), tag_of("x", 1) + 1, sample.place.capacity);
    assert_not_found(&sample, "x", 1);
    free(sample.base);
}

static void test_an_index_that_points_behind_the_labels_is_not_followed(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b", "a label of more than 19 bytes"};
    const uint64_t bad[] = {0, 4, 5, 1u << 31, UINT64_MAX};
    for (int tagged = 0; tagged <= 1; tagged++) {
        struct sample sample = sample_of(texts, 3, tagged);
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            for (uint64_t i = 0; i < sample.place.capacity; i++)
                if (tagged && entries_of(&sample)[i].first)
                    entries_of(&sample)[i].first = bad[b] ? bad[b] : 1ull << 63;
                else if (!tagged && slots_of(&sample)[i].first)
                    slots_of(&sample)[i].first = bad[b] ? bad[b] : 1ull << 63;
            assert_not_found(&sample, "b", 1);
            assert_not_found(&sample, texts[2], strlen(texts[2]));
        }
        free(sample.base);
    }
}

static void test_a_tag_without_an_entry_leads_nowhere(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b"};
    struct sample sample = sample_of(texts, 2, true);
    memset(entries_of(&sample), 0, sample.place.capacity * sizeof(struct shmf_format_entry));
    assert_not_found(&sample, "a", 1);
    assert_not_found(&sample, "", 0);
    free(sample.base);
}

static void test_an_index_that_says_where_text_does_not_begin_is_not_believed(void **state)
{
    (void)state;
    const char *const texts[] = {"abcdefghijabcdefghij", "abcdefghijabcdefghijabcdefghijabcdefghij",
                                 "ab ab ab ab ab ab ab ab ab ab ab ab ab ab"};
    for (int tagged = 0; tagged <= 1; tagged++) {
        struct sample sample = sample_of(texts, 3, tagged);
        const uint64_t bad[] = {20,
                                30,
                                40,
                                sample.labels.strings.bytes_size - 2,
                                sample.labels.strings.bytes_size,
                                UINT64_MAX - 19,
                                UINT64_MAX};
        assert_int_equal(find(&sample, texts[0]), 0);
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            for (uint64_t i = 0; i < sample.place.capacity; i++)
                if (tagged)
                    memcpy(entries_of(&sample)[i].text, &bad[b], sizeof bad[b]);
                else
                    slots_of(&sample)[i].begin = slots_of(&sample)[i].first ? bad[b] : 0;
            assert_not_found(&sample, texts[0], strlen(texts[0]));
        }
        free(sample.base);
    }
}

/* Makes the index look as if the hash of this text were that of the second label, too. */
static void forge(struct sample *sample, const char *text, uint64_t size, bool tagged)
{
    uint64_t hash = shmfi_hash(text, size);
    struct shmf_format_entry entry = {.size = (uint8_t)size, .count = 1, .first = 2};
    for (uint64_t i = 0; i < sample->place.capacity; i++)
        if (!tagged) {
            slots_of(sample)[i] = (struct shmf_format_slot){(uint32_t)hash, 1, 2, strlen("before")};
        } else {
            const char *own;
            uint64_t words[2] = {strlen("before"), hash}, own_size;
            assert_true(shmfi_strings_at(&sample->labels.strings, 1, &own, &own_size));
            memcpy(entry.text, size > 19 ? (const char *)words : own, size > 19 ? 16 : size);
            entry.size = size > 19 ? SHMF_FORMAT_LONG : (uint8_t)size;
            entries_of(sample)[i] = entry;
            tags_of(sample)[i] = tag_of(text, size);
        }
}

static void test_labels_of_every_length_are_told_from_those_that_differ_in_one_byte(void **state)
{
    (void)state;
    for (int tagged = 0; tagged <= 1; tagged++)
        for (size_t length = 1; length <= LONGEST; length++) {
            char label[LONGEST + 1] = {0}, other[LONGEST + 1] = {0};
            for (size_t i = 0; i < length; i++)
                label[i] = (char)('a' + i % 26);
            const char *const texts[] = {"before", label};
            struct sample sample = sample_of(texts, 2, tagged);
            assert_int_equal(find(&sample, label), 1);
            for (size_t i = 0; i < length; i++) {
                memcpy(other, label, length);
                other[i] = '#';
                forge(&sample, other, length, tagged);
                assert_not_found(&sample, other, length);
            }
            forge(&sample, label, length, tagged);
            assert_int_equal(find(&sample, label), 1);
            assert_not_found(&sample, label, length - 1);
            free(sample.base);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookups_agree_with_a_naive_search_however_many_duplicates),
        cmocka_unit_test(test_numbers_are_found_with_their_count),
        cmocka_unit_test(test_a_hash_whose_tag_would_be_zero_shares_that_of_one),
        cmocka_unit_test(test_hash_and_first_slot_are_those_of_the_format),
        cmocka_unit_test(test_tag_group_and_entry_are_those_of_the_format),
        cmocka_unit_test(test_an_index_without_a_free_place_ends_the_search),
        cmocka_unit_test(test_an_index_that_points_behind_the_labels_is_not_followed),
        cmocka_unit_test(test_a_tag_without_an_entry_leads_nowhere),
        cmocka_unit_test(test_an_index_that_says_where_text_does_not_begin_is_not_believed),
        cmocka_unit_test(test_labels_of_every_length_are_told_from_those_that_differ_in_one_byte),
    };
    return cmocka_run_group_tests_name("labels_index", tests, NULL, NULL);
}
