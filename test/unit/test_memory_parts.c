/* memory/: bitmaps and the hash table, against plain models. */
#include "memory/bits.h"
#include "memory/memory.h"
#include "memory/table.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

#include "memory_calls.h"

#define BITS 200

static uint32_t seed = 12345;

static uint32_t roll(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* One byte for each bit, and the same bits as words. */
static bool model[BITS];
static uint64_t words[4];

static void randomize(uint32_t one_in)
{
    memset(words, 0, sizeof words);
    for (size_t i = 0; i < BITS; i++) {
        model[i] = roll(one_in) == 0;
        if (model[i])
            shmfi_bits_set(words, i, 1);
    }
}

static void test_ranges_are_set_and_cleared_and_counted_exactly(void **state)
{
    (void)state;
    long rounds = test_rounds(5000);
    randomize(2);
    for (long n = 0; n < rounds; n++) {
        size_t first = roll(BITS), count = roll((uint32_t)(BITS - first) + 1), set = 0;
        for (size_t i = first; i < first + count; i++)
            set += model[i];
        assert_int_equal(shmfi_bits_count(words, first, count), set);
        assert_int_equal(shmfi_bits_any(words, first, count), set > 0);
        bool value = roll(2);
        if (value)
            shmfi_bits_set(words, first, count);
        else
            shmfi_bits_clear(words, first, count);
        for (size_t i = first; i < first + count; i++)
            model[i] = value;
        for (size_t i = 0; i < BITS; i++)
            assert_int_equal(words[i / 64] >> i % 64 & 1, model[i]);
    }
}

static bool model_run(size_t bits, size_t count, size_t *first)
{
    for (size_t start = 0; start + count <= bits; start++) {
        size_t length = 0;
        while (length < count && !model[start + length])
            length++;
        if (length == count) {
            *first = start;
            return true;
        }
    }
    return false;
}

static void test_the_lowest_run_that_fits_is_found(void **state)
{
    (void)state;
    long rounds = test_rounds(5000);
    for (long n = 0; n < rounds; n++) {
        randomize(roll(40) + 1);
        size_t bits = roll(BITS) + 1, count = roll(80) + 1, first = BITS, expected = BITS;
        bool there = model_run(bits, count, &expected);
        assert_int_equal(shmfi_bits_find_run(words, bits, count, &first), there);
        assert_int_equal(first, expected);
    }
}

static void test_the_next_bit_is_found_or_the_end(void **state)
{
    (void)state;
    long rounds = test_rounds(5000);
    for (long n = 0; n < rounds; n++) {
        randomize(roll(20) + 1);
        size_t bits = roll(BITS) + 1, from = roll((uint32_t)bits + 1);
        bool wanted = roll(2);
        size_t expected = from;
        while (expected < bits && model[expected] != wanted)
            expected++;
        assert_int_equal(shmfi_bits_next(words, bits, from, wanted), expected);
    }
}

/* ---- the table ----------------------------------------------------------------------------------
 */

struct item {
    struct shmfi_node node;
    int value;
    bool inside;
};

#define ITEMS 3000

static struct item items[ITEMS];

static uint64_t key_of(int value)
{
    return (uint64_t)value / 2 * 4096; /* two have each key */
}

static size_t found(const struct shmfi_table *table, uint64_t key)
{
    size_t count = 0;
    for (struct shmfi_node *node = shmfi_table_find(table, key); node;
         node = shmfi_table_again(node))
        count++;
    return count;
}

static void forget(struct shmfi_node *node, void *table)
{
    shmfi_table_remove(table, node);
}

static void use_table(void)
{
    struct shmfi_table table = {0};
    memset(items, 0, sizeof items);
    for (int i = 0; i < ITEMS; i++) {
        items[i].value = i;
        shmfi_table_insert(&table, &items[i].node, key_of(i));
    }
    for (int i = 0; i < ITEMS; i += 3) {
        shmfi_table_remove(&table, &items[i].node);
        shmfi_table_remove(&table, &items[i].node); /* not there: nothing happens */
    }
    for (int i = 0; i < ITEMS; i += 2)
        assert_int_equal(found(&table, key_of(i)), (i % 3 != 0) + ((i + 1) % 3 != 0));
    assert_int_equal(found(&table, 17), 0);
    assert_int_equal(table.count, ITEMS - ITEMS / 3);
    shmfi_table_each(&table, forget, &table);
    assert_int_equal(table.count, 0);
    shmfi_table_deinit(&table);
}

static void test_the_table_finds_what_is_in_it(void **state)
{
    (void)state;
    use_table();
}

static void test_a_table_that_cannot_grow_is_slower_not_wrong(void **state)
{
    (void)state;
    calls_watch();
    calls.fail_at = 1;
    calls.persistent = true;
    use_table();
    bool tried = calls.heap > 0;
    calls_restore();
    assert_true(tried);
}

static void test_mixing_is_a_permutation_that_keeps_zero(void **state)
{
    (void)state;
    assert_int_equal(shmfi_mix(0), 0);
    uint64_t all = 0;
    for (uint64_t i = 1; i < 100; i++) {
        assert_int_not_equal(shmfi_mix(i), 0);
        assert_int_not_equal(shmfi_mix(i), shmfi_mix(i + 1));
        all |= shmfi_mix(i);
    }
    assert_int_equal(all, UINT64_MAX);
}

static void test_large_private_memory_is_kept_for_the_next_that_needs_as_much(void **state)
{
    (void)state;
    enum { SIZE = 500000 };
    char *first = shmfi_private_new(SIZE), *second;
    assert_non_null(first);
    memset(first, 1, SIZE);
    shmfi_private_free(first);
    second = shmfi_private_new(SIZE - 1000);
    assert_ptr_equal(second, first);
    char *third = shmfi_private_new(SIZE); /* at the same time */
    assert_non_null(third);
    assert_ptr_not_equal(third, second);
    memset(third, 2, SIZE);
    assert_int_equal(second[SIZE - 1001], 1);
    shmfi_private_free(second);
    shmfi_private_free(third);
    char *larger = shmfi_private_new(3 * SIZE), *small = shmfi_private_new(0);
    assert_non_null(larger);
    assert_non_null(small);
    memset(larger, 3, 3 * SIZE);
    shmfi_private_free(small);
    shmfi_private_free(larger);
    shmfi_private_free(NULL);
    assert_null(shmfi_private_new(UINT64_MAX));
    shmf_memory_trim(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_are_set_and_cleared_and_counted_exactly),
        cmocka_unit_test(test_the_lowest_run_that_fits_is_found),
        cmocka_unit_test(test_the_next_bit_is_found_or_the_end),
        cmocka_unit_test(test_the_table_finds_what_is_in_it),
        cmocka_unit_test(test_a_table_that_cannot_grow_is_slower_not_wrong),
        cmocka_unit_test(test_large_private_memory_is_kept_for_the_next_that_needs_as_much),
        cmocka_unit_test(test_mixing_is_a_permutation_that_keeps_zero),
    };
    return cmocka_run_group_tests_name("memory.parts", tests, NULL, NULL);
}
