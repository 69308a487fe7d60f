/* The supervisor must not be a child that the application meets in wait(), and making it must not
 * raise SIGCHLD there. So an intermediate process forks it and ends at once. The intermediate is
 * made as vfork() makes one (it shares our memory while we are suspended, so it costs no copy of
 * page tables) but with exit signal 0 instead of SIGCHLD: neither wait() nor waitpid(-1) see such
 * a child (they would need __WCLONE), and no signal is sent. The supervisor itself comes from
 * libc's fork(), so that malloc and pthread_atfork handlers are as in any forked child. */
#include "pool/detach.h"

#include "base/process.h"
#include "base/sys.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The intermediate's status tells how the fork went: with this bit, and errno in the others, that
 * it failed. Other statuses are not ours: Valgrind makes one of its own of 0 where it saw
 * errors. */
#define FAILED 0x80

/* A system call whose first two arguments count, the others being 0: a clone on our own stack. It
 * must be inlined into the caller: a function that returned in the intermediate would have its
 * return address overwritten by what the intermediate calls next. Negative errno, 0 in the
 * intermediate, or its pid. */
#if defined(__x86_64__)
static inline __attribute__((always_inline)) long clone_here(long number, long first, long second)
{
    register long result __asm__("rax") = number;
    register long rdi __asm__("rdi") = first;
    register long rsi __asm__("rsi") = second;
    register long rdx __asm__("rdx") = 0;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall"
                     : "+r"(result)
                     : "r"(rdi), "r"(rsi), "r"(rdx), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline __attribute__((always_inline)) long clone_here(long number, long first, long second)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = first;
    register long x1 __asm__("x1") = second;
    register long x2 __asm__("x2") = 0;
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = 0;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "libshmframe runs on x86-64 and ARM64"
#endif

/* The kernel drops the restartable-sequences area (rseq) of a process that shares its parent's
 * memory, and what that one forks inherits the loss, while libc believes that the area is there:
 * sched_getcpu() would be wrong. Registered again, it is inherited by all workers. */
#if __has_include(<sys/rseq.h>)
static void register_rseq(void)
{
    if (__rseq_size)
        syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 0, RSEQ_SIG);
}
#else
static void register_rseq(void)
{
}
#endif

/* In the intermediate: returns (twice removed from the caller) only in the supervisor. */
static __attribute__((noinline)) void fork_and_end(const char *name)
{
    shmfi_sys.prctl(PR_SET_NAME, (unsigned long)name); /* its own; what it forks inherits it */
    pid_t supervisor = shmfi_sys.fork();
    if (supervisor == 0)
        return;
    syscall(SYS_exit, supervisor < 0 ? FAILED | errno : 0);
    __builtin_unreachable();
}

/* ---- handlers of signals ------------------------------------------------------------------ */

/* They are the application's own code and must not run in supervisor and workers. The kernel sets
 * them to their defaults as it makes the intermediate; where it does not, each must be asked for
 * and set, which takes a fifth of a fork. What is ignored stays so, as after exec. */
static void reset_handlers(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (!sigaction(number, NULL, &action) && action.sa_handler != SIG_IGN &&
            action.sa_handler != SIG_DFL)
            signal(number, SIG_DFL);
    }
}

/* Signals from 32 up to SIGRTMIN are libc's own, and sigaction() does not touch them. It knows that
 * it has set their handlers, and would not do so again: pthread_cancel() would end a worker. */
#define FIRST_OWN 32
#define MOST_OWN  4

struct own_handlers {
    uint64_t actions[MOST_OWN][8]; /* the kernel's struct sigaction, which is no larger */
};

static void save_own_handlers(struct own_handlers *own)
{
    for (int i = 0; i < MOST_OWN && FIRST_OWN + i < SIGRTMIN; i++)
        syscall(SYS_rt_sigaction, FIRST_OWN + i, NULL, own->actions[i], sizeof(uint64_t));
}

static void restore_own_handlers(const struct own_handlers *own)
{
    for (int i = 0; i < MOST_OWN && FIRST_OWN + i < SIGRTMIN; i++)
        syscall(SYS_rt_sigaction, FIRST_OWN + i, own->actions[i], NULL, sizeof(uint64_t));
}

/* ---- the fork ----------------------------------------------------------------------------- */

/* clone3's arguments in their first version. Linux has it since 5.3, and since 5.5 the flag for
 * handlers; Valgrind has neither, and some containers refuse. */
struct how {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};
#define CLEAR_HANDLERS UINT64_C(0x100000000)

int __attribute__((noinline)) shmfi_fork_detached(const char *name)
{
    const struct how how = {.flags = CLONE_VM | CLONE_VFORK | CLEAR_HANDLERS};
    struct own_handlers own = {0};
    save_own_handlers(&own);
    bool is_reset = true;
    long intermediate = clone_here(SYS_clone3, (long)&how, sizeof how);
    if (intermediate == -ENOSYS || intermediate == -EINVAL || intermediate == -EPERM) {
        is_reset = false;
        intermediate = clone_here(SYS_clone, CLONE_VM | CLONE_VFORK, 0);
    }
    if (intermediate == 0) {
        fork_and_end(name);
        register_rseq();
        if (is_reset)
            restore_own_handlers(&own);
        else
            reset_handlers();
        return 0;
    }
    if (intermediate < 0)
        return (int)intermediate;
    int status = 0;
    while (shmfi_sys.waitpid((pid_t)intermediate, &status, (int)__WCLONE) < 0 && errno == EINTR)
        continue;
    if (!WIFEXITED(status)) /* killed: before or after it forked, we shall see */
        shmfi_process_fork_was_abandoned();
    if (WIFEXITED(status) && WEXITSTATUS(status) & FAILED)
        return -(WEXITSTATUS(status) & ~FAILED);
    return 1;
}

/* ---- the end ------------------------------------------------------------------------------ */

#define BURY_MS 10000

bool shmfi_detached_kill(pid_t pid, int pidfd)
{
    int rc = pidfd < 0 ? -1 : shmfi_sys.pidfd_send_signal(pidfd, SIGKILL);
    if (pidfd < 0 || (rc && errno != ESRCH)) /* a filter of system calls may not know it */
        rc = shmfi_sys.kill(pid, SIGKILL);
    return !rc || errno != ESRCH;
}

/* Is it a child of ours that has not ended? One that has is buried. */
static bool is_alive(pid_t pid, int pidfd)
{
    siginfo_t info = {0};
    int rc = pidfd < 0 ? -1 : shmfi_sys.waitid(P_PIDFD, pidfd, &info, WEXITED | WNOHANG);
    if (pidfd < 0 || (rc && errno == EINVAL)) /* Linux 5.3 has pidfds, but waits for none */
        rc = shmfi_sys.waitid(P_PID, pid, &info, WEXITED | WNOHANG);
    return rc ? errno == EINTR : info.si_pid == 0;
}

void shmfi_detached_bury(pid_t pid, int pidfd)
{
    for (int waited = 0; pid > 0 && is_alive(pid, pidfd) && waited < BURY_MS; waited++)
        shmfi_sys.poll(NULL, 0, 1);
}
