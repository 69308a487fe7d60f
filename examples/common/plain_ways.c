/* The ways without the library: one task after the other, and copies through pipes. The clock
 * stops while a result is being looked at. */
#include "pipes.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>

static void look_at(const struct workload *work, struct way *way, int64_t task, const void *result)
{
    double start = seconds_now();
    if (work->options->check)
        way->sums[task] = checksum(&(struct view){result, work->result_bytes, 1, 0});
    way->seconds -= seconds_now() - start;
}

static int one_by_one(const struct workload *work, struct way *way, void *buffer)
{
    int64_t faults = minor_faults(0);
    double start = seconds_now();
    for (int64_t task = 0; task < way->n_tasks; task++) {
        void *result = buffer ? buffer : malloc(work->result_bytes);
        if (!result || work->compute(work, work->input, task, result)) {
            fprintf(stderr, "%s: task %lld failed\n", way->name, (long long)task);
            if (!buffer)
                free(result);
            return -1;
        }
        look_at(work, way, task, result);
        if (!buffer)
            free(result);
    }
    way->seconds += seconds_now() - start;
    way->faults = (double)(minor_faults(0) - faults) / (double)way->n_tasks;
    return 0;
}

int run_sequential(const struct workload *work, struct way *way)
{
    return one_by_one(work, way, NULL);
}

int run_one_buffer(const struct workload *work, struct way *way)
{
    void *buffer = need_memory(work->result_bytes);
    int rc = one_by_one(work, way, buffer);
    free(buffer);
    return rc;
}

struct pipe_run {
    const struct workload *work;
    struct way *way;
};

static int pipe_compute(const void *input, int64_t task, void *result, void *user)
{
    const struct workload *work = ((struct pipe_run *)user)->work;
    return work->compute(work, input, task, result);
}

static void pipe_take(int64_t task, const void *result, void *user)
{
    struct pipe_run *run = user;
    look_at(run->work, run->way, task, result);
}

int run_pipe(const struct workload *work, struct way *way)
{
    struct pipe_run run = {work, way};
    struct pipe_job job = {.n_workers = work->options->workers,
                           .n_tasks = way->n_tasks,
                           .input = work->input,
                           .input_bytes = work->input_bytes,
                           .result_bytes = work->result_bytes,
                           .compute = pipe_compute,
                           .take = pipe_take,
                           .user = &run};
    int64_t faults = minor_faults(0);
    double start = seconds_now();
    int rc = pipe_map(&job);
    way->seconds += seconds_now() - start;
    way->faults = (double)(minor_faults(0) - faults) / (double)way->n_tasks;
    return rc;
}
