/* Segments in files of their own, for programs that share nothing else with this one. */
#include "memory/state.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"

#include <shmframe/format.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define KEEPS_SIZE (F_SEAL_SHRINK | F_SEAL_GROW)
#define ALL_SEALS  (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* ---- making -------------------------------------------------------------------------------- */

int shmfi_outside_memfd(int *fd, struct shmf_error *err)
{
    *fd = shmfi_file_anonymous();
    return *fd < 0 ? shmfi_error_sys(err, errno, "memory that can be sealed (memfd_create)") : 0;
}

static int allocate(int fd, uint64_t offset, uint64_t length, struct shmf_error *err)
{
    while (shmfi_sys.fallocate(fd, 0, (off_t)offset, (off_t)length)) {
        if (errno != EINTR)
            return shmfi_error_sys(err, errno, "%llu bytes of shared memory (fallocate)",
                                   (unsigned long long)length);
    }
    return 0;
}

/* Whole huge pages, where the kernel gives them: see populate.c. Where not, nothing is lost. */
static int collapse(int fd, uint8_t *base, uint64_t size, struct shmf_error *err)
{
    uint64_t whole = size / SHMFI_HUGE * SHMFI_HUGE;
    if (!whole || shmfi_memory.options.no_huge_pages || shmfi_memory.no_collapse)
        return 0;
    for (uint64_t at = 0; at < whole; at += SHMFI_HUGE) {
        int rc = allocate(fd, at, shmfi_page_size(), err);
        if (rc)
            return rc;
    }
    shmfi_sys.madvise(base, whole, MADV_COLLAPSE);
    return 0;
}

/* All pages are there before the first is touched, so that a full file system is an error. */
static int obtain(int fd, uint8_t *base, uint64_t size, struct shmf_error *err)
{
    int rc = collapse(fd, base, size, err);
    return rc ? rc : allocate(fd, 0, size, err);
}

int shmfi_outside_map(int fd, uint64_t size, void **result, struct shmf_error *err)
{
    int rc = shmfi_file_check_limit(size, err);
    if (rc)
        return rc;
    while (shmfi_sys.ftruncate(fd, (off_t)size)) {
        if (errno != EINTR)
            return shmfi_error_sys(err, errno, "%llu bytes of shared memory (ftruncate)",
                                   (unsigned long long)size);
    }
    void *base = shmfi_map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return shmfi_error_sys(err, errno, "mapping %llu bytes", (unsigned long long)size);
    shmfi_map_advise(base, size, true);
    rc = obtain(fd, base, size, err);
    if (rc)
        shmfi_sys.munmap(base, size);
    else
        *result = base;
    return rc;
}

void shmfi_outside_unmap(void *base, uint64_t size)
{
    shmfi_sys.munmap(base, size);
}

int shmfi_outside_fill(int fd, const struct shmfi_outside *bytes, struct shmf_error *err)
{
    void *base;
    int rc = shmfi_outside_map(fd, bytes->size, &base, err);
    if (rc)
        return rc;
    for (uint64_t i = 0; i < bytes->n_pieces; i++)
        memcpy((uint8_t *)base + bytes->pieces[i].offset, bytes->pieces[i].data,
               bytes->pieces[i].size);
    shmfi_outside_unmap(base, bytes->size);
    return 0;
}

int shmfi_outside_seal(int *fd, struct shmf_error *err)
{
    if (shmfi_sys.fcntl(*fd, F_ADD_SEALS, ALL_SEALS))
        return shmfi_error_sys(err, errno, "sealing");
    int reader = shmfi_file_reopen(*fd);
    if (reader < 0)
        return 0; /* without /proc: old kernels let nobody map this one shared; see attach */
    shmfi_sys.close(*fd);
    *fd = reader;
    return 0;
}

int shmfi_outside_reader(int fd, struct shmf_error *err)
{
    int reader = shmfi_file_reopen(fd);
    if (reader < 0)
        reader = shmfi_sys.fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return reader < 0 ? shmfi_error_sys(err, errno, "descriptor of a segment's file") : reader;
}

bool shmfi_outside_is_sealed(int fd)
{
    int seals = shmfi_sys.fcntl(fd, F_GET_SEALS, 0);
    return seals >= 0 && (seals & ALL_SEALS) == ALL_SEALS;
}

/* ---- reading ------------------------------------------------------------------------------- */

int shmfi_outside_read(int fd, uint64_t offset, void *to, uint64_t size, struct shmf_error *err)
{
    const size_t most = (size_t)1 << 30;
    for (uint64_t done = 0; done < size;) {
        size_t wanted = size - done < most ? (size_t)(size - done) : most;
        ssize_t got = shmfi_sys.pread(fd, (uint8_t *)to + done, wanted, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return shmfi_error_sys(err, errno, "reading a segment's file");
        if (got == 0)
            return shmfi_error(err, SHMF_E_CORRUPT,
                               "a segment's file ends at byte %llu: it became shorter",
                               (unsigned long long)offset + done);
        done += (uint64_t)got;
    }
    return 0;
}

int shmfi_segment_read(const struct shmfi_segment *segment, uint64_t offset, void *to,
                       uint64_t size, struct shmf_error *err)
{
    return shmfi_outside_read(segment->region->fd, segment->offset + offset, to, size, err);
}

int shmfi_segment_sealed_fd(const struct shmfi_segment *segment)
{
    const struct shmfi_region *region = segment->region;
    bool whole = region->attached && !segment->writable && region->fd >= 0 &&
                 segment->length == region->size;
    return whole && shmfi_outside_is_sealed(region->fd) ? region->fd : -1;
}

/* ---- mapping ------------------------------------------------------------------------------- */

/* A region that nobody but its one segment keeps. */
static int make_region(int fd, uint64_t size, struct shmfi_region **result, struct shmf_error *err)
{
    uint64_t rounded;
    if (!size || !shmfi_round_up(size, shmfi_page_size(), &rounded) ||
        rounded > (uint64_t)INT64_MAX - SHMFI_HUGE)
        return shmfi_error(err, SHMF_E_CORRUPT, "a segment's file of %llu bytes",
                           (unsigned long long)size);
    struct shmfi_region *region = shmfi_sys.calloc(1, sizeof *region);
    if (!region)
        return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a region");
    region->kind = SHMFI_REGION_FOREIGN;
    region->size = rounded;
    region->fd = region->read_fd = -1;
    region->retired = region->attached = true;
    int rc = shmfi_random_id(&region->id, err);
    if (!rc)
        rc = shmfi_region_map_foreign(region, fd, err);
    if (rc) {
        shmfi_region_destroy(region);
        return rc;
    }
    *result = region;
    return 0;
}

/* `offset`, `length`: of the segment in the file. */
static int attach(int fd, uint64_t size, uint64_t offset, uint64_t length, uint64_t generation,
                  struct shmfi_live **result, struct shmf_error *err)
{
    struct shmfi_region *region = NULL;
    int rc = make_region(fd, size, &region, err);
    if (rc)
        return rc;
    struct shmfi_live *live =
        shmfi_live_new(region, offset, length ? length : region->size, generation);
    if (!live) {
        shmfi_region_destroy(region);
        return shmfi_error(err, SHMF_E_NOMEM, "bookkeeping of a segment");
    }
    region->fd = fd;
    shmfi_region_register_locked(region);
    shmfi_memory.foreign++;
    shmfi_live_insert_locked(live);
    *result = live;
    return 0;
}

int shmfi_segment_attach(int fd, uint64_t size, uint64_t generation, uint32_t access,
                         struct shmfi_segment **segment, struct shmf_error *err)
{
    struct shmfi_after after = {0};
    struct shmfi_live *live = NULL;
    shmfi_memory_enter();
    int rc = attach(fd, size, 0, 0, generation, &live, err);
    bool taken = live != NULL;
    if (!rc && access == SHMF_COPY_ON_WRITE) {
        rc = shmfi_live_map_private(live, &live, err);
        if (rc)
            shmfi_live_unref_locked(live, &after); /* closes fd with the region */
    }
    shmfi_memory_leave(&after);
    if (rc && !taken)
        shmfi_sys.close(fd);
    if (!rc)
        *segment = &live->segment;
    return rc;
}

/* ---- lending ------------------------------------------------------------------------------- */

/* Unlike regions of a pool, whose owner's word has to do where files cannot be sealed. */
static bool may_shrink(int fd)
{
    int seals = shmfi_sys.fcntl(fd, F_GET_SEALS, 0);
    return seals < 0 || (seals & KEEPS_SIZE) != KEEPS_SIZE;
}

/* NULL: it can be lent. What others own they may use again, whatever is held here; but what is in a
 * file of its own, or was lent to us with somebody's word, stays. */
static const char *reason_against(const struct shmfi_live *live)
{
    const struct shmfi_region *region = live->segment.region;
    if (region->kind == SHMFI_REGION_FOREIGN && !region->attached)
        return "it is another process's, as are a task's inputs and what a parent made";
    if (live->origin)
        return "a copy-on-write view is in no file";
    return may_shrink(region->fd) ? "its file is not sealed against truncation" : NULL;
}

int shmfi_segment_reopen(const struct shmfi_segment *segment, int *fd, int *own,
                         struct shmf_error *err)
{
    const struct shmfi_live *live =
        (const struct shmfi_live *)((const char *)segment - offsetof(struct shmfi_live, segment));
    shmfi_memory_enter();
    const char *why = reason_against(live);
    *own = segment->region->fd;
    shmfi_memory_leave(NULL);
    if (why)
        return shmfi_error(err, SHMF_E_UNSUPPORTED, "what is to be lent: %s", why);
    *fd = shmfi_file_reopen(*own);
    if (*fd >= 0)
        return 0;
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        return shmfi_error_sys(err, errno, "a descriptor to lend a segment with");
    return shmfi_error(err, SHMF_E_UNSUPPORTED,
                       "what is to be lent: /proc/self/fd does not open its file");
}

static int check_place(int fd, uint64_t size, const struct shmf_handle *where,
                       struct shmf_error *err)
{
    uint64_t page = shmfi_page_size(), whole, generation;
    if (!shmfi_round_up(size, page, &whole) || where->offset % page || !where->length ||
        where->length % page || !shmfi_inside(where->offset, where->length, whole))
        return shmfi_error(err, SHMF_E_CORRUPT,
                           "a segment of %llu bytes at %llu in a file of %llu bytes",
                           (unsigned long long)where->length, (unsigned long long)where->offset,
                           (unsigned long long)size);
    int rc = shmfi_outside_read(fd, where->offset + offsetof(struct shmf_format_header, generation),
                                &generation, sizeof generation, err);
    if (!rc && (!generation || generation != where->generation))
        rc = shmfi_error(err, SHMF_E_CORRUPT, "header: generation is %llu, but %llu was lent",
                         (unsigned long long)generation, (unsigned long long)where->generation);
    return rc;
}

int shmfi_segment_borrow(int fd, uint64_t size, const struct shmf_handle *where,
                         struct shmfi_segment **segment, struct shmf_error *err)
{
    struct shmfi_live *live = NULL;
    int rc = 0;
    if (may_shrink(fd))
        rc = shmfi_error(err, SHMF_E_UNSEALED,
                         "descriptor: what was lent is not sealed against truncation");
    if (!rc)
        rc = check_place(fd, size, where, err);
    if (!rc) {
        shmfi_memory_enter();
        rc = attach(fd, size, where->offset, where->length, where->generation, &live, err);
        shmfi_memory_leave(NULL);
    }
    if (rc)
        shmfi_sys.close(fd);
    else
        *segment = &live->segment;
    return rc;
}
