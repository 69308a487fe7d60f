/* System calls that a sandbox denies, as with seccomp: what has a way around it works, what has
 * none is a clear error; nothing stays. */
/* Valgrind makes system calls of its own. */
/* ctest: TIMEOUT 120 NO_VALGRIND */
#include "pool_life.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

enum { ANY = -1, ADVICE = 2 };

struct denied {
    const char *name;
    int number;
    int argument; /* denied only where the argument number ADVICE has this value */
    bool needed;  /* there is no other way: a clear error */
    int error;
};

static const struct denied calls[] = {
    {"memfd_create", SYS_memfd_create, ANY, true, 0},
    {"pidfd_open", SYS_pidfd_open, ANY, false, 0},
    {"madvise(MADV_POPULATE_WRITE)", SYS_madvise, 23, false, 0},
    {"madvise(MADV_COLLAPSE)", SYS_madvise, 25, false, 0},
    {"madvise", SYS_madvise, ANY, true, 0},
    {"fallocate", SYS_fallocate, ANY, true, 0},
    {"clone3", SYS_clone3, ANY, false, 0},
    {"futex_waitv", SYS_futex_waitv, ANY, false, 0},
    {"close_range", SYS_close_range, ANY, false, 0},
    {"getrandom", SYS_getrandom, ANY, true, 0},
    {"sched_getaffinity", SYS_sched_getaffinity, ANY, false, 0},
    {"get_mempolicy", SYS_get_mempolicy, ANY, false, 0},
    {"mbind", SYS_mbind, ANY, false, 0},
    {"setpgid", SYS_setpgid, ANY, false, 0},
    {"sysinfo", SYS_sysinfo, ANY, false, 0},
    {"prlimit64", SYS_prlimit64, ANY, true, 0},
    {"epoll_create1", SYS_epoll_create1, ANY, false, 0},
    {"eventfd2", SYS_eventfd2, ANY, true, 0},
    {"signalfd4", SYS_signalfd4, ANY, true, 0},
    {"socketpair", SYS_socketpair, ANY, true, 0},
    {"sendmsg", SYS_sendmsg, ANY, true, 0},
};

static bool deny(void *context)
{
    const struct denied *call = context;
    uint32_t load = BPF_LD | BPF_W | BPF_ABS, equal = BPF_JMP | BPF_JEQ | BPF_K;
    uint32_t argument = offsetof(struct seccomp_data, args) + 8 * ADVICE;
    uint8_t any = call->argument == ANY;
    struct sock_filter filter[] = {
        BPF_STMT((uint16_t)load, offsetof(struct seccomp_data, nr)),
        BPF_JUMP((uint16_t)equal, (uint32_t)call->number, 0, 3),
        BPF_STMT((uint16_t)load, argument),
        BPF_JUMP((uint16_t)equal, (uint32_t)call->argument, 0, (uint8_t)(any ? 0 : 1)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)call->error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    if (any) /* whatever was loaded */
        filter[3] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void test_what_a_sandbox_denies_is_done_without_or_reported(void **state)
{
    (void)state;
    int runs = 0, clearly = 0;
    const int errors[] = {EPERM, ENOSYS};
    for (size_t i = 0; i < 2 * sizeof calls / sizeof *calls; i++) {
        struct denied call = calls[i / 2];
        call.error = errors[i % 2];
        struct trial trial = {.impose = deny, .context = &call};
        struct test_outcome outcome = test_in_child(endure_trial, &trial, 30);
        if (outcome.exit_code == NOT_POSSIBLE)
            skip();
        if (outcome.signal || outcome.exit_code < 0 ||
            outcome.exit_code > (call.needed ? FAILED_CLEARLY : WELL))
            fail_msg("%s, %s: exit code %d, signal %d%s", call.name, strerrorname_np(call.error),
                     outcome.exit_code, outcome.signal, outcome.timed_out ? ", timed out" : "");
        runs++;
        clearly += outcome.exit_code == FAILED_CLEARLY;
    }
    printf("{\"test\": \"process.pool_denied\", \"runs\": %d, \"went_well\": %d, "
           "\"failed_clearly\": %d, \"bad\": 0}\n",
           runs, runs - clearly, clearly);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_what_a_sandbox_denies_is_done_without_or_reported),
    };
    return cmocka_run_group_tests_name("pool: denied system calls", tests, NULL, NULL);
}
