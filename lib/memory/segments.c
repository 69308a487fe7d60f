/* Segments that are alive: finding, sharing, releasing them. */
#include "memory/state.h"

#include "base/sys.h"
#include "memory/bits.h"

#include <shmframe/format.h>

#include <sys/mman.h>

static struct shmfi_live *live_of(struct shmfi_segment *segment)
{
    return (struct shmfi_live *)((char *)segment - offsetof(struct shmfi_live, segment));
}

uint64_t *shmfi_generation_word(const struct shmfi_region *region, uint64_t offset)
{
    void *word = region->base + offset + offsetof(struct shmf_format_header, generation);
    return word;
}

static uint64_t key_of(uint64_t region_id, uint64_t offset, uint64_t generation)
{
    return region_id ^ shmfi_mix(offset) ^ generation;
}

struct shmfi_live *shmfi_live_new(struct shmfi_region *region, uint64_t offset, uint64_t length,
                                  uint64_t generation)
{
    struct shmfi_live *live = shmfi_sys.calloc(1, sizeof *live);
    if (!live)
        return NULL;
    live->segment.region = region;
    live->segment.offset = offset;
    live->segment.length = length;
    live->segment.generation = generation;
    live->segment.base = region->base + offset;
    live->refs = 1;
    return live;
}

void shmfi_live_insert_locked(struct shmfi_live *live)
{
    const struct shmfi_segment *segment = &live->segment;
    segment->region->live++;
    shmfi_table_insert(&shmfi_memory.segments, &live->node,
                       key_of(segment->region->id, segment->offset, segment->generation));
}

struct shmfi_live *shmfi_live_find_locked(const struct shmfi_region *region, uint64_t offset,
                                          uint64_t generation)
{
    struct shmfi_node *node =
        shmfi_table_find(&shmfi_memory.segments, key_of(region->id, offset, generation));
    for (; node; node = shmfi_table_again(node)) {
        struct shmfi_live *live =
            (struct shmfi_live *)((char *)node - offsetof(struct shmfi_live, node));
        if (live->segment.region == region && live->segment.offset == offset &&
            live->segment.generation == generation)
            return live;
    }
    return NULL;
}

static void vacate(const struct shmfi_segment *segment)
{
    struct shmfi_region *region = segment->region;
    size_t pages = segment->length / shmfi_page_size();
    shmfi_bits_clear(region->used, segment->offset / shmfi_page_size(), pages);
    region->used_pages -= pages;
    region->longest = region->n_pages - region->used_pages;
}

/* Our own memory is free again; its pages stay, unless more is cached than the option allows. */
static void release_own(const struct shmfi_segment *segment, struct shmfi_after *after)
{
    struct shmfi_region *region = segment->region;
    __atomic_store_n(shmfi_generation_word(region, segment->offset), 0, __ATOMIC_RELEASE);
    vacate(segment);
    shmfi_memory.used -= segment->length;
    if (region->single) {
        shmfi_list_remove(region);
        if (!region->retired)
            shmfi_list_push(&shmfi_memory.cached, region, true);
    }
    uint64_t cap = shmfi_memory.options.cache_bytes;
    if (cap && shmfi_memory.reserved - shmfi_memory.used > cap)
        shmfi_trim_locked(cap, after, NULL);
}

/* Borrowed memory goes back to its lender, who hears of it when the mutex is free. */
static void release_lent(const struct shmfi_segment *segment, struct shmfi_after *after)
{
    struct shmfi_region *region = segment->region;
    vacate(segment);
    if (!region->lender.returned)
        return;
    region->reporting++;
    after->reported = region;
    after->lender = region->lender;
    after->offset = segment->offset;
    after->length = segment->length;
    after->generation = segment->generation;
}

static void release(struct shmfi_live *live, struct shmfi_after *after)
{
    const struct shmfi_segment *segment = &live->segment;
    struct shmfi_region *region = segment->region;
    shmfi_table_remove(&shmfi_memory.segments, &live->node);
    region->live--;
    if (region->kind == SHMFI_REGION_OWN)
        release_own(segment, after);
    else if (region->kind == SHMFI_REGION_LENT)
        release_lent(segment, after);
    if (region->retired && !region->live)
        shmfi_region_doom_locked(region, after);
    shmfi_sys.free(live);
}

void shmfi_live_unref_locked(struct shmfi_live *live, struct shmfi_after *after)
{
    if (--live->refs)
        return;
    struct shmfi_live *origin = live->origin, *kept = live->kept;
    if (origin) {
        if (live->private_mapping)
            shmfi_sys.munmap(live->segment.base, live->segment.length);
        shmfi_sys.free(live);
        shmfi_live_unref_locked(origin, after);
    } else {
        release(live, after);
    }
    if (kept)
        shmfi_live_unref_locked(kept, after);
}

void shmfi_segment_keep(struct shmfi_segment *segment, struct shmfi_segment *kept)
{
    shmfi_memory_enter();
    live_of(segment)->kept = live_of(kept);
    live_of(kept)->refs++;
    shmfi_memory_leave(NULL);
}

struct shmfi_segment *shmfi_segment_kept(const struct shmfi_segment *segment)
{
    struct shmfi_live *kept = live_of((struct shmfi_segment *)(uintptr_t)segment)->kept;
    return kept ? &kept->segment : NULL;
}

bool shmfi_segment_is_own(const struct shmfi_segment *segment)
{
    const struct shmfi_live *live = live_of((struct shmfi_segment *)(uintptr_t)segment);
    shmfi_memory_enter();
    bool own = segment->region->kind == SHMFI_REGION_OWN && !live->origin;
    shmfi_memory_leave(NULL);
    return own;
}

struct shmfi_segment *shmfi_segment_ref(struct shmfi_segment *segment)
{
    shmfi_memory_enter();
    live_of(segment)->refs++;
    shmfi_memory_leave(NULL);
    return segment;
}

void shmfi_segment_unref(struct shmfi_segment *segment)
{
    if (!segment)
        return;
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    shmfi_live_unref_locked(live_of(segment), &after);
    shmfi_memory_leave(&after);
}

bool shmfi_segment_is_trusted(const struct shmfi_segment *segment)
{
    const struct shmfi_live *live = live_of((struct shmfi_segment *)(uintptr_t)segment);
    shmfi_memory_enter();
    bool own =
        segment->region->kind == SHMFI_REGION_OWN && !segment->region->grantable && !live->origin;
    shmfi_memory_leave(NULL);
    return own;
}

void shmfi_segment_reclaim(uint64_t region_id, uint64_t offset, uint64_t generation)
{
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    struct shmfi_region *region = shmfi_region_find_locked(region_id);
    if (region && region->kind == SHMFI_REGION_OWN) {
        struct shmfi_live *live = shmfi_live_find_locked(region, offset, generation);
        if (live)
            shmfi_live_unref_locked(live, &after);
    }
    shmfi_memory_leave(&after);
}

struct shmf_handle shmfi_segment_handle(const struct shmfi_segment *segment, uint32_t kind)
{
    return (struct shmf_handle){.region = segment->region->id,
                                .offset = segment->offset,
                                .length = segment->length,
                                .generation = segment->generation,
                                .kind = kind,
                                .access = SHMF_READ_ONLY};
}
