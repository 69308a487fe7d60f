/* Entering and leaving the module; what a child makes of its parent's memory. */
#include "memory/state.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct shmfi_memory shmfi_memory = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .reported = PTHREAD_COND_INITIALIZER,
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void renew_locks(void)
{
    pthread_mutex_init(&shmfi_memory.lock, NULL);
    pthread_cond_init(&shmfi_memory.reported, NULL);
}

static void watch_forks(void)
{
    shmfi_process_watch_forks(&shmfi_memory.lock, renew_locks);
}

static void close_both(struct shmfi_region *region)
{
    if (region->fd >= 0)
        shmfi_sys.close(region->fd);
    if (region->read_fd >= 0)
        shmfi_sys.close(region->read_fd);
    region->fd = region->read_fd = -1;
}

/* A worker's region in a child of the worker: it is not mapped there, so its segments are gone;
 * their objects stay for whoever frees them. */
static void forget(struct shmfi_region *region)
{
    close_both(region);
    region->base = NULL;
    region->retired = region->dropped = true;
    shmfi_table_remove(&shmfi_memory.regions, &region->node);
    if (!region->live)
        shmfi_region_destroy(region);
}

static void inherit_region(struct shmfi_node *node, void *context)
{
    struct shmfi_region *region =
        (struct shmfi_region *)((char *)node - offsetof(struct shmfi_region, node));
    const bool *protect = context;
    bool was_own = region->kind == SHMFI_REGION_OWN;
    region->kind = SHMFI_REGION_FOREIGN;
    region->list = NULL;
    region->lender = (struct shmfi_lender){0};
    region->attached = false;
    region->reporting = 0;
    shmfi_sys.free(region->used);
    region->used = region->dirty = region->populated = region->huge_map = NULL;
    region->write_base = NULL; /* children do not inherit that mapping */
    if (!was_own)
        return;
    shmfi_memory.foreign++;
    if (region->dontfork) {
        shmfi_memory.foreign--;
        forget(region);
    } else if (*protect) {
        shmfi_sys.mprotect(region->base, region->size, PROT_READ);
    }
}

/* Views with copy-on-write are not in the table: they are this process's own, writable copies. */
static void inherit_segment(struct shmfi_node *node, void *context)
{
    struct shmfi_live *live =
        (struct shmfi_live *)((char *)node - offsetof(struct shmfi_live, node));
    (void)context;
    live->segment.writable = false;
}

/* Everything that the parent owned belongs to others from now on, and what it promised (budget,
 * hooks, lenders) is not the child's to keep. Options stay. */
static void inherit(bool protect)
{
    shmfi_table_each(&shmfi_memory.segments, inherit_segment, NULL);
    shmfi_table_each(&shmfi_memory.regions, inherit_region, &protect);
    shmfi_memory.shared = shmfi_memory.busy = shmfi_memory.cached = (struct shmfi_region_list){0};
    shmfi_memory.shared_size = shmfi_memory.reserved = shmfi_memory.used = 0;
    shmfi_memory.recycled = shmfi_memory.fresh = 0;
    shmfi_memory.budget = (struct shmfi_budget){0};
    shmfi_memory.drop_hook = NULL;
    shmfi_memory.drop_context = NULL;
    shmfi_memory.dontfork = false;
}

void shmfi_memory_enter(void)
{
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&shmfi_memory.lock);
    uint64_t epoch = shmfi_process_epoch();
    if (shmfi_memory.epoch == epoch)
        return;
    if (shmfi_memory.epoch)
        inherit(true);
    shmfi_memory.epoch = epoch;
}

static void report(const struct shmfi_after *after)
{
    struct shmfi_region *region = after->reported;
    after->lender.returned(after->lender.context, region->id, after->offset, after->length,
                           after->generation);
    pthread_mutex_lock(&shmfi_memory.lock);
    if (region->reporting && !--region->reporting)
        pthread_cond_broadcast(&shmfi_memory.reported);
    pthread_mutex_unlock(&shmfi_memory.lock);
}

/* Whatever calls foreign code or takes long. `*after` is empty again afterwards. */
void shmfi_memory_leave(struct shmfi_after *after)
{
    struct shmfi_budget budget = shmfi_memory.budget;
    void (*hook)(void *, uint64_t) = shmfi_memory.drop_hook;
    void *context = shmfi_memory.drop_context;
    pthread_mutex_unlock(&shmfi_memory.lock);
    if (!after)
        return;
    if (after->reported)
        report(after);
    struct shmfi_region *next;
    for (struct shmfi_region *region = after->doomed; region; region = next) {
        next = region->next;
        if (hook && (region->kind != SHMFI_REGION_FOREIGN || region->attached))
            hook(context, region->id);
        shmfi_region_destroy(region);
    }
    if (after->released && budget.release)
        budget.release(budget.context, after->released);
    memset(after, 0, sizeof *after);
}

/* The same pages at the same address, but from a descriptor that cannot write: no mprotect makes
 * that mapping writable. Where /proc is not there, protection has to do. */
static int replace_mapping(struct shmfi_region *region)
{
    int fd = region->read_fd >= 0 ? region->read_fd : shmfi_file_reopen(region->fd);
    void *at = MAP_FAILED;
    if (fd >= 0)
        at = shmfi_sys.mmap(region->base, region->size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
    if (fd >= 0 && fd != region->read_fd)
        shmfi_sys.close(fd);
    if (at == MAP_FAILED)
        return shmfi_sys.mprotect(region->base, region->size, PROT_READ);
    shmfi_map_advise(region->base, region->size, false);
    region->writable = false;
    return 0;
}

static void make_read_only(struct shmfi_node *node, void *context)
{
    struct shmfi_region *region =
        (struct shmfi_region *)((char *)node - offsetof(struct shmfi_region, node));
    int *why = context;
    if (region->writable && region->fd >= 0 && replace_mapping(region))
        *why = errno;
    close_both(region);
}

int shmfi_memory_disown(struct shmf_error *err)
{
    int why = 0;
    renew_locks();
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&shmfi_memory.lock);
    uint64_t epoch = shmfi_process_epoch();
    bool owner = shmfi_memory.epoch == epoch && shmfi_memory.reserved;
    if (!owner) {
        inherit(false);
        shmfi_memory.epoch = epoch;
        shmfi_table_each(&shmfi_memory.regions, make_read_only, &why);
    }
    pthread_mutex_unlock(&shmfi_memory.lock);
    if (owner)
        return shmfi_error(err, SHMF_E_INVAL, "this process is the owner of its memory");
    if (why)
        return shmfi_error_sys(err, why, "mapping inherited memory read-only");
    return 0;
}
