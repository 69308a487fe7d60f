/* From a task to a queued slot. */
#include "pool/submit.h"
#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/iter_internal.h"
#include "pool/task_internal.h"

#include <string.h>

/* What one submission needs beside its slot. */
struct parcel {
    struct shmf_handle *handles; /* shared ones, then the task's own; points into the payload */
    size_t n_handles;
    struct shmfi_segment **pins;
    size_t n_pins;
};

static size_t handles_offset(size_t arg_size)
{
    return (size_t)shmfi_payload_size(arg_size, 0);
}

static size_t n_shared(const struct shmfi_order *order)
{
    return order->shared ? order->shared->count : 0;
}

/* Most tasks have none, and nothing is looked for then. */
static bool has_handles(const struct shmfi_order *order)
{
    return order->shared || order->input.n_handles;
}

int shmfi_check_sizes(const struct shmfi_order *order, struct shmf_error *err)
{
    const struct shmf_task_input *input = &order->input;
    if (input->arg_size > PTRDIFF_MAX / 2)
        return shmfi_error(err, SHMF_E_TOOBIG, "task %lld: arg_size: %zu bytes are too many",
                           (long long)order->index, input->arg_size);
    if (input->n_handles > UINT32_MAX / sizeof *input->handles - n_shared(order))
        return shmfi_error(err, SHMF_E_TOOBIG, "task %lld: n_handles: %zu are too many",
                           (long long)order->index, input->n_handles);
    return SHMF_OK;
}

static void drop_pins(struct shmfi_segment **pins, size_t count)
{
    for (size_t i = 0; i < count; i++)
        shmfi_segment_unref(pins[i]);
    shmfi_sys.free(pins);
}

int shmfi_pin(const struct shmf_handle *handle, const char *what, size_t position,
              struct shmfi_segment **pin, struct shmf_error *err)
{
    struct shmf_error why = {0};
    int rc = shmfi_check_handle(handle, what, position, err);
    if (rc)
        return rc;
    struct shmf_handle shared = shmf_handle_with(*handle, SHMF_READ_ONLY);
    rc = shmfi_segment_open(&shared, pin, &why);
    if (rc)
        return shmfi_error(err, rc, "%s[%zu]: %s", what, position, why.message);
    if (handle->kind == SHMF_KIND_SELECTION && !shmfi_segment_kept(*pin)) {
        shmfi_segment_unref(*pin);
        *pin = NULL;
        return shmfi_error(err, SHMF_E_INVAL, "%s[%zu]: no selection that this process made", what,
                           position);
    }
    if (handle->access != SHMF_WRITABLE || shmfi_segment_is_grantable(*pin))
        return SHMF_OK;
    shmfi_segment_unref(*pin);
    *pin = NULL;
    return shmfi_error(err, SHMF_E_ACCESS,
                       "%s[%zu]: only what this process made for granting can be granted", what,
                       position);
}

/* What workers need to open the handle with its access: what it names, and what that is about. */
static int send_region(struct shmf_pool *pool, const struct shmfi_segment *pin, uint32_t access,
                       struct shmf_error *err)
{
    const struct shmfi_segment *kept = shmfi_segment_kept(pin);
    int rc = shmfi_pool_send_region(pool, pin->region, access == SHMF_COPY_ON_WRITE, err);
    if (rc == 1 && kept)
        rc = shmfi_pool_send_region(pool, kept->region, access == SHMF_COPY_ON_WRITE, err);
    return rc == 1 && access == SHMF_WRITABLE ? shmfi_pool_send_writable(pool, pin->region, err)
                                              : rc;
}

static int send_shared(struct shmf_pool *pool, const struct shmfi_shared *shared,
                       struct shmf_error *err)
{
    for (size_t i = 0; shared && i < shared->count; i++) {
        int rc = send_region(pool, shared->pins[i], shared->handles[i].access, err);
        if (rc != 1)
            return rc;
    }
    return 1;
}

/* Opens the task's own handles and makes sure that all workers can. 1, 0: not now, negative. */
static int prepare_handles(struct shmf_pool *pool, const struct shmfi_order *order,
                           struct parcel *parcel, struct shmf_error *err)
{
    const struct shmf_task_input *input = &order->input;
    int rc = send_shared(pool, order->shared, err);
    if (rc != 1)
        return rc;
    for (size_t i = 0; i < input->n_handles; i++) {
        struct shmfi_segment *pin;
        rc = shmfi_pin(&input->handles[i], "handles", i, &pin, err);
        if (rc)
            return rc;
        parcel->pins[parcel->n_pins++] = pin;
        rc = send_region(pool, pin, input->handles[i].access, err);
        if (rc != 1)
            return rc;
    }
    return 1;
}

static void fill_payload(uint8_t *payload, const struct shmfi_order *order)
{
    const struct shmf_task_input *input = &order->input;
    if (input->arg_size)
        memcpy(payload, input->arg, input->arg_size);
    struct shmf_handle *handles = (void *)(payload + handles_offset(input->arg_size));
    size_t shared = n_shared(order);
    for (size_t i = 0; i < shared; i++)
        handles[i] = shmfi_cut_handle(&order->shared->handles[i], order->begin, order->end);
    if (input->n_handles)
        memcpy(handles + shared, input->handles, input->n_handles * sizeof *input->handles);
}

/* A payload too large for the slot travels in a segment. */
static int spill(struct shmf_pool *pool, struct shmfi_slot *slot, const struct shmfi_order *order,
                 uint64_t size, struct parcel *parcel, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    int rc = shmfi_segment_new(size + SHMFI_BYTES_OFFSET, 0, &segment, err);
    if (rc)
        return rc;
    parcel->pins[parcel->n_pins++] = segment;
    fill_payload((uint8_t *)segment->base + SHMFI_BYTES_OFFSET, order);
    slot->spill = shmfi_segment_handle(segment, SHMF_KIND_BYTES);
    return shmfi_pool_send_region(pool, segment->region, false, err);
}

static int write_slot(struct shmf_pool *pool, struct shmfi_slot *slot,
                      const struct shmfi_order *order, struct parcel *parcel,
                      struct shmf_error *err)
{
    size_t n_handles = n_shared(order) + order->input.n_handles;
    slot->function = (uint64_t)(uintptr_t)order->function;
    slot->context = (uint64_t)(uintptr_t)order->context;
    slot->index = order->index;
    slot->seed = order->seed;
    slot->attempt = 1;
    slot->patient = order->patient;
    slot->n_handles = (uint32_t)n_handles;
    slot->arg_size = order->input.arg_size;
    slot->deadline = order->deadline;
    uint64_t size = shmfi_payload_size(order->input.arg_size, n_handles);
    if (size > SHMFI_INLINE_PAYLOAD)
        return spill(pool, slot, order, size, parcel, err);
    if (size)
        fill_payload(slot->payload, order);
    return 1;
}

static int make_parcel(struct shmf_pool *pool, struct shmfi_slot *slot,
                       const struct shmfi_order *order, struct parcel *parcel,
                       struct shmf_error *err)
{
    const struct shmf_task_input *input = &order->input;
    size_t most = input->arg_size + n_shared(order) * sizeof *input->handles + 16;
    if (input->n_handles || most > SHMFI_INLINE_PAYLOAD) {
        parcel->pins = shmfi_sys.malloc((input->n_handles + 1) * sizeof *parcel->pins);
        if (!parcel->pins)
            return shmfi_error(err, SHMF_E_NOMEM, "no memory to note a task's handles");
    }
    int rc = has_handles(order) ? prepare_handles(pool, order, parcel, err) : 1;
    return rc == 1 ? write_slot(pool, slot, order, parcel, err) : rc;
}

/* Where a task may have to start again, its slot is kept as it was written: the claimant could
 * have scribbled over it. */
static int keep_copy(struct shmfi_job *job, const struct shmfi_slot *slot, struct shmf_error *err)
{
    if (!job->copy)
        job->copy = shmfi_sys.malloc(sizeof *job->copy);
    if (!job->copy)
        return shmfi_error(err, SHMF_E_NOMEM, "no memory to keep a task for its next attempt");
    memcpy(job->copy, slot, sizeof *slot);
    return 1;
}

/* Made now, so that nothing can fail when the result is there. */
static int prepare_result(struct shmf_pool *pool, struct shmfi_job *job, struct shmf_error *err)
{
    if (!job->result && pool->spare) {
        job->result = pool->spare;
        pool->spare = NULL;
    }
    if (!job->result)
        job->result = shmfi_result_new();
    return job->result ? 1 : shmfi_error(err, SHMF_E_NOMEM, "no memory for a task's result");
}

/* The supervisor looks at the clock while tasks with deadlines are on the board. */
static void watch(struct shmf_pool *pool, struct shmfi_job *job)
{
    job->has_deadline = true;
    if (atomic_fetch_add_explicit(&pool->board.header->deadlines, 1, memory_order_release))
        return;
    struct shmfi_control order = {.type = SHMFI_CONTROL_WATCH};
    shmfi_fdpass_send(pool->control, &order, sizeof order, -1, NULL);
}

static int submit(struct shmf_pool *pool, const struct shmfi_order *order,
                  struct shmfi_granted *granted, struct shmf_error *err)
{
    uint32_t at = pool->free_slots[pool->n_free - 1];
    struct shmfi_slot *slot = &pool->board.slots[at];
    struct shmfi_job *job = &pool->jobs[at];
    struct parcel parcel = {0};
    int rc = make_parcel(pool, slot, order, &parcel, err);
    if (rc == 1 && order->sink->attempts > 1)
        rc = keep_copy(job, slot, err);
    if (rc == 1)
        rc = prepare_result(pool, job, err);
    if (rc != 1) {
        drop_pins(parcel.pins, parcel.n_pins);
        return rc;
    }
    job->generation++;
    if (order->deadline)
        watch(pool, job);
    shmfi_board_queue(&pool->board, at, job->generation);
    /* A worker has it already. It is noted before anybody can look for it: who holds the lock. */
    pool->n_free--;
    job->busy = true;
    job->suspect = false;
    job->attempts = 1;
    job->index = order->index;
    job->sink = order->sink;
    job->sink->slot = at;
    job->shared = shmfi_shared_ref(order->shared);
    job->pins = parcel.pins;
    job->n_pins = parcel.n_pins;
    job->granted = granted;
    job->serial = pool->serial++;
    return 1;
}

/* What a call that failed had granted is free when those of its tasks that ran are over; nobody
 * waits for them any more, so we look. */
static int take_grants(struct shmf_pool *pool, const struct shmfi_order *order,
                       struct shmfi_granted **granted, struct shmf_error *err)
{
    int rc = shmfi_grants_take(order, granted, NULL);
    if (rc == SHMF_E_ACCESS)
        shmfi_pool_harvest(pool, NULL);
    return rc ? shmfi_grants_take(order, granted, err) : SHMF_OK;
}

int shmfi_pool_submit(struct shmf_pool *pool, const struct shmfi_order *order,
                      struct shmf_error *err)
{
    struct shmfi_granted *granted = order->granted;
    if (!pool->n_free)
        return 0;
    int rc = shmfi_check_sizes(order, err);
    if (!rc && !granted && has_handles(order))
        rc = take_grants(pool, order, &granted, err);
    if (rc)
        return rc;
    rc = submit(pool, order, granted, err);
    if (rc != 1 && !order->granted)
        shmfi_grants_undo(granted);
    return rc;
}

void shmfi_pool_wake(struct shmf_pool *pool, uint32_t queued)
{
    uint32_t in_flight = pool->board.geometry.slots - pool->n_free;
    shmfi_pool_grow_if_needed(pool);
    if (shmfi_wake_for(&pool->board, queued, in_flight))
        pool->woke = true;
}

void shmfi_pool_abandon(struct shmf_pool *pool, const struct shmfi_sink *sink)
{
    for (uint32_t slot = 0; pool->jobs && slot < pool->board.geometry.slots; slot++) {
        struct shmfi_job *job = &pool->jobs[slot];
        if (!job->busy || job->sink != sink)
            continue;
        if (shmfi_board_revoke(&pool->board, slot, job->generation))
            shmfi_pool_release_slot(pool, slot);
        else
            job->sink = NULL;
    }
}

void shmfi_pool_resubmit(struct shmf_pool *pool, uint32_t at)
{
    struct shmfi_job *job = &pool->jobs[at];
    struct shmfi_slot *slot = &pool->board.slots[at];
    job->generation++;
    job->attempts++;
    /* Everything but the state word, which shmfi_board_queue writes. */
    memcpy((char *)slot + sizeof slot->state, (char *)job->copy + sizeof slot->state,
           sizeof *slot - sizeof slot->state);
    slot->attempt = (uint32_t)job->attempts & INT32_MAX;
    shmfi_board_queue(&pool->board, at, job->generation);
    shmfi_pool_wake(pool, 1);
}

void shmfi_pool_release_slot(struct shmf_pool *pool, uint32_t at)
{
    struct shmfi_job *job = &pool->jobs[at];
    if (job->has_deadline)
        atomic_fetch_sub_explicit(&pool->board.header->deadlines, 1, memory_order_relaxed);
    job->has_deadline = false;
    if (job->granted) {
        shmfi_grants_over(job->granted);
        shmfi_sys.free(job->granted);
        job->granted = NULL;
    }
    if (job->pins) {
        drop_pins(job->pins, job->n_pins);
        job->pins = NULL;
        job->n_pins = 0;
    }
    if (job->shared) {
        shmfi_shared_unref(job->shared);
        job->shared = NULL;
    }
    job->busy = false;
    job->sink = NULL;
    pool->free_slots[pool->n_free++] = at;
}

/* A worker has just come: it must have what tasks on the board name before it can run them. What
 * does not fit into its socket now goes along with the next submission, or with the rescan. */
void shmfi_pool_resend_regions(struct shmf_pool *pool)
{
    for (uint32_t at = 0; at < pool->board.geometry.slots; at++) {
        const struct shmfi_job *job = &pool->jobs[at];
        if (job->busy)
            send_shared(pool, job->shared, NULL);
        /* Which of them is opened copy-on-write is not worth remembering: send descriptors. */
        for (size_t i = 0; job->busy && i < job->n_pins; i++)
            send_region(pool, job->pins[i], SHMF_COPY_ON_WRITE, NULL);
        for (size_t i = 0; job->busy && job->granted && i < job->granted->count; i++)
            shmfi_pool_send_writable(pool, shmfi_region_find(job->granted->handles[i].region),
                                     NULL);
    }
}
