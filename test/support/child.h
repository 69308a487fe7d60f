/* Running a function in a forked child, with a deadline.
 *
 * In a child no CMocka assertion may run: it would jump back into the copy of the runner. A body
 * says by its return value (0 to 255) how it went; the parent asserts. Should an assertion be
 * reached all the same, it aborts the child, which the outcome shows as signal SIGABRT. */
#ifndef TEST_SUPPORT_CHILD_H
#define TEST_SUPPORT_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct test_outcome {
    int exit_code;  /* what the body returned; -1 when a signal ended it */
    int signal;     /* 0 when it ended by itself */
    bool timed_out; /* it was killed because the deadline passed */
};

typedef int (*test_body)(void *context);

/* Forks a child that runs the body and leaves with _exit(). Aborts the test when fork fails. */
pid_t test_fork(test_body body, void *context);

/* Waits for a child at most test_seconds(seconds), then kills it. */
struct test_outcome test_join(pid_t child, double seconds);

/* Both. */
struct test_outcome test_in_child(test_body body, void *context, double seconds);

/* Did it return 0 in time? Says on stderr what it did otherwise. */
bool test_outcome_ok(struct test_outcome outcome);

#endif
