/* The start of every test program of several processes, and its deadline. */
#ifndef TEST_SUPPORT_WATCHDOG_H
#define TEST_SUPPORT_WATCHDOG_H

/* Call first in main: arms the deadline SHMF_TEST_DEADLINE (seconds, set by ctest; by hand, as
 * under gdb, there is none) and lets a debugger attach. */
void test_begin(void);

/* From now on `seconds` (already scaled). When they are over, the stacks of all processes of this
 * test go to stderr (with gdb, where it is there), they are killed, and the program exits with
 * 124. Forked children do not inherit the deadline. 0: none any more. */
void test_deadline(unsigned seconds);

#endif
