/* A segment leaves its region and keeps its file: nothing is copied when an object that has a
 * region to itself becomes a sealed file, which no region can be, since it is mapped for writing.
 */
#include "memory/state.h"

#include "base/error.h"
#include "base/sys.h"
#include "memory/bits.h"

#include <shmframe/format.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct shmfi_live *live_of(struct shmfi_segment *segment)
{
    return (struct shmfi_live *)((char *)segment - offsetof(struct shmfi_live, segment));
}

static bool is_alone(const struct shmfi_live *live)
{
    const struct shmfi_region *region = live->segment.region;
    return region->kind == SHMFI_REGION_OWN && region->single && !region->grantable &&
           !region->retired && !live->origin && live->refs == 1 && live->segment.offset == 0;
}

/* A region that was used before may be longer than the object, and keep old bytes there. */
static void clear_rest(struct shmfi_live *live, struct shmfi_after *after)
{
    struct shmfi_region *region = live->segment.region;
    uint64_t length = live->segment.length;
    size_t first = (size_t)((length + region->block - 1) / region->block);
    uint64_t end = first < region->n_blocks ? first * region->block : region->size;
    memset(region->base + length, 0, end - length);
    for (size_t block = first; block < region->n_blocks; block++)
        if (shmfi_bits_any(region->populated, block, 1))
            after->released += shmfi_region_punch(region, block, 1);
}

static int begin(struct shmfi_live *live, struct shmfi_aside *aside, struct shmfi_after *after,
                 struct shmf_error *err)
{
    struct shmfi_region *region = live->segment.region;
    int fd = shmfi_sys.fcntl(region->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return shmfi_error_sys(err, errno, "descriptor of a region");
    clear_rest(live, after);
    struct shmf_format_header *header = live->segment.base;
    *aside = (struct shmfi_aside){&live->segment, &header->total_size, header->total_size,
                                  live->segment.generation, fd};
    header->total_size = region->size;
    return 1;
}

int shmfi_aside_begin(struct shmfi_segment *segment, struct shmfi_aside *aside,
                      struct shmf_error *err)
{
    struct shmfi_live *live = live_of(segment);
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    int rc = is_alone(live) ? begin(live, aside, &after, err) : 0;
    shmfi_memory_leave(&after);
    return rc;
}

void shmfi_aside_undo(struct shmfi_aside *aside)
{
    *aside->size_word = aside->size;
    shmfi_sys.close(aside->fd);
}

void shmfi_aside_commit(struct shmfi_aside *aside)
{
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    struct shmfi_region *region = aside->segment->region;
    region->aside = region->retired = true;
    after.released = region->reserved;
    shmfi_memory.reserved -= region->reserved;
    region->reserved = 0;
    aside->segment = NULL;
    shmfi_memory_leave(&after);
}

/* Releasing the segment has told everybody who looks that it is gone. */
static int restate(const struct shmfi_aside *aside, struct shmf_error *err)
{
    uint64_t page = shmfi_page_size();
    void *base = shmfi_map(page, PROT_READ | PROT_WRITE, MAP_SHARED, aside->fd, 0);
    if (base == MAP_FAILED)
        return shmfi_error_sys(err, errno, "mapping a header");
    struct shmf_format_header *header = base;
    __atomic_store_n(&header->generation, aside->generation, __ATOMIC_RELEASE);
    shmfi_sys.munmap(base, page);
    return 0;
}

int shmfi_aside_seal(struct shmfi_aside *aside, struct shmf_error *err)
{
    int rc = restate(aside, err);
    if (!rc && shmfi_sys.fcntl(aside->fd, F_ADD_SEALS, ALL_SEALS))
        rc = shmfi_error_sys(err, errno, "sealing");
    shmfi_sys.close(aside->fd);
    return rc;
}
