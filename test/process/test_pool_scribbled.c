/* A worker writes random bytes over the board while the application and the other workers use it.
 * The application must survive whatever it finds there: each task is delivered at most once and in
 * order, a result can be read to its last byte or is a clear failure, and it all ends; the next
 * pool works and nothing stays. Results may be wrong only where the scribbler wrote over tasks or
 * records: that is a task that was told, or tells, something else.
 *
 *     test_process_pool_scribbled [SEEDS [FIRST]]
 *
 * Prints a line of JSON. */
/* ctest: TIMEOUT 120 NO_VALGRIND */
#include "pool_calls.h"

#include "pool/pool_internal.h"

#include <stdio.h>

enum { SIZE = 20000, TASKS = 60, WINDOW = 8, WRITES = 20000 };

/* Which bytes: those of lines and header say who does what; tasks and records also carry data. */
enum target { LINES, ORDER, SLOTS, RINGS, RETURNS, HEADER, EVERYTHING, TARGETS };

/* What is written there: anything, one bit less or more, or what stands elsewhere, which looks
 * plausible. */
enum manner { ANYTHING, A_BIT, FROM_ELSEWHERE, EXTREMES, MANNERS };

struct scribble {
    struct shmf_pool *pool;
    uint64_t seed;
    enum target target;
    enum manner manner;
    long pace; /* writes in a row */
};

struct tally {
    _Atomic long right, failed, wrong, broken, ended;
};

static struct tally *tally;

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = (*state ^ *state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
}

struct span {
    _Atomic uint64_t *words;
    size_t count;
};

static struct span span_of(const struct shmf_pool *pool, enum target target)
{
    const struct shmfi_board *board = &pool->board;
    const struct shmfi_geometry *geometry = &board->geometry;
    void *at = pool->board_memory;
    size_t size = pool->board_size;
    switch (target) {
    case LINES:
        at = board->lines;
        size = geometry->workers * sizeof *board->lines;
        break;
    case ORDER:
        at = board->order;
        size = geometry->order * sizeof *board->order;
        break;
    case SLOTS:
        at = board->slots;
        size = geometry->slots * sizeof *board->slots;
        break;
    case RINGS:
        at = board->rings;
        size = (size_t)geometry->workers * geometry->ring * sizeof *board->rings;
        break;
    case RETURNS:
        at = board->returns;
        size = (size_t)geometry->workers * geometry->returns * sizeof *board->returns;
        break;
    case HEADER:
        at = board->header;
        size = sizeof *board->header;
        break;
    case EVERYTHING:
    case TARGETS:
        break;
    }
    return (struct span){at, size / sizeof(uint64_t)};
}

static void write_one(const struct span *span, enum manner manner, uint64_t *random)
{
    static const uint64_t extremes[] = {0,
                                        1,
                                        UINT64_MAX,
                                        UINT64_MAX - 1,
                                        INT64_MAX,
                                        UINT32_MAX,
                                        UINT64_C(1) << 63,
                                        UINT64_C(1) << 61,
                                        UINT64_C(1) << 32};
    _Atomic uint64_t *word = &span->words[next_random(random) % span->count];
    uint64_t value = next_random(random);
    switch (manner) {
    case A_BIT:
        atomic_fetch_xor(word, UINT64_C(1) << value % 64);
        return;
    case FROM_ELSEWHERE:
        atomic_store(word, atomic_load(&span->words[value % span->count]));
        return;
    case EXTREMES:
        atomic_store(word, extremes[value % (sizeof extremes / sizeof *extremes)]);
        return;
    case ANYTHING:
    case MANNERS:
        atomic_store(word, value);
    }
}

/* One task scribbles while others run, pausing now and then so that the harm is met at different
 * moments; the rest return what is checked. */
static int scribble_or_return(struct shmf_task *task, void *context)
{
    (void)context;
    struct scribble scribble;
    int64_t index = shmf_task_index(task);
    if (index != TASKS / 3)
        return index % 3 ? return_patterned(task, SIZE, (uint64_t)index) : return_index(task, NULL);
    memcpy(&scribble, shmf_task_arg(task), sizeof scribble);
    struct span span = span_of(scribble.pool, scribble.target);
    uint64_t random = scribble.seed;
    for (long i = 0; i < WRITES && i < 200 * scribble.pace; i++) {
        write_one(&span, scribble.manner, &random);
        if (i % scribble.pace == 0)
            usleep(50);
    }
    return return_index(task, NULL);
}

static void read_result(struct shmf_result *result)
{
    int64_t index = shmf_result_index(result);
    bool right;
    if (shmf_result_status(result)) {
        if (!shmf_result_failure(result))
            abort();
        atomic_fetch_add(&tally->failed, 1);
        return;
    }
    const struct shmf_array *array = shmf_result_array(result);
    if (index % 3 && index != TASKS / 3) {
        uint64_t sum = 0;
        const unsigned char *bytes = array ? shmf_array_data(array) : NULL;
        size_t size =
            array ? (size_t)shmf_array_size(array) * shmf_dtype_size(shmf_array_dtype(array)) : 0;
        for (size_t i = 0; bytes && i < size; i++)
            sum += bytes[i];
        right = sum && is_patterned(array, SIZE, (uint64_t)index);
    } else {
        right = shmf_result_double(result) == (double)index;
    }
    atomic_fetch_add(right ? &tally->right : &tally->wrong, 1);
}

/* 0, or what did not hold. */
static int be_scribbled(void *context)
{
    struct scribble scribble = *(struct scribble *)context;
    struct test_account before = test_account_take();
    struct shmf_pool *pool = scribble.pool = pool_of(2);
    struct shmf_error err = {0};
    static struct scribble args[TASKS];
    for (int i = 0; i < TASKS; i++)
        args[i] = scribble;
    struct shmf_tasks tasks = {.count = TASKS, .args = args, .arg_size = sizeof *args};
    struct shmf_imap_options options = {.window = WINDOW, .attempts = 2};
    struct shmf_iter *iter = map(pool, scribble_or_return, &tasks, &options);
    struct shmf_result *result;
    int rc;
    for (int64_t index = 0; (rc = shmf_iter_next(iter, &result, &err)) == 1; index++) {
        if (shmf_result_index(result) != index || index >= TASKS)
            return 1;
        read_result(result);
        shmf_result_free(result);
    }
    if (rc && (rc != err.code || !err.message[0]))
        return 2;
    atomic_fetch_add(rc ? &tally->broken : &tally->ended, 1);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    pool = pool_of(2);
    assert_counts_up(map_count(pool, return_index, 20), 20);
    shmf_pool_free(pool);
    return test_account_settle(&before) ? 3 : 0;
}

static long seeds = 84;
static uint64_t first_seed = 1;

static void test_an_application_survives_any_bytes_on_the_board(void **state)
{
    (void)state;
    long runs = test_rounds(seeds);
    tally = shared_memory(sizeof *tally);
    for (long i = 0; i < runs; i++) {
        uint64_t seed = first_seed + (uint64_t)i;
        struct scribble scribble = {.seed = seed,
                                    .target = (enum target)(seed % TARGETS),
                                    .manner = (enum manner)(seed / TARGETS % MANNERS),
                                    .pace = seed / TARGETS / MANNERS % 2 ? 1 : 100};
        struct test_outcome outcome = test_in_child(be_scribbled, &scribble, 40);
        if (outcome.exit_code)
            fail_msg("seed %llu: exit code %d, signal %d%s", (unsigned long long)seed,
                     outcome.exit_code, outcome.signal, outcome.timed_out ? ", timed out" : "");
    }
    printf("{\"test\": \"process.pool_scribbled\", \"seed\": %llu, \"runs\": %ld, \"ended\": %ld, "
           "\"broken\": %ld, \"right\": %ld, \"failed_clearly\": %ld, \"overwritten\": %ld, "
           "\"bad\": 0}\n",
           (unsigned long long)first_seed, runs, (long)tally->ended, (long)tally->broken,
           (long)tally->right, (long)tally->failed, (long)tally->wrong);
    assert_true(tally->right > 0);
    munmap(tally, sizeof *tally);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        seeds = atol(argv[1]);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_an_application_survives_any_bytes_on_the_board),
    };
    return cmocka_run_group_tests_name("pool: a board written over", tests, NULL, NULL);
}
