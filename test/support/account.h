/* Leak accounting: what this test holds, as text lines that can be compared before and after.
 *
 * One line each for: an open descriptor with its target, a mapping of shared memory,
 * a child (a zombie too) or another running process of this test, a memfd named shmf* held by one
 * of them, an entry of /dev/shm named shmf* that is no other test program's. */
#ifndef TEST_SUPPORT_ACCOUNT_H
#define TEST_SUPPORT_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_account {
    char **lines; /* sorted */
    size_t count;
};

struct test_account test_account_take(void);
void test_account_free(struct test_account *account);

/* Number of lines in `after` that are not in `before`; each is printed to stderr if `print`. */
size_t test_account_leaks(const struct test_account *before, const struct test_account *after,
                          bool print);

/* Waits up to half a minute (processes take a moment to die, and a busy machine takes its time)
 * until nothing is held that was not held when `before` was taken; returns the number of leaks,
 * each printed to stderr. Memory that the library keeps for reuse is no leak: it is trimmed
 * first. */
size_t test_account_settle(const struct test_account *before);

/* For tests that leak on purpose. */
void test_account_set_patience(double seconds);

/* A setup and a teardown for CMocka: the test fails when it leaks. */
int test_account_setup(void **state);
int test_account_teardown(void **state);

/* A test of several processes, for the table of tests. */
#define test_case(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, test_account_setup, test_account_teardown)

/* Bytes of pages in memfds named shmf*, held by this test's processes, each counted once. */
uint64_t test_shared_bytes(void);

/* Waits until nothing of this test but itself runs, whatever its name (a process that was forked
 * when its parent was killed has none yet), and no such bytes are left; prints what runs otherwise.
 */
bool test_nothing_runs(double seconds);

#endif
