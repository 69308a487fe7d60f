/* Beginning, living long and dying: cold starts, replaced workers, a million tasks, 256 workers. */
#include "life.h"

#include "way.h"

#include <shmframe/shmframe.h>

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 100000, WARM = 1000, SPAN = 10000 };

static struct shmf_error err;
static struct shmf_pool *pool;
static double times[MOST];

static void need(bool ok, const char *what)
{
    if (!ok)
        fprintf(stderr, "%s: %s\n", shmf_status_name(err.code), err.message);
    bench_need(ok, what);
}

/* at: bytes that the application holds in a frame. */
static void hold(void)
{
    if (!setting.at)
        return;
    struct shmf_frame_spec spec = {
        .n_rows = setting.at / 8 / 100, .n_columns = 100, .dtype = SHMF_FLOAT64};
    need(shmf_frame_new(&spec, &err) != NULL, "shmf_frame_new");
}

/* at: bytes of private memory that the application has written to. */
static void hold_heap(void)
{
    char *heap = setting.at ? malloc((size_t)setting.at) : NULL;
    bench_need(heap || !setting.at, "malloc");
    for (int64_t i = 0; i < setting.at; i += 4096)
        ((volatile char *)heap)[i] = 1;
}

static void reply_times(struct reply *reply, int64_t n)
{
    reply_add(reply, "ns", bench_quantile(times, n, 0.5));
    reply_add(reply, "p99_ns", bench_quantile(times, n, 0.99));
}

static int nothing(struct shmf_task *task, void *unused)
{
    (void)task;
    (void)unused;
    return 0;
}

static void apply(void)
{
    struct shmf_result *result = shmf_pool_apply(pool, nothing, NULL, NULL, &err);
    need(result && shmf_result_status(result) == 0, "shmf_pool_apply");
    shmf_result_free(result);
}

/* ---- cold_start --------------------------------------------------------------------------- */

static void start_pools_with(const struct shmf_pool_options *options, int64_t n,
                             struct reply *reply)
{
    for (int64_t i = 0; i < n; i++) {
        double start = bench_now();
        pool = shmf_pool_new(options, &err);
        need(pool != NULL, "shmf_pool_new");
        apply();
        shmf_pool_free(pool);
        times[i] = (bench_now() - start) * 1e9;
    }
    reply_times(reply, n);
}

static void start_pools(int64_t n, struct reply *reply)
{
    start_pools_with(&(struct shmf_pool_options){.workers = 2}, n, reply);
}

/* The second worker would be forked with the second task. */
static void start_pools_on_demand(int64_t n, struct reply *reply)
{
    start_pools_with(&(struct shmf_pool_options){.workers = 2, .first_workers = 1}, n, reply);
}

static void start_three(int64_t n, struct reply *reply)
{
    for (int64_t i = 0; i < n; i++) {
        double start = bench_now();
        pid_t pids[3];
        for (int k = 0; k < 3; k++) {
            pids[k] = fork();
            if (pids[k] == 0)
                _exit(0);
        }
        for (int k = 0; k < 3; k++)
            bench_need(waitpid(pids[k], NULL, 0) == pids[k], "waitpid");
        times[i] = (bench_now() - start) * 1e9;
    }
    reply_times(reply, n);
}

/* ---- death_replacement: from SIGKILL until the successor has done a task ------------------- */

static void open_one(void)
{
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = 1}, &err);
    need(pool != NULL, "shmf_pool_new");
    apply();
}

static void close_pool(void)
{
    shmf_pool_free(pool);
}

/* Its successor's number comes a little after its successor. */
static pid_t worker(void)
{
    pid_t pid;
    while ((pid = (pid_t)shmf_pool_worker_pid(pool, 0)) == 0)
        need(shmf_pool_progress(pool, &err) >= 0, "shmf_pool_progress");
    return pid;
}

static void kill_workers(int64_t n, struct reply *reply)
{
    for (int64_t i = 0; i < n; i++) {
        usleep(2000); /* it sleeps, as the partner of the bare way does */
        pid_t pid = worker();
        double start = bench_now();
        bench_need(pid > 0 && kill(pid, SIGKILL) == 0, "kill");
        apply();
        times[i] = (bench_now() - start) * 1e9;
    }
    reply_times(reply, n);
}

static pid_t fork_ready(int bell)
{
    uint64_t one = 1;
    pid_t pid = fork();
    bench_need(pid >= 0, "fork");
    if (pid == 0) {
        if (write(bell, &one, sizeof one) == sizeof one)
            pause();
        _exit(1);
    }
    bench_need(read(bell, &one, sizeof one) == sizeof one, "read");
    return pid;
}

static void kill_forked(int64_t n, struct reply *reply)
{
    int bell = eventfd(0, EFD_CLOEXEC);
    bench_need(bell >= 0, "eventfd");
    pid_t pid = fork_ready(bell);
    for (int64_t i = 0; i < n; i++) {
        usleep(2000);
        double start = bench_now();
        bench_need(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid, "kill");
        pid = fork_ready(bell);
        times[i] = (bench_now() - start) * 1e9;
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(bell);
    reply_times(reply, n);
}

/* ---- million_tasks: what a task costs early and late, and what has grown ------------------- */

static void prepare_work(void)
{
    way_work = work_find(setting.bench, setting.at);
}

static void open_pool(void)
{
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = setting.workers}, &err);
    need(pool != NULL, "shmf_pool_new");
}

static int compute(struct shmf_task *task, void *unused)
{
    (void)unused;
    uint64_t bytes[32];
    way_work.compute(&way_work, NULL, 0, shmf_task_index(task), bytes);
    return shmf_task_return_bytes(task, bytes, way_work.result_bytes);
}

/* Takes `n` results. */
static void take(struct shmf_iter *iter, int64_t n, uint64_t *sum)
{
    for (int64_t i = 0; i < n; i++) {
        struct shmf_result *result;
        need(shmf_iter_next(iter, &result, &err) == 1, "shmf_iter_next");
        need(shmf_result_status(result) == 0, "a task");
        *sum += work_consume(&way_work, shmf_result_index(result), shmf_result_bytes(result, NULL));
        shmf_result_free(result);
    }
}

/* Early: the tasks after the first thousand; late: the last ones. */
static void run_million(int64_t n, struct reply *reply)
{
    struct shmf_tasks tasks = {.count = n};
    struct life_account early, late;
    uint64_t sum = 0;
    struct shmf_iter *iter =
        shmf_pool_imap(pool, compute, &tasks, &(struct shmf_imap_options){.window = 64}, &err);
    need(iter != NULL, "shmf_pool_imap");
    bench_need(n >= WARM + 2 * SPAN, "too few tasks");
    take(iter, WARM, &sum);
    life_count(pool, &early);
    double start = bench_now();
    take(iter, SPAN, &sum);
    double middle = bench_now();
    take(iter, n - WARM - 2 * SPAN, &sum);
    double last = bench_now();
    take(iter, SPAN, &sum);
    double end = bench_now();
    life_count(pool, &late);
    shmf_iter_free(iter);
    reply_add(reply, "ns_early", (middle - start) / SPAN * 1e9);
    reply_add(reply, "ns_late", (end - last) / SPAN * 1e9);
    way_reply(reply, n, end - start, sum);
    reply_add(reply, "resident_early", (double)early.resident);
    reply_add(reply, "resident_late", (double)late.resident);
    reply_add(reply, "descriptors_grown", (double)(late.descriptors - early.descriptors));
    reply_add(reply, "mappings_grown", (double)(late.mappings - early.mappings));
}

/* ---- workers ------------------------------------------------------------------------------ */

/* at: their number. */
static int many(void)
{
    return setting.at ? (int)setting.at : 256;
}

static void open_many(void)
{
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = many(), .window = 512}, &err);
    need(pool != NULL, "shmf_pool_new");
}

static void run_many(int64_t n, struct reply *reply)
{
    struct shmf_tasks tasks = {.count = n};
    struct life_account account;
    uint64_t sum = 0;
    double start = bench_now();
    struct shmf_iter *iter =
        shmf_pool_imap(pool, compute, &tasks, &(struct shmf_imap_options){.window = 512}, &err);
    need(iter != NULL, "shmf_pool_imap");
    take(iter, n, &sum);
    double seconds = bench_now() - start;
    shmf_iter_free(iter);
    usleep(100000);
    life_count(pool, &account);
    way_reply(reply, n, seconds, sum);
    reply_add(reply, "descriptors", (double)account.descriptors);
    reply_add(reply, "bytes_per_idle_worker", (double)account.worker_private / many());
}

const struct measure bench_life[] = {
    {"cold_start", "shmframe", hold, NULL, start_pools, NULL},
    {"cold_start", "raw", hold, NULL, start_three, NULL},
    {"cold_start_on_demand", "shmframe", hold, NULL, start_pools_on_demand, NULL},
    {"cold_start_on_demand", "raw", hold, NULL, start_three, NULL},
    {"cold_start_heap", "shmframe", hold_heap, NULL, start_pools, NULL},
    {"cold_start_heap", "raw", hold_heap, NULL, start_three, NULL},
    {"death_replacement", "shmframe", hold, open_one, kill_workers, close_pool},
    {"death_replacement", "raw", hold, NULL, kill_forked, NULL},
    {"million_tasks", "shmframe", prepare_work, open_pool, run_million, close_pool},
    {"workers_256", "shmframe", prepare_work, open_many, run_many, close_pool},
    {0},
};
