/* memory/: segments of one process: where they lie, how they are recycled, what is given back. */
/* ctest: LABELS threads */
#include "memory/memory.h"

#include <shmframe/format.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "support/test.h"

#include "memory_calls.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

static struct shmfi_segment *make(uint64_t length, unsigned flags)
{
    struct shmfi_segment *segment = NULL;
    struct shmf_error err = {0};
    int rc = shmfi_segment_new(length, flags, &segment, &err);
    if (rc)
        fail_msg("segment of %llu bytes: %s", (unsigned long long)length, err.message);
    return segment;
}

static struct shmf_memory_stats stats(void)
{
    struct shmf_memory_stats now;
    shmf_memory_get_stats(&now);
    return now;
}

static uint64_t generation_in(const struct shmfi_segment *segment)
{
    const struct shmf_format_header *header = segment->base;
    return header->generation;
}

static int tidy(void **state)
{
    (void)state;
    calls_restore();
    struct shmf_memory_options none = {0};
    shmf_memory_set_options(&none, NULL);
    shmf_memory_trim(0);
    struct shmf_memory_stats now = stats();
    return now.regions || now.used_bytes || now.reserved_bytes;
}

static void test_a_segment_is_writable_and_begins_with_zeroes_and_a_generation(void **state)
{
    (void)state;
    struct shmfi_segment *first = make(10000, 0);
    assert_int_equal(first->length, 12288);
    assert_true(first->writable);
    assert_int_not_equal(first->generation, 0);
    assert_int_equal(generation_in(first), first->generation);
    memset(first->base, 0xee, first->length);
    void *where = first->base;
    uint64_t generation = first->generation;
    shmfi_segment_unref(first);

    struct shmfi_segment *second = make(10000, 0);
    assert_ptr_equal(second->base, where);
    assert_int_not_equal(second->generation, generation);
    assert_int_equal(generation_in(second), second->generation);
    memset((uint8_t *)second->base + 56, 0, 8);
    assert_int_equal(test_differs_from(second->base, 4096, 0), -1);
    assert_int_equal(test_differs_from((uint8_t *)second->base + 4096, 8192, 0xee), -1);
    shmfi_segment_unref(second);
}

static void test_zeroed_is_told_only_of_pages_that_nobody_had(void **state)
{
    (void)state;
    struct shmfi_segment *a = make(64 * KIB, 0);
    assert_true(a->zeroed);
    memset(a->base, 1, a->length);
    struct shmfi_segment *b = make(64 * KIB, 0);
    assert_true(b->zeroed);
    shmfi_segment_unref(a);
    struct shmfi_segment *c = make(32 * KIB, 0);
    assert_false(c->zeroed);
    shmfi_segment_unref(b);
    shmfi_segment_unref(c);
    shmf_memory_trim(0);
    struct shmfi_segment *d = make(40 * MIB, 0);
    assert_true(d->zeroed);
    ((uint8_t *)d->base)[56] = 0;
    memset((uint8_t *)d->base + 56, 0, 8);
    assert_int_equal(test_differs_from(d->base, d->length, 0), -1);
    shmfi_segment_unref(d);
    struct shmfi_segment *e = make(40 * MIB, 0);
    assert_false(e->zeroed);
    shmfi_segment_unref(e);
}

static void test_released_segments_have_generation_zero(void **state)
{
    (void)state;
    struct shmfi_segment *keeper = make(4096, 0);
    struct shmfi_segment *segment = make(4096, 0);
    const uint64_t *word = (const uint64_t *)((const uint8_t *)segment->base + 56);
    assert_int_equal(*word, segment->generation);
    shmfi_segment_unref(segment);
    assert_int_equal(*word, 0);
    shmfi_segment_unref(keeper);
}

static void test_small_segments_share_regions_and_never_overlap(void **state)
{
    (void)state;
    enum { COUNT = 600 };
    static struct shmfi_segment *segments[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        segments[i] = make((i % 7 + 1) * 3000, 0);
        memset(segments[i]->base, (int)i, segments[i]->length);
    }
    assert_true(stats().regions <= 5);
    for (size_t i = 0; i < COUNT; i += 2) {
        assert_int_equal(test_differs_from(segments[i]->base, segments[i]->length, (uint8_t)i), -1);
        shmfi_segment_unref(segments[i]);
        segments[i] = make((i % 5 + 1) * 5000, 0);
        memset(segments[i]->base, (int)i, segments[i]->length);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(test_differs_from(segments[i]->base, segments[i]->length, (uint8_t)i), -1);
        shmfi_segment_unref(segments[i]);
    }
    assert_int_equal(stats().used_bytes, 0);
}

static void test_large_or_own_segments_have_a_region_to_themselves(void **state)
{
    (void)state;
    struct shmfi_segment *large = make(32 * MIB, 0);
    struct shmfi_segment *small = make(4096, 0);
    struct shmfi_segment *own = make(4096, SHMFI_OWN_REGION);
    struct shmfi_segment *own2 = make(4096, SHMFI_OWN_REGION);
    assert_int_equal(stats().regions, 4);
    assert_int_equal(large->offset, 0);
    assert_int_equal((uintptr_t)large->base % (2 * MIB), 0);
    assert_int_equal(shmfi_region_size(own->region), 4096);
    assert_ptr_not_equal(own->region, own2->region);
    assert_ptr_not_equal(own->region, small->region);
    shmfi_segment_unref(large);
    shmfi_segment_unref(small);
    shmfi_segment_unref(own);
    shmfi_segment_unref(own2);
}

static void test_the_large_region_released_last_comes_back_first_if_it_fits(void **state)
{
    (void)state;
    struct shmfi_segment *a = make(40 * MIB, 0);
    struct shmfi_segment *b = make(40 * MIB, 0);
    struct shmfi_segment *c = make(60 * MIB, 0);
    void *base_a = a->base, *base_b = b->base;
    shmfi_segment_unref(b);
    shmfi_segment_unref(a);
    shmfi_segment_unref(c);
    struct shmfi_segment *d = make(39 * MIB, 0);
    assert_ptr_equal(d->base, base_a);
    struct shmfi_segment *e = make(33 * MIB, 0);
    assert_ptr_equal(e->base, base_b);
    struct shmfi_segment *f = make(40 * MIB, 0); /* 60 MiB would waste a third */
    assert_int_equal(stats().regions, 4);
    shmfi_segment_unref(d);
    shmfi_segment_unref(e);
    shmfi_segment_unref(f);
}

static void round_of(struct shmfi_segment **segments, size_t count, const uint64_t *lengths)
{
    for (size_t i = 0; i < count; i++) {
        segments[i] = make(lengths[i], i % 4 == 3 ? SHMFI_OWN_REGION : 0);
        for (uint64_t at = 4096; at < segments[i]->length; at += 4096)
            ((uint8_t *)segments[i]->base)[at] = (uint8_t)i;
    }
    for (size_t i = 0; i < count; i++)
        shmfi_segment_unref(segments[i]);
}

static void test_in_the_steady_state_nothing_is_asked_of_the_kernel(void **state)
{
    (void)state;
    const uint64_t lengths[] = {100, 8 * KIB, 300 * KIB, 5 * MIB, 20 * MIB, 40 * MIB, 70000, 4096};
    struct shmfi_segment *segments[8];
    round_of(segments, 8, lengths);
    round_of(segments, 8, lengths);
    uint64_t fresh = stats().fresh;
    struct rusage before, after;
    calls_watch();
    getrusage(RUSAGE_SELF, &before);
    long rounds = test_rounds(100);
    for (long i = 0; i < rounds; i++)
        round_of(segments, 8, lengths);
    getrusage(RUSAGE_SELF, &after);
    calls_restore();
    assert_int_equal(calls.kernel, 0);
    assert_int_equal(stats().fresh, fresh);
    if (!is_instrumented())
        assert_in_range(after.ru_minflt - before.ru_minflt, 0, 4);
}

static void test_pages_are_there_before_they_are_touched(void **state)
{
    (void)state;
    struct rusage before, after;
    struct shmfi_segment *segment = make(64 * MIB, 0);
    getrusage(RUSAGE_SELF, &before);
    memset(segment->base, 1, segment->length);
    getrusage(RUSAGE_SELF, &after);
    if (!is_instrumented())
        assert_in_range(after.ru_minflt - before.ru_minflt, 0, 4);
    assert_int_equal(test_shared_bytes() % (64 * MIB), 0);
    assert_true(test_shared_bytes() > 0);
    shmfi_segment_unref(segment);
}

static void test_trim_gives_back_regions_and_free_blocks_of_regions_in_use(void **state)
{
    (void)state;
    struct shmfi_segment *low = make(64 * KIB, 0); /* a block of a small region */
    memset(low->base, 7, low->length);
    struct shmfi_segment *high[3];
    for (int i = 0; i < 3; i++)
        high[i] = make(300 * KIB, 0);
    struct shmfi_segment *large = make(40 * MIB, 0);
    for (int i = 0; i < 3; i++)
        shmfi_segment_unref(high[i]);
    shmfi_segment_unref(large);
    uint64_t held = stats().reserved_bytes;
    assert_int_equal(test_shared_bytes(), held);
    uint64_t given = shmf_memory_trim(0);
    assert_int_equal(stats().reserved_bytes, held - given);
    assert_int_equal(test_shared_bytes(), held - given);
    assert_int_equal(stats().regions, 1);
    assert_true(stats().reserved_bytes <= 64 * KIB);
    assert_int_equal(test_differs_from((uint8_t *)low->base + 64, 4000, 7), -1);
    struct shmfi_segment *again = make(300 * KIB, 0); /* in pages that were given back */
    assert_true(again->zeroed);
    memset(again->base, 1, again->length);
    shmfi_segment_unref(again);
    shmfi_segment_unref(low);
}

static void test_trim_keeps_what_it_is_told_to_keep(void **state)
{
    (void)state;
    struct shmfi_segment *segments[3];
    for (int i = 0; i < 3; i++)
        segments[i] = make(32 * MIB, 0);
    for (int i = 0; i < 3; i++)
        shmfi_segment_unref(segments[i]);
    assert_int_equal(shmf_memory_trim(64 * MIB), 32 * MIB);
    assert_int_equal(stats().cached_bytes, 64 * MIB);
    assert_int_equal(shmf_memory_trim(64 * MIB), 0);
}

static void test_the_cap_bounds_what_stays_cached(void **state)
{
    (void)state;
    struct shmf_memory_options options = {.cache_bytes = 40 * MIB};
    assert_int_equal(shmf_memory_set_options(&options, NULL), 0);
    struct shmfi_segment *a = make(32 * MIB, 0);
    struct shmfi_segment *b = make(32 * MIB, 0);
    shmfi_segment_unref(a);
    assert_int_equal(stats().cached_bytes, 32 * MIB);
    shmfi_segment_unref(b);
    assert_int_equal(stats().cached_bytes, 32 * MIB);
}

static void test_options_with_reserved_fields_set_are_refused(void **state)
{
    (void)state;
    struct shmf_error err;
    struct shmf_memory_options options = {.reserved = {[5] = 1}};
    assert_int_equal(shmf_memory_set_options(&options, &err), SHMF_E_INVAL);
    options = (struct shmf_memory_options){.reserved0 = {1}};
    assert_int_equal(shmf_memory_set_options(&options, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "reserved"));
    assert_int_equal(shmf_memory_set_options(NULL, &err), SHMF_E_INVAL);
}

static void test_impossible_lengths_are_refused(void **state)
{
    (void)state;
    struct shmf_error err;
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(0, 0, &segment, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "length"));
    assert_int_equal(shmfi_segment_new(UINT64_MAX, 0, &segment, &err), SHMF_E_TOOBIG);
    assert_int_equal(shmfi_segment_new(UINT64_C(1) << 63, 0, &segment, &err), SHMF_E_TOOBIG);
    assert_int_equal(shmfi_segment_new(UINT64_C(1) << 60, 0, &segment, &err), SHMF_E_NOSPC);
    assert_non_null(strstr(err.message, "machine"));
    assert_null(segment);
    shmfi_segment_unref(NULL);
}

static void test_huge_pages_are_used_where_the_kernel_gives_them(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(33 * MIB, 0);
    uint64_t huge = stats().huge_bytes;
    assert_true(huge == 0 || huge == 34 * MIB);
    shmfi_segment_unref(segment);
    shmf_memory_trim(0);
    struct shmf_memory_options options = {.no_huge_pages = 1, .keep_in_core_dumps = 1};
    shmf_memory_set_options(&options, NULL);
    segment = make(33 * MIB, 0);
    assert_int_equal(stats().huge_bytes, 0);
    memset(segment->base, 1, segment->length);
    shmfi_segment_unref(segment);
}

static void test_references_keep_a_segment(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(4096, 0);
    assert_ptr_equal(shmfi_segment_ref(segment), segment);
    shmfi_segment_unref(segment);
    assert_int_equal(generation_in(segment), segment->generation);
    assert_int_equal(stats().used_bytes, 4096);
    shmfi_segment_reclaim(shmfi_region_id(segment->region) + 1, segment->offset,
                          segment->generation);
    shmfi_segment_reclaim(shmfi_region_id(segment->region), segment->offset,
                          segment->generation + 1);
    assert_int_equal(stats().used_bytes, 4096);
    uint64_t id = shmfi_region_id(segment->region), offset = segment->offset;
    uint64_t generation = segment->generation;
    shmfi_segment_reclaim(id, offset, generation);
    assert_int_equal(stats().used_bytes, 0);
    shmfi_segment_reclaim(id, offset, generation);
    assert_int_equal(stats().used_bytes, 0);
}

static void test_descriptors_stay_few_however_many_segments_there_are(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct shmfi_segment **segments = calloc(COUNT, sizeof *segments);
    assert_non_null(segments);
    for (size_t i = 0; i < COUNT; i++)
        segments[i] = make(4096, 0);
    assert_true(stats().regions <= 8);
    for (size_t i = 0; i < COUNT; i++)
        shmfi_segment_unref(segments[i]);
    free(segments);
}

static void *use_memory(void *failures)
{
    unsigned random = (unsigned)(uintptr_t)&random;
    struct shmfi_segment *held[8] = {0};
    long rounds = test_rounds(2000);
    for (long i = 0; i < rounds; i++) {
        size_t slot = (random = random * 1103515245u + 12345u) >> 29;
        if (held[slot] && test_differs_from((uint8_t *)held[slot]->base + 64, 64,
                                            (uint8_t)(uintptr_t)held[slot]) != -1)
            __atomic_fetch_add((int *)failures, 1, __ATOMIC_RELAXED);
        shmfi_segment_unref(held[slot]);
        held[slot] = NULL;
        if (shmfi_segment_new((random >> 16) % 100000 + 1, 0, &held[slot], NULL))
            __atomic_fetch_add((int *)failures, 1, __ATOMIC_RELAXED);
        else
            memset((uint8_t *)held[slot]->base + 64, (int)(uintptr_t)held[slot], 64);
        if (i % 97 == 0)
            shmf_memory_trim(random % (1 << 20));
    }
    for (size_t slot = 0; slot < 8; slot++)
        shmfi_segment_unref(held[slot]);
    return NULL;
}

static void test_threads_may_share_it(void **state)
{
    (void)state;
    int failures = 0;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_memory, &failures), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(failures, 0);
}

static long mappings(void)
{
    FILE *file = fopen("/proc/self/maps", "re");
    assert_non_null(file);
    long lines = 0;
    for (int c; (c = getc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    return lines;
}

/* vm.max_map_count allows a process some 65,000 of them. */
static void test_thousands_of_small_objects_share_mappings(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static struct shmfi_segment *segments[COUNT];
    long before = mappings();
    for (int i = 0; i < COUNT; i++)
        segments[i] = make(100, 0);
    assert_true(mappings() - before < COUNT / 20);
    for (int i = 0; i < COUNT; i++)
        shmfi_segment_unref(segments[i]);
}

#define memory_test(function) cmocka_unit_test_teardown(function, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        memory_test(test_a_segment_is_writable_and_begins_with_zeroes_and_a_generation),
        memory_test(test_zeroed_is_told_only_of_pages_that_nobody_had),
        memory_test(test_released_segments_have_generation_zero),
        memory_test(test_small_segments_share_regions_and_never_overlap),
        memory_test(test_large_or_own_segments_have_a_region_to_themselves),
        memory_test(test_the_large_region_released_last_comes_back_first_if_it_fits),
        memory_test(test_in_the_steady_state_nothing_is_asked_of_the_kernel),
        memory_test(test_pages_are_there_before_they_are_touched),
        memory_test(test_trim_gives_back_regions_and_free_blocks_of_regions_in_use),
        memory_test(test_trim_keeps_what_it_is_told_to_keep),
        memory_test(test_the_cap_bounds_what_stays_cached),
        memory_test(test_options_with_reserved_fields_set_are_refused),
        memory_test(test_impossible_lengths_are_refused),
        memory_test(test_huge_pages_are_used_where_the_kernel_gives_them),
        memory_test(test_references_keep_a_segment),
        memory_test(test_descriptors_stay_few_however_many_segments_there_are),
        memory_test(test_thousands_of_small_objects_share_mappings),
        memory_test(test_threads_may_share_it),
    };
    return cmocka_run_group_tests_name("memory", tests, test_account_setup, test_account_teardown);
}
