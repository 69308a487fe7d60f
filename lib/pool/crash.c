/* The handler runs in whatever state the crash left the worker: on a stack of its own, without
 * allocation, lock or stdio. What it knows at once (the place) it notes first; unwinding the stack
 * may crash in turn, which ends the worker as well. */
#include "pool/crash.h"

#include "base/sys.h"

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAVE_BACKTRACE 1
#else
#define HAVE_BACKTRACE 0 /* musl: the place alone */
#endif
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define OWN_FRAMES 4 /* the handler's, at most */

static struct shmfi_crash *place;
static uint32_t own_incarnation;
static pid_t own_pid;

/* Large enough for the unwinder; pages that are not touched do not exist. Common, so that it lies
 * behind all other variables and not between them: those that a fork writes to share a page. */
uint8_t shmfi_crash_stack[64 << 10] __attribute__((common, visibility("hidden"), aligned(16)));

static uint64_t counter_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uint64_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return context->uc_mcontext.pc;
#endif
}

static bool has_address(const siginfo_t *info)
{
    return info->si_code > 0 && info->si_signo != SIGABRT;
}

#if HAVE_BACKTRACE
static void note_callers(struct shmfi_crash *crash)
{
    void *all[SHMFI_CRASH_FRAMES + OWN_FRAMES];
    int count = backtrace(all, SHMFI_CRASH_FRAMES + OWN_FRAMES), first = 0;
    while (first < count && (uint64_t)(uintptr_t)all[first] != crash->frames[0])
        first++;
    uint32_t noted = 1;
    for (int i = first + 1; i < count && noted < SHMFI_CRASH_FRAMES; i++)
        crash->frames[noted++] = (uint64_t)(uintptr_t)all[i];
    crash->count = noted;
}
#else
static void note_callers(struct shmfi_crash *crash)
{
    (void)crash;
}
#endif

/* A process that a task forked has the handler, but not the board. */
static void note(int number, siginfo_t *info, void *context)
{
    if (getpid() == own_pid) {
        place->count = 1;
        place->address = has_address(info) ? (uint64_t)(uintptr_t)info->si_addr : 0;
        place->frames[0] = counter_of(context);
        atomic_store_explicit(&place->incarnation, own_incarnation, memory_order_release);
        note_callers(place);
    }
    /* The default is back (SA_RESETHAND). A fault happens again as we return, with all that a core
     * image should say; what was sent must be sent again. */
    if (info->si_code <= 0 || (number == SIGBUS && info->si_code == BUS_MCEERR_AO))
        raise(number);
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl*): the sanitizers' own names. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl*) */

static bool somebody_watches(void)
{
    if (__asan_init || __tsan_init || __msan_init) /* coverage: unreachable: other lanes' builds */
        return true;                               /* coverage: unreachable: the same */
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload");
}

void shmfi_crash_prepare(void)
{
#if HAVE_BACKTRACE
    void *frame;
    if (!somebody_watches())
        backtrace(&frame, 1);
#endif
}

void shmfi_crash_watch(struct shmfi_crash *line, uint32_t incarnation)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    if (somebody_watches())
        return;
    place = line;
    own_incarnation = incarnation;
    own_pid = getpid();
    stack_t other = {.ss_sp = shmfi_crash_stack, .ss_size = sizeof shmfi_crash_stack};
    sigaltstack(&other, NULL);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        struct sigaction now,
            ours = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND};
        sigfillset(&ours.sa_mask);
        sigaction(fatal[i], NULL, &now); /* which are signals that there are */
        if (now.sa_handler == SIG_DFL)
            sigaction(fatal[i], &ours, NULL);
    }
}
