/* What the machine and its control groups leave to a pool, read from files that are made up. */
#include "pool/machine.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/test.h"

#define CPUS 64
#define GIB  (UINT64_C(1) << 30)

/* Path and content of the files that there are. */
struct file {
    const char *path, *text;
};

static const struct file *files;
static struct shmfi_sys real;

static int open_made_up(const char *path, int flags, mode_t mode)
{
    (void)flags, (void)mode;
    for (const struct file *file = files; file->path; file++) {
        if (strcmp(file->path, path))
            continue;
        int fd = memfd_create("made-up", MFD_CLOEXEC);
        assert_int_equal(write(fd, file->text, strlen(file->text)), strlen(file->text));
        lseek(fd, 0, SEEK_SET);
        return fd;
    }
    errno = ENOENT;
    return -1;
}

static int many_cpus(size_t size, void *set)
{
    memset(set, 0, size);
    for (size_t cpu = 0; cpu < CPUS; cpu++)
        CPU_SET(cpu, (cpu_set_t *)set);
    return 0;
}

static int no_cpus(size_t size, void *set)
{
    (void)size, (void)set;
    errno = EPERM;
    return -1;
}

static void assert_limits(const struct file *there, int cpus, uint64_t memory)
{
    int got_cpus;
    uint64_t got_memory;
    real = shmfi_sys;
    files = there;
    shmfi_sys.open = open_made_up;
    shmfi_sys.sched_getaffinity = many_cpus;
    shmfi_machine_forget();
    shmfi_machine_limits(&got_cpus, &got_memory);
    shmfi_sys = real;
    assert_int_equal(got_cpus, cpus);
    assert_int_equal(got_memory, memory);
}

#define MEMINFO                                                                                    \
    {                                                                                              \
        "/proc/meminfo", "MemTotal: 99 kB\nMemAvailable:    8388608 kB\n"                          \
    }
#define CGROUP "/sys/fs/cgroup"

static void test_without_control_groups_all_of_the_machine_is_there(void **state)
{
    (void)state;
    assert_limits((struct file[]){{NULL, NULL}}, CPUS, GIB);
    assert_limits((struct file[]){{"/proc/meminfo", "MemTotal: 99 kB\n"}, {NULL, NULL}}, CPUS, GIB);
    assert_limits((struct file[]){MEMINFO, {NULL, NULL}}, CPUS, 8 * GIB);
    assert_limits((struct file[]){MEMINFO, {"/proc/self/cgroup", ""}, {NULL, NULL}}, CPUS, 8 * GIB);
    /* version 1 alone, or a name that looks like it */
    assert_limits((struct file[]){MEMINFO,
                                  {"/proc/self/cgroup", "3:cpu:/a\n10::/b\n"},
                                  {CGROUP "/b/cpu.max", "1 1"},
                                  {NULL, NULL}},
                  CPUS, 8 * GIB);
}

static void test_every_group_on_the_way_to_the_root_may_cut_it_down(void **state)
{
    (void)state;
    assert_limits((struct file[]){MEMINFO,
                                  {"/proc/self/cgroup", "3:cpu:/x\n0::/a/b\n"},
                                  {CGROUP "/a/b/cpu.max", "250000 100000\n"},
                                  {CGROUP "/a/cpu.max", "800000 100000\n"},
                                  {CGROUP "/a/b/memory.max", "max\n"},
                                  {CGROUP "/a/memory.max", "3221225472\n"},
                                  {CGROUP "/a/memory.current", "1073741824\n"},
                                  {NULL, NULL}},
                  3, 2 * GIB);
    assert_limits((struct file[]){MEMINFO,
                                  {"/proc/self/cgroup", "0::/a/b\n"},
                                  {CGROUP "/a/b/cpu.max", "50000 100000\n"},
                                  {CGROUP "/memory.max", "1000\n"},
                                  {CGROUP "/memory.current", "2000\n"},
                                  {NULL, NULL}},
                  1, 0);
}

static void test_what_makes_no_sense_there_is_no_limit(void **state)
{
    (void)state;
    static const char *const nonsense[] = {"max 100000", "", "-5 100000", "100000 0", "100000"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
        assert_limits((struct file[]){MEMINFO,
                                      {"/proc/self/cgroup", "0::/\n"},
                                      {CGROUP "/cpu.max", nonsense[i]},
                                      {CGROUP "/memory.max", "5"}, /* and no memory.current */
                                      {NULL, NULL}},
                      CPUS, 8 * GIB);
}

static void test_where_cpus_cannot_be_asked_for_there_is_one(void **state)
{
    (void)state;
    int cpus = 0;
    uint64_t memory = 0;
    real = shmfi_sys;
    shmfi_sys.sched_getaffinity = no_cpus;
    shmfi_machine_forget();
    shmfi_machine_limits(&cpus, &memory);
    shmfi_sys = real;
    assert_int_equal(cpus, 1);
    assert_true(memory > 0);
}

static char endless[4000]; /* "0::/aaa...": no name of a group is that long */

static void test_a_group_with_a_name_beyond_all_paths_cuts_nothing_down(void **state)
{
    (void)state;
    memset(endless, 'a', sizeof endless - 1);
    memcpy(endless, "0::/", 4);
    assert_limits((struct file[]){MEMINFO,
                                  {"/proc/self/cgroup", endless},
                                  {CGROUP "/cpu.max", "100000 100000"},
                                  {NULL, NULL}},
                  CPUS, 8 * GIB);
}

/* ---- this process ------------------------------------------------------------------------- */

static int threads_by(const char *status)
{
    const struct file there[] = {{status ? "/proc/self/status" : "none", status}, {NULL, NULL}};
    real = shmfi_sys;
    files = there;
    shmfi_sys.open = open_made_up;
    int threads = shmfi_machine_threads();
    shmfi_sys = real;
    return threads;
}

static void test_a_process_whose_threads_cannot_be_counted_has_one(void **state)
{
    (void)state;
    assert_int_equal(threads_by("Name:\tx\nThreads:\t7\nSigQ:\t0\n"), 7);
    assert_int_equal(threads_by(NULL), 1);
    assert_int_equal(threads_by("Name:\tx\n"), 1);
    assert_int_equal(threads_by("Name:\tx\nThreads:\t0\n"), 1);
}

static uint64_t private_by(const char *statm)
{
    const struct file there[] = {{statm ? "/proc/self/statm" : "none", statm}, {NULL, NULL}};
    real = shmfi_sys;
    files = there;
    shmfi_sys.open = open_made_up;
    uint64_t bytes = shmfi_machine_private_bytes();
    shmfi_sys = real;
    return bytes;
}

static void test_private_memory_is_what_is_resident_and_not_shared(void **state)
{
    (void)state;
    assert_int_equal(private_by("900 50 20 1 0 30 0\n"), 30 * sysconf(_SC_PAGESIZE));
    assert_int_equal(private_by("900 20 20 1 0 30 0\n"), 0);
    assert_int_equal(private_by("900 20 30 1 0 30 0\n"), 0);
    assert_int_equal(private_by(NULL), 0);
}

/* ---- binding to a CPU --------------------------------------------------------------------- */

static cpu_set_t allowed, bound;

static int some_cpus(size_t size, void *set)
{
    memcpy(set, &allowed, size);
    return 0;
}

static int bind_to(size_t size, const void *set)
{
    memcpy(&bound, set, size);
    return 0;
}

static int bind_to_none(size_t size, const void *set)
{
    (void)size, (void)set;
    errno = EPERM;
    return -1;
}

static int bind_with(int (*get)(size_t, void *), int (*set)(size_t, const void *), uint32_t number)
{
    real = shmfi_sys;
    shmfi_sys.sched_getaffinity = get;
    shmfi_sys.sched_setaffinity = set;
    int cpu = shmfi_machine_bind(number);
    shmfi_sys = real;
    return cpu;
}

static void test_processes_are_bound_to_the_allowed_cpus_in_turn(void **state)
{
    (void)state;
    static const size_t cpus[] = {3, 5, 64};
    CPU_ZERO(&allowed);
    for (size_t i = 0; i < 3; i++)
        CPU_SET(cpus[i], &allowed);
    for (uint32_t number = 0; number < 7; number++) {
        assert_int_equal(bind_with(some_cpus, bind_to, number), cpus[number % 3]);
        assert_int_equal(CPU_COUNT(&bound), 1);
        assert_true(CPU_ISSET(cpus[number % 3], &bound));
    }
}

static void test_a_process_that_cannot_be_bound_is_bound_to_none(void **state)
{
    (void)state;
    CPU_ZERO(&allowed);
    assert_int_equal(bind_with(no_cpus, bind_to, 0), -1);
    assert_int_equal(bind_with(some_cpus, bind_to, 0), -1);
    CPU_SET(1, &allowed);
    assert_int_equal(bind_with(some_cpus, bind_to_none, 0), -1);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_without_control_groups_all_of_the_machine_is_there),
        test_case(test_every_group_on_the_way_to_the_root_may_cut_it_down),
        test_case(test_what_makes_no_sense_there_is_no_limit),
        test_case(test_where_cpus_cannot_be_asked_for_there_is_one),
        test_case(test_a_group_with_a_name_beyond_all_paths_cuts_nothing_down),
        test_case(test_a_process_whose_threads_cannot_be_counted_has_one),
        test_case(test_private_memory_is_what_is_resident_and_not_shared),
        test_case(test_processes_are_bound_to_the_allowed_cpus_in_turn),
        test_case(test_a_process_that_cannot_be_bound_is_bound_to_none),
    };
    return cmocka_run_group_tests_name("pool: machine", tests, NULL, NULL);
}
