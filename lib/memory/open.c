/* shmfi_segment_open: from a handle to memory, by the access that it asks for. */
#include "memory/state.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"

#include <shmframe/format.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static int stale(struct shmf_error *err, const struct shmf_handle *handle, const char *why)
{
    return shmfi_error(err, SHMF_E_STALE, "handle of region %016llx, offset %llu: %s",
                       (unsigned long long)handle->region, (unsigned long long)handle->offset, why);
}

/* Without a lender's word for it only the header tells whether the segment is alive. */
static int check_generation(const struct shmfi_region *region, const struct shmf_handle *handle,
                            struct shmf_error *err)
{
    uint64_t page = shmfi_page_size();
    if (handle->offset % page || handle->length % page || !handle->length ||
        !shmfi_inside(handle->offset, handle->length, region->size))
        return shmfi_error(err, SHMF_E_INVAL,
                           "handle: offset %llu and length %llu are no segment of its region",
                           (unsigned long long)handle->offset, (unsigned long long)handle->length);
    uint64_t *word = shmfi_generation_word(region, handle->offset);
    if (!handle->generation || __atomic_load_n(word, __ATOMIC_ACQUIRE) != handle->generation)
        return stale(err, handle, "the segment was released");
    return 0;
}

/* The object that all openers share, with one more reference. */
static int open_shared(const struct shmf_handle *handle, struct shmfi_live **result,
                       struct shmf_error *err)
{
    struct shmfi_region *region = shmfi_region_find_locked(handle->region);
    if (!region || !region->base)
        return stale(err, handle, "the region is not known in this process");
    if (region->kind == SHMFI_REGION_FOREIGN) {
        int rc = check_generation(region, handle, err);
        if (rc)
            return rc;
    }
    struct shmfi_live *live = shmfi_live_find_locked(region, handle->offset, handle->generation);
    if (live && live->segment.length != handle->length)
        return shmfi_error(err, SHMF_E_INVAL, "handle: length %llu, but the segment has %llu",
                           (unsigned long long)handle->length,
                           (unsigned long long)live->segment.length);
    if (live) {
        live->refs++;
    } else if (region->kind == SHMFI_REGION_FOREIGN) {
        live = shmfi_live_new(region, handle->offset, handle->length, handle->generation);
        if (!live)
            return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a segment");
        shmfi_live_insert_locked(live);
    } else {
        return stale(err, handle, "the segment was released");
    }
    *result = live;
    return 0;
}

/* The caller's reference to `origin` becomes the view's. Its segment must stay while the view
 * lives: pages that were not written yet show what lies there. */
int shmfi_live_map_private(struct shmfi_live *origin, struct shmfi_live **result,
                           struct shmf_error *err)
{
    struct shmfi_region *region = origin->segment.region;
    if (region->fd < 0)
        return shmfi_error(err, SHMF_E_ACCESS,
                           "copy-on-write: no descriptor for region %016llx in this process",
                           (unsigned long long)region->id);
    const struct shmfi_segment *from = &origin->segment;
    struct shmfi_live *view = shmfi_live_new(region, from->offset, from->length, from->generation);
    if (!view)
        return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a copy-on-write view");
    void *base =
        shmfi_map(from->length, PROT_READ | PROT_WRITE, MAP_PRIVATE, region->fd, from->offset);
    if (base == MAP_FAILED) {
        int why = errno;
        shmfi_sys.free(view);
        return shmfi_error_sys(err, why, "copy-on-write view of %llu bytes",
                               (unsigned long long)from->length);
    }
    shmfi_map_advise(base, from->length, false);
    view->segment.base = base;
    view->segment.writable = true;
    view->private_mapping = true;
    view->origin = origin;
    *result = view;
    return 0;
}

/* All bytes but the generation, which is the copy's own. */
static int copy(const struct shmfi_segment *from, struct shmfi_segment **result,
                struct shmf_error *err)
{
    size_t word = offsetof(struct shmf_format_header, generation);
    size_t after = word + sizeof(uint64_t);
    int rc = shmfi_segment_new(from->length, 0, result, err);
    if (rc)
        return rc;
    uint8_t *to = (*result)->base;
    const uint8_t *bytes = from->base;
    memcpy(to, bytes, word);
    memcpy(to + after, bytes + after, from->length - after);
    (*result)->zeroed = false;
    return 0;
}

static int open_locked(const struct shmf_handle *handle, struct shmfi_live **live,
                       struct shmfi_after *after, struct shmf_error *err)
{
    struct shmfi_live *shared = NULL;
    int rc = open_shared(handle, &shared, err);
    if (rc)
        return rc;
    *live = shared;
    if (handle->access == SHMF_COPY_ON_WRITE)
        rc = shmfi_live_map_private(shared, live, err);
    else if (handle->access == SHMF_WRITABLE)
        rc = shmfi_open_writable_locked(shared, live, err);
    if (rc)
        shmfi_live_unref_locked(shared, after);
    return rc;
}

int shmfi_segment_open(const struct shmf_handle *handle, struct shmfi_segment **segment,
                       struct shmf_error *err)
{
    if (handle->access > SHMF_WRITABLE)
        return shmfi_error(err, SHMF_E_INVAL, "handle: access %u is none", handle->access);
    if (!handle->region)
        return shmfi_error(err, SHMF_E_INVAL, "handle: it names nothing");
    struct shmfi_after after = {0};
    struct shmfi_live *live = NULL;
    shmfi_memory_enter();
    int rc = open_locked(handle, &live, &after, err);
    shmfi_memory_leave(&after);
    if (rc)
        return rc;
    if (handle->access == SHMF_PRIVATE_COPY) {
        rc = copy(&live->segment, segment, err);
        shmfi_segment_unref(&live->segment);
        return rc;
    }
    *segment = &live->segment;
    return 0;
}
