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

/* clone(CLONE_VM | CLONE_VFORK) on our own stack. It must be inlined into the caller: a function
 * that returned in the intermediate would have its return address overwritten by what the
 * intermediate calls next. Negative errno, 0 in the intermediate, or its pid. */
#if defined(__x86_64__)
static inline __attribute__((always_inline)) long clone_like_vfork(void)
{
    register long result __asm__("rax") = SYS_clone;
    register long flags __asm__("rdi") = CLONE_VM | CLONE_VFORK;
    register long stack __asm__("rsi") = 0;
    register long parent_tid __asm__("rdx") = 0;
    register long child_tid __asm__("r10") = 0;
    register long tls __asm__("r8") = 0;
    __asm__ volatile("syscall"
                     : "+r"(result)
                     : "r"(flags), "r"(stack), "r"(parent_tid), "r"(child_tid), "r"(tls)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
static inline __attribute__((always_inline)) long clone_like_vfork(void)
{
    register long number __asm__("x8") = SYS_clone;
    register long flags __asm__("x0") = CLONE_VM | CLONE_VFORK;
    register long stack __asm__("x1") = 0;
    register long parent_tid __asm__("x2") = 0;
    register long tls __asm__("x3") = 0;
    register long child_tid __asm__("x4") = 0;
    __asm__ volatile("svc #0"
                     : "+r"(flags)
                     : "r"(number), "r"(stack), "r"(parent_tid), "r"(tls), "r"(child_tid)
                     : "memory");
    return flags;
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

int __attribute__((noinline)) shmfi_fork_detached(const char *name)
{
    long intermediate = clone_like_vfork();
    if (intermediate == 0) {
        fork_and_end(name);
        register_rseq();
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
