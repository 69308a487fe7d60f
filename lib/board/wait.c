/* The protocol of every sleep: the sleeper stores `asleep = 1`, fences, looks once more, sleeps.
 * The waker stores what the sleeper waits for, fences, looks at `asleep`. The two seq_cst fences
 * forbid that both miss the other's store (Dekker), so either the sleeper sees the news or the
 * waker sees the flag. Whoever changes 1 to 0 by CAS makes the system call, so a burst of wakers
 * makes one. In test/model: PARK and WAKE (worker), SLEEP and RING (application); each fence that
 * is missing there is a deadlock. */
#include "board/wait.h"

#include "base/sys.h"

#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#define LOOKS       16 /* at the watched word, between two at everything */
#define SPIN_NS     20000u
#define PAUSE_NS    2000u
#define SLOW_YIELD  500000u /* a yield that took longer gave a stranger a time slice */
#define MIN_PENALTY 100000000u
#define MAX_PENALTY 1600000000u

uint64_t shmfi_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What paces it is the clock, which costs as much as a pause: so the worker that finds a task here
 * knows when that began, and a clock less is read on the task's way. */
static bool spin_pausing(struct shmfi_spinner *spinner, struct shmfi_watch watch,
                         shmfi_ready_fn ready, void *context, uint64_t start)
{
    uint64_t now = start;
    do {
        for (int i = 0; i < LOOKS && watch.word; i++) {
            spinner->looked = now;
            if (atomic_load_explicit(watch.word, memory_order_acquire) != watch.old)
                return true;
            now = shmfi_now();
        }
        spinner->looked = now;
        if (ready(context))
            return true;
        now = shmfi_now();
    } while (now - start < PAUSE_NS);
    spinner->looked = 0;
    return false;
}

static void punish(struct shmfi_spinner *spinner, uint64_t now)
{
    uint64_t penalty = spinner->penalty * 2;
    if (penalty < MIN_PENALTY || now > spinner->no_yield_until + MAX_PENALTY)
        penalty = MIN_PENALTY;
    spinner->penalty = penalty > MAX_PENALTY ? MAX_PENALTY : penalty;
    spinner->no_yield_until = now + spinner->penalty;
}

bool shmfi_spin(struct shmfi_spinner *spinner, struct shmfi_watch watch, shmfi_ready_fn ready,
                void *context)
{
    spinner->looked = 0;
    if (ready(context))
        return true;
    uint64_t start = shmfi_now();
    if (spinner->pause_first && spin_pausing(spinner, watch, ready, context, start))
        return true;
    if (start < spinner->no_yield_until)
        return false;
    for (uint64_t before = start; before - start < SPIN_NS;) {
        shmfi_sys.sched_yield();
        if (ready(context))
            return true;
        uint64_t after = shmfi_now();
        if (after - before > SLOW_YIELD) {
            punish(spinner, after);
            return false;
        }
        before = after;
    }
    return false;
}

void shmfi_park(struct shmfi_board *board, uint32_t worker, shmfi_ready_fn ready, void *context,
                int timeout_ms)
{
    _Atomic uint32_t *asleep = &board->lines[worker].asleep;
    atomic_store_explicit(asleep, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!ready(context)) {
        struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
        shmfi_sys.futex(asleep, FUTEX_WAIT, 1, &limit);
    }
    atomic_store_explicit(asleep, 0, memory_order_relaxed);
}

static bool wake_if_asleep(struct shmfi_board *board, uint32_t worker)
{
    _Atomic uint32_t *asleep = &board->lines[worker].asleep;
    uint32_t one = 1;
    if (atomic_load_explicit(asleep, memory_order_relaxed) != 1 ||
        !atomic_compare_exchange_strong_explicit(asleep, &one, 0, memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    shmfi_sys.futex(asleep, FUTEX_WAKE, 1, NULL);
    return true;
}

bool shmfi_wake(struct shmfi_board *board, uint32_t worker)
{
    atomic_thread_fence(memory_order_seq_cst);
    return wake_if_asleep(board, worker);
}

void shmfi_wake_some(struct shmfi_board *board, uint32_t count)
{
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t places = shmfi_board_places(board);
    for (uint32_t w = 0; w < places && count; w++)
        if (!atomic_load_explicit(&board->lines[w].wanted, memory_order_relaxed) &&
            wake_if_asleep(board, w))
            count--;
}

bool shmfi_app_sleeps(struct shmfi_board *board, shmfi_ready_fn ready, void *context)
{
    atomic_store_explicit(&board->header->asleep, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!ready(context))
        return true;
    shmfi_app_awake(board);
    return false;
}

void shmfi_app_awake(struct shmfi_board *board)
{
    atomic_store_explicit(&board->header->asleep, 0, memory_order_relaxed);
}

void shmfi_ring_app(struct shmfi_board *board, int eventfd)
{
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t one = 1;
    if (atomic_load_explicit(&board->header->asleep, memory_order_relaxed) != 1 ||
        !atomic_compare_exchange_strong_explicit(&board->header->asleep, &one, 0,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    uint64_t count = 1;
    while (shmfi_sys.write(eventfd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}
