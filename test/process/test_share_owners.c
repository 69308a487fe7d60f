/* Owners of names that are killed at any moment, and many that want the same name.
 * ctest: TIMEOUT 120 */
#include "unit/share_calls.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct shmf_error err;

/* Written by all processes of a test. */
struct board {
    long violations; /* what must not be was seen */
    long published;
    long doomed; /* published by those that are to be killed */
    long attached;
    long refused;
    int stop;
    int holders[8]; /* how many processes hold each name */
};
static struct board *board;

static void add(long *number)
{
    __atomic_fetch_add(number, 1, __ATOMIC_SEQ_CST);
}

static uint64_t next_random(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return *random >> 33;
}

static int make_board(void **state)
{
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return board == MAP_FAILED ? -1 : test_account_setup(state);
}

static int end_board(void **state)
{
    munmap(board, sizeof *board);
    return test_account_teardown(state);
}

/* ---- kills ------------------------------------------------------------------------------------
 */

struct owner {
    char name[64];
    uint64_t seed;
    long *published; /* counts what this owner published */
};

/* Publishes and gives up names until it is killed; none may go while it holds it. */
static int publish_for_ever(void *context)
{
    const struct owner *owner = context;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct shmf_array *array = patterned(20000, owner->seed);
    for (uint64_t i = 0; array; i++) {
        struct shmf_error why;
        struct shmf_share *share = shmf_array_publish(array, owner->name, NULL, &why);
        if (!share) {
            add(&board->violations);
            return 1;
        }
        add(owner->published);
        struct shmf_array *seen = shmf_array_attach(owner->name, NULL, &why);
        if (!is_pattern(seen, 20000, owner->seed))
            add(&board->violations);
        shmf_array_free(seen);
        shmf_share_free(share);
    }
    return 1;
}

static int sweep_for_ever(void *context)
{
    (void)context;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (!__atomic_load_n(&board->stop, __ATOMIC_RELAXED))
        if (shmf_name_sweep(NULL, NULL, NULL) < 0)
            add(&board->violations);
    return 0;
}

static int count_leftovers(const struct shmf_name_info *info, void *context)
{
    const char *own = test_name("");
    *(int *)context += info->state == SHMF_NAME_LEFTOVER && !strncmp(info->name, own, strlen(own));
    return 0;
}

static bool none_left(void *context)
{
    int left = 0;
    (void)context;
    shmf_name_each(count_leftovers, &left, &err);
    return left == 0;
}

/* Kills owners at any moment; afterwards one sweep is enough, `alone`, or next to a process that
 * sweeps all the time. */
static void kill_owners(long kills, bool alone)
{
    struct owner still = {.seed = 1, .published = &board->published};
    struct owner killed = {.seed = 2, .published = &board->doomed};
    snprintf(still.name, sizeof still.name, "%s", test_name("still"));
    snprintf(killed.name, sizeof killed.name, "%s", test_name("killed"));
    struct shmf_share *idle = publish_pattern(test_name("idle"), 5000, 3, NULL, &err);
    pid_t busy = test_fork(publish_for_ever, &still);
    pid_t sweeper = alone ? 0 : test_fork(sweep_for_ever, NULL);
    uint64_t random = 1;
    long found = 0;
    for (long i = 0; i < kills; i++) {
        long before = __atomic_load_n(&board->doomed, __ATOMIC_SEQ_CST);
        pid_t child = test_fork(publish_for_ever, &killed);
        while (__atomic_load_n(&board->doomed, __ATOMIC_SEQ_CST) < before + 3 && !board->violations)
            usleep(50);
        usleep((useconds_t)(next_random(&random) % 300));
        kill(child, SIGKILL);
        test_join(child, 10);
        assert_int_equal(board->violations, 0);
        found += !none_left(NULL);
        assert_true(shmf_name_sweep(NULL, NULL, &err) >= 0);
        assert_true(alone ? none_left(NULL) : test_wait_until(30, none_left, NULL));
        assert_int_equal(attach_code(test_name("idle"), NULL), SHMF_OK);
    }
    assert_true(found > 0 || !alone || kills < 100); /* or they came at no interesting moment */
    __atomic_store_n(&board->stop, 1, __ATOMIC_RELAXED);
    if (sweeper)
        assert_true(test_outcome_ok(test_join(sweeper, 10)));
    kill(busy, SIGKILL);
    test_join(busy, 10);
    shmf_name_sweep(NULL, NULL, &err);
    assert_true(none_left(NULL));
    assert_int_equal(board->violations, 0);
    shmf_share_free(idle);
}

static void
test_of_a_thousand_killed_owners_nothing_is_left_and_no_living_one_is_swept(void **state)
{
    (void)state;
    kill_owners(test_rounds(1000), true);
}

static void test_many_may_sweep_at_once(void **state)
{
    (void)state;
    kill_owners(test_rounds(200), false);
}

/* ---- races ------------------------------------------------------------------------------------
 */

#define NAMES 8

static void try_one(const char *name, int which, struct shmf_array *array, uint64_t *random)
{
    struct shmf_error why = {0};
    struct shmf_share *share = shmf_array_publish(array, name, NULL, &why);
    if (!share) {
        add(why.code == SHMF_E_EXISTS ? &board->refused : &board->violations);
        return;
    }
    if (__atomic_fetch_add(&board->holders[which], 1, __ATOMIC_SEQ_CST) != 0)
        add(&board->violations);
    for (uint64_t i = next_random(random) % 1000; i > 0; i--)
        __asm__ volatile("");
    __atomic_fetch_sub(&board->holders[which], 1, __ATOMIC_SEQ_CST);
    shmf_share_free(share);
    add(&board->published);
}

/* What is there is whole: all its bytes are the publisher's. */
static void look_at_one(const char *name)
{
    struct shmf_error why = {0};
    struct shmf_array *array = shmf_array_attach(name, NULL, &why);
    if (!array) {
        if (why.code != SHMF_E_NOTFOUND)
            add(&board->violations);
        return;
    }
    const uint8_t *bytes = shmf_array_data(array);
    if (shmf_array_size(array) != 5000 || test_differs_from(bytes, 5000, bytes[0]) >= 0)
        add(&board->violations);
    shmf_array_free(array);
    add(&board->attached);
}

static int race(void *context)
{
    uint64_t random = (uint64_t)(uintptr_t)context;
    const int64_t size = 5000;
    struct shmf_array *array = shmf_array_new(SHMF_UINT8, 1, &size, NULL);
    if (!array)
        return 1;
    memset(shmf_array_data_mut(array), (int)random, 5000);
    long rounds = test_rounds(10000);
    for (long i = 0; i < rounds; i++) {
        char digits[8];
        int which = (int)(next_random(&random) % NAMES);
        snprintf(digits, sizeof digits, "race%d", which);
        if (i % 4)
            try_one(test_name(digits), which, array, &random);
        else
            look_at_one(test_name(digits));
    }
    shmf_array_free(array);
    return 0;
}

static void test_of_many_who_want_a_name_one_gets_it_and_it_is_complete_at_once(void **state)
{
    (void)state;
    enum { racers = 4 };
    pid_t children[racers];
    for (int i = 0; i < racers; i++)
        children[i] = test_fork(race, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < racers; i++)
        assert_true(test_outcome_ok(test_join(children[i], 60)));
    assert_int_equal(board->violations, 0);
    assert_true(board->published > 0 && board->refused > 0 && board->attached > 0);
}

#define shared_test(function) cmocka_unit_test_setup_teardown(function, make_board, end_board)

int main(void)
{
    const struct CMUnitTest tests[] = {
        shared_test(test_of_a_thousand_killed_owners_nothing_is_left_and_no_living_one_is_swept),
        shared_test(test_many_may_sweep_at_once),
        shared_test(test_of_many_who_want_a_name_one_gets_it_and_it_is_complete_at_once),
    };
    test_begin();
    test_own_names(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
