/* The desk where results' memory goes back to the workers that own it.
 *
 * A result may be freed in any thread, long after its iterator, after its worker's death and after
 * its pool. So what is freed is looked up here by region, under one lock of this process: if the
 * region is still a living worker's, the segment goes into that worker's return ring (or waits
 * here while the ring is full); if not, there is nobody to tell. */
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "pool/pool_internal.h"

#define BUCKETS 256

struct lent_region {
    uint64_t id;
    struct shmf_pool *pool;
    uint32_t worker;
    uint64_t orphan; /* its size if its worker is dead, else 0 */
    uint64_t alive;  /* bytes of its segments that were delivered and not given back */
    struct lent_region *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct shmf_pool *pools;
/* Common, so that it lies behind all other variables: those that a fork writes to share a page. */
struct lent_region *shmfi_desk_buckets[BUCKETS] __attribute__((common, visibility("hidden")));

/* A forked child has no pools: its parent's are not its business. */
static void forget_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    pools = NULL;
    for (int i = 0; i < BUCKETS; i++)
        while (shmfi_desk_buckets[i]) {
            struct lent_region *region = shmfi_desk_buckets[i];
            shmfi_desk_buckets[i] = region->next;
            shmfi_sys.free(region);
        }
}

/* No other thread is in the middle of a change at the fork. Who watches last is locked first, and
 * memory, whose lock comes after ours, watched before us: start() sees to that. */
static void first_time(void)
{
    shmfi_process_watch_forks(&lock, forget_in_child);
}

static struct lent_region **place_of(uint64_t id)
{
    struct lent_region **place = &shmfi_desk_buckets[id % BUCKETS];
    while (*place && (*place)->id != id)
        place = &(*place)->next;
    return place;
}

/* ---- pools -------------------------------------------------------------------------------- */

void shmfi_desk_open(struct shmf_pool *pool)
{
    pthread_once(&once, first_time);
    pthread_mutex_lock(&lock);
    pool->next_open = pools;
    pools = pool;
    pthread_mutex_unlock(&lock);
}

void shmfi_desk_close(struct shmf_pool *pool)
{
    pthread_mutex_lock(&lock);
    for (struct shmf_pool **at = &pools; *at; at = &(*at)->next_open)
        if (*at == pool) {
            *at = pool->next_open;
            break;
        }
    pthread_mutex_unlock(&lock);
}

struct shmf_pool *shmfi_desk_enter(struct shmf_pool **word)
{
    pthread_mutex_lock(&lock);
    struct shmf_pool *pool = *word;
    if (pool)
        shmfi_pool_enter(pool);
    pthread_mutex_unlock(&lock);
    return pool;
}

void shmfi_desk_detach(struct shmf_pool **word)
{
    pthread_mutex_lock(&lock);
    *word = NULL;
    pthread_mutex_unlock(&lock);
}

static void each(void (*visit)(struct shmf_pool *pool, void *context), void *context)
{
    for (struct shmf_pool *pool = pools; pool; pool = pool->next_open)
        visit(pool, context);
    pthread_mutex_unlock(&lock);
}

void shmfi_desk_each(void (*visit)(struct shmf_pool *pool, void *context), void *context)
{
    pthread_mutex_lock(&lock);
    each(visit, context);
}

void shmfi_desk_try_each(void (*visit)(struct shmf_pool *pool, void *context), void *context)
{
    if (!pthread_mutex_trylock(&lock))
        each(visit, context);
}

/* ---- bytes in the caller's hands ---------------------------------------------------------- */

/* The application's word on the board, whichever thread writes it: under the lock. */
static void publish_caller_bytes(struct shmf_pool *pool)
{
    uint64_t caller =
        pool->alive_bytes > pool->ready_bytes ? pool->alive_bytes - pool->ready_bytes : 0;
    atomic_store_explicit(&pool->board.header->caller, caller, memory_order_relaxed);
}

void shmfi_desk_delivered(struct shmf_pool *pool, uint64_t region_id, uint64_t bytes)
{
    pthread_mutex_lock(&lock);
    struct lent_region *region = *place_of(region_id);
    if (region) {
        region->alive += bytes;
        pool->alive_bytes += bytes;
        publish_caller_bytes(pool);
    }
    pthread_mutex_unlock(&lock);
}

void shmfi_desk_ready(struct shmf_pool *pool, uint64_t bytes)
{
    if (pool->is_inline)
        return; /* nothing was lent: it is our own memory */
    pthread_mutex_lock(&lock);
    pool->ready_bytes += bytes;
    publish_caller_bytes(pool);
    pthread_mutex_unlock(&lock);
}

void shmfi_desk_taken(struct shmf_pool *pool, uint64_t bytes)
{
    if (pool->is_inline)
        return;
    pthread_mutex_lock(&lock);
    pool->ready_bytes -= bytes < pool->ready_bytes ? bytes : pool->ready_bytes;
    publish_caller_bytes(pool);
    pthread_mutex_unlock(&lock);
}

uint64_t shmfi_desk_caller_bytes(struct shmf_pool *pool)
{
    return atomic_load_explicit(&pool->board.header->caller, memory_order_relaxed);
}

static void publish_orphaned_bytes(struct shmf_pool *pool)
{
    atomic_store_explicit(&pool->board.header->orphaned, pool->orphaned_bytes,
                          memory_order_relaxed);
}

void shmfi_desk_restate(struct shmf_pool *pool)
{
    pthread_mutex_lock(&lock);
    publish_caller_bytes(pool);
    publish_orphaned_bytes(pool);
    pthread_mutex_unlock(&lock);
}

/* ---- segments that come back -------------------------------------------------------------- */

static void keep_back(struct shmfi_member *member, const struct shmfi_return *entry,
                      _Atomic bool *has_kept)
{
    if (member->n_kept == member->kept_capacity) {
        size_t capacity = member->kept_capacity ? 2 * member->kept_capacity : 64;
        void *grown = shmfi_sys.realloc(member->kept, capacity * sizeof *member->kept);
        if (!grown)
            return; /* that memory stays unused until its worker ends; nothing breaks */
        member->kept = grown;
        member->kept_capacity = capacity;
    }
    member->kept[member->n_kept++] = *entry;
    *has_kept = true;
}

static void flush_member(struct shmf_pool *pool, uint32_t worker)
{
    struct shmfi_member *member = &pool->members[worker];
    while (member->n_kept &&
           shmfi_board_return(&pool->board, worker, &member->kept[member->n_kept - 1]))
        member->n_kept--;
}

/* WAKE: the worker may be waiting for just this: it stores `wanted`, fences, looks at `returned`;
 * we stored `returned`, fence, look at `wanted`. */
static void wake_if_wanting(struct shmf_pool *pool, uint32_t worker)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&pool->board.lines[worker].wanted, memory_order_relaxed))
        shmfi_wake(&pool->board, worker);
}

static void give_back(struct shmf_pool *pool, uint32_t worker, const struct shmfi_return *entry)
{
    flush_member(pool, worker);
    if (!shmfi_board_return(&pool->board, worker, entry))
        keep_back(&pool->members[worker], entry, &pool->has_kept);
    wake_if_wanting(pool, worker);
}

static void returned(void *unused, uint64_t region_id, uint64_t offset, uint64_t length,
                     uint64_t generation)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    struct lent_region *region = *place_of(region_id);
    if (region) {
        struct shmf_pool *pool = region->pool;
        struct shmfi_return entry = {region_id, offset, generation, 0};
        region->alive -= length;
        pool->alive_bytes -= length;
        publish_caller_bytes(pool);
        if (region->orphan)
            pool->orphans_over = pool->orphans_over || !region->alive;
        else
            give_back(pool, region->worker, &entry);
    }
    pthread_mutex_unlock(&lock);
}

const struct shmfi_lender shmfi_desk_lender = {returned, NULL};

void shmfi_desk_flush(struct shmf_pool *pool)
{
    if (!pool->has_kept)
        return;
    pthread_mutex_lock(&lock);
    pool->has_kept = false;
    for (uint32_t w = 0; w < pool->n_workers; w++)
        if (pool->members[w].n_kept) {
            flush_member(pool, w);
            wake_if_wanting(pool, w);
            if (pool->members[w].n_kept)
                pool->has_kept = true;
        }
    pthread_mutex_unlock(&lock);
}

/* ---- regions ------------------------------------------------------------------------------ */

/* Takes the region off the books. */
static void forget(struct lent_region **place)
{
    struct lent_region *region = *place;
    *place = region->next;
    region->pool->alive_bytes -= region->alive;
    region->pool->orphaned_bytes -= region->orphan;
    publish_orphaned_bytes(region->pool);
    shmfi_sys.free(region);
}

int shmfi_desk_add_region(struct shmf_pool *pool, uint32_t worker, uint64_t id)
{
    struct lent_region *region = shmfi_sys.calloc(1, sizeof *region);
    if (!region)
        return SHMF_E_NOMEM;
    region->id = id;
    region->pool = pool;
    region->worker = worker;
    pthread_mutex_lock(&lock);
    struct lent_region **place = place_of(id);
    region->next = *place;
    *place = region;
    pthread_mutex_unlock(&lock);
    return SHMF_OK;
}

void shmfi_desk_remove_region(uint64_t id)
{
    pthread_mutex_lock(&lock);
    struct lent_region **place = place_of(id);
    if (*place)
        forget(place);
    pthread_mutex_unlock(&lock);
}

/* ---- regions whose workers are dead ------------------------------------------------------- */

bool shmfi_desk_orphan_region(uint64_t id)
{
    pthread_mutex_lock(&lock);
    struct lent_region **place = place_of(id), *region = *place;
    bool over = !region || !region->alive;
    if (region && !over) {
        region->orphan = shmfi_region_size(shmfi_region_find(id));
        region->pool->orphaned_bytes += region->orphan;
        publish_orphaned_bytes(region->pool);
    } else if (region) {
        forget(place);
    }
    pthread_mutex_unlock(&lock);
    return over;
}

uint64_t shmfi_desk_take_orphan(struct shmf_pool *pool, bool all)
{
    uint64_t id = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < BUCKETS && !id; i++) {
        struct lent_region **at = &shmfi_desk_buckets[i];
        while (*at && ((*at)->pool != pool || (!all && (!(*at)->orphan || (*at)->alive))))
            at = &(*at)->next;
        if (*at) {
            id = (*at)->id;
            forget(at);
        }
    }
    if (!id)
        pool->orphans_over = false;
    pthread_mutex_unlock(&lock);
    return id;
}

void shmfi_desk_forget_kept(struct shmf_pool *pool, uint32_t worker)
{
    pthread_mutex_lock(&lock);
    pool->members[worker].n_kept = 0;
    pthread_mutex_unlock(&lock);
}

struct shmfi_ids shmfi_desk_take_dropped(struct shmf_pool *pool)
{
    pthread_mutex_lock(&lock);
    pool->has_dropped = false;
    struct shmfi_ids dropped = pool->dropped;
    pool->dropped = (struct shmfi_ids){0};
    pthread_mutex_unlock(&lock);
    return dropped;
}
