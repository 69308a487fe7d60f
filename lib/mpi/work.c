/* Tasks in the pool of this rank, as futures that line up when they are done. */
#include "map.h"

#include <stdlib.h>

/* Seconds in which a worker sends the file again that there was no room for, where there is some by
 * now. */
#define A_MOMENT 1.0

struct shmfi_mpi_job {
    struct shmfi_mpi_work *work;
    struct shmf_future *future;
    struct shmfi_mpi_job *next, **at; /* at: what points here, while it runs */
    int64_t turn;
};

void shmfi_mpi_work_start(struct shmfi_mpi_work *work)
{
    work->running = work->done = NULL;
    work->done_end = &work->done;
}

static void line_up(struct shmfi_mpi_work *work, struct shmfi_mpi_job *job)
{
    job->next = NULL;
    *work->done_end = job;
    work->done_end = &job->next;
}

static void enter(struct shmfi_mpi_job **list, struct shmfi_mpi_job *job)
{
    job->at = list;
    job->next = *list;
    if (job->next)
        job->next->at = &job->next;
    *list = job;
}

static void leave(struct shmfi_mpi_job *job)
{
    *job->at = job->next;
    if (job->next)
        job->next->at = job->at;
}

/* In an inline pool that is before submitting returns. */
static void is_done(struct shmf_future *future, void *user)
{
    struct shmfi_mpi_job *job = user;
    job->future = future;
    leave(job);
    line_up(job->work, job);
}

int shmfi_mpi_work_submit(struct shmfi_mpi_work *work, int64_t index, const void *arg, size_t size,
                          struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    struct shmfi_mpi_job *job = calloc(1, sizeof *job);
    if (!job)
        return shmfi_mpi_no_memory(err);
    *job = (struct shmfi_mpi_job){.work = work, .turn = work->given++};
    enter(&work->running, job);
    const struct shmf_task_input input = {arg, size, work->tasks->handles, work->tasks->n_handles};
    const struct shmf_submit_options options = {.context = work->tasks->context,
                                                .seed = shmf_task_seed_of(work->terms.seed, index),
                                                .attempts = work->terms.attempts,
                                                .deadline_seconds = work->terms.deadline_seconds,
                                                .done_fn = is_done,
                                                .user = job,
                                                .index = index};
    struct shmf_future *future = shmf_pool_submit(work->pool, work->fn, &input, &options, &why);
    if (future) {
        job->future = future;
        return SHMF_OK;
    }
    leave(job);
    free(job);
    if (err)
        *err = why;
    return why.code;
}

static bool has_lasted(double *since)
{
    double now = MPI_Wtime();
    if (*since == 0)
        *since = now;
    return now - *since >= A_MOMENT;
}

int shmfi_mpi_work_progress(struct shmfi_mpi_work *work, struct shmf_error *err)
{
    work->blocked.code = SHMF_OK;
    int rc = shmf_pool_progress(work->pool, &work->blocked);
    if (rc != SHMF_E_NOFILES)
        work->no_files_since = 0;
    else if (!has_lasted(&work->no_files_since))
        work->blocked.code = SHMF_OK;
    if (rc == SHMF_E_NOSPC || rc == SHMF_E_NOFILES)
        return 0;
    if (rc < 0 && err)
        *err = work->blocked;
    return rc;
}

int shmfi_mpi_work_take(struct shmfi_mpi_work *work, struct shmf_result **result, int64_t *turn,
                        struct shmf_error *err)
{
    struct shmfi_mpi_job *job = work->done;
    if (!job)
        return 0;
    int rc = shmf_future_wait(job->future, 0, err);
    if (rc)
        return rc;
    *result = shmf_future_take(job->future);
    *turn = job->turn;
    work->done = job->next;
    if (!work->done)
        work->done_end = &work->done;
    shmf_future_free(job->future);
    free(job);
    return 1;
}

static void forget(struct shmfi_mpi_job *job)
{
    while (job) {
        struct shmfi_mpi_job *next = job->next;
        shmf_future_free(job->future);
        free(job);
        job = next;
    }
}

/* A future that is freed calls nobody any more; while one is cancelled, it and any other may call,
 * and line up: the first that was not asked yet is looked for anew each time. */
void shmfi_mpi_work_stop(struct shmfi_mpi_work *work, bool ends)
{
    struct shmfi_mpi_job *asked = NULL, *job;
    while (ends && (job = work->running)) {
        leave(job);
        enter(&asked, job);
        shmf_future_cancel(job->future);
    }
    struct shmfi_mpi_job *running = work->running, *done = work->done;
    shmfi_mpi_work_start(work);
    forget(asked);
    forget(running);
    forget(done);
}
