/* pool/: the desk where results' memory goes back, the call on a pool that is just going, and who
 * gives up when no worker can be had. */
#include "unit/pool_sketch.h"

#include "pool/iter_internal.h"
#include "pool/result.h"

#include <shmframe/future.h>
#include <shmframe/pool.h>

static struct shmfi_sys real;
static struct shmf_error err;

/* ---- the desk ------------------------------------------------------------------------------ */

enum { REGION = 4711, UNKNOWN = 815 };

static void give_back(uint64_t region, uint64_t offset)
{
    shmfi_desk_lender.returned(shmfi_desk_lender.context, region, offset, 100, 1);
}

static uint64_t returned(const struct sketch *sketch, uint32_t worker)
{
    return atomic_load(&sketch->pool.board.lines[worker].returned);
}

static void test_what_the_desk_does_not_know_changes_nothing(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmf_pool *pool = &sketch->pool;
    assert_int_equal(shmfi_desk_add_region(pool, 0, REGION), SHMF_OK);
    shmfi_desk_delivered(pool, UNKNOWN, 1000);
    assert_int_equal(shmfi_desk_caller_bytes(pool), 0);
    shmfi_desk_delivered(pool, REGION, 100);
    assert_int_equal(shmfi_desk_caller_bytes(pool), 100);
    give_back(UNKNOWN, 0);
    assert_int_equal(shmfi_desk_caller_bytes(pool), 100);
    assert_true(shmfi_desk_orphan_region(UNKNOWN)); /* nobody keeps it */
    shmfi_desk_remove_region(UNKNOWN);
    give_back(REGION, 0);
    assert_int_equal(shmfi_desk_caller_bytes(pool), 0);
    assert_int_equal(returned(sketch, 0), 1);
    shmfi_desk_remove_region(REGION);
    give_back(REGION, 0);
    assert_int_equal(returned(sketch, 0), 1);
    sketch_free(sketch);
}

static void *no_calloc(size_t count, size_t size)
{
    (void)count, (void)size;
    return NULL;
}

static void *no_realloc(void *old, size_t size)
{
    (void)old, (void)size;
    return NULL;
}

static void test_a_region_that_cannot_be_noted_is_unknown(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    real = shmfi_sys;
    shmfi_sys.calloc = no_calloc;
    int rc = shmfi_desk_add_region(&sketch->pool, 0, REGION);
    shmfi_sys = real;
    assert_int_equal(rc, SHMF_E_NOMEM);
    give_back(REGION, 0);
    assert_int_equal(returned(sketch, 0), 0);
    sketch_free(sketch);
}

static void
test_what_finds_no_room_to_be_kept_is_not_returned_and_nothing_else_is_lost(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmf_pool *pool = &sketch->pool;
    uint64_t room = pool->board.geometry.returns;
    assert_int_equal(shmfi_desk_add_region(pool, 0, REGION), SHMF_OK);
    shmfi_desk_delivered(pool, REGION, 100 * (room + 2));
    for (uint64_t i = 0; i < room; i++)
        give_back(REGION, i);
    real = shmfi_sys;
    shmfi_sys.realloc = no_realloc;
    give_back(REGION, room);
    shmfi_sys = real;
    assert_false(pool->has_kept);
    give_back(REGION, room + 1);
    assert_true(pool->has_kept);
    assert_int_equal(shmfi_desk_caller_bytes(pool), 0);
    struct shmfi_return entry;
    for (uint64_t i = 0; i < room; i++) {
        assert_true(shmfi_board_take(&pool->board, &sketch->claimers[0], &entry));
        assert_true(entry.offset == i);
    }
    shmfi_desk_flush(pool);
    assert_true(shmfi_board_take(&pool->board, &sketch->claimers[0], &entry));
    assert_true(entry.offset == room + 1);
    assert_false(pool->has_kept);
    assert_false(shmfi_board_take(&pool->board, &sketch->claimers[0], &entry));
    shmfi_desk_remove_region(REGION);
    sketch_free(sketch);
}

static void count_pool(struct shmf_pool *pool, void *context)
{
    (void)pool;
    ++*(int *)context;
}

static void try_again(struct shmf_pool *pool, void *context)
{
    (void)pool;
    shmfi_desk_try_each(count_pool, context); /* we are at the desk ourselves */
}

static void test_who_only_tries_does_not_wait_for_another_at_the_desk(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    int seen = 0;
    shmfi_desk_open(&sketch->pool);
    shmfi_desk_try_each(count_pool, &seen);
    assert_int_equal(seen, 1);
    shmfi_desk_each(try_again, &seen);
    assert_int_equal(seen, 1);
    shmfi_desk_close(&sketch->pool);
    shmfi_desk_try_each(count_pool, &seen);
    assert_int_equal(seen, 1);
    sketch_free(sketch);
}

/* ---- a pool that another thread frees ------------------------------------------------------ */

static int no_task(struct shmf_task *task, void *context)
{
    (void)task, (void)context;
    return SHMF_OK;
}

/* These have looked at the pool before it was closed, and come to its lock behind that. */
static void test_calls_that_come_to_the_lock_of_a_pool_that_goes_are_told_so(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmf_pool *pool = &sketch->pool;
    struct shmf_tasks tasks = {.count = 1};
    pool->freeing = true;
    assert_null(shmf_pool_imap(pool, no_task, &tasks, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    assert_null(shmf_pool_submit(pool, no_task, NULL, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    assert_null(shmf_pool_apply(pool, no_task, NULL, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_join(pool, 0, &err), SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_progress(pool, &err), SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_fd(pool), SHMF_E_CLOSED);
    assert_non_null(strstr(err.message, "another thread"));
    assert_int_equal(pool->entered, 0); /* nobody waits for them */
    sketch_free(sketch);
}

/* ---- no worker can be had ------------------------------------------------------------------ */

static void let_be_futile(struct sketch *sketch, uint32_t births)
{
    sketch->pool.futile = births;
    sketch->pool.futile_since = shmfi_now() - UINT64_C(60000000000);
}

static void nobody_lives(struct sketch *sketch)
{
    for (uint32_t w = 0; w < WORKERS; w++)
        sketch->members[w].incarnation = 0;
}

static bool gives_up(struct sketch *sketch)
{
    shmfi_pool_give_up(&sketch->pool);
    return sketch->pool.broken;
}

static void test_a_pool_gives_up_when_none_lives_or_so_many_more_did_not_work(void **state)
{
    (void)state;
    uint32_t most = 8 + 4 * WORKERS;
    struct sketch *sketch = sketch_new();
    let_be_futile(sketch, most - 1);
    assert_false(gives_up(sketch));
    let_be_futile(sketch, most);
    assert_false(gives_up(sketch)); /* whoever lives may be the one */
    let_be_futile(sketch, 4 * most - 1);
    assert_false(gives_up(sketch));
    let_be_futile(sketch, 4 * most);
    assert_true(gives_up(sketch));
    assert_non_null(strstr(sketch->pool.broken_why, "none")); /* each was forked */
    sketch_free(sketch);
    sketch = sketch_new();
    nobody_lives(sketch);
    sketch->members[0].incarnation = 1; /* it lives, but we could not keep its socket */
    int fd = sketch->members[0].socket;
    sketch->members[0].socket = -1;
    sketch->pool.spawn_errno = EAGAIN;
    let_be_futile(sketch, most);
    assert_true(gives_up(sketch));
    assert_non_null(strstr(sketch->pool.broken_why, strerror(EAGAIN)));
    sketch->members[0].socket = fd;
    sketch_free(sketch);
}

static void test_a_pool_does_not_give_up_while_somebody_works(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    nobody_lives(sketch);
    let_be_futile(sketch, 1000);
    sketch->members[3].incarnation = 4;
    sketch_claim(sketch, 3); /* and has not ended a task yet */
    assert_false(gives_up(sketch));
    assert_int_equal(sketch->pool.futile, 0);
    sketch_free(sketch);
}

static void test_births_in_vain_count_while_tasks_wait_for_nobody(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmf_pool *pool = &sketch->pool;
    shmfi_pool_note_futile(pool);
    assert_int_equal(pool->futile, 0); /* no task waits */
    uint32_t slot = sketch_claim(sketch, 3);
    shmfi_pool_note_futile(pool);
    assert_int_equal(pool->futile, 0); /* one has it */
    sketch->members[3].incarnation = 0;
    shmfi_pool_note_futile(pool);
    shmfi_pool_note_futile(pool);
    assert_int_equal(pool->futile, 2);
    pool->freeing = true;
    shmfi_pool_note_futile(pool);
    assert_int_equal(pool->futile, 0);
    sketch->jobs[slot].busy = false;
    sketch_free(sketch);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_what_the_desk_does_not_know_changes_nothing),
        test_case(test_a_region_that_cannot_be_noted_is_unknown),
        test_case(test_what_finds_no_room_to_be_kept_is_not_returned_and_nothing_else_is_lost),
        test_case(test_who_only_tries_does_not_wait_for_another_at_the_desk),
        test_case(test_calls_that_come_to_the_lock_of_a_pool_that_goes_are_told_so),
        test_case(test_a_pool_gives_up_when_none_lives_or_so_many_more_did_not_work),
        test_case(test_a_pool_does_not_give_up_while_somebody_works),
        test_case(test_births_in_vain_count_while_tasks_wait_for_nobody),
    };
    return cmocka_run_group_tests_name("pool: the desk", tests, NULL, NULL);
}
