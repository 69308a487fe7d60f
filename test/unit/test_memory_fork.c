/* memory/: who owns what after a fork. Children report by their exit code: 0 or the line number
 * (modulo 256) of what did not hold. */
#include "memory/memory.h"

#include <shmframe/format.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/test.h"

#define PAGE 4096
#define MIB  (UINT64_C(1) << 20)

/* In a child: what must hold. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__ % 255 + 1;                                                             \
    } while (0)

static struct shmf_error err;

static struct shmfi_segment *make(uint64_t length, unsigned flags)
{
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(length, flags, &segment, &err), 0);
    memset((uint8_t *)segment->base + 64, 5, segment->length - 64);
    return segment;
}

static bool is_filled(const struct shmfi_segment *segment, uint8_t value)
{
    const uint8_t *bytes = segment->base;
    return test_differs_from(bytes + 64, segment->length - 64, value) == -1;
}

static uint64_t generation_in(const struct shmfi_segment *segment)
{
    return ((const struct shmf_format_header *)segment->base)->generation;
}

/* Does a write to this address kill? Tried in a child of the caller. */
static bool write_kills(void *at)
{
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* sanitizers would report it */
        signal(SIGBUS, SIG_DFL);
        *(volatile uint8_t *)at = 1;
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status);
}

static int run_in_child(int (*body)(void *context), void *context)
{
    struct test_outcome outcome = test_in_child(body, context, 20);
    return outcome.signal ? -outcome.signal : outcome.exit_code;
}

static struct shmf_memory_stats stats(void)
{
    struct shmf_memory_stats now;
    shmf_memory_get_stats(&now);
    return now;
}

static int tidy(void **state)
{
    (void)state;
    shmf_memory_trim(0);
    shmfi_memory_set_dontfork(false);
    return stats().regions || stats().used_bytes || stats().foreign_regions;
}

/* ---- a child that the application forked --------------------------------------------------------
 */

static int child_starts_afresh(void *context)
{
    struct shmfi_segment *inherited = context, *own = NULL, *seen = NULL;
    struct shmf_handle handle = shmfi_segment_handle(inherited, SHMF_KIND_FRAME);
    HOLDS(stats().regions == 0);
    HOLDS(stats().foreign_regions >= 1);
    HOLDS(!inherited->writable);
    HOLDS(is_filled(inherited, 5));
    HOLDS(write_kills((uint8_t *)inherited->base + 100));
    HOLDS(shmfi_segment_new(PAGE, 0, &own, NULL) == 0);
    HOLDS(own->region != inherited->region);
    HOLDS(!write_kills((uint8_t *)own->base + 100));
    HOLDS(shmfi_segment_open(&handle, &seen, NULL) == 0);
    HOLDS(seen == inherited);
    shmfi_segment_unref(seen);
    shmfi_segment_unref(inherited);
    shmfi_segment_unref(own);
    HOLDS(stats().used_bytes == 0);
    return 0;
}

static void test_a_child_starts_regions_of_its_own(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(3 * PAGE, 0), *cached = make(40 * MIB, 0);
    shmfi_segment_unref(cached);
    assert_int_equal(run_in_child(child_starts_afresh, segment), 0);
    assert_int_equal(generation_in(segment), segment->generation);
    assert_true(is_filled(segment, 5));
    assert_int_equal(stats().regions, 2);
    shmfi_segment_unref(segment);
}

static int child_sees_release(void *context)
{
    struct shmfi_segment *inherited = context, *seen = NULL;
    struct shmf_handle handle = shmfi_segment_handle(inherited, SHMF_KIND_FRAME);
    HOLDS(generation_in(inherited) == 0);
    HOLDS(shmfi_segment_open(&handle, &seen, NULL) == SHMF_E_STALE);
    return 0;
}

static int wait_then_look(void *context)
{
    raise(SIGSTOP);
    return child_sees_release(context);
}

static void test_what_the_parent_releases_is_stale_in_the_child(void **state)
{
    (void)state;
    struct shmfi_segment *keeper = make(PAGE, 0), *segment = make(PAGE, 0);
    pid_t child = test_fork(wait_then_look, segment);
    int status;
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    shmfi_segment_unref(segment);
    kill(child, SIGCONT);
    assert_true(test_outcome_ok(test_join(child, 10)));
    shmfi_segment_unref(keeper);
}

static int child_writes_its_view(void *context)
{
    struct shmfi_segment *view = context;
    HOLDS(view->writable);
    memset(view->base, 9, view->length);
    shmfi_segment_unref(view);
    return 0;
}

static void test_a_copy_on_write_view_is_the_childs_own_copy(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(3 * PAGE, 0), *view = NULL;
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_FRAME);
    handle.access = SHMF_COPY_ON_WRITE;
    assert_int_equal(shmfi_segment_open(&handle, &view, &err), 0);
    assert_int_equal(run_in_child(child_writes_its_view, view), 0);
    assert_true(is_filled(segment, 5));
    assert_true(is_filled(view, 5));
    shmfi_segment_unref(view);
    shmfi_segment_unref(segment);
}

static bool hooked;

static int refuse(void *context, uint64_t bytes, struct shmf_error *why)
{
    (void)context;
    (void)bytes;
    (void)why;
    hooked = true;
    return SHMF_E_NOSPC;
}

static void heard(void *context, uint64_t region, uint64_t offset, uint64_t length,
                  uint64_t generation)
{
    (void)region;
    (void)offset;
    (void)length;
    (void)generation;
    *(int *)context += 1;
}

static int child_is_free_of_promises(void *context)
{
    struct shmfi_segment *result = context, *own = NULL;
    HOLDS(shmfi_segment_new(PAGE, SHMFI_OWN_REGION, &own, NULL) == 0);
    shmfi_segment_unref(own);
    shmfi_segment_unref(result);
    HOLDS(!hooked);
    return 0;
}

static void test_budget_and_lenders_act_for_the_parent_only(void **state)
{
    (void)state;
    int count = 0;
    struct shmfi_segment *segment = make(PAGE, SHMFI_OWN_REGION), *result = NULL;
    struct shmfi_budget budget = {.reserve = refuse};
    struct shmfi_lender lender = {heard, &count};
    struct shmfi_region *region = NULL;
    int fd = fcntl(shmfi_region_fd(segment->region, &err), F_DUPFD_CLOEXEC, 0);
    assert_int_equal(shmfi_region_adopt(50, PAGE, fd, &lender, &region, &err), 0);
    assert_int_equal(shmfi_region_admit(region, 0, PAGE, segment->generation, &result, &err), 0);
    shmfi_memory_set_budget(&budget);
    assert_int_equal(run_in_child(child_is_free_of_promises, result), 0);
    shmfi_memory_set_budget(NULL);
    assert_int_equal(count, 0);
    shmfi_segment_unref(result);
    assert_int_equal(count, 1);
    shmfi_region_retire(region);
    shmfi_segment_unref(segment);
}

/* ---- workers' memory is not mapped in their children
 * ---------------------------------------------- */

static int child_lacks_it(void *context)
{
    struct shmfi_segment *inherited = context, *own = NULL, *seen = NULL;
    struct shmf_handle handle = shmfi_segment_handle(inherited, SHMF_KIND_FRAME);
    HOLDS(shmfi_segment_open(&handle, &seen, NULL) == SHMF_E_STALE);
    HOLDS(stats().foreign_regions == 0);
    shmfi_segment_unref(inherited);
    HOLDS(shmfi_segment_new(PAGE, 0, &own, NULL) == 0);
    memset(own->base, 1, PAGE);
    shmfi_segment_unref(own);
    return 0;
}

static int child_cannot_write(void *context)
{
    struct shmfi_segment *inherited = context;
    return !write_kills((uint8_t *)inherited->base + 100);
}

static void test_regions_that_must_not_be_inherited_are_not(void **state)
{
    (void)state;
    assert_int_equal(shmfi_memory_set_dontfork(true), 0);
    /* small ones: at the child's end Valgrind searches them for pointers, by a fault for each word
     */
    struct shmfi_segment *segment = make(PAGE, SHMFI_OWN_REGION);
    struct shmfi_segment *cached = make(2 * PAGE, SHMFI_OWN_REGION);
    shmfi_segment_unref(cached);
    assert_int_equal(run_in_child(child_lacks_it, segment), 0);
    assert_int_equal(run_in_child(child_cannot_write, segment), 0);
    assert_true(is_filled(segment, 5));
    shmfi_segment_unref(segment);
}

/* ---- supervisor and workers
 * ------------------------------------------------------------------------ */

struct given {
    struct shmfi_segment *small, *large, *result;
    int fd; /* of the large one's region */
};

static int worker(struct given *given)
{
    struct shmfi_segment *seen = NULL, *own = NULL;
    struct shmf_handle handle = shmfi_segment_handle(given->large, SHMF_KIND_FRAME);
    HOLDS(stats().regions == 0);
    HOLDS(shmfi_segment_open(&handle, &seen, NULL) == 0);
    HOLDS(seen->base == given->large->base);
    HOLDS(is_filled(seen, 5));
    handle.access = SHMF_COPY_ON_WRITE;
    HOLDS(shmfi_segment_open(&handle, &own, &err) == SHMF_E_ACCESS);
    HOLDS(strstr(err.message, "descriptor"));
    HOLDS(!shmfi_region_has_fd(given->large->region));
    int other = fcntl(given->fd, F_DUPFD_CLOEXEC, 0);
    HOLDS(shmfi_region_give_fd(shmfi_region_id(given->small->region), other, NULL) ==
          SHMF_E_CORRUPT);
    HOLDS(shmfi_region_give_fd(handle.region, given->fd, NULL) == 0);
    HOLDS(shmfi_region_has_fd(given->large->region));
    HOLDS(shmfi_segment_open(&handle, &own, NULL) == 0);
    memset(own->base, 9, own->length);
    shmfi_segment_unref(own);
    HOLDS(is_filled(seen, 5));
    HOLDS(is_filled(given->result, 5));
    shmfi_segment_unref(seen);
    shmfi_segment_unref(given->result);
    shmfi_region_drop(handle.region);
    HOLDS(is_filled(given->large, 5));
    HOLDS(shmfi_segment_new(2 * MIB, 0, &own, NULL) == 0);
    memset(own->base, 1, own->length);
    shmfi_segment_unref(own);
    HOLDS(shmfi_region_give_fd(handle.region, dup(2), NULL) == SHMF_E_STALE);
    return 0;
}

static int supervisor(void *context)
{
    struct given *given = context;
    HOLDS(shmfi_memory_disown(&err) == 0);
    HOLDS(stats().regions == 0);
    HOLDS(!given->small->writable);
    HOLDS(write_kills((uint8_t *)given->small->base + 100));
    HOLDS(mprotect(given->large->base, given->large->length, PROT_READ | PROT_WRITE) == -1);
    HOLDS(is_filled(given->large, 5));
    HOLDS(!shmfi_region_has_fd(given->large->region));
    pid_t child = fork();
    if (child == 0)
        _exit(worker(given));
    int status;
    waitpid(child, &status, 0);
    HOLDS(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_a_supervisor_disowns_and_its_workers_read_at_the_same_address(void **state)
{
    (void)state;
    int count = 0;
    struct shmfi_lender lender = {heard, &count};
    struct given given = {.small = make(PAGE, 0), .large = make(40 * MIB, 0)};
    struct shmfi_segment *lent = make(PAGE, SHMFI_OWN_REGION);
    struct shmfi_region *region = NULL;
    int fd = fcntl(shmfi_region_fd(lent->region, &err), F_DUPFD_CLOEXEC, 0);
    assert_int_equal(shmfi_region_adopt(51, PAGE, fd, &lender, &region, &err), 0);
    assert_int_equal(shmfi_region_admit(region, 0, PAGE, lent->generation, &given.result, &err), 0);
    given.fd = fcntl(shmfi_region_fd(given.large->region, &err), F_DUPFD_CLOEXEC, 0);
    assert_int_equal(run_in_child(supervisor, &given), 0);

    assert_true(is_filled(given.small, 5));
    memset((uint8_t *)given.large->base + 64, 6, 1000);
    shmfi_segment_unref(given.result);
    assert_int_equal(count, 1);
    shmfi_region_retire(region);
    close(given.fd);
    shmfi_segment_unref(given.small);
    shmfi_segment_unref(given.large);
    shmfi_segment_unref(lent);
}

static int late_supervisor(void *context)
{
    struct shmfi_segment *inherited = context;
    HOLDS(stats().regions == 0); /* something used the module before */
    HOLDS(shmfi_memory_disown(NULL) == 0);
    HOLDS(mprotect(inherited->base, inherited->length, PROT_READ | PROT_WRITE) == -1);
    HOLDS(is_filled(inherited, 5));
    return 0;
}

static void test_disowning_late_is_no_less_thorough(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE, 0);
    assert_int_equal(run_in_child(late_supervisor, segment), 0);
    assert_int_equal(shmfi_memory_disown(&err), SHMF_E_INVAL); /* not a child */
    assert_true(segment->writable);
    shmfi_segment_unref(segment);
}

/* ---- threads and forks
 * ------------------------------------------------------------------------------ */

static bool stop;

static void *allocate_and_release(void *unused)
{
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        struct shmfi_segment *segment = NULL;
        if (shmfi_segment_new(50000, 0, &segment, NULL) == 0)
            shmfi_segment_unref(segment);
    }
    return unused;
}

static int child_allocates(void *unused)
{
    struct shmfi_segment *segment = NULL;
    (void)unused;
    HOLDS(shmfi_segment_new(50000, 0, &segment, NULL) == 0);
    shmfi_segment_unref(segment);
    return 0;
}

static void test_forking_while_a_thread_allocates_leaves_the_child_in_order(void **state)
{
    (void)state;
    pthread_t thread;
    stop = false;
    assert_int_equal(pthread_create(&thread, NULL, allocate_and_release, NULL), 0);
    int failures = 0;
    long rounds = test_rounds(100);
    for (long i = 0; i < rounds; i++)
        failures += run_in_child(child_allocates, NULL) != 0;
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    assert_int_equal(failures, 0);
}

#define fork_test(function) cmocka_unit_test_teardown(function, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fork_test(test_a_child_starts_regions_of_its_own),
        fork_test(test_what_the_parent_releases_is_stale_in_the_child),
        fork_test(test_a_copy_on_write_view_is_the_childs_own_copy),
        fork_test(test_budget_and_lenders_act_for_the_parent_only),
        fork_test(test_regions_that_must_not_be_inherited_are_not),
        fork_test(test_a_supervisor_disowns_and_its_workers_read_at_the_same_address),
        fork_test(test_disowning_late_is_no_less_thorough),
        fork_test(test_forking_while_a_thread_allocates_leaves_the_child_in_order),
    };
    return cmocka_run_group_tests_name("memory.fork", tests, test_account_setup,
                                       test_account_teardown);
}
