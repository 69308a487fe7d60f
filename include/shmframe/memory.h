/* libshmframe: the shared memory that this process owns: reserve, trim, count.
 *
 * Each process has one memory of its own (a child that was forked elsewhere starts afresh).
 * Released segments keep their pages for the next object of their size, because pages that are
 * already there cost nothing; shmf_memory_trim() gives them back. Thread safe. */
#ifndef SHMFRAME_MEMORY_H
#define SHMFRAME_MEMORY_H

#include <shmframe/error.h>

SHMF_BEGIN_DECLS

/* What this process has of shared memory, in bytes and in numbers since it began. */
struct shmf_memory_stats {
    uint64_t regions;         /* memfds that this process owns */
    uint64_t reserved_bytes;  /* pages obtained from the kernel for them */
    uint64_t used_bytes;      /* of these, in objects that are alive */
    uint64_t cached_bytes;    /* of these, waiting to be used again */
    uint64_t huge_bytes;      /* of these, in huge pages as far as the kernel told us */
    uint64_t recycled;        /* objects that were built in pages already there */
    uint64_t fresh;           /* objects for which pages had to be obtained */
    uint64_t foreign_regions; /* regions of other processes that are mapped here */
    uint64_t placed_bytes; /* of reserved_bytes, where the kernel took the NUMA policy asked for */
};

/* Fills `*stats`. Costs a lock and a walk over the regions. */
SHMF_API void shmf_memory_get_stats(struct shmf_memory_stats *stats);

/* Give cached pages back to the kernel until at most `keep_bytes` stay cached.
 * Returns the number of bytes given back. Objects alive are not touched. */
SHMF_API uint64_t shmf_memory_trim(uint64_t keep_bytes);

/* How memory is obtained and kept; zero means the default. */
/* Which node's memory the pages of an object are. Pages are obtained when the object is made, by
 * its maker, so a worker's results are local to it; SHMF_AFFINITY_SPREAD keeps it there. A frame of
 * the application's that all workers read is better interleaved. Where the kernel has no NUMA, or
 * refuses, memory is as by default; shmf_memory_stats.placed_bytes tells. */
enum shmf_numa {
    SHMF_NUMA_DEFAULT = 0, /* as this process's own policy says (numactl), else its maker's node */
    SHMF_NUMA_LOCAL,       /* its maker's node, whatever the process's policy */
    SHMF_NUMA_INTERLEAVE   /* page by page over all nodes that this process may use */
};

/* Zero means the default in every field. */
struct shmf_memory_options {
    uint64_t cache_bytes;       /* cap on what stays cached; 0: no cap */
    uint8_t keep_in_core_dumps; /* nonzero: regions appear in core dumps (for debugging) */
    uint8_t no_huge_pages;      /* nonzero: never ask for huge pages */
    uint8_t numa;               /* enum shmf_numa */
    uint8_t reserved0[5];       /* must be zero */
    uint64_t reserved[6];       /* must be zero */
};

/* Applies to memory obtained from now on, in this process and the workers it will fork.
 * SHMF_E_INVAL: a reserved field is not zero. */
SHMF_API int shmf_memory_set_options(const struct shmf_memory_options *options,
                                     struct shmf_error *err);

SHMF_END_DECLS

#endif
