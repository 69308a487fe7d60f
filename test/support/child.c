#include "support/child.h"

#include "support/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t test_fork(test_body body, void *context)
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("test_fork");
        abort();
    }
    if (child == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1);
        int code = body(context);
        fflush(NULL);
        _exit(code);
    }
    return child;
}

/* Waits for the child itself, never for "any": others may belong to a pool. */
static bool reap(pid_t child, int *status, int options)
{
    pid_t got;
    do
        got = waitpid(child, status, options);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        fprintf(stderr, "test_join: no child %d: %s\n", (int)child, strerror(errno));
        abort();
    }
    return got == child;
}

struct test_outcome test_join(pid_t child, double seconds)
{
    struct test_outcome outcome = {.exit_code = -1};
    double end = test_now() + test_seconds(seconds);
    int status = 0;
    while (!reap(child, &status, WNOHANG)) {
        if (test_now() > end) {
            outcome.timed_out = true;
            kill(child, SIGKILL);
            reap(child, &status, 0);
            break;
        }
        test_sleep(0.001);
    }
    if (WIFEXITED(status))
        outcome.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status))
        outcome.signal = WTERMSIG(status);
    return outcome;
}

struct test_outcome test_in_child(test_body body, void *context, double seconds)
{
    return test_join(test_fork(body, context), seconds);
}

bool test_outcome_ok(struct test_outcome outcome)
{
    if (outcome.timed_out)
        fprintf(stderr, "the child was killed at its deadline\n");
    else if (outcome.signal)
        fprintf(stderr, "the child was ended by signal %d (%s)\n", outcome.signal,
                strsignal(outcome.signal));
    else if (outcome.exit_code)
        fprintf(stderr, "the child returned %d\n", outcome.exit_code);
    return outcome.exit_code == 0 && !outcome.timed_out;
}
