/* Results in shared memory without a library, as impl raw: a process for each worker, with one
 * buffer, and two words in memory that all share. A worker writes its buffer, says so, and has its
 * next task when the consumer has looked. Who waits yields for a moment, then sleeps on a futex.
 * This is what any pool of processes could reach that keeps its results where the consumer sees
 * them, with no queue, window, errors or deaths to look after. */
#include "way.h"

#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { MOST = 64, LINE = 128, HUGE_PAGE = 2 << 20 };
static const double yield_seconds = 20e-6;

/* `asleep` is set by who is about to sleep on it, and cleared by who wakes it. */
static struct seat {
    _Alignas(LINE) _Atomic uint64_t orders; /* the consumer's: how many tasks it was given */
    int64_t task;                           /* the consumer's: the last one */
    _Atomic uint32_t asleep;
    _Alignas(LINE) _Atomic uint64_t done; /* the worker's: how many it has done */
} * seats;                                /* one for each worker; the last is the consumer's */

static unsigned char *buffers[MOST];
static bool busy[MOST]; /* its result was not looked at */
static pid_t pids[MOST];

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void wake(struct seat *seat)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&seat->asleep) && atomic_exchange(&seat->asleep, 0))
        futex(&seat->asleep, FUTEX_WAKE, 1);
}

static void wait_until(struct seat *seat, bool (*ready)(int worker), int worker)
{
    for (double end = bench_now() + yield_seconds; bench_now() < end; sched_yield())
        if (ready(worker))
            return;
    while (!ready(worker)) {
        atomic_store(&seat->asleep, 1);
        atomic_thread_fence(memory_order_seq_cst);
        if (!ready(worker))
            futex(&seat->asleep, FUTEX_WAIT, 1);
        atomic_store(&seat->asleep, 0);
    }
}

static bool has_order(int worker)
{
    return atomic_load(&seats[worker].orders) != atomic_load(&seats[worker].done);
}

static bool has_result(int unused)
{
    (void)unused;
    for (int w = 0; w < setting.workers; w++)
        if (busy[w] && !has_order(w))
            return true;
    return false;
}

static _Noreturn void work(int worker)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        wait_until(&seats[worker], has_order, worker);
        way_work.compute(&way_work, NULL, 0, seats[worker].task, buffers[worker]);
        atomic_fetch_add(&seats[worker].done, 1);
        wake(&seats[setting.workers]);
    }
}

static void *shared_memory(size_t size)
{
    size_t whole = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    unsigned char *at =
        mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bench_need(at != MAP_FAILED, "shared memory");
    at += (HUGE_PAGE - (uintptr_t)at % HUGE_PAGE) % HUGE_PAGE;
    for (size_t i = 0; i < whole; i += 4096)
        at[i] = 1;
    if (size >= HUGE_PAGE)
        madvise(at, whole, MADV_COLLAPSE); /* or it stays in small pages */
    return at;
}

static void open_raw(void)
{
    bench_need(setting.workers <= MOST, "no more than 64 workers");
    seats = shared_memory((size_t)(setting.workers + 1) * sizeof *seats);
    memset(seats, 0, (size_t)(setting.workers + 1) * sizeof *seats);
    for (int w = 0; w < setting.workers; w++)
        buffers[w] = shared_memory(way_work.result_bytes);
    for (int w = 0; w < setting.workers; w++) {
        pids[w] = fork();
        bench_need(pids[w] >= 0, "fork");
        if (pids[w] == 0)
            work(w);
    }
}

static void give(int worker, int64_t task)
{
    busy[worker] = true;
    seats[worker].task = task;
    atomic_fetch_add(&seats[worker].orders, 1);
    wake(&seats[worker]);
}

static void run_raw(int64_t n, struct reply *reply)
{
    uint64_t sum = 0;
    int64_t given = 0, taken = 0;
    double start = bench_now();
    while (given < n && given < setting.workers) {
        give((int)given, given);
        given++;
    }
    while (taken < n) {
        wait_until(&seats[setting.workers], has_result, 0);
        for (int w = 0; w < setting.workers; w++) {
            if (!busy[w] || has_order(w))
                continue;
            sum += work_consume(&way_work, seats[w].task, buffers[w]);
            taken++;
            busy[w] = false;
            if (given < n)
                give(w, given++);
        }
    }
    way_reply(reply, n, bench_now() - start, sum);
}

static void close_raw(void)
{
    for (int w = 0; w < setting.workers; w++) {
        kill(pids[w], SIGKILL);
        waitpid(pids[w], NULL, 0);
    }
}

const struct measure way_raw[] = {
    {"result_sizes", "raw", way_prepare, open_raw, run_raw, close_raw},
    {0},
};
