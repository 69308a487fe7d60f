/* Regions of other processes: borrowed with their owner's word, or handed down. */
#include "memory/state.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "memory/bits.h"

#include <errno.h>
#include <sys/mman.h>

int shmfi_region_map_foreign(struct shmfi_region *region, int fd, struct shmf_error *err)
{
    struct stat status;
    int rc = shmfi_file_check(fd, region->size, &status, err);
    if (rc)
        return rc;
    region->device = status.st_dev;
    region->inode = status.st_ino;
    void *base = shmfi_map(region->size, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED && errno == EPERM) /* sealed against writing, kernels before 6.7 */
        base = shmfi_map(region->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (base == MAP_FAILED)
        return shmfi_error_sys(err, errno, "mapping a region of %llu bytes",
                               (unsigned long long)region->size);
    region->base = base;
    shmfi_map_advise(base, region->size, false);
    return 0;
}

/* `used` is for regions with a lender: what was admitted must not overlap. */
static int build_foreign(struct shmfi_region *region, int fd, struct shmf_error *err)
{
    if (region->kind == SHMFI_REGION_LENT) {
        region->n_pages = region->size / shmfi_page_size();
        region->used = shmfi_sys.calloc(shmfi_bits_words(region->n_pages), sizeof *region->used);
        if (!region->used)
            return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a region of %llu bytes",
                               (unsigned long long)region->size);
    }
    return shmfi_region_map_foreign(region, fd, err);
}

static int adopt(uint64_t id, uint64_t size, int fd, const struct shmfi_lender *lender,
                 struct shmfi_region **result, struct shmf_error *err)
{
    if (!id || !size || size % shmfi_page_size() || size > (uint64_t)INT64_MAX - SHMFI_HUGE)
        return shmfi_error(err, SHMF_E_CORRUPT, "region %016llx: a size of %llu bytes",
                           (unsigned long long)id, (unsigned long long)size);
    if (shmfi_region_find_locked(id))
        return shmfi_error(err, SHMF_E_EXISTS, "region %016llx is known already",
                           (unsigned long long)id);
    struct shmfi_region *region = shmfi_sys.calloc(1, sizeof *region);
    if (!region)
        return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a region");
    region->kind = lender ? SHMFI_REGION_LENT : SHMFI_REGION_FOREIGN;
    region->id = id;
    region->size = size;
    region->fd = region->read_fd = -1;
    if (lender)
        region->lender = *lender;
    int rc = build_foreign(region, fd, err);
    if (rc) {
        shmfi_region_destroy(region);
        return rc;
    }
    region->fd = fd;
    shmfi_region_register_locked(region);
    shmfi_memory.foreign++;
    *result = region;
    return 0;
}

int shmfi_region_adopt(uint64_t id, uint64_t size, int fd, const struct shmfi_lender *lender,
                       struct shmfi_region **region, struct shmf_error *err)
{
    shmfi_memory_enter();
    int rc = adopt(id, size, fd, lender, region, err);
    shmfi_memory_leave(NULL);
    if (rc)
        shmfi_sys.close(fd);
    return rc;
}

struct shmfi_region *shmfi_region_find(uint64_t id)
{
    shmfi_memory_enter();
    struct shmfi_region *region = shmfi_region_find_locked(id);
    shmfi_memory_leave(NULL);
    return region;
}

static int corrupt(struct shmf_error *err, const struct shmfi_region *region, const char *field,
                   uint64_t value)
{
    return shmfi_error(err, SHMF_E_CORRUPT, "segment in region %016llx: %s %llu",
                       (unsigned long long)region->id, field, (unsigned long long)value);
}

static int check_admission(const struct shmfi_region *region, uint64_t offset, uint64_t length,
                           uint64_t generation, struct shmf_error *err)
{
    uint64_t page = shmfi_page_size();
    if (region->kind != SHMFI_REGION_LENT || !region->lender.returned)
        return shmfi_error(err, SHMF_E_INVAL, "region %016llx has no lender",
                           (unsigned long long)region->id);
    if (offset % page)
        return corrupt(err, region, "offset is not a page's:", offset);
    if (!length || length % page)
        return corrupt(err, region, "length is not whole pages:", length);
    if (!shmfi_inside(offset, length, region->size))
        return corrupt(err, region, "length reaches beyond the end:", length);
    uint64_t *word = shmfi_generation_word(region, offset);
    if (!generation || __atomic_load_n(word, __ATOMIC_ACQUIRE) != generation)
        return corrupt(err, region, "generation is not the header's:", generation);
    if (shmfi_bits_any(region->used, offset / page, length / page))
        return corrupt(err, region, "overlaps one that is alive: offset", offset);
    return 0;
}

int shmfi_region_admit(struct shmfi_region *region, uint64_t offset, uint64_t length,
                       uint64_t generation, struct shmfi_segment **segment, struct shmf_error *err)
{
    struct shmfi_live *live = NULL;
    shmfi_memory_enter();
    int rc = check_admission(region, offset, length, generation, err);
    if (!rc) {
        live = shmfi_live_new(region, offset, length, generation);
        if (!live)
            rc = shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a segment");
    }
    if (live) {
        size_t pages = length / shmfi_page_size();
        shmfi_bits_set(region->used, offset / shmfi_page_size(), pages);
        region->used_pages += pages;
        shmfi_live_insert_locked(live);
        *segment = &live->segment;
    }
    shmfi_memory_leave(NULL);
    return rc;
}

void shmfi_region_retire(struct shmfi_region *region)
{
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    if (region->kind != SHMFI_REGION_OWN && !region->retired) {
        region->lender.returned = NULL;
        while (region->reporting)
            pthread_cond_wait(&shmfi_memory.reported, &shmfi_memory.lock);
        region->retired = true;
        if (!region->live)
            shmfi_region_doom_locked(region, &after);
    }
    shmfi_memory_leave(&after);
}

/* Its owner has given the pages back, so a mapping that must wait for objects costs address space
 * only. No handle opens anything in it from now on. */
void shmfi_region_drop(uint64_t id)
{
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    struct shmfi_region *region = shmfi_region_find_locked(id);
    if (region && region->kind == SHMFI_REGION_FOREIGN) {
        region->retired = true;
        if (region->live) {
            shmfi_table_remove(&shmfi_memory.regions, &region->node);
            region->dropped = true;
            if (region->fd >= 0)
                shmfi_sys.close(region->fd);
            region->fd = -1;
        } else {
            shmfi_region_doom_locked(region, &after);
        }
    }
    shmfi_memory_leave(&after);
}

/* ---- descriptors -------------------------------------------------------------------------- */

uint64_t shmfi_region_id(const struct shmfi_region *region)
{
    return region->id;
}

uint64_t shmfi_region_size(const struct shmfi_region *region)
{
    return region->size;
}

uint64_t shmfi_region_serial(const struct shmfi_region *region)
{
    return region->serial;
}

uint64_t shmfi_memory_serial(void)
{
    shmfi_memory_enter();
    uint64_t serial = shmfi_memory.serials;
    shmfi_memory_leave(NULL);
    return serial;
}

static int own_read_fd(struct shmfi_region *region, struct shmf_error *err)
{
    if (region->read_fd < 0)
        region->read_fd = shmfi_file_reopen(region->fd);
    if (region->read_fd >= 0)
        return region->read_fd;
    if (errno == EMFILE || errno == ENFILE)
        return shmfi_error_sys(err, errno, "read-only descriptor of a region");
    return region->fd; /* without /proc there is no other */
}

int shmfi_region_fd(struct shmfi_region *region, struct shmf_error *err)
{
    shmfi_memory_enter();
    int fd = region->kind == SHMFI_REGION_OWN ? own_read_fd(region, err) : region->fd;
    if (region->kind != SHMFI_REGION_OWN && region->read_fd >= 0)
        fd = region->read_fd; /* the parent's own region, opened read-only before the fork */
    shmfi_memory_leave(NULL);
    if (fd == -1)
        return shmfi_error(err, SHMF_E_ACCESS, "no descriptor for region %016llx in this process",
                           (unsigned long long)region->id);
    return fd;
}

bool shmfi_region_has_fd(const struct shmfi_region *region)
{
    shmfi_memory_enter();
    bool has = region->fd >= 0;
    shmfi_memory_leave(NULL);
    return has;
}

int shmfi_region_give_fd(uint64_t id, int fd, struct shmf_error *err)
{
    struct stat status;
    int rc = 0;
    shmfi_memory_enter();
    struct shmfi_region *region = shmfi_region_find_locked(id);
    if (!region)
        rc = shmfi_error(err, SHMF_E_STALE, "region %016llx is not known in this process",
                         (unsigned long long)id);
    else if (region->fd < 0)
        rc = shmfi_file_check(fd, region->size, &status, err);
    if (!rc && region->fd < 0 &&
        (status.st_dev != region->device || status.st_ino != region->inode))
        rc = shmfi_error(err, SHMF_E_CORRUPT, "the descriptor is not that of region %016llx",
                         (unsigned long long)id);
    bool taken = !rc && region->fd < 0;
    if (taken)
        region->fd = fd;
    shmfi_memory_leave(NULL);
    if (!taken)
        shmfi_sys.close(fd);
    return rc;
}
