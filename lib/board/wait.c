/* The protocol of every sleep: the sleeper stores `asleep = 1`, fences, looks once more, sleeps.
 * The waker stores what the sleeper waits for, fences, looks at `asleep`. The two seq_cst fences
 * forbid that both miss the other's store (Dekker), so either the sleeper sees the news or the
 * waker sees the flag. Whoever changes 1 to 0 by CAS makes the system call, so a burst of wakers
 * makes one. In test/model: PARK and WAKE (worker), SLEEP and RING (application); each fence that
 * is missing there is a deadlock.
 *
 * Who queues a task wakes nobody where enough are AWAKE: as many as there are tasks queued or in
 * workers' hands. Each of these has one of the tasks, or it will look at the board before it sleeps
 * and see what is queued, by the same two fences. So no task waits for the end of another one while
 * a worker sleeps. Who is counted on and goes (dies, or ends between two tasks) has another one
 * woken in its stead: LEAVE. */
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
    bool pauses = spinner->pause_first && !spinner->yield_first;
    spinner->looked = 0;
    spinner->yield_first = false;
    if (ready(context))
        return true;
    uint64_t start = shmfi_now();
    if (pauses && spin_pausing(spinner, watch, ready, context, start))
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

void shmfi_give_way(struct shmfi_spinner *spinner)
{
    uint64_t before = shmfi_now();
    if (before < spinner->no_yield_until)
        return;
    shmfi_sys.sched_yield();
    uint64_t after = shmfi_now();
    if (after - before > SLOW_YIELD)
        punish(spinner, after);
}

void shmfi_park(struct shmfi_board *board, uint32_t worker, shmfi_ready_fn ready, void *context,
                int timeout_ms)
{
    _Atomic uint32_t *asleep = &board->lines[worker].asleep;
    /* One that waits for memory before it looks for tasks stays AWAY. */
    uint32_t away = atomic_load_explicit(asleep, memory_order_relaxed) == SHMFI_AWAY;
    atomic_store_explicit(asleep, SHMFI_ASLEEP, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    bool stays = ready(context);
    if (!stays) {
        struct timespec limit = {timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000};
        shmfi_sys.futex(asleep, FUTEX_WAIT, SHMFI_ASLEEP, &limit);
    }
    /* PASS ON: it was counted on for what it has seen, when its flag was not up yet, and then woken
     * for something else: that is for another one. One exchange tells, or a waker could come
     * between the look and the store. */
    uint32_t found =
        atomic_exchange_explicit(asleep, away ? SHMFI_AWAY : SHMFI_AWAKE, memory_order_relaxed);
    if (stays && found == SHMFI_AWAKE)
        shmfi_wake_some(board, 1);
}

void shmfi_look_for_tasks(struct shmfi_board *board, uint32_t worker)
{
    atomic_store_explicit(&board->lines[worker].asleep, SHMFI_AWAKE, memory_order_relaxed);
}

/* LEAVE: whoever queued a task before it saw AWAY may have counted on this worker. The fence orders
 * our store before the look at who sleeps, so that two that leave do not count on each other. */
void shmfi_leave_tasks(struct shmfi_board *board, uint32_t worker)
{
    atomic_store_explicit(&board->lines[worker].asleep, SHMFI_AWAY, memory_order_relaxed);
    shmfi_wake_some(board, 1);
}

static bool wake_if_asleep(struct shmfi_board *board, uint32_t worker)
{
    _Atomic uint32_t *asleep = &board->lines[worker].asleep;
    uint32_t one = SHMFI_ASLEEP;
    if (atomic_load_explicit(asleep, memory_order_relaxed) != SHMFI_ASLEEP ||
        !atomic_compare_exchange_strong_explicit(asleep, &one, SHMFI_AWAKE, memory_order_relaxed,
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

static bool wants_memory(const struct shmfi_board *board, uint32_t worker)
{
    return atomic_load_explicit(&board->lines[worker].wanted, memory_order_relaxed);
}

/* After the fence. */
static uint32_t wake_sleepers(struct shmfi_board *board, uint32_t most)
{
    uint32_t places = shmfi_board_places(board), woken = 0;
    for (uint32_t w = 0; w < places && woken < most; w++)
        woken += !wants_memory(board, w) && wake_if_asleep(board, w);
    return woken;
}

void shmfi_wake_some(struct shmfi_board *board, uint32_t count)
{
    atomic_thread_fence(memory_order_seq_cst);
    wake_sleepers(board, count);
}

/* Those that wait for memory are not counted, because they may wait for it before they look for
 * tasks. */
uint32_t shmfi_awake(const struct shmfi_board *board, uint32_t most)
{
    uint32_t places = shmfi_board_places(board), awake = 0;
    for (uint32_t w = 0; w < places && awake < most; w++)
        awake +=
            atomic_load_explicit(&board->lines[w].asleep, memory_order_relaxed) == SHMFI_AWAKE &&
            !wants_memory(board, w);
    return awake;
}

bool shmfi_wake_for(struct shmfi_board *board, uint32_t queued, uint32_t in_flight)
{
    uint32_t places = shmfi_board_places(board);
    uint32_t wanted = in_flight < places ? in_flight : places;
    atomic_thread_fence(memory_order_seq_cst);
    uint32_t missing = wanted - shmfi_awake(board, wanted);
    return missing && wake_sleepers(board, missing < queued ? missing : queued);
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
