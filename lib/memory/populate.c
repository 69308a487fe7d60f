/* Obtaining pages before anybody touches them, and giving them back. */
#include "memory/state.h"

#include "base/error.h"
#include "base/sys.h"
#include "memory/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define COLLAPSE_TRIES 3

struct span {
    uint64_t start;
    uint64_t length;
};

/* Bytes of some blocks; the last one of a small region may be cut off by its end. */
static struct span span_of(const struct shmfi_region *region, size_t first, size_t count)
{
    uint64_t start = first * region->block;
    uint64_t end = (first + count) * region->block;
    if (end > region->size)
        end = region->size;
    return (struct span){start, end - start};
}

/* The blocks that [offset, offset + length) touches: from `*first` to before `*end`. */
static void blocks_of(const struct shmfi_region *region, uint64_t offset, uint64_t length,
                      size_t *first, size_t *end)
{
    *first = offset / region->block;
    *end = (offset + length - 1) / region->block + 1;
}

/* The next run of blocks before `end` that are not populated. */
static bool next_gap(const struct shmfi_region *region, size_t from, size_t end, size_t *first,
                     size_t *count)
{
    *first = shmfi_bits_next(region->populated, end, from, false);
    *count = shmfi_bits_next(region->populated, end, *first, true) - *first;
    return *count > 0;
}

uint64_t shmfi_region_missing(const struct shmfi_region *region, uint64_t offset, uint64_t length)
{
    size_t from, end, first, count;
    uint64_t missing = 0;
    blocks_of(region, offset, length, &from, &end);
    while (next_gap(region, from, end, &first, &count)) {
        missing += span_of(region, first, count).length;
        from = first + count;
    }
    return missing;
}

static int allocate(const struct shmfi_region *region, uint64_t start, uint64_t length)
{
    while (shmfi_sys.fallocate(region->fd, 0, (off_t)start, (off_t)length)) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

/* Whole huge pages: one page of each must be there (else there is nothing to collapse, EINVAL),
 * and is obtained by fallocate, because a touch could raise SIGBUS where memory is short. One
 * madvise for all of them makes 200 MB in about 11 ms, against 90 ms page by page. False: the
 * kernel did not do all of it; what it did is no loss. */
static bool collapse(const struct shmfi_region *region, struct span span)
{
    if (!region->huge || shmfi_memory.no_collapse)
        return false;
    for (uint64_t at = 0; at < span.length; at += region->block) {
        if (allocate(region, span.start + at, shmfi_page_size()))
            return false;
    }
    for (int i = 0; i < COLLAPSE_TRIES; i++) {
        if (shmfi_sys.madvise(region->base + span.start, span.length, MADV_COLLAPSE) == 0)
            return true;
        if (errno == EINVAL || errno == ENOSYS || errno == EPERM) {
            shmfi_memory.no_collapse = true;
            return false;
        }
        if (errno != EAGAIN && errno != EINTR)
            return false;
    }
    return false;
}

/* Page tables too, so that the first write to a page is no fault. */
static int map_pages(const struct shmfi_region *region, struct span span)
{
    while (!shmfi_memory.no_populate) {
        if (shmfi_sys.madvise(region->base + span.start, span.length, MADV_POPULATE_WRITE) == 0)
            return 0;
        if (errno == EINVAL || errno == ENOSYS || errno == EPERM)
            shmfi_memory.no_populate = true;
        else if (errno == EFAULT) /* this is how it says that the file system is full */
            return ENOSPC;
        else if (errno != EINTR && errno != EAGAIN)
            return errno;
    }
    return 0;
}

static int shortage(int why, struct span span, struct shmf_error *err)
{
    int code =
        shmfi_error_sys(err, why, "%llu bytes of shared memory", (unsigned long long)span.length);
    if (code != SHMF_E_NOMEM)
        return code;
    if (err)
        err->code = SHMF_E_NOSPC;
    return SHMF_E_NOSPC;
}

static int populate_run(struct shmfi_region *region, size_t first, size_t count,
                        struct shmf_error *err)
{
    struct span span = span_of(region, first, count);
    bool huge = collapse(region, span);
    int why = huge ? 0 : allocate(region, span.start, span.length);
    if (!why)
        why = map_pages(region, span);
    if (why) {
        shmfi_sys.fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            (off_t)span.start, (off_t)span.length);
        return shortage(why, span, err);
    }
    shmfi_bits_set(region->populated, first, count);
    if (huge)
        shmfi_bits_set(region->huge_map, first, count);
    region->reserved += span.length;
    shmfi_memory.reserved += span.length;
    return 0;
}

/* `*obtained` counts also what was obtained before a failure; it stays, as cached pages. */
int shmfi_region_populate(struct shmfi_region *region, uint64_t offset, uint64_t length,
                          uint64_t *obtained, struct shmf_error *err)
{
    size_t from, end, first, count;
    blocks_of(region, offset, length, &from, &end);
    while (next_gap(region, from, end, &first, &count)) {
        int rc = populate_run(region, first, count, err);
        if (rc)
            return rc;
        *obtained += span_of(region, first, count).length;
        from = first + count;
    }
    return 0;
}

/* Gives back populated blocks that no segment uses. Punching, because pages stay as long as
 * another process maps them otherwise. Returns the bytes; 0 when the kernel refuses. */
uint64_t shmfi_region_punch(struct shmfi_region *region, size_t first, size_t count)
{
    struct span span = span_of(region, first, count);
    while (shmfi_sys.fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                               (off_t)span.start, (off_t)span.length)) {
        if (errno != EINTR)
            return 0;
    }
    size_t pages_per_block = region->block / shmfi_page_size();
    size_t first_page = first * pages_per_block;
    shmfi_bits_clear(region->dirty, first_page, span.length / shmfi_page_size());
    shmfi_bits_clear(region->populated, first, count);
    shmfi_bits_clear(region->huge_map, first, count);
    region->reserved -= span.length;
    shmfi_memory.reserved -= span.length;
    return span.length;
}
