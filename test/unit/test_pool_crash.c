/* pool/: the handler of crashes, called as the kernel calls it, in a process that stays alive to
 * tell what it did. */
#include "pool/crash.h"

#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "support/test.h"
#include "support/watched.h"

enum { INCARNATION = 7 };

static struct shmfi_crash crash;
static volatile sig_atomic_t sent_again;

typedef void (*handler_fn)(int number, siginfo_t *info, void *context);

static void count(int number)
{
    sent_again += number;
}

static bool is_default(int number)
{
    struct sigaction now;
    return !sigaction(number, NULL, &now) && now.sa_handler == SIG_DFL;
}

/* As in a new worker: CMocka has handlers of its own. */
static void forget_handlers(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], SIG_DFL);
}

/* Watches, takes the handler out, and has what is raised counted. */
static handler_fn watched_handler(int number)
{
    struct sigaction now;
    forget_handlers();
    shmfi_crash_watch(&crash, INCARNATION);
    sigaction(number, NULL, &now);
    signal(number, count);
    sent_again = 0;
    return now.sa_sigaction;
}

static uint64_t *counter_of(ucontext_t *context)
{
#if defined(__x86_64__)
    return (uint64_t *)&context->uc_mcontext.gregs[REG_RIP];
#else
    return (uint64_t *)&context->uc_mcontext.pc;
#endif
}

/* As if the signal had come at `place`; 0: where this returns to. */
static __attribute__((noinline)) void strike(handler_fn handler, int number, int code, void *about,
                                             uint64_t place)
{
    ucontext_t context;
    siginfo_t info = {.si_signo = number, .si_code = code};
    getcontext(&context);
    *counter_of(&context) = place ? place : (uint64_t)(uintptr_t)__builtin_return_address(0);
    info.si_addr = about;
    crash = (struct shmfi_crash){0};
    handler(number, &info, &context);
    __asm__ volatile("" : : : "memory"); /* no tail call: a frame of its own */
}

/* What a body that runs in a child says: the line of the first thing that did not hold. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__ > 255 ? 255 : __LINE__;                                                \
    } while (0)

/* ---- the note ------------------------------------------------------------------------------ */

static int note_places(void *unused)
{
    (void)unused;
    handler_fn handler = watched_handler(SIGSEGV);
    strike(handler, SIGSEGV, SEGV_MAPERR, (void *)16, 4711);
    HOLDS(crash.incarnation == INCARNATION && crash.count >= 1);
    HOLDS(crash.address == 16 && crash.frames[0] == 4711);
    HOLDS(!sent_again); /* the instruction faults again by itself */
    strike(handler, SIGSEGV, SI_USER, (void *)16, 4711);
    HOLDS(crash.address == 0 && sent_again == SIGSEGV);
    handler = watched_handler(SIGABRT);
    strike(handler, SIGABRT, 1, (void *)16, 4711); /* whatever its code: about no address */
    HOLDS(crash.address == 0 && crash.frames[0] == 4711 && !sent_again);
    return 0;
}

static void test_a_fault_is_noted_with_its_address_and_what_was_sent_is_sent_again(void **state)
{
    (void)state;
    if (test_is_watched())
        skip();
    assert_true(test_outcome_ok(test_in_child(note_places, NULL, 20)));
}

static int note_memory_errors(void *unused)
{
    (void)unused;
    handler_fn handler = watched_handler(SIGBUS);
    strike(handler, SIGBUS, BUS_ADRERR, (void *)16, 4711);
    HOLDS(crash.address == 16 && !sent_again);
    strike(handler, SIGBUS, BUS_MCEERR_AO, (void *)32, 4711);
    HOLDS(crash.address == 32 && sent_again == SIGBUS); /* no instruction was at fault */
    handler = watched_handler(SIGILL);
    strike(handler, SIGILL, BUS_MCEERR_AO, (void *)32, 4711);
    HOLDS(!sent_again); /* the same code of another signal means another thing */
    return 0;
}

static void
test_a_memory_error_found_in_passing_is_sent_again_as_no_instruction_repeats_it(void **state)
{
    (void)state;
    if (test_is_watched())
        skip();
    assert_true(test_outcome_ok(test_in_child(note_memory_errors, NULL, 20)));
}

/* ---- the callers --------------------------------------------------------------------------- */

enum { MOST = 128 };
static void *stack[MOST]; /* as the caller of strike() sees it; stack[0] is in that itself */
static int on_stack;

static int descend(handler_fn handler, int depth);
static int (*volatile descend_by)(handler_fn handler, int depth) = descend; /* not inlined */

/* The signal comes `depth` calls below, as if where the deepest returns to. */
static int descend(handler_fn handler, int depth)
{
    if (depth)
        return descend_by(handler, depth - 1) + (depth < 0); /* no tail call */
    on_stack = backtrace(stack, MOST);
    strike(handler, SIGSEGV, SEGV_MAPERR, NULL, 0);
    return 0;
}

static bool callers_are_noted(void)
{
    for (uint32_t i = 1; i < crash.count; i++)
        if (crash.frames[i] != (uint64_t)(uintptr_t)stack[i])
            return false;
    return crash.count > 4 && crash.count <= (uint32_t)on_stack;
}

static int note_callers(void *unused)
{
    (void)unused;
    handler_fn handler = watched_handler(SIGSEGV);
    descend(handler, 3);
    HOLDS(callers_are_noted() && crash.count == (uint32_t)on_stack);
    descend(handler, 50);
    HOLDS(callers_are_noted() && on_stack > 50);
    HOLDS(crash.count <= SHMFI_CRASH_FRAMES && crash.count >= SHMFI_CRASH_FRAMES - 4);
    strike(handler, SIGSEGV, SEGV_MAPERR, NULL, 4711);
    HOLDS(crash.count == 1); /* code that the unwinder does not find: the place alone */
    return 0;
}

static void test_the_callers_follow_the_place_as_far_as_there_is_room(void **state)
{
    (void)state;
    if (test_is_watched())
        skip();
    shmfi_crash_prepare();
    assert_true(test_outcome_ok(test_in_child(note_callers, NULL, 20)));
}

/* ---- who is left alone --------------------------------------------------------------------- */

static int strike_in_child(void *context)
{
    handler_fn handler = *(handler_fn *)context;
    strike(handler, SIGSEGV, SEGV_MAPERR, (void *)16, 4711);
    return crash.count ? 1 : 0;
}

static int note_for_its_own_process_only(void *unused)
{
    (void)unused;
    handler_fn handler = watched_handler(SIGSEGV);
    return test_in_child(strike_in_child, &handler, 20).exit_code;
}

static void test_a_process_that_a_worker_forked_notes_nothing(void **state)
{
    (void)state;
    if (test_is_watched())
        skip();
    assert_true(test_outcome_ok(test_in_child(note_for_its_own_process_only, NULL, 40)));
}

static int watch_beside_others(void *unused)
{
    (void)unused;
    forget_handlers();
    signal(SIGFPE, SIG_IGN);
    setenv("LD_PRELOAD", "/somewhere/vgpreload_core.so", 1);
    shmfi_crash_prepare();
    shmfi_crash_watch(&crash, INCARNATION);
    HOLDS(is_default(SIGSEGV) && is_default(SIGABRT));
    setenv("LD_PRELOAD", "/somewhere/else.so", 1);
    bool watched = test_is_watched();
    shmfi_crash_watch(&crash, INCARNATION);
    HOLDS(is_default(SIGSEGV) == watched && is_default(SIGABRT) == watched);
    struct sigaction now;
    sigaction(SIGFPE, NULL, &now);
    HOLDS(now.sa_handler == SIG_IGN);
    return 0;
}

static void test_what_is_handled_already_and_whoever_watches_is_left_alone(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(watch_beside_others, NULL, 20)));
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_fault_is_noted_with_its_address_and_what_was_sent_is_sent_again),
        test_case(test_a_memory_error_found_in_passing_is_sent_again_as_no_instruction_repeats_it),
        test_case(test_the_callers_follow_the_place_as_far_as_there_is_room),
        test_case(test_a_process_that_a_worker_forked_notes_nothing),
        test_case(test_what_is_handled_already_and_whoever_watches_is_left_alone),
    };
    return cmocka_run_group_tests_name("pool: crashes", tests, NULL, NULL);
}
