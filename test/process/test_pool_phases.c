/* Whatever ends a worker, in whatever phase of its work: one task is lost, or none; all others are
 * right; nothing hangs and nothing stays. */
#include "future_calls.h"

#include <fcntl.h>

enum phase {
    BEFORE_INPUT, /* the task has begun */
    WITH_INPUT,   /* it has opened what it was given */
    WITH_RESULT,  /* it has allocated its result */
    HALF_WRITTEN, /* ... and written the first half */
    RETURNED,     /* it has said what it returns, and goes on */
    IN_TASK_PHASES,
    INITIALIZING = IN_TASK_PHASES,
    FINALIZING,
    PHASES
};

enum how { ABORT, SEGV, KILL, TERM, EXIT_0, EXIT_3, EXIT_AT_ONCE, HOWS, FAIL = HOWS, HANG };

struct plan {
    int phase, how;
    int64_t index;      /* of the task that does it */
    atomic_int left;    /* how often it is done */
    atomic_int reached; /* ... was */
};

enum { INPUT = 20000, RESULT = 200000, COUNT = 12 };

/* Where programs run slowly, not every way to end is tried. */
static int step(void)
{
    return test_slowness() > 1 ? 3 : 1;
}

/* Returns only where the task is to fail. */
static int act(const struct plan *plan)
{
    switch (plan->how) {
    case ABORT:
        abort();
    case SEGV:
        raise(SIGSEGV);
        break;
    case KILL:
        raise(SIGKILL);
        break;
    case TERM:
        raise(SIGTERM);
        break;
    case EXIT_0:
        exit(0);
    case EXIT_3:
        exit(3);
    case EXIT_AT_ONCE:
        _exit(4);
    case HANG:
        for (;;)
            pause();
    default:
        break;
    }
    return SHMF_E_RANGE;
}

static int reach(struct plan *plan, int phase, int64_t index)
{
    if (plan->phase != phase || (index >= 0 && index != plan->index) ||
        atomic_fetch_sub(&plan->left, 1) <= 0)
        return 0;
    atomic_fetch_add(&plan->reached, 1);
    return act(plan);
}

static int in_all_phases(struct shmf_task *task, void *context)
{
    struct plan *plan = context;
    int64_t index = shmf_task_index(task);
    if (reach(plan, BEFORE_INPUT, index))
        return SHMF_E_RANGE;
    if (!is_patterned(shmf_task_array(task, 0), INPUT, 9))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "not the input");
    if (reach(plan, WITH_INPUT, index))
        return SHMF_E_RANGE;
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){RESULT});
    if (!array || reach(plan, WITH_RESULT, index))
        return SHMF_E_RANGE;
    uint8_t *bytes = shmf_array_data_mut(array);
    test_fill(bytes, RESULT / 2, (uint64_t)index);
    if (reach(plan, HALF_WRITTEN, index))
        return SHMF_E_RANGE;
    test_fill(bytes, RESULT, (uint64_t)index);
    int rc = shmf_task_return_array(task, array);
    return reach(plan, RETURNED, index) ? SHMF_E_RANGE : rc;
}

static int initialize(int worker, void *context)
{
    (void)worker;
    return reach(context, INITIALIZING, -1);
}

static void finalize(int worker, void *context)
{
    (void)worker;
    reach(context, FINALIZING, -1);
}

/* ---- one worker ends ---------------------------------------------------------------------- */

static struct plan *new_plan(int phase, int how)
{
    struct plan *plan = shared_memory(sizeof *plan);
    plan->phase = phase;
    plan->how = how;
    plan->index = 5;
    atomic_store(&plan->left, 1);
    return plan;
}

static struct shmf_pool *pool_for(struct plan *plan, int64_t tasks_per_worker)
{
    struct shmf_pool_options options = {.workers = 2,
                                        .initializer = initialize,
                                        .initializer_context = plan,
                                        .finalizer = finalize,
                                        .tasks_per_worker = tasks_per_worker};
    return pool_with(&options);
}

/* Runs COUNT tasks; how the one of the plan went. */
static int run_tasks(struct shmf_pool *pool, struct plan *plan, int attempts)
{
    struct shmf_array *input = patterned_array(INPUT, 9);
    struct shmf_handle handle = shmf_array_handle(input);
    struct shmf_tasks tasks = {.count = COUNT, .context = plan, .handles = &handle, .n_handles = 1};
    struct shmf_imap_options options = {.attempts = attempts};
    struct shmf_iter *iter = map(pool, in_all_phases, &tasks, &options);
    shmf_array_free(input);
    int status = 0;
    for (int64_t i = 0; i < COUNT; i++) {
        struct shmf_result *result = next_any(iter);
        if (i == plan->index) {
            status = shmf_result_status(result);
        } else {
            assert_good(result);
        }
        if (!shmf_result_failure(result))
            assert_true(is_patterned(shmf_result_array(result), RESULT, (uint64_t)i));
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    return status;
}

static void test_a_worker_that_ends_in_the_middle_of_a_task_costs_that_task(void **state)
{
    (void)state;
    for (int phase = 0; phase < IN_TASK_PHASES; phase++)
        for (int how = 0; how < HOWS; how += step()) {
            struct plan *plan = new_plan(phase, how);
            struct shmf_pool *pool = pool_for(plan, 0);
            assert_int_equal(run_tasks(pool, plan, 1), SHMF_E_WORKER_DIED);
            assert_int_equal(atomic_load(&plan->reached), 1);
            assert_int_equal(run_tasks(pool, plan, 1), SHMF_OK);
            assert_int_equal(stats_of(pool).workers_died, 1);
            shmf_pool_free(pool);
            munmap(plan, sizeof *plan);
        }
}

static void test_with_another_attempt_it_costs_nothing(void **state)
{
    (void)state;
    for (int phase = 0; phase < IN_TASK_PHASES; phase++)
        for (int how = ABORT; how < HOWS; how += EXIT_3 - ABORT) {
            struct plan *plan = new_plan(phase, how);
            struct shmf_pool *pool = pool_for(plan, 0);
            assert_int_equal(run_tasks(pool, plan, 2), SHMF_OK);
            assert_int_equal(atomic_load(&plan->reached), 1);
            assert_int_equal(stats_of(pool).tasks_retried, 1);
            shmf_pool_free(pool);
            munmap(plan, sizeof *plan);
        }
}

static void test_an_error_in_any_phase_costs_the_task_and_no_worker(void **state)
{
    (void)state;
    for (int phase = 0; phase < IN_TASK_PHASES; phase++) {
        struct plan *plan = new_plan(phase, FAIL);
        struct shmf_pool *pool = pool_for(plan, 0);
        assert_int_equal(run_tasks(pool, plan, 1), SHMF_E_RANGE);
        assert_int_equal(run_tasks(pool, plan, 1), SHMF_OK);
        assert_int_equal(stats_of(pool).workers_died, 0);
        shmf_pool_free(pool);
        munmap(plan, sizeof *plan);
    }
}

static void test_a_task_that_hangs_in_any_phase_is_ended_by_its_deadline(void **state)
{
    (void)state;
    for (int phase = 0; phase < IN_TASK_PHASES; phase++) {
        struct plan *plan = new_plan(phase, HANG);
        struct shmf_pool *pool = pool_for(plan, 0);
        struct shmf_array *input = patterned_array(INPUT, 9);
        struct shmf_handle handle = shmf_array_handle(input);
        struct shmf_task_input task = {.handles = &handle, .n_handles = 1};
        struct shmf_submit_options options = {.context = plan,
                                              .deadline_seconds = test_seconds(0.5)};
        plan->index = 0; /* as all tasks that are submitted */
        struct shmf_future *late = submit_with(pool, in_all_phases, &task, &options);
        failure_of(late, SHMF_E_TIMEOUT);
        shmf_future_free(late);
        atomic_store(&plan->left, 0); /* it may have ended before it came so far */
        assert_int_equal(run_tasks(pool, plan, 1), SHMF_OK);
        shmf_array_free(input);
        shmf_pool_free(pool);
        munmap(plan, sizeof *plan);
    }
}

static void test_a_worker_that_ends_before_its_first_or_after_its_last_task_costs_none(void **state)
{
    (void)state;
    for (int phase = INITIALIZING; phase <= FINALIZING; phase++)
        for (int how = 0; how <= FAIL; how += step()) {
            struct plan *plan = new_plan(phase, how);
            struct shmf_pool *pool = pool_for(plan, phase == FINALIZING ? 3 : 0);
            assert_int_equal(run_tasks(pool, plan, 1), SHMF_OK);
            assert_int_equal(run_tasks(pool, plan, 1), SHMF_OK);
            assert_int_equal(atomic_load(&plan->reached), 1);
            shmf_pool_free(pool);
            munmap(plan, sizeof *plan);
        }
}

static void test_a_worker_that_ends_after_the_pool_was_closed_costs_its_task(void **state)
{
    (void)state;
    for (int how = 0; how < HOWS; how += step()) {
        struct plan *plan = new_plan(HALF_WRITTEN, how);
        struct shmf_pool *pool = pool_for(plan, 0);
        struct shmf_array *input = patterned_array(INPUT, 9);
        struct shmf_handle handle = shmf_array_handle(input);
        struct shmf_task_input task = {.handles = &handle, .n_handles = 1};
        struct shmf_submit_options options = {.context = plan};
        plan->index = 0; /* all submitted tasks have it; one of them reaches the phase first */
        struct shmf_future *futures[COUNT];
        for (int i = 0; i < COUNT; i++)
            futures[i] = submit_with(pool, in_all_phases, &task, &options);
        shmf_array_free(input);
        shmf_pool_close(pool);
        assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
        int lost = 0;
        for (int i = 0; i < COUNT; i++) {
            int status = status_of(futures[i]);
            assert_true(status == SHMF_OK || status == SHMF_E_WORKER_DIED);
            lost += status != SHMF_OK;
            shmf_future_free(futures[i]);
        }
        assert_int_equal(lost, 1);
        shmf_pool_free(pool);
        munmap(plan, sizeof *plan);
    }
}

/* ---- the application or the supervisor ends ----------------------------------------------- */

static int use_until_killed(void *context)
{
    struct plan *plan = context;
    struct shmf_pool *pool = pool_for(plan, 0);
    while (plan->phase == FINALIZING && !atomic_load(&plan->reached)) {
        shmf_pool_free(pool); /* it waits for the finalizer, a second long */
        pool = pool_for(plan, 0);
    }
    if (plan->phase != FINALIZING)
        run_tasks(pool, plan, 1);
    while (getpid())
        pause();
    return 0;
}

/* One worker hangs in the phase, the other works or is done. */
static void test_when_the_application_is_killed_no_worker_goes_on_in_any_phase(void **state)
{
    (void)state;
    static const int signals[] = {SIGKILL, SIGTERM, SIGHUP};
    for (int phase = 0; phase < PHASES; phase++) {
        struct plan *plan = new_plan(phase, HANG);
        pid_t child = test_fork(use_until_killed, plan);
        await_count(&plan->reached, 1);
        kill(child, signals[phase % 3]);
        struct test_outcome outcome = test_join(child, 10);
        assert_int_equal(outcome.signal, signals[phase % 3]);
        assert_true(test_none_named("shmf-", 30));
        munmap(plan, sizeof *plan);
    }
}

static void test_when_the_supervisor_is_killed_the_pool_says_so_in_any_phase(void **state)
{
    (void)state;
    for (int phase = 0; phase < INITIALIZING; phase++) {
        struct plan *plan = new_plan(phase, HANG);
        struct shmf_pool *pool = pool_for(plan, 0);
        struct shmf_array *input = patterned_array(INPUT, 9);
        struct shmf_handle handle = shmf_array_handle(input);
        struct shmf_tasks tasks = {
            .count = COUNT, .context = plan, .handles = &handle, .n_handles = 1};
        struct shmf_imap_options options = {.window = COUNT};
        struct shmf_iter *iter = map(pool, in_all_phases, &tasks, &options);
        struct shmf_result *result = next_good(iter);
        await_count(&plan->reached, 1);
        kill(supervisor_pid(2), SIGKILL);
        struct shmf_result *later;
        struct shmf_error err = {0};
        int rc;
        while ((rc = shmf_iter_next(iter, &later, &err)) == 1)
            shmf_result_free(later);
        assert_int_equal(rc, SHMF_E_POOL_BROKEN);
        assert_true(test_none_named("shmf-", 30));
        assert_true(is_patterned(shmf_result_array(result), RESULT, 0)); /* still there */
        shmf_result_free(result);
        shmf_iter_free(iter);
        shmf_array_free(input);
        shmf_pool_free(pool);
        munmap(plan, sizeof *plan);
    }
}

/* ---- memory ------------------------------------------------------------------------------- */

static int die_in_a_big_result(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){64 << 20});
    if (!array)
        return SHMF_E_TASK;
    memset(shmf_array_data_mut(array), 1, 40 << 20);
    raise(SIGKILL);
    return 0;
}

static bool little_is_held(void *unused)
{
    (void)unused;
    return test_shared_bytes() < 1 << 20;
}

static void test_what_a_worker_had_half_written_is_free_when_it_is_dead(void **state)
{
    (void)state;
    struct shmf_pool_options how = {.workers = 1, .budget_bytes = 100 << 20};
    struct shmf_pool *pool = pool_with(&how);
    for (int round = 0; round < 4; round++) { /* the budget would not hold two */
        struct shmf_future *future = submit(pool, die_in_a_big_result, NULL);
        failure_of(future, SHMF_E_WORKER_DIED);
        shmf_future_free(future);
    }
    assert_true(number_of(submit(pool, return_pid, NULL)) > 0);
    assert_true(test_wait_until(30, little_is_held, NULL));
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_worker_that_ends_in_the_middle_of_a_task_costs_that_task),
        test_case(test_with_another_attempt_it_costs_nothing),
        test_case(test_an_error_in_any_phase_costs_the_task_and_no_worker),
        test_case(test_a_task_that_hangs_in_any_phase_is_ended_by_its_deadline),
        test_case(test_a_worker_that_ends_before_its_first_or_after_its_last_task_costs_none),
        test_case(test_a_worker_that_ends_after_the_pool_was_closed_costs_its_task),
        test_case(test_when_the_application_is_killed_no_worker_goes_on_in_any_phase),
        test_case(test_when_the_supervisor_is_killed_the_pool_says_so_in_any_phase),
        test_case(test_what_a_worker_had_half_written_is_free_when_it_is_dead),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
