/* From completion records to results. A record is believed as far as it agrees with what this
 * process noted when it submitted the task; a worker whose record does not agree is ended. */
#include "base/error.h"
#include "base/sys.h"
#include "pool/iter_internal.h"
#include "pool/submit.h"

#include <stdio.h>
#include <string.h>

void shmfi_pool_deliver(struct shmf_pool *pool, struct shmfi_sink *sink, struct shmf_result *result)
{
    pool->stats.tasks_done++;
    pool->stats.tasks_failed += result->failure.code != SHMF_OK;
    if (result->segment)
        pool->stats.bytes_delivered += result->segment->length;
    sink->deliver(sink, result);
}

/* The job is over, `result` tells how. */
static void deliver(struct shmf_pool *pool, uint32_t slot)
{
    struct shmfi_job *job = &pool->jobs[slot];
    struct shmf_result *result = job->result;
    struct shmfi_sink *sink = job->sink;
    job->result = NULL;
    if (result->failure.code && result->worker >= 0) { /* it ran: what it may have written */
        shmfi_grants_over(job->granted);
        result->granted = job->granted;
        job->granted = NULL;
    }
    shmfi_pool_release_slot(pool, slot);
    if (sink) {
        shmfi_pool_deliver(pool, sink, result);
    } else {
        shmf_result_free(result);
    }
}

void shmfi_pool_fail_job(struct shmf_pool *pool, uint32_t slot, const struct shmf_failure *failure)
{
    struct shmfi_job *job = &pool->jobs[slot];
    job->result->index = job->index;
    job->result->worker = failure->worker;
    job->result->failure = *failure;
    if (failure->worker >= 0)
        shmfi_grants_describe(job->granted, job->result->failure.message,
                              sizeof job->result->failure.message);
    deliver(pool, slot);
}

/* The job that the record is about, or NULL when the record lies. */
static struct shmfi_job *job_of(struct shmf_pool *pool, const struct shmfi_member *member,
                                const struct shmfi_record *record)
{
    uint32_t slot = shmfi_ticket_slot(record->ticket);
    uint32_t generation = shmfi_ticket_generation(record->ticket);
    if (slot >= pool->board.geometry.slots)
        return NULL;
    struct shmfi_job *job = &pool->jobs[slot];
    shmfi_fetch_to_write(&pool->board.slots[slot]); /* ours next: the next task's, most likely */
    if (!job->busy || job->generation != generation ||
        shmfi_board_claimant(&pool->board, slot, generation) != member->incarnation)
        return NULL;
    return job;
}

/* As if it had been delivered and freed at once: its worker is not to blame that there is no room
 * for its result here, and other tasks of it go on. */
static void give_back(struct shmf_pool *pool, const struct shmf_handle *handle)
{
    shmfi_desk_delivered(pool, handle->region, handle->length);
    shmfi_desk_lender.returned(shmfi_desk_lender.context, handle->region, handle->offset,
                               handle->length, handle->generation);
}

/* The segment of a record: 1 with a reference in `*segment`, 0 when its region cannot be mapped
 * now, or a negative status with the reason; `*blame`: the worker must end, because it lies, or
 * because its memory would stay out. */
static int admit(struct shmf_pool *pool, uint32_t worker, const struct shmf_handle *handle,
                 struct shmfi_segment **segment, bool *blame, struct shmf_error *err)
{
    struct shmfi_member *member = &pool->members[worker];
    if (!shmfi_ids_has(&member->regions, handle->region))
        shmfi_pool_read_mail(pool, worker);
    if (shmfi_ids_has(&member->lost, handle->region))
        return 0;
    if (!shmfi_ids_has(&member->regions, handle->region)) {
        if (!member->forgetful)
            return shmfi_error(err, SHMF_E_CORRUPT, "record.segment.region: not this worker's");
        return shmfi_ids_add(&member->lost, handle->region)
                   ? shmfi_error(err, SHMF_E_NOMEM, "no memory to note a worker's region")
                   : 0;
    }
    int rc = shmfi_region_admit(shmfi_region_find(handle->region), handle->offset, handle->length,
                                handle->generation, segment, err);
    if (rc == SHMF_E_NOMEM) { /* it is as it should be, but there is no room to note it */
        *blame = false;
        give_back(pool, handle);
    }
    if (rc)
        return rc;
    shmfi_desk_delivered(pool, handle->region, handle->length);
    return 1;
}

static void fill_failure(struct shmf_result *result, const struct shmfi_job *job, pid_t pid,
                         int code, const void *text, size_t size)
{
    struct shmf_failure *failure = &result->failure;
    failure->code = code < 0 && code >= SHMF_E_SYS ? code : SHMF_E_TASK;
    failure->exit_status = -1;
    failure->worker = result->worker;
    failure->pid = pid;
    failure->attempts = job->attempts;
    if (size >= sizeof failure->message)
        size = sizeof failure->message - 1;
    memcpy(failure->message, text, size);
    failure->message[size] = '\0';
}

/* Fills what came with the record. As admit(). */
static int fill_result(struct shmf_pool *pool, uint32_t worker, const struct shmfi_record *record,
                       struct shmfi_job *job)
{
    struct shmf_result *result = job->result;
    struct shmf_error err; /* not cleared as a whole, which would take longer than all the rest */
    err.message[0] = '\0';
    result->index = job->index;
    result->worker = (int)worker;
    result->nanoseconds = record->nanoseconds;
    result->size = record->size;
    bool blame = true;
    int rc = 1;
    switch (record->kind) {
    case SHMFI_RESULT_INLINE:
        if (record->size <= sizeof result->bytes)
            memcpy(result->bytes, record->data, record->size);
        else
            rc = shmfi_error(&err, SHMF_E_CORRUPT, "record.size: %llu",
                             (unsigned long long)record->size);
        break;
    case SHMFI_RESULT_SEGMENT:
        rc = admit(pool, worker, &record->segment, &result->segment, &blame, &err);
        result->kind = rc == 1 ? record->segment.kind : SHMF_KIND_NONE;
        if (result->kind == SHMF_KIND_BYTES &&
            record->size > record->segment.length - SHMFI_BYTES_OFFSET)
            rc = shmfi_error(&err, SHMF_E_CORRUPT, "record.size: larger than its segment");
        break;
    case SHMFI_RESULT_FAILURE:
        fill_failure(result, job, pool->members[worker].pid, record->status, record->data,
                     record->size < sizeof record->data ? record->size : sizeof record->data);
        break;
    default:
        rc = shmfi_error(&err, SHMF_E_CORRUPT, "record.kind: %u", record->kind);
    }
    if (rc < 0) {
        fill_failure(result, job, pool->members[worker].pid, rc, err.message, strlen(err.message));
        if (blame)
            shmfi_pool_kill_worker(pool, worker);
    }
    return rc;
}

enum harvested {
    RECORD_IS_LATER = -2, /* it was written by an incarnation that we have not heard of */
    RECORD_LIES = -1,
    RECORD_WAITS = 0, /* its memory cannot be mapped now */
    RECORD_TAKEN = 1
};

static enum harvested harvest_one(struct shmf_pool *pool, uint32_t worker)
{
    struct shmfi_member *member = &pool->members[worker];
    struct shmfi_record record;
    shmfi_board_read(&pool->board, worker, member->got, &record);
    if (record.incarnation != member->incarnation)
        return RECORD_IS_LATER;
    struct shmfi_job *job = job_of(pool, member, &record);
    if (!job)
        return RECORD_LIES;
    if (fill_result(pool, worker, &record, job) == 0)
        return RECORD_WAITS;
    member->got++;
    member->tasks++;
    deliver(pool, shmfi_ticket_slot(record.ticket));
    return RECORD_TAKEN;
}

static int harvest_worker(struct shmf_pool *pool, uint32_t worker)
{
    struct shmfi_member *member = &pool->members[worker];
    uint64_t asked_at = UINT64_MAX;
    int harvested = 0;
    while (!pool->broken) {
        uint64_t pending = shmfi_board_pending(&pool->board, worker, member->got);
        if (!pending)
            break;
        enum harvested what =
            pending <= pool->board.geometry.ring ? harvest_one(pool, worker) : RECORD_LIES;
        if (what == RECORD_WAITS)
            break;
        if (what == RECORD_TAKEN) {
            harvested++;
        } else if (what == RECORD_IS_LATER && asked_at != member->got) {
            /* The supervisor announces an incarnation before it makes it, so the announcement is
             * in our socket. Reading it buries the predecessor, whose records come first. */
            asked_at = member->got;
            shmfi_pool_read_control(pool);
            if (pool->deaf.tries)
                break;
        } else {
            shmfi_pool_break(pool, "worker %u wrote nonsense into its ring", worker);
        }
    }
    return harvested;
}

int shmfi_pool_harvest(struct shmf_pool *pool, struct shmf_error *err)
{
    int harvested = 0;
    bool lost = false;
    for (uint32_t w = 0; w < pool->n_workers && !pool->broken; w++) {
        struct shmfi_member *member = &pool->members[w];
        if (atomic_load_explicit(&pool->board.lines[w].mail, memory_order_acquire) !=
            member->mail_read)
            shmfi_pool_read_mail(pool, w);
        harvested += harvest_worker(pool, w);
        if (member->lost.count) {
            shmfi_pool_ask_again(pool, w);
            lost = lost || shmfi_board_pending(&pool->board, w, member->got);
        }
    }
    if (harvested || !lost)
        return harvested;
    shmfi_pool_read_control(pool); /* who was asked may be dead: callers do no more than this */
    return shmfi_error(err, SHMF_E_NOFILES,
                       "a result cannot be mapped: too many open files or mappings; it is "
                       "kept and will be delivered when there is room");
}

/* LAST HARVEST. A successor may have published behind the dead worker's records already: stop
 * there. What cannot be mapped now never will be: that task counts as lost with its worker. */
void shmfi_pool_harvest_last(struct shmf_pool *pool, uint32_t worker)
{
    struct shmfi_member *member = &pool->members[worker];
    shmfi_pool_read_mail(pool, worker);
    uint64_t pending;
    while (!pool->broken && (pending = shmfi_board_pending(&pool->board, worker, member->got))) {
        enum harvested what =
            pending <= pool->board.geometry.ring ? harvest_one(pool, worker) : RECORD_LIES;
        if (what == RECORD_IS_LATER)
            return;
        if (what == RECORD_WAITS)
            member->got++;
        if (what == RECORD_LIES)
            shmfi_pool_break(pool, "worker %u wrote nonsense into its ring", worker);
    }
}
