/* The parallel loop: parts of a range go to workers, and one after the other to the caller if he
 * takes part. */
#include "base/error.h"
#include "pool/call_off.h"
#include "pool/task_internal.h"

#include "base/sys.h"

#include <shmframe/map.h>

/* A part, as the task's argument. */
struct part {
    uint64_t function, context; /* addresses */
    int64_t begin, end;
};

struct for_call {
    struct shmfi_sink sink; /* first: deliver() gets a pointer to it */
    struct shmf_pool *pool;
    struct part part; /* the rest: parts are cut off in front, for workers, and behind, for
                         the caller */
    int64_t end;      /* of the whole range */
    int64_t grain;
    uint64_t over; /* shmfi_call_end() */
    struct shmfi_shared *shared;
    int64_t ahead; /* parts that workers may have at a time */
    bool grants;   /* writable handles: parts are cut in front only, so that they begin at
                      multiples of the grain */
    shmf_part_failed_fn failed;
    void *failed_user;
    int64_t submitted, arrived;
    int64_t first_failed; /* where it begins, if there is a status */
    struct shmf_error *err;
    int status;
};

static int run_part(struct shmf_task *task, void *unused)
{
    (void)unused;
    const struct part *part = shmf_task_arg(task);
    return ((shmf_range_fn)(uintptr_t)part->function)(task, part->begin, part->end,
                                                      (void *)(uintptr_t)part->context);
}

/* Where the part ends that begins there. What was cut off in front is as long as the grain but for
 * the last piece, and so is what was cut off behind. */
static int64_t end_of(const struct for_call *call, int64_t begin)
{
    uint64_t grain = (uint64_t)call->grain;
    if (begin < call->part.begin) {
        bool last = (uint64_t)call->part.begin - (uint64_t)begin < grain;
        return last ? call->part.begin : begin + call->grain;
    }
    uint64_t most = (uint64_t)call->end - (uint64_t)begin - 1;
    return (int64_t)((uint64_t)call->end - most / grain * grain);
}

static void deliver(struct shmfi_sink *sink, struct shmf_result *result)
{
    struct for_call *call = (struct for_call *)sink;
    const struct shmf_failure *failure = shmf_result_failure(result);
    call->arrived++;
    int64_t begin = shmf_result_index(result);
    if (failure && call->failed)
        call->failed(begin, end_of(call, begin), failure, call->failed_user);
    if (failure && (!call->status || begin < call->first_failed)) {
        call->first_failed = begin;
        call->status =
            shmfi_error(call->err, failure->code, "the part from %lld to %lld: %s",
                        (long long)begin, (long long)end_of(call, begin), failure->message);
    }
    shmf_result_free(result);
}

static struct shmfi_order order_for(struct for_call *call, const struct part *part)
{
    return (struct shmfi_order){
        .sink = &call->sink,
        .function = run_part,
        .index = part->begin,
        .shared = call->shared,
        .call = call,
        .begin = part->begin,
        .end = part->end,
        .patient = true,
        .input = {part, sizeof *part, NULL, 0},
    };
}

/* Not past the end, and without overflow. */
static int64_t grain_of(const struct for_call *call)
{
    uint64_t left = (uint64_t)call->part.end - (uint64_t)call->part.begin;
    return left < (uint64_t)call->grain ? (int64_t)left : call->grain;
}

static int hand_out(struct for_call *call, struct shmf_error *err)
{
    uint32_t submitted = 0;
    int rc = 0;
    while (call->part.begin < call->part.end && call->submitted - call->arrived < call->ahead) {
        struct part part = call->part;
        part.end = part.begin + grain_of(call);
        struct shmfi_order order = order_for(call, &part);
        rc = shmfi_pool_submit(call->pool, &order, err);
        if (rc <= 0)
            break;
        call->part.begin = part.end;
        call->submitted++;
        submitted++;
    }
    if (submitted)
        shmfi_pool_wake(call->pool, submitted);
    return rc < 0 ? rc : 0;
}

static int run_here(struct for_call *call, struct shmf_error *err)
{
    struct part part = call->part;
    if (call->grants) {
        part.end = part.begin + grain_of(call);
        call->part.begin = part.end;
    } else {
        part.begin = part.end - grain_of(call);
        call->part.end = part.begin;
    }
    call->submitted++;
    struct shmfi_order order = order_for(call, &part);
    int rc = shmfi_run_inline(call->pool, &order, err);
    return rc < 0 ? rc : 0;
}

/* The lock is held all the time but while waiting; parts that the caller runs must not call the
 * pool. */
static int run(struct for_call *call, bool caller_too, struct shmf_error *err)
{
    struct shmf_pool *pool = call->pool;
    int wait_ms = SHMFI_FIRST_WAIT_MS, rc = 0;
    while (!rc && (call->part.begin < call->part.end || call->arrived < call->submitted)) {
        if (shmfi_call_is_over(call->over))
            return shmfi_call_off(pool, &call->sink, err);
        if (!pool->is_inline && (rc = hand_out(call, err)))
            break;
        if ((caller_too || pool->is_inline) && call->part.begin < call->part.end)
            rc = run_here(call, err);
        if (rc || pool->is_inline)
            continue;
        if (pool->freeing)
            return shmfi_error(err, SHMF_E_CLOSED, "pool: it was freed by another thread");
        if (pool->broken)
            return shmfi_error(err, pool->broken, "%s", pool->broken_why);
        int harvested = shmfi_pool_advance(pool, err);
        bool rest = call->part.begin < call->part.end;
        if (harvested < 0)
            rc = harvested;
        else if (!harvested && (rest ? !caller_too : call->arrived < call->submitted))
            rc = shmfi_call_await(pool, &call->sink, &wait_ms, call->over, err);
    }
    return rc;
}

static int check(int64_t begin, int64_t end, const struct shmf_for_options *options,
                 struct shmf_error *err)
{
    if (begin > end)
        return shmfi_error(err, SHMF_E_INVAL, "begin: %lld is behind end, %lld", (long long)begin,
                           (long long)end);
    if (options->grain < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.grain: %lld", (long long)options->grain);
    if (options->n_handles && !options->handles)
        return shmfi_error(err, SHMF_E_INVAL, "options.handles: NULL, but n_handles is %zu",
                           options->n_handles);
    if (options->attempts < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.attempts: %d", options->attempts);
    if (options->reserved0)
        return shmfi_error(err, SHMF_E_INVAL, "options.reserved0: not zero");
    int rc = shmfi_check_call_seconds(options->call_seconds, err);
    if (rc)
        return rc;
    if (begin < 0 && shmfi_any_writable(options->handles, options->n_handles))
        return shmfi_error(err, SHMF_E_RANGE, "begin: %lld is no row that could be granted",
                           (long long)begin);
    return shmfi_check_reserved(options->reserved, 4, "options", err);
}

/* One part for each worker (and the caller). Where parts write, none begins in the middle of 64
 * rows, which may share bytes of a frame. */
static int64_t choose_grain(const struct shmf_pool *pool, int64_t begin, int64_t end,
                            const struct shmf_for_options *options)
{
    if (options->grain)
        return options->grain;
    uint64_t parts = pool->wanted + (options->caller_too || pool->is_inline ? 1 : 0);
    uint64_t grain = ((uint64_t)end - (uint64_t)begin - 1) / parts + 1;
    if (shmfi_any_writable(options->handles, options->n_handles))
        grain = (grain + SHMF_SLICE_ROWS - 1) / SHMF_SLICE_ROWS * SHMF_SLICE_ROWS;
    return grain > INT64_MAX ? INT64_MAX : (int64_t)grain;
}

/* Parts cost no memory while they wait, and the caller need not be woken for each if there are
 * many; where he takes part he comes by, and is to find some left. Half of the places are for other
 * threads' tasks. */
static int64_t choose_ahead(const struct shmf_pool *pool, bool caller_too)
{
    int64_t least = 2 * (int64_t)pool->wanted, most = pool->window / 2;
    if (caller_too || most <= least)
        return least;
    return 8 * least < most ? 8 * least : most;
}

int shmf_pool_for(struct shmf_pool *pool, int64_t begin, int64_t end, shmf_range_fn fn,
                  void *context, const struct shmf_for_options *options, struct shmf_error *err)
{
    static const struct shmf_for_options defaults;
    struct shmf_error why;
    if (!options)
        options = &defaults;
    if (!err)
        err = &why;
    int rc = shmfi_pool_check(pool, err);
    if (!rc)
        rc = shmfi_pool_check_function(pool, (uintptr_t)fn, err);
    if (!rc)
        rc = check(begin, end, options, err);
    if (rc || begin == end)
        return rc;
    struct for_call call = {
        .sink = {.deliver = deliver, .attempts = options->attempts ? options->attempts : 1},
        .pool = pool,
        .part = {(uint64_t)(uintptr_t)fn, (uint64_t)(uintptr_t)context, begin, end},
        .end = end,
        .grain = choose_grain(pool, begin, end, options),
        .over = shmfi_call_end(options->call_seconds),
        .ahead = choose_ahead(pool, options->caller_too != 0),
        .grants = shmfi_any_writable(options->handles, options->n_handles),
        .failed = options->failed_fn,
        .failed_user = options->failed_user,
        .err = err,
    };
    rc = shmfi_pool_lock(pool, err);
    if (rc)
        return rc;
    rc = shmfi_shared_new(options->handles, options->n_handles, "options.handles", &call.shared,
                          err);
    if (!rc)
        rc = run(&call, options->caller_too != 0, err);
    if (rc)
        shmfi_pool_abandon(pool, &call.sink);
    shmfi_grants_end(&call);
    shmfi_shared_unref(call.shared);
    shmfi_pool_unlock(pool);
    return rc ? rc : call.status;
}
