/* stay [RANKS_PER_NODE]: tasks for the pools of all nodes, whose results stay where they were made;
 * run by mpirun, with any number of ranks, and without. */
#include "mpi/kinds.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* Tasks of this node's pool that started: the rank and its workers share it. */
static atomic_llong *started;

static int64_t sum_of_all(int64_t mine)
{
    int64_t sum;
    MPI_Allreduce(&mine, &sum, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    return sum;
}

static int return_index(struct shmf_task *task, void *context)
{
    (void)context;
    atomic_fetch_add(started, 1);
    return shmf_task_return_double(task, (double)shmf_task_index(task));
}

static int yield_many(struct shmf_task_input *input, void *user)
{
    int64_t *left = user;
    (void)input;
    return --*left >= 0;
}

/* ---- results and their order ----------------------------------------------------------------- */

static void each_result_is_delivered_once_on_its_node(int64_t count, bool unordered, int64_t block,
                                                      int root)
{
    int *seen = calloc((size_t)count + 1, sizeof *seen), rc;
    int64_t taken = 0, last = -1;
    struct shmf_tasks tasks = {.count = count};
    struct shmf_mpi_imap_options options = {.imap.unordered = unordered,
                                            .block = block,
                                            .stay = place.rank == root}; /* what it gives */
    struct shmf_mpi_result *result;
    struct shmf_mpi_iter *iter =
        shmf_mpi_imap(mpi, root, pool, return_index, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        int64_t i = result->index;
        check(place.node_rank == 0 && i >= 0 && i < count && !seen[i]++);
        check(result->node == place.node && result->worker >= 0 && result->worker < WORKERS);
        check(unordered || i > last);
        check(!block || result->node == i / block % place.nodes);
        check(result->status == SHMF_OK && *(const double *)result->bytes == (double)i);
        last = i;
        taken++;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(shmf_mpi_iter_next(iter, &result, &err) == 0 && !result);
    shmf_mpi_iter_free(iter);
    check(place.node_rank || count < 2 * place.nodes || taken > 0);
    MPI_Allreduce(MPI_IN_PLACE, seen, (int)count, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (int64_t i = 0; i < count; i++)
        check(seen[i] == 1);
    free(seen);
}

static void results_of_all_kinds_stay(void)
{
    struct shmf_tasks tasks = {.count = 4 * KINDS};
    struct shmf_mpi_imap_options options = {.stay = 1};
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
    shmf_mpi_iter_free(iter);
    check(sum_of_all(taken) == 4 * KINDS && sum_of_all(kept != NULL) == 1);
    check(!kept || same_frame(kept, number_frame(KINDS + BIG_FRAME)));
    shmf_frame_free(kept);
}

/* An array that says which file it is in. */
static int return_inode(struct shmf_task *task, void *context)
{
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT64, 1, (int64_t[]){100000});
    uint64_t *data = shmf_array_data_mut(array);
    (void)context;
    if (!data)
        return -1;
    data[0] = inode_at(data);
    return shmf_task_return_array(task, array);
}

static void results_lie_where_the_worker_made_them(void)
{
    struct shmf_tasks tasks = {.count = 5 * place.nodes};
    struct shmf_mpi_imap_options options = {.stay = 1};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_inode, &tasks, &options, &err);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        const uint64_t *data = shmf_array_data(result->array);
        check(data && data[0] && data[0] == inode_at(data));
        check(!shmf_array_data_mut(result->array));
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
}

static void what_nodes_made_of_them_is_gathered(void)
{
    struct shmf_tasks tasks = {.count = 100};
    struct shmf_mpi_imap_options options = {.stay = 1};
    struct shmf_frame_spec spec = {.n_rows = 100, .n_columns = 1, .dtype = SHMF_FLOAT64};
    struct shmf_frame *table = shmf_frame_new(&spec, &err), *part, *whole;
    struct shmf_mpi_result *result;
    int64_t row = 0;
    double sum = 0;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_index, &tasks, &options, &err);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        ((double *)shmf_frame_data_mut(table, 0))[row++] = *(const double *)result->bytes;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
    check_ok(shmf_frame_finish(table, &err), "finish");
    part = shmf_frame_slice(table, 0, row, &err);
    check(part);
    check_ok(shmf_mpi_gather(mpi, 0, part, &whole, &err), "gather");
    check(is_root ? shmf_frame_rows(whole) == 100 : !whole);
    for (int64_t r = 0; is_root && r < 100; r++)
        sum += ((const double *)shmf_frame_data(whole, 0, SHMF_FLOAT64))[r];
    check(!is_root || sum == 99 * 100 / 2);
    shmf_frame_free(whole);
    shmf_frame_free(part);
    shmf_frame_free(table);
}

/* ---- the window ------------------------------------------------------------------------------ */

static void no_node_has_more_tasks_than_its_window(bool unordered)
{
    int64_t left = 100, taken = 0;
    struct shmf_tasks tasks = {.count = -1, .next = yield_many, .user = &left};
    struct shmf_mpi_imap_options options = {.imap = {.window = 3, .unordered = unordered},
                                            .stay = 1};
    struct shmf_mpi_result *result;
    int rc;
    atomic_store(started, 0);
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_index, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        taken++;
        check(atomic_load(started) - taken <= 3);
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(atomic_load(started) == taken);
    check(sum_of_all(taken) == 100);
    shmf_mpi_iter_free(iter);
}

/* The leader of the last node does not go on before the others have done what it leaves them. */
enum { COUNT = 60, WINDOW = 3 };

struct release {
    int slow; /* its rank; < 0: it goes on already */
};

static void release_when_the_others_are_done(const struct shmf_progress *progress, void *user)
{
    struct release *release = user;
    if (release->slow < 0 || progress->done < COUNT - WINDOW - 1)
        return;
    MPI_Send(NULL, 0, MPI_BYTE, release->slow, 1, MPI_COMM_WORLD);
    release->slow = -1;
}

static void wait_for_release(void)
{
    MPI_Request request;
    int there = 0;
    MPI_Irecv(NULL, 0, MPI_BYTE, 0, 1, MPI_COMM_WORLD, &request);
    while (MPI_Test(&request, &there, MPI_STATUS_IGNORE) == MPI_SUCCESS && !there)
        usleep(1000);
    check(there);
}

static void a_slow_leader_holds_back_its_own_node_only(void)
{
    struct release release = {0};
    struct shmf_mpi_place other = place;
    for (int rank = 0; rank < place.ranks; rank++) {
        shmf_mpi_place(mpi, rank, &other);
        if (other.node == place.nodes - 1 && other.node_rank == 0)
            release.slow = rank;
    }
    if (place.nodes == 1)
        return;
    bool is_slow = place.rank == release.slow;
    struct shmf_tasks tasks = {.count = COUNT};
    struct shmf_mpi_imap_options options = {
        .imap = {.window = WINDOW,
                 .progress_fn = release_when_the_others_are_done,
                 .progress_user = &release},
        .stay = 1};
    struct shmf_mpi_result *result;
    int64_t taken = 0;
    int rc;
    atomic_store(started, 0);
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_index, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        if (is_slow && taken == 0) {
            wait_for_release();
            check(atomic_load(started) <= WINDOW + 1);
        }
        taken++;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(sum_of_all(taken) == COUNT);
    check(!is_slow || (taken > 0 && taken <= WINDOW + 1));
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

static void a_worker_that_dies_costs_its_task_on_its_node(int attempts)
{
    struct shmf_tasks tasks = {.count = 40};
    struct shmf_mpi_imap_options options = {.imap.attempts = attempts, .stay = 1};
    struct shmf_mpi_result *result;
    int64_t taken = 0, failed = 0;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, die_sometimes, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        bool lost = attempts < 2 && result->index % 10 == 3;
        check(result->status == (lost ? SHMF_E_WORKER_DIED : SHMF_OK));
        check(!lost || (result->failure->signal == SIGKILL && result->failure->pid > 0));
        check(lost || *(const double *)result->bytes == (double)result->index);
        taken++;
        failed += lost;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(sum_of_all(taken) == 40 && sum_of_all(failed) == (attempts < 2 ? 4 : 0));
    shmf_mpi_iter_free(iter);
}

static int sleep_forever(struct shmf_task *task, void *context)
{
    (void)context;
    if (shmf_task_index(task) % 2)
        pause();
    return 0;
}

static void deadlines_of_tasks_and_of_the_call_hold(void)
{
    struct shmf_tasks tasks = {.count = 4};
    struct shmf_mpi_imap_options options = {.imap.deadline_seconds = 0.1, .stay = 1};
    struct shmf_mpi_result *result;
    int64_t late = 0;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, sleep_forever, &tasks, &options, &err);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(result->status == SHMF_E_TIMEOUT ||
              (result->status == SHMF_OK && !(result->index % 2)));
        late += result->index % 2;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
    check(sum_of_all(late) == 2);
    tasks.count = 1000;
    options = (struct shmf_mpi_imap_options){.imap.call_seconds = 0.1, .stay = 1};
    iter = shmf_mpi_imap(mpi, 0, pool, sleep_forever, &tasks, &options, &err);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1)
        shmf_mpi_result_free(result);
    check(rc == SHMF_E_TIMEOUT);
    shmf_mpi_iter_free(iter);
    if (pool)
        check_ok(shmf_pool_join(pool, 100, &err), "join"); /* what ran was ended */
}

static int fail(struct shmf_task_input *input, void *user)
{
    int rc = yield_many(input, user);
    return rc ? rc : SHMF_E_NOTFOUND;
}

static void what_ends_it_is_everybodys(void)
{
    int64_t left = 10, args = 3;
    struct shmf_tasks tasks = {.count = -1, .next = fail, .user = &left};
    struct shmf_mpi_imap_options options = {.stay = 1};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_index, &tasks, &options, &err);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1)
        shmf_mpi_result_free(result);
    check(rc == SHMF_E_NOTFOUND && strstr(err.message, "tasks.next"));
    shmf_mpi_iter_free(iter);
    struct shmf_pool *closed = new_pool();
    if (place.node == place.nodes - 1 && place.node_rank == 0)
        check_ok(shmf_pool_close(closed), "close");
    tasks = (struct shmf_tasks){.count = place.nodes, .args = &args};
    options.block = 1;
    iter = shmf_mpi_imap(mpi, 0, closed, return_index, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1)
        shmf_mpi_result_free(result);
    check(rc == SHMF_E_CLOSED);
    shmf_mpi_iter_free(iter);
    shmf_pool_free(closed);
    options = (struct shmf_mpi_imap_options){.reserved0 = 1};
    check(!shmf_mpi_imap(mpi, 0, pool, return_index, &tasks, &options, &err));
    check(err.code == SHMF_E_INVAL && strstr(err.message, "reserved0"));
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum { MEGABYTE = 1 << 20, MOST_KEPT = 64 };

static int return_megabyte(struct shmf_task *task, void *context)
{
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){MEGABYTE});
    void *data = shmf_array_data_mut(array);
    (void)context;
    if (!data)
        return -1;
    memset(data, 1, MEGABYTE);
    return shmf_task_return_array(task, array);
}

static void a_leader_that_keeps_too_much_is_told_and_goes_on(void)
{
    struct shmf_pool_options small = {
        .workers = WORKERS, .start = SHMF_START_EARLY, .budget_bytes = 8 * MEGABYTE};
    struct shmf_pool *tight = place.node_rank ? NULL : shmf_pool_new(&small, &err);
    struct shmf_tasks tasks = {.count = (int64_t)30 * place.nodes};
    /* In order: what waits for its turn, three results at most, is kept from others, too. */
    struct shmf_mpi_imap_options options = {.imap.window = 4, .block = 1, .stay = 1};
    struct shmf_mpi_result *kept[MOST_KEPT], *result;
    int64_t taken = 0, refused = 0, n = 0;
    int rc;
    check(tight || place.node_rank);
    struct shmf_mpi_iter *iter =
        shmf_mpi_imap(mpi, 0, tight, return_megabyte, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) != 0) {
        if (rc == 1) {
            check(result->status == SHMF_OK && n < MOST_KEPT);
            kept[n++] = result;
            taken++;
            continue;
        }
        check(rc == SHMF_E_NOSPC && n > 0 && !result);
        refused++;
        while (n)
            shmf_mpi_result_free(kept[--n]);
    }
    while (n)
        shmf_mpi_result_free(kept[--n]);
    check(place.node_rank || (taken == 30 && refused > 0));
    shmf_mpi_iter_free(iter);
    shmf_pool_free(tight);
}

/* ---- progress and the end -------------------------------------------------------------------- */

static struct shmf_progress last_progress;

static void note_progress(const struct shmf_progress *progress, void *user)
{
    check(!last_progress.finished && progress->done >= last_progress.done);
    last_progress = *progress;
    ++*(int *)user;
}

static void progress_of_all_nodes_is_told_at_the_root(void)
{
    int calls = 0;
    struct shmf_tasks tasks = {.count = 2 * KINDS};
    struct shmf_mpi_imap_options options = {
        .imap = {.progress_fn = note_progress, .progress_user = &calls}, .stay = 1};
    struct shmf_mpi_result *result;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_kind, &tasks, &options, &err);
    while (shmf_mpi_iter_next(iter, &result, &err) == 1)
        shmf_mpi_result_free(result);
    shmf_mpi_iter_free(iter);
    check(is_root ? calls >= 1 : !calls);
    check(!is_root || (last_progress.finished && last_progress.done == 2 * KINDS));
    check(!is_root || (last_progress.failed == 2 && last_progress.total == 2 * KINDS));
}

/* `who` frees it after `take` results. */
static void who_leaves_ends_it_for_all(int root, int who, int64_t take)
{
    int64_t left = INT64_MAX;
    struct shmf_tasks tasks = {.count = -1, .next = yield_many, .user = &left};
    struct shmf_mpi_imap_options options = {.imap.window = 9, .stay = 1};
    struct shmf_mpi_result *result;
    char text[20];
    int rc = 1;
    struct shmf_mpi_iter *iter =
        shmf_mpi_imap(mpi, root, pool, return_kind, &tasks, &options, &err);
    check(iter);
    for (int64_t i = 0; (place.rank != who || i < take) && rc == 1; i++) {
        rc = shmf_mpi_iter_next(iter, &result, &err);
        shmf_mpi_result_free(rc == 1 ? result : NULL);
    }
    snprintf(text, sizeof text, "rank %d: ", who);
    check(place.rank == who ? rc == 1 : rc == SHMF_E_CANCELLED && strstr(err.message, text));
    shmf_mpi_iter_free(iter);
}

static void iterations_are_left_early(void)
{
    int last = place.ranks - 1;
    struct shmf_mpi_place other;
    who_leaves_ends_it_for_all(0, 0, 0);
    who_leaves_ends_it_for_all(0, 0, 25);
    who_leaves_ends_it_for_all(last, last, 0); /* it may lead no node */
    for (int rank = 1; rank < place.ranks; rank++) {
        shmf_mpi_place(mpi, rank, &other);
        if (other.node_rank)
            continue;
        who_leaves_ends_it_for_all(0, rank, 0);
        who_leaves_ends_it_for_all(0, rank, 25);
    }
}

static void everything(void)
{
    each_result_is_delivered_once_on_its_node(200, false, 0, 0);
    each_result_is_delivered_once_on_its_node(2000, true, 0, place.ranks - 1);
    each_result_is_delivered_once_on_its_node(100, false, 3, place.ranks - 1);
    each_result_is_delivered_once_on_its_node(100, true, 20, 0);
    each_result_is_delivered_once_on_its_node(1, false, 0, 0);
    each_result_is_delivered_once_on_its_node(0, false, 0, place.ranks - 1);
    results_of_all_kinds_stay();
    results_lie_where_the_worker_made_them();
    what_nodes_made_of_them_is_gathered();
    no_node_has_more_tasks_than_its_window(false);
    no_node_has_more_tasks_than_its_window(true);
    a_slow_leader_holds_back_its_own_node_only();
    a_worker_that_dies_costs_its_task_on_its_node(0);
    a_worker_that_dies_costs_its_task_on_its_node(3);
    deadlines_of_tasks_and_of_the_call_hold();
    what_ends_it_is_everybodys();
    a_leader_that_keeps_too_much_is_told_and_goes_on();
    progress_of_all_nodes_is_told_at_the_root();
    iterations_are_left_early();
    each_result_is_delivered_once_on_its_node(50, false, 0, 0);
}

int main(int argc, char **argv)
{
    started =
        mmap(NULL, sizeof *started, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (started == MAP_FAILED)
        return 1;
    start_ranks(&argc, &argv); /* workers have it, too */
    everything();
    return end_ranks();
}
