/* Who is woken, and who is not; test_board_threads.c has it in parallel. */
#include "support/test.h"

#include "board/board.h"
#include "board/wait.h"

#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4 };

struct fixture {
    struct shmfi_board board;
    void *memory;
};

/* Flags as in `flags`: A for awake, z for asleep, - for away, m for asleep until there is memory.
 */
static void set(struct fixture *f, const char *flags)
{
    for (int w = 0; w < WORKERS; w++) {
        struct shmfi_line *line = &f->board.lines[w];
        uint32_t flag = flags[w] == 'A' ? SHMFI_AWAKE : flags[w] == '-' ? SHMFI_AWAY : SHMFI_ASLEEP;
        atomic_store(&line->asleep, flag);
        atomic_store(&line->wanted, flags[w] == 'm');
    }
}

static void assert_flags(const struct fixture *f, const char *flags)
{
    char found[WORKERS + 1] = "";
    for (int w = 0; w < WORKERS; w++) {
        const struct shmfi_line *line = &f->board.lines[w];
        uint32_t flag = atomic_load(&line->asleep);
        bool wants = atomic_load(&line->wanted);
        found[w] = flag == SHMFI_AWAKE ? 'A' : flag == SHMFI_AWAY ? '-' : wants ? 'm' : 'z';
    }
    assert_string_equal(found, flags);
}

static struct fixture fixture_of(const char *flags)
{
    struct shmfi_geometry geometry = {.workers = WORKERS, .slots = 8};
    struct fixture f;
    size_t size = shmfi_board_size(&geometry);
    f.memory = aligned_alloc(SHMFI_LINE, (size + SHMFI_LINE - 1) / SHMFI_LINE * SHMFI_LINE);
    assert_non_null(f.memory);
    memset(f.memory, 0, size);
    shmfi_board_format(&f.board, f.memory, &geometry, 0);
    assert_flags(&f, "----");
    set(&f, flags);
    return f;
}

static void test_nobody_is_woken_where_as_many_are_awake_as_there_are_tasks(void **state)
{
    (void)state;
    struct fixture f = fixture_of("zAzA");
    assert_false(shmfi_wake_for(&f.board, 1, 1));
    assert_false(shmfi_wake_for(&f.board, 2, 2));
    assert_flags(&f, "zAzA");
    set(&f, "AAAA");
    assert_false(shmfi_wake_for(&f.board, 8, 8));
    free(f.memory);
}

static void test_as_many_are_woken_as_are_missing_but_no_more_than_were_queued(void **state)
{
    (void)state;
    struct fixture f = fixture_of("zAzz");
    assert_true(shmfi_wake_for(&f.board, 1, 2));
    assert_flags(&f, "AAzz");
    assert_true(shmfi_wake_for(&f.board, 1, 8));
    assert_flags(&f, "AAAz");
    set(&f, "zAzz");
    assert_true(shmfi_wake_for(&f.board, 3, 3));
    assert_flags(&f, "AAAz");
    assert_true(shmfi_wake_for(&f.board, 8, 8));
    assert_flags(&f, "AAAA");
    free(f.memory);
}

static void test_who_is_away_or_waits_for_memory_is_neither_counted_nor_woken(void **state)
{
    (void)state;
    struct fixture f = fixture_of("-mzz");
    assert_int_equal(shmfi_awake(&f.board, WORKERS), 0);
    assert_true(shmfi_wake_for(&f.board, 1, 1));
    assert_flags(&f, "-mAz");
    set(&f, "-m--");
    assert_false(shmfi_wake_for(&f.board, 1, 1));
    assert_flags(&f, "-m--");
    free(f.memory);
}

static void test_who_is_not_wanted_any_more_is_not_counted(void **state)
{
    (void)state;
    struct fixture f = fixture_of("zzAA");
    shmfi_board_restate(&f.board, 2, 0);
    assert_int_equal(shmfi_awake(&f.board, WORKERS), 0);
    assert_true(shmfi_wake_for(&f.board, 1, 1));
    assert_flags(&f, "AzAA");
    free(f.memory);
}

static void test_who_leaves_has_another_one_woken_in_its_stead(void **state)
{
    (void)state;
    struct fixture f = fixture_of("-Azz");
    shmfi_leave_tasks(&f.board, 1);
    assert_flags(&f, "--Az");
    shmfi_look_for_tasks(&f.board, 0);
    assert_flags(&f, "A-Az");
    free(f.memory);
}

/* What happens between its flag and its look. */
struct look {
    struct fixture *f;
    bool woken, sees_news;
};

static bool ready(void *context)
{
    const struct look *look = context;
    assert_int_equal(atomic_load(&look->f->board.lines[1].asleep), SHMFI_ASLEEP);
    if (look->woken)
        assert_true(shmfi_wake(&look->f->board, 1));
    return look->sees_news;
}

static void test_who_is_woken_but_stays_up_by_itself_passes_that_on(void **state)
{
    (void)state;
    struct fixture f = fixture_of("-Azz");
    shmfi_park(&f.board, 1, ready, &(struct look){&f, true, true}, 60000);
    assert_flags(&f, "-AAz");
    set(&f, "-Azz");
    shmfi_park(&f.board, 1, ready, &(struct look){&f, false, true}, 60000);
    assert_flags(&f, "-Azz");
    shmfi_park(&f.board, 1, ready, &(struct look){&f, true, false}, 60000);
    assert_flags(&f, "-Azz");
    shmfi_park(&f.board, 1, ready, &(struct look){&f, false, false}, 1);
    assert_flags(&f, "-Azz");
    free(f.memory);
}

static void test_who_waits_before_it_looks_for_tasks_stays_away(void **state)
{
    (void)state;
    struct fixture f = fixture_of("----");
    shmfi_park(&f.board, 1, ready, &(struct look){&f, false, false}, 1);
    assert_flags(&f, "----");
    free(f.memory);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_is_woken_where_as_many_are_awake_as_there_are_tasks),
        cmocka_unit_test(test_as_many_are_woken_as_are_missing_but_no_more_than_were_queued),
        cmocka_unit_test(test_who_is_away_or_waits_for_memory_is_neither_counted_nor_woken),
        cmocka_unit_test(test_who_is_not_wanted_any_more_is_not_counted),
        cmocka_unit_test(test_who_leaves_has_another_one_woken_in_its_stead),
        cmocka_unit_test(test_who_is_woken_but_stays_up_by_itself_passes_that_on),
        cmocka_unit_test(test_who_waits_before_it_looks_for_tasks_stays_away),
    };
    return cmocka_run_group_tests_name("board: who is woken", tests, NULL, NULL);
}
