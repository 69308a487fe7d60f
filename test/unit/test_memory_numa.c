/* On which node pages lie: the policy asked for reaches the kernel, and a kernel that refuses costs
 * nothing but the policy. */
#include "support/test.h"

#include "base/sys.h"
#include "memory/memory.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>

#define SIZE (4u << 20)

static struct shmf_memory_stats stats_with(uint8_t numa, struct shmfi_segment **segment)
{
    struct shmf_memory_options options = {.numa = numa};
    assert_int_equal(shmf_memory_set_options(&options, NULL), 0);
    assert_int_equal(shmfi_segment_new(SIZE, SHMFI_OWN_REGION, segment, NULL), 0);
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats;
}

static void done_with(struct shmfi_segment *segment)
{
    shmfi_segment_unref(segment);
    shmfi_memory_reset();
}

/* ---- what the kernel is asked ------------------------------------------------------------- */

static struct shmfi_sys real;
static int policies[8], n_policies, refuse_policy;
static unsigned long first_nodes;

static int record_mbind(void *at, size_t length, int policy, const unsigned long *nodes,
                        unsigned long max_node)
{
    assert_non_null(at);
    assert_true(length >= SIZE);
    assert_true(n_policies < 8);
    assert_true(!nodes == !max_node);
    first_nodes = nodes ? nodes[0] : 0;
    policies[n_policies++] = policy;
    if (refuse_policy != policy && refuse_policy >= 0)
        return 0;
    errno = EINVAL;
    return -1;
}

static int three_nodes(int *policy, unsigned long *nodes, unsigned long max_node, void *at,
                       unsigned long flags)
{
    assert_null(policy);
    assert_null(at);
    assert_true(max_node >= 3);
    assert_int_equal(flags, MPOL_F_MEMS_ALLOWED);
    nodes[0] = 7;
    return 0;
}

static void fake_kernel(int refuse)
{
    real = shmfi_sys;
    shmfi_sys.mbind = record_mbind;
    shmfi_sys.get_mempolicy = three_nodes;
    n_policies = 0;
    refuse_policy = refuse;
}

static void test_by_default_no_policy_is_set(void **state)
{
    (void)state;
    struct shmfi_segment *segment;
    fake_kernel(1000);
    struct shmf_memory_stats stats = stats_with(SHMF_NUMA_DEFAULT, &segment);
    shmfi_sys = real;
    assert_int_equal(n_policies, 0);
    assert_int_equal(stats.placed_bytes, 0);
    done_with(segment);
}

static void test_interleaving_takes_all_nodes_that_are_allowed(void **state)
{
    (void)state;
    struct shmfi_segment *segment;
    fake_kernel(1000);
    struct shmf_memory_stats stats = stats_with(SHMF_NUMA_INTERLEAVE, &segment);
    shmfi_sys = real;
    assert_int_equal(n_policies, 1);
    assert_int_equal(policies[0], MPOL_INTERLEAVE);
    assert_int_equal(first_nodes, 7);
    assert_true(stats.placed_bytes >= SIZE);
    assert_int_equal(stats.placed_bytes, stats.reserved_bytes);
    done_with(segment);
}

static void test_local_memory_is_asked_for_in_the_older_way_where_the_newer_is_unknown(void **state)
{
    (void)state;
    struct shmfi_segment *segment;
    fake_kernel(MPOL_LOCAL);
    struct shmf_memory_stats stats = stats_with(SHMF_NUMA_LOCAL, &segment);
    shmfi_sys = real;
    assert_int_equal(n_policies, 2);
    assert_int_equal(policies[0], MPOL_LOCAL);
    assert_int_equal(policies[1], MPOL_PREFERRED);
    assert_true(stats.placed_bytes >= SIZE);
    done_with(segment);
}

static void test_a_kernel_that_refuses_costs_the_policy_only(void **state)
{
    (void)state;
    for (uint8_t numa = SHMF_NUMA_LOCAL; numa <= SHMF_NUMA_INTERLEAVE; numa++) {
        struct shmfi_segment *segment;
        fake_kernel(-1);
        struct shmf_memory_stats stats = stats_with(numa, &segment);
        shmfi_sys = real;
        assert_int_equal(stats.placed_bytes, 0);
        memset(segment->base, 1, SIZE);
        done_with(segment);
    }
}

/* ---- this kernel -------------------------------------------------------------------------- */

static void test_the_policy_holds_for_the_pages(void **state)
{
    (void)state;
    static const int expected[] = {MPOL_DEFAULT, MPOL_LOCAL, MPOL_INTERLEAVE};
    for (uint8_t numa = SHMF_NUMA_LOCAL; numa <= SHMF_NUMA_INTERLEAVE; numa++) {
        struct shmfi_segment *segment;
        struct shmf_memory_stats stats = stats_with(numa, &segment);
        int policy = -1;
        bool known = !shmfi_sys.get_mempolicy(&policy, NULL, 0, (char *)segment->base + SIZE / 2,
                                              MPOL_F_ADDR);
        if (known && stats.placed_bytes && policy != MPOL_PREFERRED)
            assert_int_equal(policy, expected[numa]);
        memset(segment->base, 1, SIZE);
        done_with(segment);
    }
}

static void test_an_unknown_policy_is_refused(void **state)
{
    (void)state;
    struct shmf_memory_options options = {.numa = SHMF_NUMA_INTERLEAVE + 1};
    struct shmf_error err = {0};
    assert_int_equal(shmf_memory_set_options(&options, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "options.numa"));
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_by_default_no_policy_is_set),
        test_case(test_interleaving_takes_all_nodes_that_are_allowed),
        test_case(test_local_memory_is_asked_for_in_the_older_way_where_the_newer_is_unknown),
        test_case(test_a_kernel_that_refuses_costs_the_policy_only),
        test_case(test_the_policy_holds_for_the_pages),
        test_case(test_an_unknown_policy_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
