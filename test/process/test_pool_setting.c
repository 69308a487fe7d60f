/* What a pool finds in its application, and what it makes of it for its workers: CPUs, threads,
 * libraries that are loaded later. */
#include "pool_calls.h"

#include "base/sys.h"
#include "pool/machine.h"
#include "pool/options.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>

/* ---- CPUs --------------------------------------------------------------------------------- */

/* The only CPU on which the worker may run; -1: there are several. */
static int return_own_cpu(struct shmf_task *task, void *unused)
{
    (void)unused;
    cpu_set_t set;
    size_t cpu = 0;
    if (sched_getaffinity(0, sizeof set, &set))
        return SHMF_E_TASK;
    while (!CPU_ISSET(cpu, &set))
        cpu++;
    return shmf_task_return_double(task, CPU_COUNT(&set) == 1 ? (double)cpu : -1);
}

static int64_t cpu_of(struct shmf_pool *pool, int worker)
{
    struct shmf_worker_stats stats;
    assert_int_equal(shmf_pool_get_worker_stats(pool, worker, &stats), SHMF_OK);
    return stats.cpu;
}

static bool has_cpu(void *pool)
{
    return cpu_of(pool, 0) >= 0 && cpu_of(pool, 1) >= 0;
}

static void test_workers_are_spread_over_the_allowed_cpus(void **state)
{
    (void)state;
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    struct shmf_pool_options options = {.workers = 2, .affinity = SHMF_AFFINITY_SPREAD};
    struct shmf_pool *pool = pool_with(&options);
    assert_true(test_wait_until(30, has_cpu, pool));
    int64_t first = cpu_of(pool, 0), second = cpu_of(pool, 1);
    assert_true(CPU_ISSET((size_t)first, &allowed) && CPU_ISSET((size_t)second, &allowed));
    assert_true(CPU_COUNT(&allowed) == 1 || first != second);
    struct shmf_iter *iter = map_count(pool, return_own_cpu, 20);
    for (int i = 0; i < 20; i++) {
        struct shmf_result *result = next_good(iter);
        int64_t cpu = shmf_result_worker(result) ? second : first;
        assert_true(shmf_result_double(result) == (double)cpu);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_workers_keep_to_the_makers_cpus(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    size_t cpu = CPU_SETSIZE - 1;
    while (!CPU_ISSET(cpu, &before))
        cpu--;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    struct shmf_pool_options options = {.workers = 3, .affinity = SHMF_AFFINITY_SPREAD};
    struct shmf_pool *pool = pool_with(&options);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    struct shmf_iter *iter = map_count(pool, return_own_cpu, 10);
    for (int i = 0; i < 10; i++)
        assert_true(next_double(iter) == (double)cpu);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    options = (struct shmf_pool_options){.affinity = 2};
    struct shmf_error err = {0};
    assert_null(shmf_pool_new(&options, &err));
    assert_non_null(strstr(err.message, "options.affinity"));
}

/* ---- limits of a container ---------------------------------------------------------------- */

static int (*real_open)(const char *path, int flags, mode_t mode);

static const struct {
    const char *path, *text;
} container[] = {
    {"/proc/self/cgroup", "1:cpu:/else\n0::/some/job\n"},
    {"/sys/fs/cgroup/some/job/cpu.max", "max 100000\n"},
    {"/sys/fs/cgroup/some/job/memory.max", "max\n"},
    {"/sys/fs/cgroup/some/cpu.max", "50000 100000\n"}, /* half a CPU */
    {"/sys/fs/cgroup/some/memory.max", "104857600\n"},
    {"/sys/fs/cgroup/some/memory.current", "41943040\n"},
};

static int open_in_container(const char *path, int flags, mode_t mode)
{
    for (size_t i = 0; i < sizeof container / sizeof *container; i++)
        if (!strcmp(path, container[i].path)) {
            int fd = memfd_create("limit", MFD_CLOEXEC);
            ssize_t size = (ssize_t)strlen(container[i].text);
            if (fd < 0 || write(fd, container[i].text, (size_t)size) != size || lseek(fd, 0, 0))
                abort();
            return fd;
        }
    return real_open(path, flags, mode);
}

static void test_the_defaults_keep_to_the_quotas_of_all_enclosing_cgroups(void **state)
{
    (void)state;
    real_open = shmfi_sys.open;
    shmfi_sys.open = open_in_container;
    shmfi_machine_forget();
    struct shmf_pool *pool = pool_of(0);
    shmfi_sys.open = real_open;
    shmfi_machine_forget();
    struct shmf_pool_stats stats;
    assert_int_equal(shmf_pool_workers(pool), 1);
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_OK);
    assert_int_equal(stats.bytes_budget, 60 << 20 >> 1);
    shmf_pool_free(pool);
}

static void test_the_default_number_of_workers_is_that_of_the_allowed_cpus(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    struct shmf_pool *pool = pool_of(0);
    assert_in_range(shmf_pool_workers(pool), 1, CPU_COUNT(&before));
    shmf_pool_free(pool);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    pool = pool_of(0);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    assert_int_equal(shmf_pool_workers(pool), 1);
    shmf_pool_free(pool);
}

static void test_there_is_room_for_the_workers_that_are_started_by_default(void **state)
{
    (void)state;
    struct shmf_error err;
    struct shmf_pool made = {0};
    struct shmf_pool_options options = {.max_workers = 1};
    assert_int_equal(shmfi_options_check(&options, &err), SHMF_OK);
    shmfi_options_apply(&made, &options);
    assert_int_equal(made.max_workers, made.wanted);
    options.max_workers = SHMF_MAX_WORKERS + 1;
    assert_int_equal(shmfi_options_check(&options, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "options.max_workers"));
}

/* ---- threads ------------------------------------------------------------------------------ */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_at_gate(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return NULL;
}

static uint64_t threads_seen(void)
{
    struct shmf_pool *pool = pool_of(1);
    struct shmf_pool_stats stats;
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_OK);
    shmf_pool_free(pool);
    return stats.threads_at_creation;
}

static void test_threads_that_run_already_are_reported_or_refused(void **state)
{
    (void)state;
    uint64_t before = threads_seen(); /* a sanitizer may have some */
    pthread_t threads[2];
    pthread_mutex_lock(&gate);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_at_gate, NULL), 0);
    assert_int_equal(threads_seen(), before + 2);
    struct shmf_pool_options options = {.workers = 1, .refuse_threads = 1};
    struct shmf_error err = {0};
    assert_null(shmf_pool_new(&options, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "options.refuse_threads"));
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    if (before)
        return;
    struct shmf_pool *pool = pool_with(&options);
    shmf_pool_free(pool);
}

/* Instead of OpenMP's: the library calls it where it is there. */
static int omp_threads;

void omp_set_num_threads(int threads);
void omp_set_num_threads(int threads)
{
    omp_threads = threads;
}

/* The others. */
static int blas_threads[3];

void openblas_set_num_threads(int threads);
void openblas_set_num_threads(int threads)
{
    blas_threads[0] = threads;
}

void MKL_Set_Num_Threads(int threads);
void MKL_Set_Num_Threads(int threads)
{
    blas_threads[1] = threads;
}

void bli_thread_set_num_threads(int64_t threads);
void bli_thread_set_num_threads(int64_t threads)
{
    blas_threads[2] = (int)threads;
}

static int return_omp_threads(struct shmf_task *task, void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        if (blas_threads[i] != omp_threads)
            return shmf_task_fail(task, SHMF_E_TASK, "library %d: %d", i, blas_threads[i]);
    return shmf_task_return_double(task, omp_threads);
}

static void test_thread_libraries_are_capped_in_workers(void **state)
{
    (void)state;
    int asked[] = {0, 3, -1}, expected[] = {1, 3, 0};
    for (int i = 0; i < 3; i++) {
        struct shmf_pool_options options = {.workers = 1, .worker_threads = asked[i]};
        struct shmf_pool *pool = pool_with(&options);
        struct shmf_iter *iter = map_count(pool, return_omp_threads, 1);
        assert_true(next_double(iter) == expected[i]);
        shmf_iter_free(iter);
        shmf_pool_free(pool);
    }
    assert_int_equal(omp_threads, 0);
}

/* ---- libraries ---------------------------------------------------------------------------- */

static int (*loaded(void **library))(struct shmf_task *, void *)
{
    int (*function)(struct shmf_task *, void *) = NULL;
    *library = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);
    void *symbol = *library ? dlsym(*library, "ns_get16") : NULL;
    memcpy(&function, &symbol, sizeof function);
    return function;
}

static void assert_refused(struct shmf_pool *pool, shmf_task_fn fn)
{
    struct shmf_error err = {0};
    struct shmf_tasks tasks = {.count = 1};
    assert_null(shmf_pool_submit(pool, fn, NULL, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "loaded after"));
    assert_null(shmf_pool_imap(pool, fn, &tasks, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

static void test_a_function_that_was_loaded_later_is_refused(void **state)
{
    (void)state;
    void *library;
    struct shmf_pool *pool = pool_of(1);
    shmf_task_fn later = loaded(&library);
    if (!later)
        skip(); /* no library to load */
    assert_refused(pool, later);
    assert_counts_up(map_count(pool, return_index, 3), 3);
    shmf_pool_free(pool);
    /* A pool made now has it. What it makes of a task is its own affair. */
    pool = pool_of(1);
    struct shmf_result *result = shmf_pool_apply(pool, later, NULL, NULL, NULL);
    assert_non_null(result);
    shmf_result_free(result);
    shmf_pool_free(pool);
    dlclose(library);
}

static void test_what_is_no_function_is_refused(void **state)
{
    (void)state;
    static uint8_t data[16];
    shmf_task_fn function;
    void *address = data;
    memcpy(&function, &address, sizeof function);
    struct shmf_pool *pool = pool_of(1);
    assert_refused(pool, function);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_workers_are_spread_over_the_allowed_cpus),
        test_case(test_workers_keep_to_the_makers_cpus),
        test_case(test_the_defaults_keep_to_the_quotas_of_all_enclosing_cgroups),
        test_case(test_the_default_number_of_workers_is_that_of_the_allowed_cpus),
        test_case(test_there_is_room_for_the_workers_that_are_started_by_default),
        test_case(test_threads_that_run_already_are_reported_or_refused),
        test_case(test_thread_libraries_are_capped_in_workers),
        test_case(test_a_function_that_was_loaded_later_is_refused),
        test_case(test_what_is_no_function_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
