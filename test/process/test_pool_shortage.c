/* Every kind of call on a pool, while allocations, descriptors and room in sockets run out in the
 * application, one after the other: results that are right or a clear error, and the same pool
 * does the same call at once as if nothing had been. */
/* ctest: TIMEOUT 240 */
#include "pool_calls.h"

#include <shmframe/control.h>
#include <shmframe/future.h>
#include <shmframe/map.h>
#include <shmframe/reduce.h>

#include "support/faults.h"

#include <stdio.h>

enum { ROWS = 640, SPILLED = 2000 };

/* What the calls work on; made while nothing fails. */
struct material {
    struct shmf_array *input;  /* element i: i */
    struct shmf_handle handle; /* of it */
    struct shmf_array *output; /* grantable */
    struct shmf_handle all;    /* grants all of it */
};

/* A call: 0 or a status as the library gave it. */
enum { WRONG_RESULT = 1 };

typedef int (*call_fn)(struct shmf_pool *pool, const struct material *material,
                       struct shmf_error *err);

static int fill_part(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)context;
    const struct shmf_array *input = shmf_task_array(task, 1);
    struct shmf_array *slice = shmf_task_array(task, 0);
    if (!slice || !input)
        return SHMF_E_TASK;
    int64_t *out = shmf_array_data_mut(slice);
    const int64_t *in = shmf_array_data(input);
    for (int64_t i = begin; i < end; i++)
        out[i - begin] = in[i] + 1;
    return 0;
}

static int fill_granted(struct shmf_pool *pool, const struct material *material,
                        struct shmf_error *err)
{
    const struct shmf_handle handles[] = {material->all, material->handle};
    struct shmf_for_options options = {.grain = 64, .handles = handles, .n_handles = 2};
    int64_t *out = shmf_array_data_mut(material->output);
    memset(out, 0, ROWS * sizeof *out);
    int rc = shmf_pool_for(pool, 0, ROWS, fill_part, NULL, &options, err);
    for (int64_t i = 0; !rc && i < ROWS; i++)
        if (out[i] != i + 1)
            return WRONG_RESULT;
    return rc;
}

static int add_input(struct shmf_task *task, void *accumulator, void *context)
{
    (void)context;
    const struct shmf_array *input = shmf_task_array(task, 0);
    if (!input)
        return SHMF_E_TASK;
    *(int64_t *)accumulator += ((const int64_t *)shmf_array_data(input))[shmf_task_index(task)];
    return 0;
}

static void add(void *accumulator, const void *other, void *context)
{
    (void)context;
    *(int64_t *)accumulator += *(const int64_t *)other;
}

static int reduce(struct shmf_pool *pool, const struct material *material, struct shmf_error *err)
{
    struct shmf_tasks tasks = {.count = ROWS, .handles = &material->handle, .n_handles = 1};
    int64_t sum = 0;
    int rc = shmf_pool_reduce(pool, add_input, add, &tasks, NULL, &sum, sizeof sum, err);
    return rc ? rc : sum == (int64_t)ROWS * (ROWS - 1) / 2 ? 0 : WRONG_RESULT;
}

static int return_input(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_array *input = shmf_task_array(task, 0);
    const int64_t *index = shmf_task_arg(task);
    if (!input || !index)
        return SHMF_E_TASK;
    return shmf_task_return_double(task, (double)((const int64_t *)shmf_array_data(input))[*index]);
}

static int map_elements(struct shmf_pool *pool, const struct material *material,
                        struct shmf_error *err)
{
    double results[ROWS];
    int statuses[ROWS];
    struct shmf_tasks tasks = {.count = ROWS,
                               .args = shmf_array_data(material->input),
                               .arg_size = sizeof(int64_t),
                               .handles = &material->handle,
                               .n_handles = 1};
    int rc =
        shmf_pool_map(pool, return_input, &tasks, NULL, results, sizeof *results, statuses, err);
    for (int i = 0; i < ROWS; i++)
        if (statuses[i] ? !rc : results[i] != i)
            return WRONG_RESULT;
    return rc;
}

static int iterate(struct shmf_pool *pool, const struct material *material, struct shmf_error *err)
{
    struct shmf_tasks tasks = {.count = 20,
                               .args = shmf_array_data(material->input),
                               .arg_size = sizeof(int64_t),
                               .handles = &material->handle,
                               .n_handles = 1};
    struct shmf_iter *iter = shmf_pool_imap(pool, return_input, &tasks, NULL, err);
    struct shmf_result *result;
    int rc = iter ? 0 : err->code, taken = 0, bad = 0;
    while (iter && (rc = shmf_iter_next(iter, &result, err)) == 1) {
        const struct shmf_failure *failure = shmf_result_failure(result);
        bad = failure ? (err->code = failure->code) : bad;
        if (failure)
            memcpy(err->message, failure->message, sizeof err->message);
        if (!failure && shmf_result_double(result) != taken)
            return WRONG_RESULT;
        taken++;
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    return rc ? rc : taken != 20 ? WRONG_RESULT : bad;
}

static int return_argument(struct shmf_task *task, void *context)
{
    (void)context;
    if (!shmf_task_array(task, 0))
        return SHMF_E_TASK;
    return shmf_task_return_bytes(task, shmf_task_arg(task), shmf_task_arg_size(task));
}

/* More of them than fit on the board: some wait with copies of their inputs. */
static int submit(struct shmf_pool *pool, const struct material *material, struct shmf_error *err)
{
    enum { MANY = 40 };
    uint8_t bytes[SPILLED];
    struct shmf_future *futures[MANY] = {NULL};
    int rc = 0;
    test_fill(bytes, sizeof bytes, 7);
    struct shmf_task_input input = {
        .arg = bytes, .arg_size = sizeof bytes, .handles = &material->handle, .n_handles = 1};
    for (int i = 0; !rc && i < MANY; i++)
        if (!(futures[i] = shmf_pool_submit(pool, return_argument, &input, NULL, err)))
            rc = err->code;
    for (int i = 0; !rc && i < MANY; i++) {
        rc = shmf_future_wait(futures[i], 60, err);
        struct shmf_result *result = rc ? NULL : shmf_future_result(futures[i]);
        const struct shmf_failure *failure = result ? shmf_result_failure(result) : NULL;
        size_t size = 0;
        const void *back = result && !failure ? shmf_result_bytes(result, &size) : NULL;
        if (failure) {
            rc = err->code = failure->code;
            memcpy(err->message, failure->message, sizeof err->message);
        } else if (!rc && (size != SPILLED || test_differs(back, SPILLED, 7) >= 0)) {
            rc = WRONG_RESULT;
        }
    }
    for (int i = 0; i < MANY; i++)
        shmf_future_free(futures[i]);
    return rc;
}

static int apply(struct shmf_pool *pool, const struct material *material, struct shmf_error *err)
{
    int64_t index = 5;
    struct shmf_task_input input = {
        .arg = &index, .arg_size = sizeof index, .handles = &material->handle, .n_handles = 1};
    struct shmf_result *result = shmf_pool_apply(pool, return_input, &input, NULL, err);
    if (!result)
        return err->code;
    const struct shmf_failure *failure = shmf_result_failure(result);
    int rc = failure ? (err->code = failure->code) : shmf_result_double(result) == 5 ? 0 : 1;
    if (failure)
        memcpy(err->message, failure->message, sizeof err->message);
    shmf_result_free(result);
    return rc;
}

static int resize(struct shmf_pool *pool, const struct material *material, struct shmf_error *err)
{
    (void)material;
    int rc = shmf_pool_resize(pool, 3, err);
    return rc ? rc : shmf_pool_resize(pool, 2, err);
}

/* ---- all of them --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    call_fn run;
} kinds[] = {
    {"for", fill_granted}, {"reduce", reduce}, {"map", map_elements}, {"imap", iterate},
    {"submit", submit},    {"apply", apply},   {"resize", resize},
};

/* Fresh objects each time, so that their regions are new to the workers. */
static struct material make_material(void)
{
    struct shmf_error err = {0};
    int64_t shape[] = {ROWS}, numbers[ROWS];
    for (int64_t i = 0; i < ROWS; i++)
        numbers[i] = i;
    struct material made = {.input =
                                shmf_array_from_data(SHMF_INT64, 1, shape, NULL, numbers, &err),
                            .output = shmf_array_new_grantable(SHMF_INT64, 1, shape, &err)};
    if (!made.input || !made.output)
        fail_msg("%s", err.message);
    made.handle = shmf_array_handle(made.input);
    made.all = shmf_array_grant(made.output, 0, ROWS, &err);
    return made;
}

static void free_material(struct material *material)
{
    shmf_array_free(material->input);
    shmf_array_free(material->output);
}

/* A result that could not be mapped is kept, and its memory is asked for again: until that has come
 * calls say SHMF_E_NOFILES. What a part that still runs was granted stays granted until it ends,
 * also when its call has failed: SHMF_E_ACCESS. */
static int run_well(struct shmf_pool *pool, size_t kind, const struct material *material,
                    struct shmf_error *err)
{
    double end = test_now() + test_seconds(20);
    int rc;
    do {
        *err = (struct shmf_error){0};
        rc = kinds[kind].run(pool, material, err);
        if (rc)
            test_sleep(0.001);
    } while ((rc == SHMF_E_NOFILES || rc == SHMF_E_ACCESS) && test_now() < end);
    return rc;
}

/* How many of the calls of this kind there were to fail. */
static long fail_each(struct shmf_pool *pool, size_t kind, enum fault_call call, int error)
{
    for (long n = 1;; n++) {
        struct material material = make_material();
        struct shmf_error err = {0};
        faults_watch(
            &(struct faults){.role = FAULT_APPLICATION, .call = call, .error = error, .at = n});
        int rc = kinds[kind].run(pool, &material, &err);
        faults_restore();
        long hits = atomic_load(&faults->hits);
        if (rc > 0 || (rc && (rc != err.code || !err.message[0])) || (rc && !hits))
            fail_msg("%s, %s number %ld, %s: %d (%d %s)", kinds[kind].name, fault_call_names[call],
                     n, strerrorname_np(error), rc, err.code, err.message);
        rc = run_well(pool, kind, &material, &err);
        if (rc)
            fail_msg("%s after %s number %ld, %s: %d: %s", kinds[kind].name, fault_call_names[call],
                     n, strerrorname_np(error), rc, err.message);
        free_material(&material);
        if (!hits)
            return n - 1;
    }
}

static void test_whatever_runs_out_a_call_says_so_and_works_the_next_time(void **state)
{
    static const struct {
        enum fault_call call;
        int error;
    } shortages[] = {{FAULT_malloc, ENOMEM}, {FAULT_calloc, ENOMEM}, {FAULT_realloc, ENOMEM},
                     {FAULT_open, EMFILE},   {FAULT_fcntl, EMFILE},  {FAULT_sendmsg, EAGAIN},
                     {FAULT_poll, EINTR},    {FAULT_read, EINTR}};
    (void)state;
    long failed = 0;
    struct shmf_pool *pool =
        pool_with(&(struct shmf_pool_options){.workers = 2, .max_workers = 3, .window = 8});
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
        for (size_t i = 0; i < sizeof shortages / sizeof *shortages; i++)
            failed += fail_each(pool, kind, shortages[i].call, shortages[i].error);
    shmf_pool_free(pool);
    munmap(faults, sizeof *faults);
    assert_true(failed > 50);
    printf("{\"test\": \"process.pool_shortage\", \"runs\": %ld, \"bad\": 0}\n", failed);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_whatever_runs_out_a_call_says_so_and_works_the_next_time),
    };
    return cmocka_run_group_tests_name("pool: shortages", tests, NULL, NULL);
}
