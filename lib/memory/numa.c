/* On which node of a machine with several the pages of a region come to lie. The policy is the
 * region's own (a shared file's), so it holds whoever touches a page first. */
#include "memory/state.h"

#include "base/sys.h"

#include <linux/mempolicy.h>

#define WORDS 16 /* 1024 nodes, as many as kernels are built for */

static int set_policy(const struct shmfi_region *region, int policy, const unsigned long *nodes)
{
    unsigned long bits = nodes ? sizeof *nodes * 8 * WORDS + 1 : 0;
    return shmfi_sys.mbind(region->base, region->size, policy, nodes, bits);
}

/* MPOL_LOCAL is from Linux 5.14 on; preferring no node in particular has always meant the same. */
static bool keep_local(const struct shmfi_region *region)
{
    return !set_policy(region, MPOL_LOCAL, NULL) || !set_policy(region, MPOL_PREFERRED, NULL);
}

static bool interleave(const struct shmfi_region *region)
{
    unsigned long nodes[WORDS] = {0};
    return !shmfi_sys.get_mempolicy(NULL, nodes, sizeof nodes * 8, NULL, MPOL_F_MEMS_ALLOWED) &&
           !set_policy(region, MPOL_INTERLEAVE, nodes);
}

void shmfi_region_place(struct shmfi_region *region)
{
    switch (shmfi_memory.options.numa) {
    case SHMF_NUMA_LOCAL:
        region->placed = keep_local(region);
        break;
    case SHMF_NUMA_INTERLEAVE:
        region->placed = interleave(region);
        break;
    default:
        break;
    }
}
