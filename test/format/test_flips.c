/* Every byte of header, tables, labels and indexes of a good segment is overwritten with other
 * values, and every field with boundary values. Whatever comes of it is either refused with a code
 * and a text, or can be used to the full without a read outside the segment (sanitizers and
 * Valgrind watch; the copy on the heap is exactly as large as the segment). */
#include "format/samples.h"
#include "fuzz/use.h"

/* Returns whether it could be opened. */
static bool try_segment(const struct segment_copy *copy)
{
    return use_segment(copy->base, copy->size, NULL) == SHMF_OK;
}

/* ---- what is overwritten --------------------------------------------------------------------- */

/* Is the byte part of the header, or of something behind the values? */
static bool is_interesting(const struct sample *sample, const struct segment_copy *copy, size_t at)
{
    const struct shmf_format_frame *header = (const void *)copy->base;
    if (!sample->frame)
        return at < sizeof(struct shmf_format_array);
    if (header->header.foreign[0]) /* the parts are those of another sample, in other places */
        return at < sizeof *header;
    return at < sizeof *header || at >= header->columns_offset || header->n_dictionaries > 0 ||
           (header->row_label.dtype == SHMF_UTF8 && at >= header->row_label.offsets_offset);
}

/* Every place in a plain build; where programs run slowly, every so-many-th, beginning with another
 * one in each sample. */
static size_t step(void)
{
    return (size_t)test_slowness();
}

static void test_a_segment_with_one_wrong_byte_is_refused_or_harmless(void **state)
{
    (void)state;
    const uint8_t masks[] = {0x01, 0x04, 0x40, 0x80, 0xFF, 0x0F};
    int opened = 0, refused = 0;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        assert_true(try_segment(&copy));
        for (size_t at = s % step(); at < copy.size; at += step()) {
            if (!is_interesting(&samples[s], &copy, at))
                continue;
            for (size_t m = 0; m < sizeof masks; m++) {
                copy.base[at] ^= masks[m];
                if (try_segment(&copy))
                    opened++;
                else
                    refused++;
                copy.base[at] ^= masks[m];
            }
        }
        assert_true(try_segment(&copy));
        free(copy.base);
    }
    int share = step() == 1 ? 1 : 2 * (int)step();
    assert_true(opened > 1000 / share && refused > 5000 / share);
}

static void put_word(const struct segment_copy *copy, size_t at, size_t size, uint64_t value)
{
    uint64_t old = 0;
    memcpy(&old, copy->base + at, size);
    memcpy(copy->base + at, &value, size);
    try_segment(copy);
    memcpy(copy->base + at, &old, size);
}

static void test_a_segment_with_one_extreme_word_is_refused_or_harmless(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        const uint64_t values[] = {
            0,
            1,
            7,
            8,
            63,
            64,
            4096,
            copy.size - 64,
            copy.size - 1,
            copy.size,
            copy.size + 64,
            INT32_MAX,
            1ull << 31,
            UINT32_MAX,
            1ull << 32,
            1ull << 60,
            1ull << 61,
            INT64_MAX,
            1ull << 63,
            UINT64_MAX - 63,
            UINT64_MAX,
        };
        for (size_t at = s % step() * 4; at + 8 <= copy.size; at += 4 * step()) {
            if (!is_interesting(&samples[s], &copy, at))
                continue;
            for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
                put_word(&copy, at, 4, values[v]);
                if (at % 8 == 0)
                    put_word(&copy, at, 8, values[v]);
            }
        }
        assert_true(try_segment(&copy));
        free(copy.base);
    }
}

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

static void test_a_segment_with_several_wrong_bytes_is_refused_or_harmless(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        unsigned char *good = malloc(copy.size);
        assert_non_null(good);
        memcpy(good, copy.base, copy.size);
        for (long round = test_rounds(4000); round > 0; round--) {
            for (uint64_t n = 1 + random_below(6); n > 0; n--) {
                size_t at = random_below(copy.size);
                if (is_interesting(&samples[s], &(struct segment_copy){good, copy.size}, at))
                    copy.base[at] = (unsigned char)random_below(256);
            }
            try_segment(&copy);
            memcpy(copy.base, good, copy.size);
        }
        free(good);
        free(copy.base);
    }
}

static void test_a_segment_cut_short_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        for (size_t size = 0; size < copy.size; size += (size < 600 ? 1 : 61) * step()) {
            struct segment_copy cut = {malloc(size + 1), size};
            assert_non_null(cut.base);
            memcpy(cut.base, copy.base, size);
            assert_false(try_segment(&cut));
            free(cut.base);
        }
        free(copy.base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_with_one_wrong_byte_is_refused_or_harmless),
        cmocka_unit_test(test_a_segment_with_one_extreme_word_is_refused_or_harmless),
        cmocka_unit_test(test_a_segment_with_several_wrong_bytes_is_refused_or_harmless),
        cmocka_unit_test(test_a_segment_cut_short_is_refused),
    };
    return cmocka_run_group_tests_name("flips", tests, NULL, NULL);
}
