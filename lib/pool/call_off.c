#include "pool/call_off.h"

#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/messages.h"

#define SEND_TRIES 100
#define SEND_MS    10

void shmfi_pool_end_task(struct shmf_pool *pool, uint32_t slot)
{
    uint32_t generation = pool->jobs[slot].generation;
    uint32_t claimant = shmfi_board_claimant(&pool->board, slot, generation);
    for (uint32_t w = 0; claimant && w < pool->n_workers; w++) {
        if (pool->members[w].incarnation != claimant)
            continue;
        struct shmfi_control order = {.type = SHMFI_CONTROL_CANCEL,
                                      .worker = w,
                                      .incarnation = claimant,
                                      .ticket = shmfi_ticket(slot, generation)};
        for (int tries = 0; tries < SEND_TRIES; tries++) {
            if (shmfi_fdpass_send(pool->control, &order, sizeof order, -1, NULL))
                break;
            struct pollfd room = {pool->control, POLLOUT, 0}; /* hundreds of them fill it */
            shmfi_sys.poll(&room, 1, SEND_MS);
        }
    }
}

int shmfi_check_call_seconds(double seconds, struct shmf_error *err)
{
    if (seconds >= 0 && seconds <= SHMFI_LONGEST_SECONDS)
        return SHMF_OK;
    return shmfi_error(err, SHMF_E_INVAL, "options.call_seconds: not in 0..%lld",
                       (long long)SHMFI_LONGEST_SECONDS);
}

uint64_t shmfi_call_end(double seconds)
{
    return seconds > 0 ? shmfi_now() + (uint64_t)(seconds * 1e9) : 0;
}

bool shmfi_call_is_over(uint64_t end)
{
    return end && shmfi_now() >= end;
}

int shmfi_call_await(struct shmf_pool *pool, const struct shmfi_sink *sink, int *wait_ms,
                     uint64_t end, struct shmf_error *err)
{
    uint64_t now = end ? shmfi_now() : 0;
    uint64_t left = end > now ? (end - now) / 1000000 + 1 : 1;
    if (!end || left >= (uint64_t)*wait_ms)
        return shmfi_pool_await(pool, sink, wait_ms, err);
    int last_ms = (int)left;
    return shmfi_pool_await(pool, sink, &last_ms, err);
}

/* All that wait are revoked before any worker is ended: its successor must not take them. */
int shmfi_call_off(struct shmf_pool *pool, const struct shmfi_sink *sink, struct shmf_error *err)
{
    if (!pool->is_inline)
        shmfi_pool_read_control(pool); /* claimants may be new to us */
    for (uint32_t slot = 0; pool->jobs && slot < pool->board.geometry.slots; slot++) {
        const struct shmfi_job *job = &pool->jobs[slot];
        if (!job->busy || job->sink != sink)
            continue;
        if (shmfi_board_revoke(&pool->board, slot, job->generation))
            shmfi_pool_release_slot(pool, slot);
        else
            shmfi_pool_end_task(pool, slot);
    }
    shmfi_pool_abandon(pool, sink);
    return shmfi_error(err, SHMF_E_TIMEOUT, "the call's time (call_seconds) is over");
}
