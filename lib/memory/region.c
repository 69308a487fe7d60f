/* Regions of this process: making and destroying them, and the lists that they are in. */
#include "memory/state.h"

#include "base/error.h"
#include "base/sys.h"
#include "memory/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

void shmfi_list_push(struct shmfi_region_list *list, struct shmfi_region *region, bool at_head)
{
    region->list = list;
    region->next = at_head ? list->head : NULL;
    region->prev = at_head ? NULL : list->tail;
    if (region->prev)
        region->prev->next = region;
    else
        list->head = region;
    if (region->next)
        region->next->prev = region;
    else
        list->tail = region;
}

void shmfi_list_remove(struct shmfi_region *region)
{
    struct shmfi_region_list *list = region->list;
    if (!list)
        return;
    if (region->prev)
        region->prev->next = region->next;
    else
        list->head = region->next;
    if (region->next)
        region->next->prev = region->prev;
    else
        list->tail = region->prev;
    region->list = NULL;
    region->prev = region->next = NULL;
}

uint64_t shmfi_region_block(uint64_t size)
{
    uint64_t page = shmfi_page_size();
    if (size >= SHMFI_HUGE)
        return SHMFI_HUGE;
    return page > SHMFI_SMALL_BLOCK ? page : SHMFI_SMALL_BLOCK;
}

/* All bitmaps in one piece, `used` first. */
static int make_bitmaps(struct shmfi_region *region, struct shmf_error *err)
{
    region->n_pages = region->size / shmfi_page_size();
    region->n_blocks = (region->size - 1) / region->block + 1;
    size_t by_page = shmfi_bits_words(region->n_pages);
    size_t by_block = shmfi_bits_words(region->n_blocks);
    region->used = shmfi_sys.calloc(2 * by_page + 2 * by_block, sizeof *region->used);
    if (!region->used)
        return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a region of %llu bytes",
                           (unsigned long long)region->size);
    region->dirty = region->used + by_page;
    region->populated = region->dirty + by_page;
    region->huge_map = region->populated + by_block;
    region->longest = region->n_pages;
    return 0;
}

static int map_own(struct shmfi_region *region, struct shmf_error *err)
{
    void *base = shmfi_map(region->size, PROT_READ | PROT_WRITE, MAP_SHARED, region->fd, 0);
    if (base == MAP_FAILED)
        return shmfi_error_sys(err, errno, "mapping a region of %llu bytes",
                               (unsigned long long)region->size);
    region->base = base;
    region->writable = true;
    region->dontfork = shmfi_memory.dontfork;
    shmfi_map_advise(base, region->size, region->dontfork);
    shmfi_region_place(region);
    return 0;
}

/* Which file it is, remembered for descriptors of it that come later. */
static int identify(struct shmfi_region *region, struct shmf_error *err)
{
    struct stat status;
    if (shmfi_sys.fstat(region->fd, &status))
        return shmfi_error_sys(err, errno, "descriptor of a region");
    region->device = status.st_dev;
    region->inode = status.st_ino;
    do {
        int rc = shmfi_random_id(&region->id, err);
        if (rc)
            return rc;
    } while (shmfi_region_find_locked(region->id));
    return 0;
}

static int build(struct shmfi_region *region, struct shmf_error *err)
{
    int rc = make_bitmaps(region, err);
    if (!rc)
        rc = shmfi_file_create(region->size, &region->fd, err);
    if (!rc)
        rc = identify(region, err);
    if (!rc)
        rc = map_own(region, err);
    return rc;
}

int shmfi_region_create(uint64_t size, bool single, struct shmfi_region **result,
                        struct shmf_error *err)
{
    struct shmfi_region *region = shmfi_sys.calloc(1, sizeof *region);
    if (!region)
        return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a region");
    region->kind = SHMFI_REGION_OWN;
    region->size = size;
    region->fd = region->read_fd = -1;
    region->block = shmfi_region_block(size);
    region->single = single;
    region->huge = size >= SHMFI_HUGE && !shmfi_memory.options.no_huge_pages;
    int rc = build(region, err);
    if (rc) {
        shmfi_region_destroy(region);
        return rc;
    }
    shmfi_region_register_locked(region);
    if (single) {
        shmfi_list_push(&shmfi_memory.cached, region, true);
    } else {
        shmfi_list_push(&shmfi_memory.shared, region, false);
        shmfi_memory.shared_size += size;
    }
    *result = region;
    return 0;
}

struct shmfi_region *shmfi_region_find_locked(uint64_t id)
{
    struct shmfi_node *node = shmfi_table_find(&shmfi_memory.regions, id);
    if (!node)
        return NULL;
    return (struct shmfi_region *)((char *)node - offsetof(struct shmfi_region, node));
}

void shmfi_region_register_locked(struct shmfi_region *region)
{
    region->serial = ++shmfi_memory.serials;
    shmfi_table_insert(&shmfi_memory.regions, &region->node, region->id);
}

/* Nobody finds it any more; shmfi_memory_leave() tells and destroys it. */
void shmfi_region_doom_locked(struct shmfi_region *region, struct shmfi_after *after)
{
    if (!region->dropped)
        shmfi_table_remove(&shmfi_memory.regions, &region->node);
    if (region->list == &shmfi_memory.shared)
        shmfi_memory.shared_size -= region->size;
    shmfi_list_remove(region);
    if (region->kind == SHMFI_REGION_OWN) {
        shmfi_memory.reserved -= region->reserved;
        after->released += region->reserved;
    } else if (region->base) {
        shmfi_memory.foreign--;
    }
    region->next = after->doomed;
    after->doomed = region;
}

/* The pages of an own region go at once, though another process may map it still. */
void shmfi_region_destroy(struct shmfi_region *region)
{
    if (region->kind == SHMFI_REGION_OWN && region->reserved && !region->aside)
        shmfi_sys.fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                            (off_t)region->size);
    if (region->base)
        shmfi_sys.munmap(region->base, region->size);
    if (region->write_base)
        shmfi_sys.munmap(region->write_base, region->size);
    if (region->read_fd >= 0)
        shmfi_sys.close(region->read_fd);
    if (region->fd >= 0)
        shmfi_sys.close(region->fd);
    shmfi_sys.free(region->used);
    shmfi_sys.free(region);
}

bool shmfi_region_is_inherited(const struct shmfi_region *region)
{
    return !region->dontfork;
}
