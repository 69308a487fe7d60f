/* tasks [RANKS_PER_NODE]: tasks for the pools of all nodes; run by mpirun, with any number of
 * ranks, and without. */
#include "mpi/kinds.h"

#include <signal.h>

/* ---- tasks ----------------------------------------------------------------------------------- */

static int square(struct shmf_task *task, void *context)
{
    const int64_t *arg = shmf_task_arg(task);
    (void)context;
    return shmf_task_return_double(task, (double)(*arg * *arg));
}

/* ---- results and their order ----------------------------------------------------------------- */

static void results_come_in_the_order_of_tasks_or_of_completion(int64_t count, bool unordered,
                                                                int64_t block)
{
    int64_t *args = calloc((size_t)count + 1, sizeof *args), taken = 0;
    char *seen = calloc((size_t)count + 1, 1);
    int *of_node = calloc((size_t)place.nodes, sizeof *of_node);
    struct shmf_tasks tasks = {.count = count, .args = args, .arg_size = sizeof *args};
    struct shmf_mpi_imap_options options = {.imap.unordered = unordered, .block = block};
    struct shmf_mpi_result *result;
    int root = place.ranks - 1, rc;
    for (int64_t i = 0; i < count; i++)
        args[i] = i + 3;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, root, pool, square, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        int64_t i = result->index;
        check(place.rank == root && i >= 0 && i < count && !seen[i]++);
        check(unordered || i == taken);
        check(result->status == SHMF_OK && result->size == sizeof(double));
        check(*(const double *)result->bytes == (double)((i + 3) * (i + 3)));
        check(result->node >= 0 && result->node < place.nodes);
        check(!block || result->node == i / block % place.nodes);
        check(result->worker >= 0 && result->worker < WORKERS);
        of_node[result->node]++;
        taken++;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(taken == (place.rank == root ? count : 0));
    check(shmf_mpi_iter_next(iter, &result, &err) == 0 && !result);
    for (int node = 0; place.rank == root && node < place.nodes; node++)
        check(count < 2 * place.nodes || of_node[node] > 0);
    shmf_mpi_iter_free(iter);
    free(args);
    free(seen);
    free(of_node);
}

static void results_of_all_kinds_come(int64_t count, int window)
{
    struct shmf_tasks tasks = {.count = count};
    struct shmf_mpi_imap_options options = {.imap.window = window, .imap.unordered = window == 7};
    struct shmf_mpi_result *result;
    int64_t taken = 0;
    int rc;
    struct shmf_frame *kept = NULL;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_kind, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check_kind(result);
        if (result->index == KINDS + BIG_FRAME) {
            kept = result->frame;
            result->frame = NULL;
        }
        taken++;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(taken == (is_root ? count : 0));
    shmf_mpi_iter_free(iter);
    check(!is_root || same_frame(kept, number_frame(KINDS + BIG_FRAME)));
    shmf_frame_free(kept);
}

/* ---- the window ------------------------------------------------------------------------------ */

struct source {
    int64_t yielded, most;
    int fails_with;
};

static int yield_one(struct shmf_task_input *input, void *user)
{
    struct source *source = user;
    if (source->yielded == source->most)
        return source->fails_with;
    input->arg = &source->yielded;
    input->arg_size = sizeof source->yielded;
    source->yielded++;
    return 1;
}

static void no_more_tasks_than_the_windows_are_out(bool unordered)
{
    struct source source = {.most = 100};
    struct shmf_tasks tasks = {.count = -1, .next = yield_one, .user = &source};
    struct shmf_mpi_imap_options options = {.imap = {.window = 3, .unordered = unordered}};
    struct shmf_mpi_result *result;
    int64_t taken = 0;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, square, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(source.yielded - taken <= 3 * place.nodes);
        taken++;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(taken == (is_root ? 100 : 0) && source.yielded == taken);
    shmf_mpi_iter_free(iter);
}

static int yield_a_handle(struct shmf_task_input *input, void *user)
{
    static struct shmf_handle handle;
    (void)user;
    input->handles = &handle;
    input->n_handles = 1;
    return 1;
}

static void what_the_source_fails_with_is_everybodys(int code)
{
    struct source source = {.most = 10, .fails_with = code};
    struct shmf_tasks tasks = {.count = -1, .next = yield_one, .user = &source};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, square, &tasks, NULL, &err);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1)
        shmf_mpi_result_free(result);
    check(rc == code && !result && strstr(err.message, "tasks.next"));
    check(shmf_mpi_iter_next(iter, &result, &err) == code);
    shmf_mpi_iter_free(iter);
    tasks.next = yield_a_handle;
    iter = shmf_mpi_imap(mpi, 0, pool, square, &tasks, NULL, &err);
    check(shmf_mpi_iter_next(iter, &result, &err) == SHMF_E_UNSUPPORTED);
    shmf_mpi_iter_free(iter);
}

/* ---- failures -------------------------------------------------------------------------------- */

static int die_sometimes(struct shmf_task *task, void *context)
{
    int64_t index = shmf_task_index(task);
    (void)context;
    if (index % 10 == 3 && shmf_task_attempt(task) == 1)
        raise(SIGKILL);
    return shmf_task_return_double(task, (double)index);
}

static void a_worker_that_dies_costs_its_task(int attempts)
{
    struct shmf_tasks tasks = {.count = 40};
    struct shmf_mpi_imap_options options = {.imap.attempts = attempts};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, die_sometimes, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        bool lost = attempts < 2 && result->index % 10 == 3;
        check(result->status == (lost ? SHMF_E_WORKER_DIED : SHMF_OK));
        check(!lost || (result->failure->signal == SIGKILL && result->failure->pid > 0));
        check(lost || *(const double *)result->bytes == (double)result->index);
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
}

static int sleep_once(struct shmf_task *task, void *context)
{
    (void)context;
    if (shmf_task_index(task) == 1)
        pause();
    return 0;
}

static void a_task_beyond_its_deadline_is_ended(void)
{
    struct shmf_tasks tasks = {.count = 3};
    struct shmf_mpi_imap_options options = {.imap.deadline_seconds = 0.1};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, sleep_once, &tasks, &options, &err);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(result->index != 1 || result->status == SHMF_E_TIMEOUT);
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
}

static int return_nothing(struct shmf_task *task, void *context)
{
    (void)task;
    (void)context;
    return 0;
}

static int sleep_forever(struct shmf_task *task, void *context)
{
    (void)task;
    (void)context;
    pause();
    return 0;
}

static void a_call_beyond_its_time_is_ended(void)
{
    struct shmf_tasks tasks = {.count = 100};
    struct shmf_mpi_imap_options options = {.imap.call_seconds = 0.1};
    struct shmf_mpi_result *result;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, sleep_forever, &tasks, &options, &err);
    check(iter);
    check(shmf_mpi_iter_next(iter, &result, &err) == SHMF_E_TIMEOUT && !result);
    shmf_mpi_iter_free(iter);
    if (pool)
        check_ok(shmf_pool_join(pool, 100, &err), "join"); /* what ran was ended */
}

/* However long the caller looks at the last result. Where a task takes longer than the call may, it
 * is tried again with more time. */
static void a_call_that_had_all_results_in_time_is_none_beyond_it(int64_t block)
{
    struct shmf_tasks tasks = {.count = place.nodes};
    struct shmf_mpi_imap_options options = {.imap.window = 1, .block = block};
    struct shmf_mpi_result *result;
    int rc = SHMF_E_TIMEOUT;
    for (double seconds = 0.3; rc == SHMF_E_TIMEOUT; seconds *= 2) {
        int64_t taken = 0;
        options.imap.call_seconds = seconds;
        struct shmf_mpi_iter *iter =
            shmf_mpi_imap(mpi, 0, pool, return_nothing, &tasks, &options, &err);
        check(iter);
        while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
            if (++taken == place.nodes)
                usleep((useconds_t)(seconds * 1e6));
            shmf_mpi_result_free(result);
        }
        check(rc == 0 || rc == SHMF_E_TIMEOUT);
        check(!is_root || (rc == 0) == (taken == place.nodes));
        shmf_mpi_iter_free(iter);
    }
}

static void what_one_rank_lacks_fails_all(void)
{
    int last = 0;
    for (int rank = 0; rank < place.ranks; rank++) {
        struct shmf_mpi_place other;
        shmf_mpi_place(mpi, rank, &other);
        last = other.node_rank == 0 ? rank : last;
    }
    struct shmf_tasks tasks = {.count = 3};
    struct shmf_mpi_imap_options options = {.imap.window = -1};
    struct shmf_pool *given = place.rank == last ? NULL : pool;
    check(!shmf_mpi_imap(mpi, 0, given, square, &tasks, NULL, &err));
    check(err.code == SHMF_E_INVAL && strstr(err.message, "pool: NULL"));
    check(!shmf_mpi_imap(mpi, 0, pool, NULL, &tasks, NULL, &err) && err.code == SHMF_E_INVAL);
    check(!shmf_mpi_imap(mpi, 0, pool, square, NULL, NULL, &err) && err.code == SHMF_E_INVAL);
    check(!shmf_mpi_imap(NULL, 0, pool, square, &tasks, NULL, &err) && err.code == SHMF_E_INVAL);
    check(!shmf_mpi_imap(mpi, place.ranks, pool, square, &tasks, NULL, &err));
    check(err.code == SHMF_E_RANGE);
    check(!shmf_mpi_imap(mpi, 0, pool, square, &tasks, &options, &err));
    check(err.code == SHMF_E_INVAL && strstr(err.message, "window"));
    options = (struct shmf_mpi_imap_options){.reserved[2] = 1};
    check(!shmf_mpi_imap(mpi, 0, pool, square, &tasks, &options, &err));
    check(err.code == SHMF_E_INVAL && strstr(err.message, "reserved[2]"));
    options = (struct shmf_mpi_imap_options){.block = 2};
    tasks = (struct shmf_tasks){.count = -1, .next = yield_one};
    check(!shmf_mpi_imap(mpi, 0, pool, square, &tasks, &options, &err));
    check(err.code == SHMF_E_INVAL && strstr(err.message, "block"));
    check(shmf_mpi_iter_next(NULL, NULL, &err) == SHMF_E_INVAL);
    shmf_mpi_iter_free(NULL);
    shmf_mpi_result_free(NULL);
}

/* A node whose pool takes no more: the root hears of it, and so do all. */
static void a_node_that_cannot_go_on_fails_the_iteration(void)
{
    struct shmf_pool *closed = new_pool();
    struct shmf_tasks tasks = {.count = 50};
    struct shmf_mpi_result *result;
    int rc;
    int64_t args = 3;
    tasks = (struct shmf_tasks){.count = 1, .args = &args, .arg_size = sizeof args};
    if (place.node == 0 && place.node_rank == 0)
        check_ok(shmf_pool_close(closed), "close");
    struct shmf_mpi_iter *iter =
        shmf_mpi_imap(mpi, place.ranks - 1, closed, square, &tasks, NULL, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1)
        shmf_mpi_result_free(result);
    check(rc == SHMF_E_CLOSED);
    shmf_mpi_iter_free(iter);
    shmf_pool_free(closed);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int draw_from_frame(struct shmf_task *task, void *context)
{
    struct shmf_frame *frame = shmf_task_frame(task, 0);
    double values[2];
    if (!frame)
        return -1;
    values[0] = *(const double *)shmf_frame_data(frame, 0, SHMF_FLOAT64) + (double)*(int *)context;
    values[1] = (double)(shmf_task_seed(task) >> 20);
    return shmf_task_return_bytes(task, values, sizeof values);
}

static int number = 40; /* as workers have it: of the early moment */

static void tasks_see_their_nodes_frame_and_context_and_the_roots_seed(void)
{
    struct shmf_frame_spec spec = {.n_rows = 9, .n_columns = 1, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = NULL;
    if (is_root) {
        frame = shmf_frame_new(&spec, &err);
        *(double *)shmf_frame_data_mut(frame, 0) = 2;
        check_ok(shmf_frame_finish(frame, &err), "finish");
    }
    check_ok(shmf_mpi_bcast(mpi, 0, &frame, &err), "bcast");
    struct shmf_handle handle = shmf_frame_handle(frame);
    struct shmf_tasks tasks = {.count = 20,
                               .handles = &handle,
                               .n_handles = 1,
                               .context = &number,
                               .seed = is_root ? 77 : 1};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, draw_from_frame, &tasks, NULL, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        const double *values = result->bytes;
        check(result->status == SHMF_OK && values[0] == 42);
        check(values[1] == (double)(shmf_task_seed_of(77, result->index) >> 20));
        check(shmf_mpi_bcast(mpi, 0, &frame, &err) == SHMF_E_INVAL); /* not meanwhile */
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
    shmf_frame_free(frame);
}

static struct shmf_progress last_progress;

static void note_progress(const struct shmf_progress *progress, void *user)
{
    check(!last_progress.finished && progress->done >= last_progress.done);
    last_progress = *progress;
    ++*(int *)user;
}

static void progress_is_told(void)
{
    int calls = 0;
    struct shmf_tasks tasks = {.count = 2 * KINDS};
    struct shmf_mpi_imap_options options = {
        .imap = {.progress_fn = note_progress, .progress_user = &calls}};
    struct shmf_mpi_result *result;
    memset(&last_progress, 0, sizeof last_progress);
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_kind, &tasks, &options, &err);
    while (shmf_mpi_iter_next(iter, &result, &err) == 1)
        shmf_mpi_result_free(result);
    shmf_mpi_iter_free(iter);
    check(is_root ? calls >= 1 : !calls);
    check(!is_root || (last_progress.finished && last_progress.done == 2 * KINDS));
    check(!is_root || (last_progress.failed == 2 && last_progress.total == 2 * KINDS));
}

static void an_iteration_can_be_left_early(int64_t take)
{
    struct shmf_tasks tasks = {.count = 100000};
    struct shmf_mpi_imap_options options = {.imap.window = 9};
    struct shmf_mpi_result *result;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_kind, &tasks, &options, &err);
    check(iter);
    for (int64_t i = 0; is_root && i < take; i++) {
        check(shmf_mpi_iter_next(iter, &result, &err) == 1 && result->index == i);
        shmf_mpi_result_free(result);
    }
    if (!is_root && take % 2) /* or it is served by freeing */
        check(shmf_mpi_iter_next(iter, &result, &err) == 0);
    shmf_mpi_iter_free(iter);
}

static void everything(void)
{
    results_come_in_the_order_of_tasks_or_of_completion(200, false, 0);
    results_come_in_the_order_of_tasks_or_of_completion(2000, true, 0);
    results_come_in_the_order_of_tasks_or_of_completion(100, false, 3);
    results_come_in_the_order_of_tasks_or_of_completion(100, true, 20);
    results_come_in_the_order_of_tasks_or_of_completion(1, false, 0);
    results_come_in_the_order_of_tasks_or_of_completion(0, false, 0);
    results_of_all_kinds_come(4 * KINDS, 0);
    results_of_all_kinds_come(4 * KINDS, 7);
    no_more_tasks_than_the_windows_are_out(false);
    no_more_tasks_than_the_windows_are_out(true);
    what_the_source_fails_with_is_everybodys(SHMF_E_NOTFOUND);
    what_the_source_fails_with_is_everybodys(SHMF_E_NOMEM); /* not the iteration's own */
    a_worker_that_dies_costs_its_task(0);
    a_worker_that_dies_costs_its_task(3);
    a_task_beyond_its_deadline_is_ended();
    a_call_beyond_its_time_is_ended();
    a_call_that_had_all_results_in_time_is_none_beyond_it(0);
    a_call_that_had_all_results_in_time_is_none_beyond_it(1);
    what_one_rank_lacks_fails_all();
    a_node_that_cannot_go_on_fails_the_iteration();
    tasks_see_their_nodes_frame_and_context_and_the_roots_seed();
    progress_is_told();
    an_iteration_can_be_left_early(0);
    an_iteration_can_be_left_early(25);
    results_come_in_the_order_of_tasks_or_of_completion(50, false, 0);
}

int main(int argc, char **argv)
{
    start_ranks(&argc, &argv);
    everything();
    return end_ranks();
}
