#include "pipes.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct pipe_worker {
    pid_t pid;
    int to, from;
    int64_t task; /* that it works on; -1: none */
};

static int send_all(int fd, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        ssize_t n = write(fd, next, size);
        if (n <= 0)
            return -1;
        next += n;
        size -= (size_t)n;
    }
    return 0;
}

static int receive_all(int fd, void *bytes, size_t size)
{
    char *next = bytes;
    while (size > 0) {
        ssize_t n = read(fd, next, size);
        if (n <= 0)
            return -1;
        next += n;
        size -= (size_t)n;
    }
    return 0;
}

/* A worker's life: number of a task, input; then the result. A negative number ends it. */
static int work(const struct pipe_job *job, int from, int to)
{
    int64_t task;
    while (receive_all(from, &task, sizeof task) == 0 && task >= 0) {
        void *input = malloc(job->input_bytes + 1), *result = malloc(job->result_bytes + 1);
        if (!input || !result || receive_all(from, input, job->input_bytes) ||
            job->compute(input, task, result, job->user) || send_all(to, result, job->result_bytes))
            return 1;
        free(input);
        free(result);
    }
    return 0;
}

static int start(const struct pipe_job *job, struct pipe_worker *worker)
{
    int to[2], from[2];
    if (pipe(to))
        return -1;
    if (pipe(from)) {
        close(to[0]);
        close(to[1]);
        return -1;
    }
    *worker = (struct pipe_worker){.pid = fork(), .to = to[1], .from = from[0], .task = -1};
    if (worker->pid == 0)
        _exit(work(job, to[0], from[1]));
    close(to[0]);
    close(from[1]);
    if (worker->pid > 0)
        return 0;
    close(to[1]);
    close(from[0]);
    return -1;
}

static int submit(const struct pipe_job *job, struct pipe_worker *worker, int64_t task)
{
    worker->task = task;
    return send_all(worker->to, &task, sizeof task) ||
                   send_all(worker->to, job->input, job->input_bytes)
               ? -1
               : 0;
}

static int collect(const struct pipe_job *job, struct pipe_worker *worker)
{
    void *result = malloc(job->result_bytes + 1);
    int rc = !result || receive_all(worker->from, result, job->result_bytes) ? -1 : 0;
    if (rc == 0)
        job->take(worker->task, result, job->user);
    worker->task = -1;
    free(result);
    return rc;
}

/* Results in the order in which they become ready; a worker gets its next task at once. */
static int run(const struct pipe_job *job, struct pipe_worker *workers, struct pollfd *ready)
{
    int64_t submitted = 0, done = 0;
    for (int w = 0; w < job->n_workers; w++) {
        ready[w] = (struct pollfd){.fd = workers[w].from, .events = POLLIN};
        if (submitted < job->n_tasks && submit(job, &workers[w], submitted++))
            return -1;
    }
    while (done < job->n_tasks) {
        if (poll(ready, (nfds_t)job->n_workers, -1) < 0)
            return -1;
        for (int w = 0; w < job->n_workers; w++) {
            if (!ready[w].revents)
                continue;
            if (workers[w].task < 0 || collect(job, &workers[w]))
                return -1;
            done++;
            if (submitted < job->n_tasks && submit(job, &workers[w], submitted++))
                return -1;
        }
    }
    return 0;
}

static void stop(struct pipe_worker *worker)
{
    const int64_t end = -1;
    if (send_all(worker->to, &end, sizeof end) || worker->task >= 0)
        kill(worker->pid, SIGKILL);
    close(worker->to);
    close(worker->from);
    waitpid(worker->pid, NULL, 0);
}

int pipe_map(const struct pipe_job *job)
{
    struct pipe_worker *workers = calloc((size_t)job->n_workers, sizeof *workers);
    struct pollfd *ready = calloc((size_t)job->n_workers, sizeof *ready);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN); /* a dead worker is an error, not our end */
    int n_started = 0, rc = workers && ready ? 0 : -1;
    while (rc == 0 && n_started < job->n_workers) {
        rc = start(job, &workers[n_started]);
        n_started += rc == 0;
    }
    if (rc == 0)
        rc = run(job, workers, ready);
    if (rc)
        fprintf(stderr, "pipe way: a worker could not be started, or failed\n");
    for (int w = 0; w < n_started; w++)
        stop(&workers[w]);
    signal(SIGPIPE, before);
    free(workers);
    free(ready);
    return rc;
}
