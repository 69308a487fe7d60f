/* The application's side of a pool without processes: the test holds the other ends of the
 * supervisor's and the workers' sockets, and writes what workers would write on the board. All
 * workers are there (process/pool_stage.h begins with none, and has them announced), and the pool's
 * own modules are all that it needs. */
#ifndef TEST_POOL_SKETCH_H
#define TEST_POOL_SKETCH_H

#include "base/process.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/call_off.h"
#include "pool/future_internal.h"
#include "pool/submit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/test.h"

enum { WORKERS = 4, SLOTS = 4 };

struct sketch {
    struct shmf_pool pool;
    struct shmfi_member members[WORKERS]; /* worker w is incarnation 1 + w */
    struct shmfi_job jobs[SLOTS];
    uint32_t free_slots[SLOTS];
    void *memory;
    int ends[WORKERS], control; /* -1: closed */
    int delivered;              /* to its sink */
    struct shmf_result *last;
    struct shmfi_claimer claimers[WORKERS];
};

/* Of a sketch that a test makes anew. */
static struct sketch *the_sketch;

static inline void sketch_deliver(struct shmfi_sink *sink, struct shmf_result *result)
{
    (void)sink;
    shmf_result_free(the_sketch->last);
    the_sketch->last = result;
    the_sketch->delivered++;
}

static struct shmfi_sink sketch_sink = {.deliver = sketch_deliver, .attempts = 1};

static inline void sketch_sockets(int *ours, int *theirs)
{
    int fds[2];
    struct shmf_error err = {0};
    if (shmfi_fdpass_pair(fds, &err))
        fail_msg("%s", err.message);
    *ours = fds[0];
    *theirs = fds[1];
}

static inline struct sketch *sketch_new(void)
{
    struct sketch *sketch = calloc(1, sizeof *sketch);
    struct shmf_pool *pool = &sketch->pool;
    struct shmfi_geometry geometry = {.workers = WORKERS, .slots = SLOTS};
    size_t size = shmfi_board_size(&geometry);
    if (posix_memalign(&sketch->memory, SHMFI_LINE, size))
        fail_msg("no memory");
    memset(sketch->memory, 0, size);
    pool->epoch = shmfi_process_epoch();
    pool->budget = 1 << 20;
    shmfi_board_format(&pool->board, sketch->memory, &geometry, pool->budget);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->harvested, NULL);
    pool->members = sketch->members;
    pool->jobs = sketch->jobs;
    pool->free_slots = sketch->free_slots;
    pool->n_workers = pool->wanted = pool->told = pool->places = pool->max_workers = WORKERS;
    pool->window = SLOTS;
    pool->n_free = SLOTS;
    pool->backlog_end = &pool->backlog;
    pool->epoll = pool->supervisor_pidfd = pool->board_fd = pool->eventfd = -1;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        sketch->free_slots[slot] = SLOTS - 1 - slot;
    sketch_sockets(&pool->control, &sketch->control);
    for (uint32_t w = 0; w < WORKERS; w++) {
        sketch_sockets(&sketch->members[w].socket, &sketch->ends[w]);
        sketch->members[w].incarnation = 1 + w;
        shmfi_board_join(&pool->board, &sketch->claimers[w], w, 1 + w);
    }
    return the_sketch = sketch;
}

static inline void sketch_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static inline void sketch_free(struct sketch *sketch)
{
    for (uint32_t w = 0; w < WORKERS; w++) {
        struct shmfi_member *member = &sketch->members[w];
        sketch_close(&member->socket);
        sketch_close(&sketch->ends[w]);
        shmfi_ids_clear(&member->sent);
        shmfi_ids_clear(&member->granted);
        shmfi_ids_clear(&member->lost);
        shmfi_ids_clear(&member->regions);
        free(member->kept);
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        shmf_result_free(sketch->jobs[slot].result);
    sketch_close(&sketch->pool.control);
    sketch_close(&sketch->control);
    shmf_result_free(sketch->last);
    shmf_result_free(sketch->pool.spare);
    pthread_cond_destroy(&sketch->pool.harvested);
    pthread_mutex_destroy(&sketch->pool.lock);
    free(sketch->memory);
    free(sketch);
}

/* A task is on the board, and this worker has claimed it: its slot. */
static inline uint32_t sketch_claim(struct sketch *sketch, uint32_t worker)
{
    struct shmf_pool *pool = &sketch->pool;
    uint32_t slot = pool->free_slots[--pool->n_free];
    struct shmfi_job *job = &pool->jobs[slot];
    job->busy = true;
    job->attempts = 1;
    job->generation++;
    job->index = slot;
    job->sink = &sketch_sink;
    job->result = shmfi_result_new();
    shmfi_board_queue(&pool->board, slot, job->generation);
    if (shmfi_board_claim(&pool->board, &sketch->claimers[worker]) !=
        shmfi_ticket(slot, job->generation))
        fail_msg("not claimed");
    return slot;
}

/* The worker publishes; what is not filled in is that of its own task. */
static inline void sketch_publish(struct sketch *sketch, uint32_t worker, uint32_t slot,
                                  struct shmfi_record record)
{
    struct shmfi_claimer *me = &sketch->claimers[worker];
    struct shmfi_record *to = shmfi_board_record(&sketch->pool.board, me);
    if (!record.ticket)
        record.ticket = shmfi_ticket(slot, sketch->jobs[slot].generation);
    if (!record.incarnation)
        record.incarnation = me->incarnation;
    memcpy(to, &record, sizeof record);
    shmfi_board_publish(&sketch->pool.board, me);
}

#endif
