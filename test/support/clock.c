#include "support/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

double test_slowness(void)
{
    const char *text = getenv("SHMF_TEST_SLOW");
    double factor = text ? strtod(text, NULL) : 1;
    return factor > 1 ? factor : 1;
}

double test_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double test_seconds(double seconds)
{
    return seconds * test_slowness();
}

long test_rounds(long rounds)
{
    long fewer = (long)((double)rounds / test_slowness());
    return fewer > 1 ? fewer : 1;
}

void test_sleep(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * 1e9);
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

bool test_wait_until(double seconds, bool (*holds)(void *context), void *context)
{
    double end = test_now() + test_seconds(seconds);
    while (!holds(context)) {
        if (test_now() > end)
            return holds(context);
        test_sleep(0.001);
    }
    return true;
}
