/* Results are built in memory that is there already, within the budget, and nothing grows. */
#include "pool_calls.h"

#include "base/sys.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

/* ---- counting system calls ---------------------------------------------------------------- */

/* Calls about memory by all processes of the test: the table is inherited, the counter shared. */
static atomic_long *memory_calls;
static struct shmfi_sys real;

static int count_memfd_create(const char *name, unsigned flags)
{
    atomic_fetch_add(memory_calls, 1);
    return real.memfd_create(name, flags);
}

static int count_ftruncate(int fd, off_t size)
{
    atomic_fetch_add(memory_calls, 1);
    return real.ftruncate(fd, size);
}

static int count_fallocate(int fd, int mode, off_t offset, off_t length)
{
    atomic_fetch_add(memory_calls, 1);
    return real.fallocate(fd, mode, offset, length);
}

static void *count_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    atomic_fetch_add(memory_calls, 1);
    return real.mmap(at, length, protection, flags, fd, offset);
}

static int count_munmap(void *at, size_t length)
{
    atomic_fetch_add(memory_calls, 1);
    return real.munmap(at, length);
}

static int count_mprotect(void *at, size_t length, int protection)
{
    atomic_fetch_add(memory_calls, 1);
    return real.mprotect(at, length, protection);
}

static int count_madvise(void *at, size_t length, int advice)
{
    atomic_fetch_add(memory_calls, 1);
    return real.madvise(at, length, advice);
}

static void count_memory_calls(void)
{
    memory_calls = shared_memory(sizeof *memory_calls);
    real = shmfi_sys;
    shmfi_sys.memfd_create = count_memfd_create;
    shmfi_sys.ftruncate = count_ftruncate;
    shmfi_sys.fallocate = count_fallocate;
    shmfi_sys.mmap = count_mmap;
    shmfi_sys.munmap = count_munmap;
    shmfi_sys.mprotect = count_mprotect;
    shmfi_sys.madvise = count_madvise;
}

static void stop_counting(void)
{
    shmfi_sys = real;
    munmap(memory_calls, sizeof *memory_calls);
}

/* ---- the steady state --------------------------------------------------------------------- */

/* An array of as many bytes as the argument says, a byte of each page written. With a context, the
 * two workers take turns: each task waits until its neighbour has begun. */
static int return_sized(struct shmf_task *task, void *context)
{
    atomic_int *begun = context;
    int64_t size;
    memcpy(&size, shmf_task_arg(task), sizeof size);
    if (begun) {
        int mine = atomic_fetch_add(begun, 1);
        while (atomic_load(begun) <= (mine | 1))
            usleep(50);
    }
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, &size);
    if (!array)
        return SHMF_E_TASK;
    uint8_t *bytes = shmf_array_data_mut(array);
    for (int64_t at = 0; at < size; at += 4096)
        bytes[at] = (uint8_t)shmf_task_index(task);
    return shmf_task_return_array(task, array);
}

static void assert_sized(struct shmf_result *result, int64_t size)
{
    assert_good(result);
    const struct shmf_array *array = shmf_result_array(result);
    assert_int_equal(shmf_array_size(array), size);
    const uint8_t *bytes = shmf_array_data(array);
    for (int64_t at = 0; at < size; at += 4096)
        if (bytes[at] != (uint8_t)shmf_result_index(result))
            fail_msg("byte %lld differs", (long long)at);
}

enum { WORKERS = 2, WINDOW = 4, MOST_HELD = 20 };

/* Takes `count` results of that size, each held until `hold` more have come. */
static void take_results(struct shmf_pool *pool, int64_t size, int64_t count, int hold,
                         atomic_int *turns)
{
    int64_t *sizes = malloc((size_t)count * sizeof *sizes);
    for (int64_t i = 0; i < count; i++)
        sizes[i] = size;
    struct shmf_tasks tasks = {
        .count = count, .args = sizes, .arg_size = sizeof *sizes, .context = turns};
    struct shmf_imap_options options = {.window = WINDOW};
    struct shmf_iter *iter = map(pool, return_sized, &tasks, &options);
    struct shmf_result *held[MOST_HELD] = {NULL};
    for (int64_t i = 0; i < count; i++) {
        shmf_result_free(held[i % hold]);
        held[i % hold] = next_any(iter);
        assert_sized(held[i % hold], size);
    }
    for (int i = 0; i < hold; i++)
        shmf_result_free(held[i]);
    shmf_iter_free(iter);
    free(sizes);
}

/* More results at once than will ever be, as many from the one worker as from the other. */
static void warm_up(struct shmf_pool *pool, int64_t size, atomic_int *turns)
{
    take_results(pool, size, 2 * MOST_HELD, MOST_HELD, turns);
}

static void test_in_the_steady_state_tasks_fault_no_pages_and_make_no_memory_calls(void **state)
{
    (void)state;
    static const int64_t sizes[] = {20000, 1 << 20, 40 << 20};
    atomic_int *turns = shared_memory(sizeof *turns);
    count_memory_calls();
    for (int i = 0; i < 3; i++) {
        int64_t count = test_rounds(sizes[i] > 10 << 20 ? 100 : 400);
        struct shmf_pool *pool = pool_of(WORKERS);
        warm_up(pool, sizes[i], turns);
        long calls = atomic_load(memory_calls);
        uint64_t faults = test_minor_faults_of_all();
        take_results(pool, sizes[i], count, 3, NULL);
        faults = test_minor_faults_of_all() - faults;
        calls = atomic_load(memory_calls) - calls;
        if (test_slowness() <= 1 && faults >= 10 * (uint64_t)count)
            fail_msg("%lld tasks of %lld bytes: %llu minor faults", (long long)count,
                     (long long)sizes[i], (unsigned long long)faults);
        if (calls)
            fail_msg("%lld tasks of %lld bytes: %ld memory calls", (long long)count,
                     (long long)sizes[i], calls);
        shmf_pool_free(pool);
    }
    stop_counting();
    munmap(turns, sizeof *turns);
}

/* ---- nothing grows ------------------------------------------------------------------------ */

static uint64_t peak_of(struct shmf_pool *pool, int64_t size, int64_t count)
{
    uint64_t peak = 0;
    for (int64_t done = 0; done < count; done += 50) {
        take_results(pool, size, 50, 1, NULL);
        uint64_t now = test_shared_bytes();
        peak = now > peak ? now : peak;
    }
    return peak;
}

/* Each worker may come to have as many as were ever under way at once. */
static void test_the_peak_does_not_depend_on_the_number_of_tasks(void **state)
{
    (void)state;
    enum { size = 34 << 20 };
    struct shmf_pool *pool = pool_of(WORKERS);
    assert_true(peak_of(pool, size, test_rounds(2500)) <= (uint64_t)WORKERS * (WINDOW + 2) * size);
    shmf_pool_free(pool);
}

struct footprint {
    size_t descriptors, mappings, pages;
};

static struct footprint footprint_of(pid_t pid)
{
    struct footprint print = {0};
    char path[64], line[512];
    for (int fd = 0; fd < 1000; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        print.descriptors += readlink(path, line, sizeof line) > 0;
    }
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        print.mappings++;
    if (file)
        fclose(file);
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file && fscanf(file, "%*s %zu", &print.pages) != 1)
        print.pages = 0;
    if (file)
        fclose(file);
    return print;
}

static int return_something(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t index = shmf_task_index(task);
    const struct shmf_array *input = shmf_task_array(task, 0);
    if (!is_patterned(input, 3000, (uint64_t)index % 7))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "wrong input");
    if (index % 3 == 0)
        return shmf_task_return_double(task, 1);
    if (index % 3 == 1)
        return shmf_task_fail(task, SHMF_E_TASK, "as intended");
    return return_patterned(task, (size_t)(index % 5) * 20000, 1);
}

struct inputs {
    struct shmf_array *arrays[7];
    struct shmf_handle handle;
    int64_t asked, count;
};

/* Each task has an array of its own, made just now. */
static int next_input(struct shmf_task_input *input, void *user)
{
    struct inputs *inputs = user;
    if (inputs->asked == inputs->count)
        return 0;
    struct shmf_array **array = &inputs->arrays[inputs->asked % 7];
    shmf_array_free(*array);
    *array = patterned_array(3000, (uint64_t)inputs->asked % 7);
    inputs->handle = shmf_array_handle(*array);
    inputs->asked++;
    input->handles = &inputs->handle;
    input->n_handles = 1;
    return 1;
}

static void do_many_things(struct shmf_pool *pool, int64_t count)
{
    struct inputs inputs = {.count = count};
    struct shmf_tasks tasks = {.count = -1, .next = next_input, .user = &inputs};
    struct shmf_imap_options options = {.unordered = 1, .window = 6};
    struct shmf_iter *iter = map(pool, return_something, &tasks, &options);
    for (int64_t i = 0; i < count; i++) {
        struct shmf_result *result = next_any(iter);
        assert_int_equal(shmf_result_status(result),
                         shmf_result_index(result) % 3 == 1 ? SHMF_E_TASK : SHMF_OK);
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    for (int i = 0; i < 7; i++)
        shmf_array_free(inputs.arrays[i]);
}

static uint64_t tasks_of(struct shmf_pool *pool, int worker)
{
    struct shmf_worker_stats stats;
    assert_int_equal(shmf_pool_get_worker_stats(pool, worker, &stats), SHMF_OK);
    return stats.tasks_done;
}

static void test_twenty_thousand_tasks_leave_no_more_behind_than_a_thousand(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    uint64_t enough = (uint64_t)test_rounds(300);
    do /* until each has done its part: on a busy machine one may do nearly all */
        do_many_things(pool, test_rounds(1000));
    while (tasks_of(pool, 0) < enough || tasks_of(pool, 1) < enough);
    pid_t pids[3] = {getpid(), worker_pid(pool, 0), worker_pid(pool, 1)};
    struct footprint before[3];
    for (int i = 0; i < 3; i++)
        before[i] = footprint_of(pids[i]);
    for (int i = 0; i < 20; i++)
        do_many_things(pool, test_rounds(1000));
    for (int i = 0; i < 3; i++) {
        struct footprint after = footprint_of(pids[i]);
        assert_true(after.descriptors <= before[i].descriptors + 2);
        assert_true(after.mappings <= before[i].mappings + 4);
        if (test_slowness() <= 1)
            assert_true(after.pages <= before[i].pages + 256);
    }
    shmf_pool_free(pool);
}

/* ---- core dumps --------------------------------------------------------------------------- */

/* Of a mapping of shared memory: does its entry in smaps say that it stays out of core dumps? */
static void test_shared_memory_stays_out_of_core_dumps(void **state)
{
    (void)state;
    struct shmf_array *input = patterned_array(1 << 20, 0);
    struct shmf_pool *pool = pool_of(1);
    struct shmf_array *later = patterned_array(40 << 20, 0);
    struct shmf_handle handles[] = {shmf_array_handle(input), shmf_array_handle(later)};
    struct shmf_tasks tasks = {.count = 10, .handles = handles, .n_handles = 2};
    assert_counts_up(map(pool, return_index, &tasks, NULL), 10);
    take_results(pool, 1 << 20, 10, 1, NULL);
    pid_t pids[] = {getpid(), worker_pid(pool, 0), supervisor_pid(1)};
    int seen = 0;
    for (int i = 0; i < 3; i++) {
        char path[64], line[512];
        bool shared = false;
        snprintf(path, sizeof path, "/proc/%d/smaps", (int)pids[i]);
        FILE *smaps = fopen(path, "re");
        assert_non_null(smaps);
        while (fgets(line, sizeof line, smaps)) {
            if (strstr(line, "memfd:shmf") || strstr(line, "/dev/zero (deleted)"))
                shared = true;
            if (strncmp(line, "VmFlags:", 8))
                continue;
            if (shared && !strstr(line, " dd"))
                fail_msg("process %d: %s", i, line);
            seen += shared;
            shared = false;
        }
        fclose(smaps);
    }
    assert_true(seen >= 8);
    shmf_array_free(input);
    shmf_array_free(later);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_in_the_steady_state_tasks_fault_no_pages_and_make_no_memory_calls),
        test_case(test_the_peak_does_not_depend_on_the_number_of_tasks),
        test_case(test_twenty_thousand_tasks_leave_no_more_behind_than_a_thousand),
        test_case(test_shared_memory_stays_out_of_core_dumps),
    };
    return cmocka_run_group_tests_name("pool: memory", tests, NULL, NULL);
}
