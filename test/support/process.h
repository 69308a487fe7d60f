/* The processes of this test program, by /proc: who is there, who survived, what they faulted.
 *
 * "Of this test" is every process in the test's session (linking this starts one) and every
 * descendant of the calling process. Supervisor and workers of a pool carry names (`shmf-super`,
 * `shmf-w0`, ...), so survivors can be told by name. */
#ifndef TEST_SUPPORT_PROCESS_H
#define TEST_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct test_process {
    pid_t pid;
    pid_t parent;
    pid_t group;
    pid_t session;
    char state; /* as in /proc: R, S, D, T, Z, ... */
    char name[32];
    uint64_t minor_faults;
};

/* Reads one process; false when there is none. */
bool test_process_read(pid_t pid, struct test_process *process);

/* The processes of this test, the caller excepted, at most `room` of them, by pid. */
size_t test_process_list(struct test_process *list, size_t room);

/* Does the process run (zombies do not)? */
bool test_process_alive(pid_t pid);

/* Waits until it does not run any more. */
bool test_process_gone(pid_t pid, double seconds);

/* How many of this test's processes run whose names begin with `prefix`? */
size_t test_count_named(const char *prefix);

/* Waits until exactly `count` of them do (processes take their names a moment after they start),
 * or none. */
bool test_wait_named(const char *prefix, size_t count, double seconds);
bool test_none_named(const char *prefix, double seconds);

/* The running process of this test with exactly this name; 0: none. Where there are several, those
 * about to end are waited for, for some seconds. */
pid_t test_find_named(const char *name);

/* Minor page faults so far of the calling process, and of it with all running processes of this
 * test. */
uint64_t test_minor_faults(void);
uint64_t test_minor_faults_of_all(void);

/* Prints the list of this test's processes to stderr. */
void test_process_print(void);

#endif
