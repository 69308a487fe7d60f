/* What a pool's processes hold. */
#ifndef BENCH_LIFE_H
#define BENCH_LIFE_H

#include <shmframe/pool.h>

struct life_account {
    int64_t resident;       /* bytes, application and workers, shared pages counted once each */
    int64_t worker_private; /* of that: private to workers */
    int64_t descriptors;    /* of the application and of worker 0 */
    int64_t mappings;       /* likewise */
};

void life_count(const struct shmf_pool *pool, struct life_account *account);

#endif
