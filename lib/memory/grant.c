/* Objects that other processes write in place.
 *
 * Such an object has a region of its own, whose writable descriptor its owner may give away.
 * Whoever gets it maps the region a second time: what is opened read-only stays read-only there,
 * and opening for writing costs no system call. The kernel cannot take a mapping back, so a region
 * that was made for granting never holds anything else, and one that a dead process could write is
 * given up with its object. */
#include "memory/state.h"

#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <sys/mman.h>

bool shmfi_segment_is_grantable(const struct shmfi_segment *segment)
{
    shmfi_memory_enter();
    bool may = segment->region->kind == SHMFI_REGION_OWN && segment->region->grantable;
    shmfi_memory_leave(NULL);
    return may;
}

int shmfi_region_write_fd(struct shmfi_region *region, struct shmf_error *err)
{
    shmfi_memory_enter();
    bool may = region->kind == SHMFI_REGION_OWN && region->grantable;
    int fd = region->fd;
    shmfi_memory_leave(NULL);
    return may ? fd
               : shmfi_error(err, SHMF_E_ACCESS, "region %016llx was not made for granting",
                             (unsigned long long)region->id);
}

/* Not in children of this process: they must not write what was granted to it. */
static int map_writable(struct shmfi_region *region, int fd, struct shmf_error *err)
{
    struct stat status;
    int rc = shmfi_file_check(fd, region->size, &status, err);
    if (rc)
        return rc;
    if (status.st_dev != region->device || status.st_ino != region->inode)
        return shmfi_error(err, SHMF_E_CORRUPT, "the descriptor is not that of region %016llx",
                           (unsigned long long)region->id);
    void *base = shmfi_map(region->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return shmfi_error_sys(err, errno, "mapping %llu bytes for writing",
                               (unsigned long long)region->size);
    shmfi_map_advise(base, region->size, true);
    region->write_base = base;
    return 0;
}

int shmfi_region_give_write_fd(uint64_t id, int fd, struct shmf_error *err)
{
    int rc = 0;
    shmfi_memory_enter();
    struct shmfi_region *region = shmfi_region_find_locked(id);
    if (!region || region->kind != SHMFI_REGION_FOREIGN)
        rc = shmfi_error(err, SHMF_E_STALE, "region %016llx is not known in this process",
                         (unsigned long long)id);
    else if (!region->write_base)
        rc = map_writable(region, fd, err);
    shmfi_memory_leave(NULL);
    shmfi_sys.close(fd);
    return rc;
}

bool shmfi_region_is_writable(const struct shmfi_region *region)
{
    shmfi_memory_enter();
    bool writable = region->write_base || (region->kind == SHMFI_REGION_OWN && region->grantable);
    shmfi_memory_leave(NULL);
    return writable;
}

void shmfi_region_taint(uint64_t id)
{
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    struct shmfi_region *region = shmfi_region_find_locked(id);
    if (region && region->kind == SHMFI_REGION_OWN) {
        region->retired = true;
        if (!region->live)
            shmfi_region_doom_locked(region, &after);
    }
    shmfi_memory_leave(&after);
}

int shmfi_open_writable_locked(struct shmfi_live *shared, struct shmfi_live **result,
                               struct shmf_error *err)
{
    const struct shmfi_segment *segment = &shared->segment;
    const struct shmfi_region *region = segment->region;
    if (region->kind == SHMFI_REGION_OWN && region->grantable) {
        *result = shared;
        return 0;
    }
    if (!region->write_base)
        return shmfi_error(err, SHMF_E_ACCESS, "region %016llx was not granted to this process",
                           (unsigned long long)region->id);
    struct shmfi_live *view =
        shmfi_live_new(segment->region, segment->offset, segment->length, segment->generation);
    if (!view)
        return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of an object for writing");
    view->segment.base = region->write_base + segment->offset;
    view->segment.writable = true;
    view->origin = shared;
    *result = view;
    return 0;
}
