/* Pools that begin with few workers, and tasks that wait for each other. */
#ifndef TEST_ON_DEMAND_CALLS_H
#define TEST_ON_DEMAND_CALLS_H

#include "early_calls.h"

static inline struct shmf_pool *pool_from(int first, int workers)
{
    struct shmf_pool_options options = {.workers = workers, .first_workers = first};
    return pool_with(&options);
}

/* Worker processes that there have been. */
static inline int processes_of(struct shmf_pool *pool, int places)
{
    int sum = 0;
    for (int w = 0; w < places; w++) {
        struct shmf_worker_stats worker;
        assert_int_equal(shmf_pool_get_worker_stats(pool, w, &worker), SHMF_OK);
        sum += (int)worker.processes;
    }
    return sum;
}

static inline void do_one_by_one(struct shmf_pool *pool, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(number_of(submit_number(pool, return_number, i, NULL)) == i);
}

/* ---- tasks that wait for each other ------------------------------------------------------- */

struct meeting {
    atomic_int come;
    int expected;
    atomic_int initialized;
};

/* Mapped before any pool is made, so that all workers have it. */
static struct meeting *meeting;

static inline void begin_meetings(void)
{
    meeting = shared_memory(sizeof *meeting);
}

/* From now on so many tasks are waited for. */
static inline void expect_tasks(int count)
{
    atomic_store(&meeting->come, 0);
    meeting->expected = count;
}

static inline int meet(struct shmf_task *task, void *context)
{
    (void)task;
    (void)context;
    atomic_fetch_add(&meeting->come, 1);
    struct count all = {&meeting->come, meeting->expected};
    return test_wait_until(60, has_reached, &all) ? 0 : SHMF_E_TASK;
}

static inline void assert_they_meet(struct shmf_pool *pool, int count)
{
    expect_tasks(count);
    struct shmf_future *futures[8];
    for (int i = 0; i < count; i++)
        futures[i] = submit(pool, meet, NULL);
    for (int i = 0; i < count; i++) {
        assert_int_equal(status_of(futures[i]), SHMF_OK);
        shmf_future_free(futures[i]);
    }
}

#endif
