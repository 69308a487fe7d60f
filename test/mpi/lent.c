/* lent [RANKS_PER_NODE [apart]]: results that the root reads where another node's worker put them,
 * or, where nodes are to be apart, that are sent; run by mpirun, with any number of ranks, and
 * without. */
#include "mpi/kinds.h"

#include <shmframe/control.h>

#include <sys/resource.h>

enum { LARGE = 3 << 20, ROWS = 120000, WINDOW = 4 };

static bool apart;

/* ---- tasks ----------------------------------------------------------------------------------- */

/* The pattern is that of index + *context. */
static int return_large(struct shmf_task *task, void *context)
{
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){LARGE});
    if (!array)
        return -1;
    fill(shmf_array_data_mut(array), LARGE, shmf_task_index(task) + (int64_t)(intptr_t)context);
    return shmf_task_return_array(task, array);
}

static struct shmf_frame *large_frame(int64_t index)
{
    static const struct shmf_column_spec columns[] = {{"word", SHMF_UTF8, 0},
                                                      {"number", SHMF_INT64, 1}};
    struct shmf_frame_spec spec = {
        .n_rows = ROWS, .n_columns = 2, .columns = columns, .range_start = index};
    struct shmf_text *words = calloc(ROWS, sizeof *words);
    int64_t *numbers = calloc(ROWS, sizeof *numbers);
    unsigned char *valid = calloc(ROWS / 8 + 1, 1);
    const void *data[] = {words, numbers};
    const uint8_t *validity[] = {NULL, valid};
    for (int64_t r = 0; words && numbers && valid && r < ROWS; r++) {
        words[r] =
            (r + index) % 3 ? (struct shmf_text){"of some words", 13} : (struct shmf_text){0};
        numbers[r] = (r + index) % 5 ? r * index : 0;
        valid[r / 8] |= (unsigned char)(((r + index) % 5 != 0) << r % 8);
    }
    struct shmf_frame *frame =
        words && numbers && valid ? shmf_frame_from_columns(&spec, data, validity, &err) : NULL;
    free(words);
    free(numbers);
    free(valid);
    return frame;
}

static int return_frame(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_frame *frame = large_frame(shmf_task_index(task));
    frame = shmf_task_own_frame(task, frame, NULL);
    return frame ? shmf_task_return_frame(task, frame) : -1;
}

/* ---- where they are -------------------------------------------------------------------------- */

static uint64_t own_bytes(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.used_bytes;
}

static void large_results_are_read_where_they_lie(int root)
{
    struct shmf_tasks tasks = {.count = (int64_t)6 * place.nodes};
    struct shmf_mpi_imap_options options = {.block = 1};
    struct shmf_mpi_result *result;
    int rc;
    uint64_t before = own_bytes();
    struct shmf_mpi_iter *iter =
        shmf_mpi_imap(mpi, root, pool, return_large, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(result->array && is_filled(shmf_array_data(result->array), LARGE, result->index));
        check(!shmf_array_data_mut(result->array) || apart);
        check(apart || own_bytes() == before);
        check(!apart || result->node == place.node || own_bytes() >= before + LARGE);
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
}

static void frames_of_all_types_are_too(void)
{
    struct shmf_tasks tasks = {.count = (int64_t)2 * place.nodes};
    struct shmf_mpi_imap_options options = {.block = 1};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_frame, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(same_frame(result->frame, large_frame(result->index)));
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
}

/* ---- what becomes of them -------------------------------------------------------------------- */

/* Kept results are memory of the workers: half of their budget at most. */
static struct shmf_pool *tight_pool(void)
{
    struct shmf_pool_options options = {.workers = WORKERS,
                                        .start = SHMF_START_EARLY,
                                        .budget_bytes = (WINDOW + WORKERS) * (LARGE + (2 << 20))};
    return place.node_rank == 0 ? shmf_pool_new(&options, &err) : NULL;
}

/* All of them, in `kept` if that is not NULL. */
static void take_all(struct shmf_pool *from, int64_t count, int64_t shift, struct shmf_array **kept)
{
    struct shmf_tasks tasks = {.count = count, .context = (void *)(intptr_t)shift};
    struct shmf_mpi_imap_options options = {.block = 1,
                                            .imap = {.window = WINDOW, .call_seconds = 100}};
    struct shmf_mpi_result *result;
    int64_t taken = 0;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, from, return_large, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(result->index == taken && result->array);
        check(is_filled(shmf_array_data(result->array), LARGE, taken + shift));
        if (kept && result->node != place.node) {
            kept[taken] = result->array;
            result->array = NULL;
        }
        taken++;
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    check(taken == (is_root ? count : 0));
    shmf_mpi_iter_free(iter);
}

static void free_kept(struct shmf_array **kept, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        shmf_array_free(kept[i]);
    memset(kept, 0, (size_t)count * sizeof(struct shmf_array *));
}

/* In one iteration or several: it is more than a node's budget. */
static void what_the_root_keeps_stays_as_it_is_and_holds_nobody_up(void)
{
    enum { TIMES = 3 };
    int64_t count = (int64_t)5 * place.nodes;
    struct shmf_array **kept = calloc((size_t)count * TIMES, sizeof(struct shmf_array *));
    struct shmf_pool *tight = tight_pool();
    check(kept);
    for (int64_t i = 0; i < TIMES; i++)
        take_all(tight, count, i * count, kept + i * count);
    take_all(tight, count, 1000, NULL); /* in the memory that is left */
    shmf_pool_free(tight);
    MPI_Barrier(MPI_COMM_WORLD);
    for (int64_t i = 0; i < count * TIMES; i++)
        check(!kept[i] || is_filled(shmf_array_data(kept[i]), LARGE, i));
    free_kept(kept, count * TIMES);
    free(kept);
}

static void memory_of_what_was_lent_is_used_again(void)
{
    struct shmf_pool *tight = tight_pool();
    struct shmf_pool_stats stats = {0};
    take_all(tight, (int64_t)60 * place.nodes, 0, NULL);
    if (tight && place.nodes > 1)
        check(shmf_pool_get_stats(tight, &stats) == SHMF_OK && stats.recycled > stats.fresh);
    shmf_pool_free(tight);
}

/* The first task of each node is slow, and then needs more than half of the budget, which results
 * that wait for its own have by then. */
static int need_most_of_it(struct shmf_task *task, void *context)
{
    int64_t budget = (int64_t)(intptr_t)context;
    bool first = shmf_task_index(task) < place.nodes;
    if (first)
        usleep(300000);
    struct shmf_array *needed =
        first ? shmf_array_new(SHMF_UINT8, 1, (int64_t[]){budget * 5 / 8}, NULL) : NULL;
    if (first && !needed)
        return -1;
    shmf_array_free(needed);
    return return_large(task, NULL);
}

static void results_that_wait_for_their_turn_make_way(void)
{
    struct shmf_pool *tight = tight_pool();
    intptr_t budget = (WINDOW + WORKERS) * (LARGE + (2 << 20));
    struct shmf_tasks tasks = {.count = (int64_t)20 * place.nodes, .context = (void *)budget};
    struct shmf_mpi_imap_options options = {.block = 1,
                                            .imap = {.window = 14, .call_seconds = 100}};
    struct shmf_mpi_result *result;
    int64_t taken = 0;
    int rc;
    struct shmf_mpi_iter *iter =
        shmf_mpi_imap(mpi, 0, tight, need_most_of_it, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(result->array && result->index == taken++);
        check(is_filled(shmf_array_data(result->array), LARGE, result->index));
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
    shmf_pool_free(tight);
}

/* Every task needs more than half of the budget. */
static int need_much(struct shmf_task *task, void *budget)
{
    struct shmf_array *needed =
        shmf_array_new(SHMF_UINT8, 1, (int64_t[]){(int64_t)(intptr_t)budget * 5 / 8}, NULL);
    shmf_array_free(needed);
    return needed ? return_large(task, NULL) : -1;
}

static void a_root_that_keeps_what_tasks_need_is_told_and_goes_on(void)
{
    int64_t count = (int64_t)10 * place.nodes, n_kept = 0, told = 0;
    struct shmf_array **kept = calloc((size_t)count, sizeof(struct shmf_array *));
    struct shmf_pool *tight = tight_pool();
    intptr_t budget = (WINDOW + WORKERS) * (LARGE + (2 << 20));
    struct shmf_tasks tasks = {.count = count, .context = (void *)budget};
    struct shmf_mpi_imap_options options = {.block = 1, .imap = {.window = 2}};
    struct shmf_mpi_result *result;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, tight, need_much, &tasks, &options, &err);
    check(kept && iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) != 0) {
        check(rc == 1 || (rc == SHMF_E_NOSPC && n_kept));
        if (rc != 1) {
            told++;
            free_kept(kept, n_kept);
            n_kept = 0;
            continue;
        }
        check(result->array);
        kept[n_kept++] = result->array;
        result->array = NULL;
        shmf_mpi_result_free(result);
    }
    check(!is_root || told || apart); /* of its own node's, if there is no other */
    shmf_mpi_iter_free(iter);
    free_kept(kept, n_kept);
    free(kept);
    shmf_pool_free(tight);
}

/* Also in the pools: they lack nothing afterwards. */
static void who_leaves_early_leaves_nothing(void)
{
    struct shmf_pool *tight = tight_pool();
    struct shmf_tasks tasks = {.count = (int64_t)40 * place.nodes}, own = {.count = 3};
    struct shmf_mpi_result *result = NULL;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, tight, return_large, &tasks, NULL, &err);
    check(iter);
    if (is_root)
        for (int i = 0; i < place.nodes; i++) {
            shmf_mpi_result_free(result);
            check(shmf_mpi_iter_next(iter, &result, &err) == 1);
        }
    shmf_mpi_iter_free(iter);
    check(!result || is_filled(shmf_array_data(result->array), LARGE, result->index));
    shmf_mpi_result_free(result);
    MPI_Barrier(MPI_COMM_WORLD);
    own.context = (void *)(intptr_t)((WINDOW + WORKERS) * (LARGE + (2 << 20)));
    if (tight) {
        struct shmf_result *mine;
        struct shmf_iter *here = shmf_pool_imap(tight, need_much, &own, NULL, &err);
        for (int i = 0; i < 3; i++) {
            check(shmf_iter_next(here, &mine, &err) == 1);
            check_ok(shmf_result_status(mine), "a task of the leader's own");
            shmf_result_free(mine);
        }
        shmf_iter_free(here);
    }
    shmf_pool_free(tight);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static int wait_first(struct shmf_task *task, void *context)
{
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){1 << 20});
    (void)context;
    if (shmf_task_index(task) == 0)
        usleep(500000);
    return array && !shmf_array_zero(array) ? shmf_task_return_array(task, array) : -1;
}

/* Each that is lent is one, until its turn has come. */
static void many_results_need_few_descriptors(void)
{
    struct shmf_tasks tasks = {.count = 150};
    struct shmf_mpi_imap_options options = {.imap.window = 150};
    struct shmf_mpi_result *result;
    struct rlimit before, few;
    int64_t taken = 0;
    int rc;
    check(getrlimit(RLIMIT_NOFILE, &before) == 0);
    few = (struct rlimit){(rlim_t)count_descriptors() + 60, before.rlim_max};
    check(setrlimit(RLIMIT_NOFILE, &few) == 0);
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, wait_first, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        check(result->array && result->index == taken++);
        shmf_mpi_result_free(result);
    }
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
    check(setrlimit(RLIMIT_NOFILE, &before) == 0);
}

/* It should be said on all ranks, but nobody waits for ever where it is not. */
static void what_some_ranks_are_told_hangs_nobody(void)
{
    struct shmf_mpi_options options = {.ranks_per_node = 1};
    struct shmf_mpi *before = mpi;
    struct shmf_mpi_place was = place;
    options.apart = place.rank == 0;
    mpi = shmf_mpi_new(MPI_COMM_WORLD, &options, &err);
    check(mpi);
    check_ok(shmf_mpi_place(mpi, -1, &place), "place");
    struct shmf_pool *each = new_pool();
    take_all(each, (int64_t)4 * place.nodes, 0, NULL);
    shmf_pool_free(each);
    shmf_mpi_free(mpi);
    mpi = before;
    place = was;
}

int main(int argc, char **argv)
{
    apart = argc > 2;
    start_ranks(&argc, &argv);
    for (int root = 0; root < place.ranks; root++)
        large_results_are_read_where_they_lie(root);
    frames_of_all_types_are_too();
    what_the_root_keeps_stays_as_it_is_and_holds_nobody_up();
    memory_of_what_was_lent_is_used_again();
    results_that_wait_for_their_turn_make_way();
    a_root_that_keeps_what_tasks_need_is_told_and_goes_on();
    who_leaves_early_leaves_nothing();
    many_results_need_few_descriptors();
    what_some_ranks_are_told_hangs_nobody();
    return end_ranks();
}
