/* For builds with SHMFRAME_COVERAGE, linked with --wrap=_exit: workers, supervisors and children of
 * tests end by _exit(), which would throw their counters away. Those that are killed lose
 * theirs. */
#include <unistd.h>

void __gcov_dump(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
