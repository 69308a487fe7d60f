/* memory/: pages are asked for before they are obtained, and reported when given back. */
#include "memory/memory.h"

#include <string.h>

#include "support/test.h"

#include "memory_calls.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

/* A budget that keeps accounts; `when_asked` runs before it decides. */
struct account {
    uint64_t limit;
    uint64_t held;
    int asked;
    void (*when_asked)(struct account *account);
    struct shmfi_segment *to_release;
    uint64_t region, offset, generation;
};

static int reserve(void *context, uint64_t bytes, struct shmf_error *err)
{
    struct account *account = context;
    account->asked++;
    if (account->when_asked)
        account->when_asked(account);
    if (account->held + bytes > account->limit) {
        if (err)
            *err = (struct shmf_error){.code = SHMF_E_NOSPC, .message = "the budget is spent"};
        return SHMF_E_NOSPC;
    }
    account->held += bytes;
    return 0;
}

static void release(void *context, uint64_t bytes)
{
    struct account *account = context;
    account->held -= bytes;
}

static struct account account;
static struct shmf_error err;

static void start(uint64_t limit)
{
    account = (struct account){.limit = limit};
    struct shmfi_budget budget = {reserve, release, &account, NULL};
    shmfi_memory_set_budget(&budget);
}

static uint64_t reserved(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.reserved_bytes;
}

static struct shmfi_segment *make(uint64_t length)
{
    struct shmfi_segment *segment = NULL;
    int rc = shmfi_segment_new(length, 0, &segment, &err);
    if (rc)
        fail_msg("%llu bytes: %s", (unsigned long long)length, err.message);
    memset((uint8_t *)segment->base + 64, 1, segment->length - 64);
    return segment;
}

static int tidy(void **state)
{
    (void)state;
    calls_restore();
    shmfi_memory_set_drop_hook(NULL, NULL);
    shmf_memory_trim(0);
    shmfi_memory_set_budget(NULL);
    return reserved() || account.held;
}

static void test_the_budget_knows_every_byte_that_is_held(void **state)
{
    (void)state;
    start(UINT64_MAX / 2);
    struct shmfi_segment *segments[5];
    static const uint64_t lengths[] = {100, 500 * KIB, 900 * KIB, 33 * MIB, 5 * MIB};
    for (int i = 0; i < 5; i++) {
        segments[i] = make(lengths[i]);
        assert_int_equal(account.held, reserved());
    }
    for (int i = 0; i < 5; i++)
        shmfi_segment_unref(segments[i]);
    assert_int_equal(account.held, reserved()); /* cached pages count */
    int asked = account.asked;
    shmfi_segment_unref(make(33 * MIB));
    assert_int_equal(account.asked, asked); /* recycled ones cost nothing */
    shmf_memory_trim(0);
    assert_int_equal(account.held, 0);
}

static void test_a_refusal_is_the_callers_error_and_costs_nothing(void **state)
{
    (void)state;
    start(MIB);
    struct shmfi_segment *segment = NULL;
    err = (struct shmf_error){0};
    assert_int_equal(shmfi_segment_new(33 * MIB, 0, &segment, &err), SHMF_E_NOSPC);
    assert_string_equal(err.message, "the budget is spent");
    assert_int_equal(err.code, SHMF_E_NOSPC);
    assert_null(segment);
    assert_int_equal(account.held, 0);
    err = (struct shmf_error){0};
    segment = make(200 * KIB); /* small ones are still possible */
    assert_int_equal(err.code, 0);
    shmfi_segment_unref(segment);
}

static void test_what_is_cached_goes_before_a_request_fails(void **state)
{
    (void)state;
    start(80 * MIB);
    shmfi_segment_unref(make(64 * MIB));
    shmfi_segment_unref(make(4 * MIB));
    err = (struct shmf_error){0};
    struct shmfi_segment *segment = make(36 * MIB); /* fits neither, but in their place */
    assert_int_equal(err.code, 0);
    assert_true(account.held <= account.limit);
    shmfi_segment_unref(segment);
}

/* As a worker does that waits for memory: what consumers gave back is taken from the ring. */
static void drain(struct account *self)
{
    if (self->generation)
        shmfi_segment_reclaim(self->region, self->offset, self->generation);
    self->generation = 0;
}

static void test_memory_that_comes_back_while_asking_is_used(void **state)
{
    (void)state;
    start(40 * MIB);
    struct shmfi_segment *first = make(40 * MIB);
    account.when_asked = drain;
    account.region = shmfi_region_id(first->region);
    account.offset = first->offset;
    account.generation = first->generation;
    void *base = first->base;
    err = (struct shmf_error){0};
    struct shmfi_segment *second = make(40 * MIB);
    assert_ptr_equal(second->base, base);
    assert_int_equal(err.code, 0);
    assert_int_equal(account.held, 40 * MIB);
    shmfi_segment_unref(second);
}

static void release_it(struct account *self)
{
    shmfi_segment_unref(self->to_release);
    self->to_release = NULL;
}

static void test_a_grant_that_is_not_needed_any_more_is_given_back(void **state)
{
    (void)state;
    start(UINT64_MAX / 2);
    account.to_release = make(40 * MIB);
    account.when_asked = release_it;
    struct shmfi_segment *second = make(40 * MIB); /* granted, but there is one now */
    assert_int_equal(account.held, 40 * MIB);
    assert_int_equal(reserved(), 40 * MIB);
    shmfi_segment_unref(second);
}

static void trim_all(struct account *self)
{
    (void)self;
    shmf_memory_trim(0);
}

static void test_the_budget_may_trim_while_it_is_asked(void **state)
{
    (void)state;
    start(50 * MIB);
    shmfi_segment_unref(make(40 * MIB));
    account.when_asked = trim_all;
    struct shmfi_segment *segment = make(34 * MIB - 4096);
    shmfi_segment_unref(segment);
    segment = make(20 * MIB);
    assert_int_equal(account.held, reserved());
    shmfi_segment_unref(segment);
}

/* ---- the drop hook ----------------------------------------------------------------------------
 */

struct drops {
    int count;
    uint64_t last;
    bool was_known;
};

static void dropped(void *context, uint64_t region_id)
{
    struct drops *drops = context;
    drops->count++;
    drops->last = region_id;
    drops->was_known |= shmfi_region_find(region_id) != NULL; /* may call back */
}

static void test_others_hear_of_a_region_before_it_goes(void **state)
{
    (void)state;
    start(UINT64_MAX / 2);
    struct drops drops = {0};
    shmfi_memory_set_drop_hook(dropped, &drops);
    struct shmfi_segment *segment = make(33 * MIB);
    uint64_t id = shmfi_region_id(segment->region);
    shmfi_segment_unref(segment);
    assert_int_equal(drops.count, 0);
    shmf_memory_trim(0);
    assert_int_equal(drops.count, 1);
    assert_int_equal(drops.last, id);
    assert_false(drops.was_known);
    struct shmfi_segment *keeper = make(4096), *other = make(600 * KIB);
    shmfi_segment_unref(other);
    shmf_memory_trim(0); /* the region lives: only its pages went */
    assert_int_equal(drops.count, 1);
    shmfi_segment_unref(keeper);
}

static void test_pages_that_cannot_be_obtained_are_not_charged(void **state)
{
    (void)state;
    start(UINT64_MAX / 2);
    struct shmfi_segment *keeper = make(4096), *segment = NULL;
    uint64_t held = account.held;
    calls_watch();
    calls.collapse_error = EBUSY;
    calls.populate_error = EFAULT;
    err = (struct shmf_error){0};
    assert_int_equal(shmfi_segment_new(40 * MIB, 0, &segment, &err), SHMF_E_NOSPC);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_int_equal(shmfi_segment_new(500 * KIB, 0, &segment, &err), SHMF_E_NOSPC);
    calls_restore();
    assert_int_equal(account.held, held);
    assert_int_equal(reserved(), held);
    assert_int_equal(test_shared_bytes(), held);
    shmfi_segment_unref(keeper);
}

#define budget_test(function) cmocka_unit_test_teardown(function, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        budget_test(test_the_budget_knows_every_byte_that_is_held),
        budget_test(test_a_refusal_is_the_callers_error_and_costs_nothing),
        budget_test(test_what_is_cached_goes_before_a_request_fails),
        budget_test(test_memory_that_comes_back_while_asking_is_used),
        budget_test(test_a_grant_that_is_not_needed_any_more_is_given_back),
        budget_test(test_the_budget_may_trim_while_it_is_asked),
        budget_test(test_others_hear_of_a_region_before_it_goes),
        budget_test(test_pages_that_cannot_be_obtained_are_not_charged),
    };
    return cmocka_run_group_tests_name("memory.budget", tests, test_account_setup,
                                       test_account_teardown);
}
