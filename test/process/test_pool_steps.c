/* A worker's way from claim to publication, instruction by instruction: after each of them the
 * board is copied and the application's own recovery run on the copy, as if the worker had died
 * there; and at sampled instructions it does die. */
/* Under Valgrind it is not the worker's instructions that are stepped. */
/* ctest: TIMEOUT 180 NO_VALGRIND SERIAL */
#include "future_calls.h"

#include "handle/fdpass.h"
#include "pool/pool_internal.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { AFTERWARDS = 300, MOST_STEPS = 2000000 };

/* ---- one worker, step by step ------------------------------------------------------------- */

static int let_be_traced(int worker, void *context)
{
    (void)worker;
    (void)context;
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    return 0;
}

/* The smallest board that there is. */
static struct shmf_pool *pool_of_one(void)
{
    struct shmf_pool_options options = {.workers = 1, .window = 1, .initializer = let_be_traced};
    return pool_with(&options);
}

static bool is_parked(void *pool_of_it)
{
    struct shmf_pool *pool = pool_of_it;
    struct shmf_error err;
    shmf_pool_progress(pool, &err);
    return shmf_pool_worker_pid(pool, 0) > 0 && atomic_load(&pool->board.lines[0].asleep) == 1;
}

static bool stopped(pid_t pid)
{
    int status;
    return waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status);
}

/* Stops the parked worker; 0 where processes may not be traced. */
static pid_t seize(struct shmf_pool *pool)
{
    assert_true(test_wait_until(30, is_parked, pool));
    pid_t pid = (pid_t)shmf_pool_worker_pid(pool, 0);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0)) {
        assert_int_equal(errno, EPERM);
        return 0;
    }
    assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
    assert_true(stopped(pid));
    return pid;
}

static void step(pid_t pid)
{
    assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, 0, 0), 0);
    assert_true(stopped(pid));
}

/* ---- the recovery, on a copy -------------------------------------------------------------- */

enum outcome { QUEUED, DIED, RIGHT, STARTS_AGAIN, OUTCOMES };

/* What an application would know, with a board that nobody else writes. */
struct copy {
    struct shmf_pool pool;
    struct shmfi_member member;
    struct shmfi_job job;
    uint32_t free_slots[1];
    int control[2];
    void *memory;
    struct shmfi_sink sink;
    int delivered, status;
    double value;
};

static void take_delivery(struct shmfi_sink *sink, struct shmf_result *result)
{
    struct copy *copy = (struct copy *)((char *)sink - offsetof(struct copy, sink));
    copy->delivered++;
    copy->status = shmf_result_status(result);
    copy->value = copy->status ? 0 : shmf_result_double(result);
    shmf_result_free(result);
}

static struct copy *new_copy(const struct shmf_pool *pool)
{
    struct copy *copy = calloc(1, sizeof *copy);
    assert_non_null(copy);
    assert_int_equal(pool->board.geometry.slots, 1);
    assert_int_equal(posix_memalign(&copy->memory, SHMFI_LINE, pool->board_size), 0);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, copy->control), 0);
    return copy;
}

static void free_copy(struct copy *copy)
{
    close(copy->control[0]);
    close(copy->control[1]);
    free(copy->memory);
    free(copy);
}

static void *moved(const struct shmf_pool *pool, const struct copy *copy, const void *at)
{
    return (char *)copy->memory + ((const char *)at - (const char *)pool->board_memory);
}

static void refresh(struct copy *copy, const struct shmf_pool *pool, int attempts)
{
    memcpy(copy->memory, pool->board_memory, pool->board_size);
    copy->pool = *pool;
    copy->member = pool->members[0];
    copy->job = pool->jobs[0];
    struct shmfi_board *board = &copy->pool.board;
    board->header = moved(pool, copy, pool->board.header);
    board->order = moved(pool, copy, pool->board.order);
    board->lines = moved(pool, copy, pool->board.lines);
    board->slots = moved(pool, copy, pool->board.slots);
    board->rings = moved(pool, copy, pool->board.rings);
    board->returns = moved(pool, copy, pool->board.returns);
    copy->pool.board_memory = copy->memory;
    copy->pool.control = copy->control[0];
    copy->pool.supervisor_pidfd = -1;
    copy->pool.members = &copy->member;
    copy->pool.jobs = &copy->job;
    copy->pool.free_slots = copy->free_slots;
    copy->member.socket = -1;
    copy->member.sent = copy->member.regions = copy->member.lost = (struct shmfi_ids){0};
    copy->member.kept = NULL;
    copy->member.n_kept = copy->member.kept_capacity = 0;
    copy->sink = (struct shmfi_sink){.deliver = take_delivery, .attempts = attempts};
    copy->job.sink = &copy->sink;
    copy->job.result = shmfi_result_new();
    copy->delivered = 0;
}

/* As if the supervisor had said that the worker died where it stands. */
static enum outcome recover(struct copy *copy, double expected)
{
    struct shmfi_control message = {
        .type = SHMFI_CONTROL_EXITED, .incarnation = copy->member.incarnation, .value = SIGKILL};
    uint32_t generation = copy->job.generation;
    assert_int_equal(shmfi_fdpass_send(copy->control[1], &message, sizeof message, -1, NULL), 1);
    shmfi_pool_read_control(&copy->pool);
    assert_int_equal(copy->pool.broken, 0);
    assert_int_equal(copy->member.incarnation, 0);
    if (copy->delivered) {
        assert_int_equal(copy->delivered, 1);
        assert_false(copy->job.busy);
        if (copy->status) {
            assert_int_equal(copy->status, SHMF_E_WORKER_DIED);
            return DIED;
        }
        assert_true(copy->value == expected);
        return RIGHT;
    }
    assert_true(copy->job.busy);
    assert_true(shmfi_board_is_queued(&copy->pool.board, 0, copy->job.generation));
    shmf_result_free(copy->job.result);
    return copy->job.generation == generation ? QUEUED : STARTS_AGAIN;
}

/* Steps through one task; how often each outcome would have been. */
static long walk(struct shmf_pool *pool, int attempts, long seen[OUTCOMES])
{
    struct shmf_submit_options options = {.attempts = attempts};
    double number = 42;
    struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
    pid_t pid = seize(pool);
    if (!pid)
        skip();
    struct copy *copy = new_copy(pool);
    uint64_t done = atomic_load(&pool->board.lines[0].done);
    struct shmf_future *future = submit_with(pool, return_square, &input, &options);
    /* In the order of the worker's steps, none before the one that it follows. */
    static const int rank[OUTCOMES] = {[QUEUED] = 0, [DIED] = 1, [STARTS_AGAIN] = 1, [RIGHT] = 2};
    int last = 0;
    long steps = 0;
    for (long after = 0; after < AFTERWARDS && steps < MOST_STEPS; steps++) {
        refresh(copy, pool, attempts);
        enum outcome outcome = recover(copy, 42 * 42);
        assert_true(rank[outcome] >= last);
        last = rank[outcome];
        seen[outcome]++;
        after += atomic_load(&pool->board.lines[0].done) > done;
        step(pid);
    }
    assert_true(steps < MOST_STEPS);
    assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
    assert_true(number_of(future) == 42 * 42);
    free_copy(copy);
    return steps;
}

static void test_after_every_instruction_recovery_finds_one_outcome(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of_one();
    long seen[OUTCOMES] = {0};
    assert_true(number_of(submit_number(pool, return_square, 3, NULL)) == 9);
    long steps = walk(pool, 1, seen);
    assert_true(seen[QUEUED] && seen[DIED] && seen[RIGHT] && !seen[STARTS_AGAIN]);
    steps += walk(pool, 3, seen);
    assert_true(seen[STARTS_AGAIN]);
    printf("{\"test\": \"process.pool_steps\", \"instructions\": %ld, \"queued\": %ld, "
           "\"died\": %ld, \"starts_again\": %ld, \"right\": %ld, \"bad\": 0}\n",
           steps, seen[QUEUED], seen[DIED], seen[STARTS_AGAIN], seen[RIGHT]);
    shmf_pool_free(pool);
}

/* ---- real deaths -------------------------------------------------------------------------- */

static int return_bytes_of(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 500, (uint64_t)number_arg(task));
}

/* Kills the worker after so many instructions. Returns whether the task had been published by
 * then. */
static bool die_after(struct shmf_pool *pool, shmf_task_fn fn, long steps, long seen[OUTCOMES])
{
    assert_true(number_of(submit_number(pool, return_square, 3, NULL)) == 9); /* no barren one */
    pid_t pid = seize(pool);
    if (!pid)
        skip();
    uint64_t done = atomic_load(&pool->board.lines[0].done);
    struct shmf_future *future = submit_number(pool, fn, 7, NULL);
    for (long i = 0; i < steps; i++)
        step(pid);
    bool published = atomic_load(&pool->board.lines[0].done) > done;
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, __WALL), pid);
    int status = status_of(future);
    assert_true(status == SHMF_OK || (status == SHMF_E_WORKER_DIED && !published));
    if (!status && fn == return_square)
        assert_true(shmf_result_double(shmf_future_result(future)) == 49);
    if (!status && fn != return_square)
        assert_true(is_patterned(shmf_result_array(shmf_future_result(future)), 500, 7));
    seen[status ? DIED : published ? RIGHT : QUEUED]++;
    shmf_future_free(future);
    return published;
}

/* How many instructions there are up to the publication, in a worker that is new. */
static long length_of(shmf_task_fn fn)
{
    struct shmf_pool *pool = pool_of_one();
    pid_t pid = seize(pool);
    if (!pid)
        skip();
    struct shmf_future *future = submit_number(pool, fn, 7, NULL);
    long steps = 0;
    while (!atomic_load(&pool->board.lines[0].done) && steps++ < MOST_STEPS)
        step(pid);
    assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
    assert_int_equal(status_of(future), SHMF_OK);
    shmf_future_free(future);
    shmf_pool_free(pool);
    return steps;
}

static long wanted_stride;

static void die_everywhere(shmf_task_fn fn, long kills_wanted)
{
    long length = length_of(fn), seen[OUTCOMES] = {0}, kills = 0, after = 0;
    long stride = wanted_stride ? wanted_stride : length / kills_wanted + 1;
    struct shmf_pool *pool = pool_of_one();
    for (long steps = 0; after < 3 && steps < MOST_STEPS; steps += stride, kills++)
        after += die_after(pool, fn, steps, seen);
    assert_int_equal(after, 3);
    printf("{\"test\": \"process.pool_steps\", \"instructions\": %ld, \"stride\": %ld, "
           "\"kills\": %ld, \"queued\": %ld, \"died\": %ld, \"right\": %ld, \"bad\": 0}\n",
           length, stride, kills, seen[QUEUED], seen[DIED], seen[RIGHT]);
    assert_true(seen[DIED] && seen[RIGHT]);
    shmf_pool_free(pool);
}

static void test_a_worker_may_die_at_any_instruction(void **state)
{
    (void)state;
    die_everywhere(return_square, test_rounds(60));
    die_everywhere(return_bytes_of, test_rounds(20));
}

int main(int argc, char **argv)
{
    wanted_stride = argc > 1 ? atol(argv[1]) : 0; /* 1: really every instruction */
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_after_every_instruction_recovery_finds_one_outcome),
        test_case(test_a_worker_may_die_at_any_instruction),
    };
    return cmocka_run_group_tests_name("pool: instruction by instruction", tests, NULL, NULL);
}
