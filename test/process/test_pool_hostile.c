/* Workers that write over the board: the application believes nothing that does not agree with
 * what it noted itself. Reaches into the pool: its address is the same in the workers. */
#include "pool_calls.h"

#include "pool/chunk.h"
#include "pool/pool_internal.h"
#include "pool/worker.h"

#include "base/sys.h"

#include <shmframe/map.h>
#include <shmframe/reduce.h>

#include <signal.h>
#include <stdio.h>

/* A task's argument. */
struct wish {
    struct shmf_pool *pool; /* to be harmed; NULL: none */
    int how;
};

static struct shmf_iter *map_wish(struct shmf_pool *pool, shmf_task_fn fn, struct wish *wishes,
                                  int64_t count, int harmful, int how)
{
    for (int64_t i = 0; i < count; i++)
        wishes[i] = (struct wish){i == harmful ? pool : NULL, how};
    struct shmf_tasks tasks = {.count = count, .args = wishes, .arg_size = sizeof *wishes};
    struct shmf_imap_options options = {.window = 4};
    return map(pool, fn, &tasks, &options);
}

/* ---- records that lie --------------------------------------------------------------------- */

enum lie {
    UNKNOWN_REGION,
    BEYOND_THE_END,
    WRONG_GENERATION,
    NOT_ALIGNED,
    NO_LENGTH,
    TOO_MANY_BYTES,
    TOO_MANY_IN_SEGMENT,
    UNKNOWN_KIND,
    NO_OBJECT,
    LIES
};

static const char *const says[LIES] = {"region", "length", "generation", "offset", "length",
                                       "size",   "size",   "kind",       ""};

static void tell(struct shmfi_record *record, enum lie lie)
{
    record->kind = SHMFI_RESULT_SEGMENT;
    switch (lie) {
    case UNKNOWN_REGION:
        record->segment.region++;
        break;
    case BEYOND_THE_END:
        record->segment.length += UINT64_C(1) << 40;
        break;
    case WRONG_GENERATION:
        record->segment.generation++;
        break;
    case NOT_ALIGNED:
        record->segment.offset += 64;
        break;
    case NO_LENGTH:
        record->segment.length = 0;
        break;
    case TOO_MANY_BYTES:
        record->kind = SHMFI_RESULT_INLINE;
        record->size = SHMF_INLINE_RESULT + 1;
        break;
    case TOO_MANY_IN_SEGMENT:
        record->segment.kind = SHMF_KIND_BYTES;
        record->size = record->segment.length;
        break;
    case UNKNOWN_KIND:
        record->kind = 77;
        break;
    case NO_OBJECT:
    case LIES:
        record->segment.kind = SHMF_KIND_FRAME;
    }
}

/* Publishes a record of its own making about the task that it runs, and waits for its end. The
 * application knows the region: the first task's result lies in it. */
static int publish_a_lie(struct shmf_task *task, void *context)
{
    struct wish wish;
    (void)context;
    memcpy(&wish, shmf_task_arg(task), sizeof wish);
    if (!wish.pool)
        return return_patterned(task, 100000, (uint64_t)shmf_task_index(task));
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){1000});
    struct shmfi_board *board = &wish.pool->board;
    uint32_t worker = (uint32_t)shmf_task_worker(task);
    struct shmfi_line *line = &board->lines[worker];
    uint64_t ticket = atomic_load(&line->current), done = atomic_load(&line->done);
    struct shmfi_record *record =
        &board->rings[worker * board->geometry.ring + done % board->geometry.ring];
    memset(record, 0, sizeof *record);
    record->ticket = ticket;
    record->incarnation =
        shmfi_board_claimant(board, shmfi_ticket_slot(ticket), shmfi_ticket_generation(ticket));
    record->segment = shmf_array_handle(array);
    tell(record, (enum lie)wish.how);
    atomic_store(&line->done, done + 1);
    while (getpid())
        pause();
    return 0;
}

static void test_a_worker_whose_record_lies_is_ended_and_its_task_fails(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct wish wishes[6];
    for (int lie = 0; lie < LIES; lie++) {
        struct shmf_iter *iter = map_wish(pool, publish_a_lie, wishes, 6, 2, lie);
        for (int i = 0; i < 6; i++) {
            struct shmf_result *result = next_any(iter);
            if (i != 2) {
                assert_good(result);
                assert_true(is_patterned(shmf_result_array(result), 100000, (uint64_t)i));
            } else if (lie == NO_OBJECT) {
                assert_null(shmf_result_frame(result)); /* found when it is looked at */
                assert_int_not_equal(shmf_result_status(result), SHMF_OK);
                end_worker(pool, 0);
            } else {
                assert_int_equal(shmf_result_status(result), SHMF_E_CORRUPT);
                assert_non_null(strstr(shmf_result_failure(result)->message, says[lie]));
            }
            shmf_result_free(result);
        }
        assert_ends(iter);
        shmf_iter_free(iter);
    }
    shmf_pool_free(pool);
}

/* ---- the board, written over -------------------------------------------------------------- */

enum harm {
    DONE_FAR_AHEAD,
    DONE_BACK,
    ANOTHERS_TASK,
    SLOTS_CLEARED,
    SLOTS_FULL_OF_ONES,
    CLEARED,
    FULL_OF_ONES,
    RANDOM,
    HARMS
};

static void do_harm(struct shmf_pool *pool, int worker, enum harm harm)
{
    struct shmfi_board *board = &pool->board;
    struct shmfi_line *line = &board->lines[worker];
    size_t slots = board->geometry.slots * sizeof *board->slots;
    switch (harm) {
    case DONE_FAR_AHEAD:
        atomic_fetch_add(&line->done, 1000000);
        break;
    case DONE_BACK:
        atomic_fetch_sub(&line->done, 1);
        break;
    case ANOTHERS_TASK: {
        struct shmfi_record *record =
            &board->rings[(uint32_t)worker * board->geometry.ring +
                          atomic_load(&line->done) % board->geometry.ring];
        record->ticket = shmfi_ticket(board->geometry.slots - 1, 12345);
        atomic_fetch_add(&line->done, 1);
        break;
    }
    case SLOTS_CLEARED:
        memset(board->slots, 0, slots);
        break;
    case SLOTS_FULL_OF_ONES:
        memset(board->slots, 0xff, slots);
        break;
    case CLEARED:
        memset(pool->board_memory, 0, pool->board_size);
        break;
    case FULL_OF_ONES:
        memset(pool->board_memory, 0xff, pool->board_size);
        break;
    case RANDOM:
    case HARMS:
        test_fill(pool->board_memory, pool->board_size, (uint64_t)getpid());
    }
}

/* Odd ways: the harm is done and the worker dies of it. */
static int harm_the_board(struct shmf_task *task, void *context)
{
    struct wish wish;
    (void)context;
    memcpy(&wish, shmf_task_arg(task), sizeof wish);
    if (wish.pool)
        do_harm(wish.pool, shmf_task_worker(task), (enum harm)(wish.how / 2));
    if (wish.pool && wish.how % 2)
        abort();
    return return_patterned(task, 100000, (uint64_t)shmf_task_index(task));
}

/* What comes is right or an error, and it ends. */
static int run_to_the_end(struct shmf_iter *iter)
{
    struct shmf_error err = {0};
    struct shmf_result *result;
    int rc;
    while ((rc = shmf_iter_next(iter, &result, &err)) == 1) {
        uint64_t index = (uint64_t)shmf_result_index(result);
        if (!shmf_result_status(result))
            assert_true(is_patterned(shmf_result_array(result), 100000, index));
        shmf_result_free(result);
    }
    if (rc)
        assert_true(err.message[0]);
    return rc;
}

static int be_harmed(void *how)
{
    static struct wish wishes[200];
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_wish(pool, harm_the_board, wishes, 200, 20, *(int *)how);
    int rc = run_to_the_end(iter);
    shmf_iter_free(iter);
    struct shmf_error err = {0};
    if (rc == SHMF_E_POOL_BROKEN &&
        shmf_pool_imap(pool, return_index, &(struct shmf_tasks){0}, NULL, &err))
        return 100;
    shmf_pool_free(pool);
    pool = pool_of(2);
    assert_counts_up(map_count(pool, return_index, 20), 20);
    shmf_pool_free(pool);
    return -rc;
}

/* What a worker that lives writes into its own line and ring it mends itself with its next record,
 * before the application looks or not; a record taken back is only a task lost. */
static bool may_pass(int how)
{
    int harm = how / 2;
    return (harm < SLOTS_CLEARED && how % 2 == 0) || harm == DONE_BACK;
}

static void test_an_application_survives_a_worker_that_writes_over_the_board(void **state)
{
    (void)state;
    for (int how = 0; how < 2 * HARMS; how++) {
        struct test_outcome outcome = test_in_child(be_harmed, &how, 20);
        if (outcome.exit_code != -SHMF_E_POOL_BROKEN && (outcome.exit_code || !may_pass(how)))
            fail_msg("harm %d: exit code %d, signal %d%s", how, outcome.exit_code, outcome.signal,
                     outcome.timed_out ? ", timed out" : "");
        assert_true(test_none_named("shmf-", 30));
    }
}

/* ---- replies of whole calls that lie ------------------------------------------------------- */

enum reply { FEWER_STATUSES, BEFORE_THE_CHUNK, BEHIND_THE_CHUNK, ANOTHER_ELEMENT, REPLIES };

/* Changes what its worker was told of the chunk of three elements, whose second then fails, or
 * whose first does where there shall be no other. */
static int lie_about_the_chunk(struct shmf_task *task, void *how)
{
    static int calls;
    struct shmfi_chunk *chunk = (void *)(uintptr_t)shmfi_this_worker()->task.arg;
    enum reply reply = (enum reply)(intptr_t)how;
    if (++calls == 1) {
        if (reply == FEWER_STATUSES)
            chunk->count = 1;
        else
            chunk->first += (int64_t[]){0, -1000, 1000, 1}[reply];
    }
    return calls == (reply == FEWER_STATUSES ? 1 : 2) ? SHMF_E_NOTFOUND
                                                      : shmf_task_return_double(task, 1.5);
}

static void test_of_a_map_nothing_is_believed_that_does_not_fit_its_chunk(void **state)
{
    (void)state;
    const char *const begins_with[REPLIES] = {"element 0: its chunk's reply has the wrong size",
                                              "element -999: ", "element 1001: ", "element 2: "};
    for (int reply = 0; reply < REPLIES; reply++) {
        struct shmf_pool *pool = pool_of(1);
        struct shmf_tasks tasks = {.count = 3, .context = (void *)(intptr_t)reply};
        struct shmf_map_options options = {.chunk = 3};
        struct shmf_error err = {0};
        double results[3] = {0};
        int statuses[3];
        int rc = shmf_pool_map(pool, lie_about_the_chunk, &tasks, &options, results,
                               sizeof *results, statuses, &err);
        bool whole = reply == FEWER_STATUSES;
        assert_int_equal(rc, whole ? SHMF_E_CORRUPT : SHMF_E_TASK);
        assert_ptr_equal(strstr(err.message, begins_with[reply]), err.message);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(statuses[i], whole ? SHMF_E_CORRUPT : i == 1 ? SHMF_E_NOTFOUND : 0);
            assert_true(results[i] == (statuses[i] ? 0 : 1.5));
        }
        shmf_pool_free(pool);
    }
}

/* The last step of a reduction in its worker: the reply's size is changed. */
static void free_and_lie(void *memory)
{
    free(memory);
    shmfi_this_worker()->task.size = 3;
}

static int fold_and_lie(struct shmf_task *task, void *accumulator, void *context)
{
    (void)task, (void)context;
    *(double *)accumulator += 1;
    shmfi_sys.free = free_and_lie;
    return 0;
}

static void add_doubles(void *accumulator, const void *other, void *context)
{
    (void)context;
    *(double *)accumulator += *(const double *)other;
}

static void test_of_a_reduction_no_reply_of_another_size_is_combined(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_tasks tasks = {.count = 3};
    struct shmf_error err = {0};
    double sum = 0;
    assert_int_equal(
        shmf_pool_reduce(pool, fold_and_lie, add_doubles, &tasks, NULL, &sum, sizeof sum, &err),
        SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "the reply has the wrong size"));
    assert_true(sum == 0);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_worker_whose_record_lies_is_ended_and_its_task_fails),
        test_case(test_an_application_survives_a_worker_that_writes_over_the_board),
        test_case(test_of_a_map_nothing_is_believed_that_does_not_fit_its_chunk),
        test_case(test_of_a_reduction_no_reply_of_another_size_is_combined),
    };
    return cmocka_run_group_tests_name("pool: hostile workers", tests, NULL, NULL);
}
