/* Time in tests: deadlines that stretch and loops that shrink where a program runs slowly.
 *
 * SHMF_TEST_SLOW=FACTOR in the environment (set by the lanes of test/run.sh) says how many times
 * slower than a plain build this one is: 10 under Valgrind, 3 under AddressSanitizer. */
#ifndef TEST_SUPPORT_CLOCK_H
#define TEST_SUPPORT_CLOCK_H

#include <stdbool.h>

/* 1 in a plain build. */
double test_slowness(void);

/* Seconds since some moment in the past; never goes back. */
double test_now(void);

/* `seconds` of a plain build, here. */
double test_seconds(double seconds);

/* As many rounds of a loop as take the time that `rounds` take in a plain build; at least one. */
long test_rounds(long rounds);

void test_sleep(double seconds);

/* Asks every millisecond until holds(context) is true, at most test_seconds(seconds) long.
 * Returns what the last call said. */
bool test_wait_until(double seconds, bool (*holds)(void *context), void *context);

#endif
