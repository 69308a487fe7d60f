/* One task there and back, against a bare ping-pong of two processes: spinning on a word, yielding
 * between two looks at it, or asleep. `raw` sleeps as the library does: the worker on a futex, the
 * application in a poll of an eventfd. */
#include "way.h"

#include <shmframe/shmframe.h>

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 1 << 20 };

static struct table {
    _Alignas(128) _Atomic uint32_t ping;
    _Alignas(128) _Atomic uint32_t pong;
} * table;
static int bell;
static pid_t partner;
static struct shmf_pool *pool;

static void spin(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
#if defined(__x86_64__)
        __builtin_ia32_pause();
#else
        continue;
#endif
}

static void yield(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        sched_yield();
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        syscall(SYS_futex, word, FUTEX_WAIT, value - 1, NULL, NULL, 0);
}

static void ring(void)
{
    uint64_t one = 1;
    bench_need(write(bell, &one, sizeof one) == sizeof one, "write");
}

static void hear(void)
{
    uint64_t count;
    bench_need(poll(&(struct pollfd){.fd = bell, .events = POLLIN}, 1, -1) == 1, "poll");
    bench_need(read(bell, &count, sizeof count) == sizeof count, "read");
}

static bool is(const char *bench)
{
    return !strcmp(setting.bench, bench);
}

static void answer_for_ever(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (uint32_t round = 1;; round++) {
        if (is("roundtrip_spin"))
            spin(&table->ping, round);
        else if (is("roundtrip_yield"))
            yield(&table->ping, round);
        else
            futex_wait(&table->ping, round);
        atomic_store_explicit(&table->pong, round, memory_order_release);
        if (is("roundtrip_parked"))
            ring();
    }
}

static void open_raw(void)
{
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bell = eventfd(0, EFD_CLOEXEC);
    bench_need(table != MAP_FAILED && bell >= 0, "mmap");
    partner = fork();
    bench_need(partner >= 0, "fork");
    if (partner == 0)
        answer_for_ever();
}

static void raw_once(uint32_t round)
{
    atomic_store_explicit(&table->ping, round, memory_order_release);
    if (is("roundtrip_spin")) {
        spin(&table->pong, round);
    } else if (is("roundtrip_yield")) {
        yield(&table->pong, round);
    } else {
        syscall(SYS_futex, &table->ping, FUTEX_WAKE, 1, NULL, NULL, 0);
        hear();
    }
}

static void close_raw(void)
{
    kill(partner, SIGKILL);
    waitpid(partner, NULL, 0);
}

static int nothing(struct shmf_task *task, void *unused)
{
    (void)task;
    (void)unused;
    return 0;
}

static void shmframe_once(uint32_t round)
{
    struct shmf_error err;
    struct shmf_result *result = shmf_pool_apply(pool, nothing, NULL, NULL, &err);
    (void)round;
    bench_need(result && shmf_result_status(result) == 0, "shmf_pool_apply");
    shmf_result_free(result);
}

static void open_shmframe(void)
{
    struct shmf_error err;
    int workers = is("roundtrip_yield") ? 2 : 1;
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = workers}, &err);
    bench_need(pool != NULL, "shmf_pool_new");
}

static void close_shmframe(void)
{
    shmf_pool_free(pool);
}

/* Asleep: a pause before each trip, long enough for everybody to fall asleep; not timed. */
static void run(int64_t n, struct reply *reply, void (*once)(uint32_t round))
{
    static double times[MOST];
    static uint32_t round;
    bench_need(n <= MOST, "too many rounds");
    double start = bench_now();
    if (is("roundtrip_parked")) {
        for (int64_t i = 0; i < n; i++) {
            usleep(300);
            double before = bench_now();
            once(++round);
            times[i] = (bench_now() - before) * 1e9;
        }
        reply_add(reply, "ns", bench_quantile(times, n, 0.5));
        reply_add(reply, "p99_ns", bench_quantile(times, n, 0.99));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        once(++round);
    reply_add(reply, "ns", (bench_now() - start) * 1e9 / (double)n);
}

/* The partner stands still between runs: others are measured then. */
static void run_raw(int64_t n, struct reply *reply)
{
    kill(partner, SIGCONT);
    run(n, reply, raw_once);
    kill(partner, SIGSTOP);
}

static void run_shmframe(int64_t n, struct reply *reply)
{
    run(n, reply, shmframe_once);
}

#define BOTH(bench)                                                                                \
    {bench, "raw", NULL, open_raw, run_raw, close_raw},                                            \
    {                                                                                              \
        bench, "shmframe", NULL, open_shmframe, run_shmframe, close_shmframe                       \
    }

const struct measure bench_roundtrip[] = {
    BOTH("roundtrip_spin"),
    BOTH("roundtrip_yield"),
    BOTH("roundtrip_parked"),
    {0},
};
