/* What tasks are given: arguments of any size, handles, frames and arrays with each access. */
#include "pool_calls.h"

#include <stdatomic.h>
#include <stdio.h>

/* ---- arguments ---------------------------------------------------------------------------- */

static const size_t sizes[] = {0,   1,   15,   16,   17,     864,     865,    879,
                               880, 881, 4095, 4096, 100000, 1 << 20, 3 << 20};
enum { n_sizes = sizeof sizes / sizeof *sizes };

/* The argument must be aligned and filled from the task's index. */
static int check_arg(struct shmf_task *task, void *context)
{
    (void)context;
    const void *arg = shmf_task_arg(task);
    size_t size = shmf_task_arg_size(task);
    if (size && (uintptr_t)arg % 16 && shmf_task_worker(task) >= 0)
        return shmf_task_fail(task, SHMF_E_INVAL, "arg is not aligned");
    if (test_differs(arg, size, (uint64_t)shmf_task_index(task)) >= 0)
        return shmf_task_fail(task, SHMF_E_CORRUPT, "arg of %zu bytes differs", size);
    return shmf_task_return_double(task, (double)size);
}

struct sized_args {
    uint8_t *bytes;
    int64_t next;
};

static int next_size(struct shmf_task_input *input, void *user)
{
    struct sized_args *args = user;
    if (args->next == 3 * n_sizes)
        return 0;
    size_t size = sizes[args->next % n_sizes];
    test_fill(args->bytes, size, (uint64_t)args->next++);
    input->arg = args->bytes;
    input->arg_size = size;
    return 1;
}

static void test_arguments_of_any_size_arrive_as_they_were_when_asked_for(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct sized_args args = {malloc(sizes[n_sizes - 1]), 0};
    struct shmf_tasks tasks = {.count = -1, .next = next_size, .user = &args};
    struct shmf_iter *iter = map(pool, check_arg, &tasks, NULL);
    for (int i = 0; i < 3 * n_sizes; i++)
        assert_true(next_double(iter) == (double)sizes[i % n_sizes]);
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    free(args.bytes);
}

static void test_arguments_lie_one_after_the_other(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    for (size_t size = 1; size <= 2001; size += 500) {
        enum { count = 50 };
        uint8_t *args = malloc(count * size);
        for (size_t i = 0; i < count; i++)
            test_fill(args + i * size, size, i);
        struct shmf_tasks tasks = {.count = count, .args = args, .arg_size = size};
        struct shmf_iter *iter = map(pool, check_arg, &tasks, NULL);
        for (int i = 0; i < count; i++)
            assert_true(next_double(iter) == (double)size);
        assert_ends(iter);
        shmf_iter_free(iter);
        free(args);
    }
    shmf_pool_free(pool);
}

static int plus_context(struct shmf_task *task, void *context)
{
    return shmf_task_return_double(task, (double)(shmf_task_index(task) + *(int *)context));
}

static void test_the_context_is_the_applications_memory_as_the_pool_found_it(void **state)
{
    static int context; /* of a local one the compiler may leave out the store of 1000 */
    context = 1000;
    struct shmf_pool *pool = pool_of_state(state);
    bool has_workers = shmf_pool_workers(pool) > 0;
    context = 2000;
    struct shmf_tasks tasks = {.count = 5, .context = &context};
    struct shmf_iter *iter = map(pool, plus_context, &tasks, NULL);
    for (int i = 0; i < 5; i++)
        assert_true(next_double(iter) == (has_workers ? 1000 : 2000) + i);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* ---- many handles ------------------------------------------------------------------------- */

enum { MANY = 60, SMALL = 5000 };

/* Every array that the task has must be filled from its position. */
static int check_arrays(struct shmf_task *task, void *context)
{
    (void)context;
    size_t count = shmf_task_n_handles(task);
    for (size_t i = 0; i < count; i++) {
        struct shmf_array *array = shmf_task_array(task, i);
        if (!array)
            return SHMF_E_TASK;
        if (!is_patterned(array, SMALL, i))
            return shmf_task_fail(task, SHMF_E_CORRUPT, "array %zu differs", i);
        if (shmf_array_data_mut(array) && shmf_task_worker(task) >= 0)
            return shmf_task_fail(task, SHMF_E_ACCESS, "array %zu can be written", i);
    }
    return shmf_task_return_double(task, (double)count);
}

struct handle_source {
    const struct shmf_handle *handles;
    size_t n_shared; /* of these are given to every task already */
    int64_t asked;
};

static int next_handles(struct shmf_task_input *input, void *user)
{
    struct handle_source *source = user;
    input->handles = source->handles + source->n_shared;
    input->n_handles = (size_t)(source->asked++ * 7) % (MANY - source->n_shared + 1);
    return source->asked <= 30;
}

static void test_handles_of_all_tasks_come_before_the_tasks_own(void **state)
{
    struct shmf_array *arrays[MANY];
    struct shmf_handle handles[MANY];
    for (uint64_t i = 0; i < MANY / 2; i++)
        arrays[i] = patterned_array(SMALL, i);
    struct shmf_pool *pool = pool_of_state(state);
    for (uint64_t i = MANY / 2; i < MANY; i++)
        arrays[i] = patterned_array(SMALL, i);
    for (size_t i = 0; i < MANY; i++)
        handles[i] = shmf_array_handle(arrays[i]);
    for (size_t shared = 0; shared <= MANY; shared += 20) {
        struct handle_source source = {handles, shared, 0};
        struct shmf_tasks tasks = {.count = -1,
                                   .next = next_handles,
                                   .user = &source,
                                   .handles = handles,
                                   .n_handles = shared};
        struct shmf_iter *iter = map(pool, check_arrays, &tasks, NULL);
        for (size_t i = 0; i < 30; i++)
            assert_true(next_double(iter) == (double)(shared + i * 7 % (MANY - shared + 1)));
        assert_ends(iter);
        shmf_iter_free(iter);
    }
    for (size_t i = 0; i < MANY; i++)
        shmf_array_free(arrays[i]);
    shmf_pool_free(pool);
}

static int check_a_dozen(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_array *array = shmf_task_array(task, 0);
    uint64_t seed = (uint64_t)shmf_task_index(task);
    return is_patterned(array, (size_t)SMALL << (seed % 12), seed)
               ? shmf_task_return_double(task, (double)seed)
               : shmf_task_fail(task, SHMF_E_CORRUPT, "array %d differs", (int)seed);
}

struct fresh_arrays {
    struct shmf_array *last;
    struct shmf_handle handle;
    uint64_t made;
};

/* Makes an array for each task; the one before is freed while its task may not have begun. */
static int next_fresh_array(struct shmf_task_input *input, void *user)
{
    struct fresh_arrays *arrays = user;
    shmf_array_free(arrays->last);
    arrays->last = patterned_array((size_t)SMALL << (arrays->made % 12), arrays->made);
    arrays->made++;
    arrays->handle = shmf_array_handle(arrays->last);
    input->handles = &arrays->handle;
    input->n_handles = 1;
    return 1;
}

static void test_what_a_task_was_given_lives_until_the_task_is_over(void **state)
{
    (void)state;
    int count = (int)test_rounds(200);
    struct shmf_pool *pool = pool_of(2);
    struct fresh_arrays arrays = {0};
    struct shmf_tasks tasks = {.count = -1, .next = next_fresh_array, .user = &arrays};
    struct shmf_imap_options options = {.window = 16};
    struct shmf_iter *iter = map(pool, check_a_dozen, &tasks, &options);
    for (int i = 0; i < count; i++)
        assert_true(next_double(iter) == i);
    shmf_iter_free(iter);
    shmf_array_free(arrays.last);
    shmf_pool_free(pool);
}

/* The second task says that it runs, waits for a word, and looks whether its input is still there.
 */
static int look_twice(struct shmf_task *task, void *context)
{
    atomic_int *step = context;
    struct shmf_array *array = shmf_task_array(task, 0);
    if (shmf_task_index(task) == 0)
        return 0;
    atomic_store(step, 1);
    while (atomic_load(step) == 1)
        usleep(100);
    atomic_store(step, is_patterned(array, SMALL, 1) ? 3 : 4);
    return 0;
}

static bool step_is_1(void *step)
{
    return atomic_load((atomic_int *)step) == 1;
}

static bool step_is_over(void *step)
{
    return atomic_load((atomic_int *)step) >= 3;
}

static void test_a_task_that_runs_on_after_its_iterator_still_has_its_inputs(void **state)
{
    (void)state;
    atomic_int *step = shared_memory(sizeof *step);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_array *array = patterned_array(SMALL, 1);
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_tasks tasks = {.count = 2, .handles = &handle, .n_handles = 1, .context = step};
    struct shmf_imap_options options = {.window = 2};
    struct shmf_iter *iter = map(pool, look_twice, &tasks, &options);
    shmf_result_free(next_good(iter));
    assert_true(test_wait_until(30, step_is_1, step));
    shmf_iter_free(iter);
    shmf_array_free(array);
    struct shmf_array *other = patterned_array(SMALL, 2);
    atomic_store(step, 2);
    assert_true(test_wait_until(30, step_is_over, step));
    assert_int_equal(atomic_load(step), 3);
    shmf_array_free(other);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    shmf_pool_free(pool);
    munmap(step, sizeof *step);
}

/* ---- access ------------------------------------------------------------------------------- */

enum { COPIED = 100000 };

/* Writes all over its input and checks that nobody else did before. */
static int scribble(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_array *array = shmf_task_array(task, 0);
    if (!array)
        return SHMF_E_TASK;
    if (!is_patterned(array, COPIED, 5))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "another task's writes are visible");
    uint8_t *bytes = shmf_array_data_mut(array);
    if (!bytes)
        return shmf_task_fail(task, SHMF_E_ACCESS, "it cannot be written");
    test_fill(bytes, COPIED, (uint64_t)shmf_task_index(task));
    return shmf_task_return_bytes(task, bytes, COPIED);
}

static void try_access(struct shmf_pool *pool, const struct shmf_array *array,
                       enum shmf_access access)
{
    struct shmf_handle handle = shmf_handle_with(shmf_array_handle(array), access);
    struct shmf_tasks tasks = {.count = 40, .handles = &handle, .n_handles = 1};
    struct shmf_iter *iter = map(pool, scribble, &tasks, NULL);
    for (uint64_t i = 0; i < 40; i++) {
        struct shmf_result *result = next_good(iter);
        size_t size;
        const void *bytes = shmf_result_bytes(result, &size);
        assert_int_equal(size, COPIED);
        assert_int_equal(test_differs(bytes, size, i), -1);
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_true(is_patterned(array, COPIED, 5));
}

static void test_what_a_task_writes_into_its_copy_nobody_else_sees(void **state)
{
    struct shmf_array *before = patterned_array(COPIED, 5);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *after = patterned_array(COPIED, 5);
    try_access(pool, before, SHMF_COPY_ON_WRITE);
    try_access(pool, after, SHMF_COPY_ON_WRITE);
    try_access(pool, before, SHMF_PRIVATE_COPY);
    try_access(pool, after, SHMF_PRIVATE_COPY);
    shmf_array_free(before);
    shmf_array_free(after);
    shmf_pool_free(pool);
}

/* ---- frames ------------------------------------------------------------------------------- */

static struct shmf_frame *make_frame(const double *data)
{
    static const char *const rows[] = {"north", "east", "south"};
    static const char *const columns[] = {"x", "y"};
    struct shmf_frame_spec spec = {.n_rows = 3,
                                   .n_columns = 2,
                                   .dtype = SHMF_FLOAT64,
                                   .column_labels = columns,
                                   .row_labels = rows};
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_from_matrix(&spec, data, 16, 8, &err);
    if (!frame)
        fail_msg("no frame: %s", err.message);
    return frame;
}

static int look_up(struct shmf_task *task, void *inherited)
{
    const struct shmf_frame *frame =
        shmf_task_n_handles(task) ? shmf_task_frame(task, 0) : *(struct shmf_frame **)inherited;
    if (!frame)
        return SHMF_E_TASK;
    int64_t row = shmf_frame_loc(frame, shmf_task_arg(task));
    if (row < 0)
        return shmf_task_fail(task, (int)row, "no row labelled %s",
                              (const char *)shmf_task_arg(task));
    double value;
    int rc = shmf_frame_cell(frame, row, shmf_frame_column_loc(frame, "y"), &value);
    return rc ? shmf_task_fail(task, rc, "no cell") : shmf_task_return_double(task, value);
}

static void assert_looks_up(struct shmf_pool *pool, struct shmf_handle *handle, void *inherited)
{
    struct shmf_tasks tasks = {.count = 3,
                               .args = "north\0east\0\0south",
                               .arg_size = 6,
                               .handles = handle,
                               .n_handles = handle ? 1 : 0,
                               .context = inherited};
    struct shmf_iter *iter = map(pool, look_up, &tasks, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(next_double(iter) == 1.5 + i);
    assert_ends(iter);
    shmf_iter_free(iter);
}

static void test_frames_are_looked_up_by_label_however_they_came_to_the_worker(void **state)
{
    static const double data[] = {0, 1.5, 0, 2.5, 0, 3.5};
    struct shmf_frame *before = make_frame(data);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame *after = make_frame(data);
    struct shmf_handle handle = shmf_frame_handle(before);
    assert_looks_up(pool, &handle, NULL);
    assert_looks_up(pool, NULL, &before);
    for (uint32_t access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++) {
        handle = shmf_handle_with(shmf_frame_handle(after), (enum shmf_access)access);
        assert_looks_up(pool, &handle, NULL);
    }
    shmf_frame_free(before);
    shmf_frame_free(after);
    shmf_pool_free(pool);
}

static void test_what_the_application_frees_workers_let_go_of(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    int rounds = (int)test_rounds(60);
    uint64_t most = 0;
    for (int round = 0; round < rounds; round++) {
        enum { size = 40 << 20 }; /* it gets a region to itself */
        struct shmf_array *array = patterned_array(round % 4 ? SMALL : size, 0);
        struct shmf_handle handle = shmf_array_handle(array);
        struct shmf_tasks tasks = {.count = 4, .handles = &handle, .n_handles = 1};
        struct shmf_iter *iter = map(pool, round % 4 ? check_arrays : return_index, &tasks, NULL);
        for (int i = 0; i < 4; i++)
            shmf_result_free(next_good(iter));
        shmf_iter_free(iter);
        shmf_array_free(array);
        shmf_memory_trim(0);
        uint64_t bytes = test_shared_bytes();
        most = bytes > most ? bytes : most;
    }
    assert_true(most < 8 << 20);
    size_t mappings = 0;
    FILE *maps = NULL;
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)worker_pid(pool, 0));
    maps = fopen(path, "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        mappings += strstr(line, "memfd:shmf") != NULL;
    fclose(maps);
    assert_true(mappings <= 12);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_with_workers(test_arguments_of_any_size_arrive_as_they_were_when_asked_for),
        test_inline(test_arguments_of_any_size_arrive_as_they_were_when_asked_for),
        test_with_workers(test_arguments_lie_one_after_the_other),
        test_inline(test_arguments_lie_one_after_the_other),
        test_with_workers(test_the_context_is_the_applications_memory_as_the_pool_found_it),
        test_inline(test_the_context_is_the_applications_memory_as_the_pool_found_it),
        test_with_workers(test_handles_of_all_tasks_come_before_the_tasks_own),
        test_inline(test_handles_of_all_tasks_come_before_the_tasks_own),
        test_case(test_what_a_task_was_given_lives_until_the_task_is_over),
        test_case(test_a_task_that_runs_on_after_its_iterator_still_has_its_inputs),
        test_with_workers(test_what_a_task_writes_into_its_copy_nobody_else_sees),
        test_inline(test_what_a_task_writes_into_its_copy_nobody_else_sees),
        test_with_workers(test_frames_are_looked_up_by_label_however_they_came_to_the_worker),
        test_inline(test_frames_are_looked_up_by_label_however_they_came_to_the_worker),
        test_case(test_what_the_application_frees_workers_let_go_of),
    };
    return cmocka_run_group_tests_name("pool: inputs", tests, NULL, NULL);
}
