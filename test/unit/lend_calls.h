/* What the tests of lending have in common. */
#ifndef TEST_UNIT_LEND_CALLS_H
#define TEST_UNIT_LEND_CALLS_H

#include "unit/share_calls.h"

#include <shmframe/lend.h>
#include <shmframe/memory.h>

#include <unistd.h>

#define MIB ((int64_t)1 << 20)

static struct shmf_error err;
static int ends[2];

static inline void connect_ends(int type)
{
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static inline void close_ends(void)
{
    close(ends[0]);
    close(ends[1]);
}

static inline uint64_t used_bytes(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.used_bytes;
}

static inline struct shmf_loan *lend(const struct shmf_array *array)
{
    struct shmf_loan *loan = shmf_array_lend(array, ends[0], 0, &err);
    if (!loan)
        fail_msg("not lent: %s", err.message);
    return loan;
}

static inline struct shmf_array *borrow(void)
{
    struct shmf_array *array = shmf_array_borrow(ends[1], 0, &err);
    if (!array)
        fail_msg("not borrowed: %s", err.message);
    return array;
}

/* New objects of that size, none of which lies where a borrowed one does. */
static inline void fill_memory(struct shmf_array **others, int count, int64_t size)
{
    for (int i = 0; i < count; i++)
        others[i] = patterned(size, 100 + (uint64_t)i);
}

static inline void free_all(struct shmf_array **arrays, int count)
{
    for (int i = 0; i < count; i++)
        shmf_array_free(arrays[i]);
}

static inline bool is_over(void *loan)
{
    return shmf_loan_is_over(loan) == 1;
}

#endif
