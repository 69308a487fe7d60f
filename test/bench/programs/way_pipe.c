/* Forked processes that inherit the input and send results through pipes: the portable way of using
 * processes from C. Small tasks are sent many at a time, since a system call costs more than they
 * do. */
#include "way.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORKERS = 64, MOST = 64 };

static struct peer {
    pid_t pid;
    int tasks, results; /* descriptors */
    int64_t sent, taken;
    int64_t numbers[MOST]; /* of the tasks in flight, by their order */
} peers[MAX_WORKERS];
static char *buffer;
static int64_t batch;

static bool read_all(int fd, void *bytes, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t some = read(fd, (char *)bytes + got, size - got);
        if (some <= 0)
            return false;
        got += (size_t)some;
    }
    return true;
}

static bool write_all(int fd, const void *bytes, size_t size)
{
    for (size_t put = 0; put < size;) {
        ssize_t some = write(fd, (const char *)bytes + put, size - put);
        if (some < 0)
            return false;
        put += (size_t)some;
    }
    return true;
}

/* Takes as many tasks as have come, and answers them with one write. */
static void work_off(int tasks, int results)
{
    int64_t numbers[MOST];
    ssize_t got;
    while ((got = read(tasks, numbers, (size_t)batch * sizeof *numbers)) > 0) {
        int64_t n = got / (ssize_t)sizeof *numbers;
        for (int64_t i = 0; i < n; i++)
            way_work.compute(&way_work, way_input, work_row(&way_work, numbers[i]), numbers[i],
                             buffer + (size_t)(i % batch) * way_work.result_bytes);
        if (!write_all(results, buffer, (size_t)n * way_work.result_bytes))
            break;
    }
    _exit(0);
}

static void open_pipes(void)
{
    bench_need(setting.workers <= MAX_WORKERS, "too many workers");
    bool is_long = !strcmp(setting.bench, "task_lengths") && setting.at > 10000;
    batch = way_work.result_bytes <= 1024 && !is_long ? MOST : 1;
    buffer = malloc((size_t)batch * way_work.result_bytes);
    bench_need(buffer != NULL, "memory for results");
    for (int w = 0; w < setting.workers; w++) {
        int tasks[2], results[2];
        bench_need(pipe2(tasks, O_CLOEXEC) == 0 && pipe2(results, O_CLOEXEC) == 0, "pipe2");
        fcntl(results[1], F_SETPIPE_SZ, 1 << 20);
        pid_t pid = fork();
        bench_need(pid >= 0, "fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (int v = 0; v < w; v++)
                close(peers[v].tasks);
            close(tasks[1]);
            close(results[0]);
            work_off(tasks[0], results[1]);
        }
        close(tasks[0]);
        close(results[1]);
        peers[w] = (struct peer){.pid = pid, .tasks = tasks[1], .results = results[0]};
    }
}

/* One task waits beside the one that runs; of small ones, as many as are sent at a time. Of few
 * tasks nobody has more than a share. */
static void feed(struct peer *peer, int64_t *next, int64_t n)
{
    int64_t numbers[MOST], most = batch > 1 ? batch : 2, count = 0;
    int64_t share = (n + setting.workers - 1) / setting.workers;
    most = most < share ? most : share;
    if (peer->sent - peer->taken > most / 2)
        return;
    while (*next < n && peer->sent - peer->taken < most) {
        numbers[count++] = *next;
        peer->numbers[peer->sent++ % MOST] = (*next)++;
    }
    if (count)
        bench_need(write_all(peer->tasks, numbers, (size_t)count * sizeof *numbers), "write");
}

/* As many results as there are, whole ones. */
static uint64_t take(struct peer *peer)
{
    size_t size = way_work.result_bytes;
    ssize_t some = read(peer->results, buffer, (size_t)batch * size);
    bench_need(some > 0, "read");
    size_t rest = (size_t)some % size ? size - (size_t)some % size : 0;
    bench_need(read_all(peer->results, buffer + some, rest), "read");
    uint64_t sum = 0;
    for (size_t at = 0; at < (size_t)some + rest; at += size)
        sum += work_consume(&way_work, peer->numbers[peer->taken++ % MOST], buffer + at);
    return sum;
}

static void run_pipes(int64_t n, struct reply *reply)
{
    uint64_t sum = 0;
    int64_t next = 0, taken = 0;
    double start = bench_now();
    for (int w = 0; w < setting.workers; w++)
        peers[w].sent = peers[w].taken = 0;
    for (int w = 0; w < setting.workers; w++)
        feed(&peers[w], &next, n);
    while (taken < n) {
        struct pollfd polls[MAX_WORKERS];
        for (int w = 0; w < setting.workers; w++)
            polls[w] = (struct pollfd){.fd = peers[w].results, .events = POLLIN};
        bench_need(poll(polls, (nfds_t)setting.workers, -1) > 0, "poll");
        for (int w = 0; w < setting.workers; w++) {
            if (!polls[w].revents)
                continue;
            int64_t before = peers[w].taken;
            sum += take(&peers[w]);
            taken += peers[w].taken - before;
            feed(&peers[w], &next, n);
        }
    }
    way_reply(reply, n, bench_now() - start, sum);
}

static void close_pipes(void)
{
    for (int w = 0; w < setting.workers; w++) {
        close(peers[w].tasks);
        close(peers[w].results);
        waitpid(peers[w].pid, NULL, 0);
    }
    free(buffer);
}

const struct measure way_pipe[] = {
    {NULL, "pipe_copy", way_prepare, open_pipes, run_pipes, close_pipes},
    {0},
};
