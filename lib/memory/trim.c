/* What is cached, and giving it back; options and hooks. */
#include "memory/state.h"

#include "base/error.h"
#include "base/sys.h"
#include "memory/bits.h"

#include <string.h>

struct trimming {
    uint64_t keep;
    struct shmfi_after *after;
    size_t dropped;
    uint64_t bytes;
};

static bool enough(const struct trimming *trimming)
{
    return shmfi_memory.reserved - shmfi_memory.used <= trimming->keep;
}

static void doom(struct trimming *trimming, struct shmfi_region *region)
{
    trimming->bytes += region->reserved;
    trimming->dropped++;
    shmfi_region_doom_locked(region, trimming->after);
}

/* The one that was released first goes first; then shared regions, the newest first. */
static void drop_regions(struct trimming *trimming)
{
    struct shmfi_region *previous;
    for (struct shmfi_region *region = shmfi_memory.cached.tail; region && !enough(trimming);
         region = previous) {
        previous = region->prev;
        doom(trimming, region);
    }
    for (struct shmfi_region *region = shmfi_memory.shared.tail; region && !enough(trimming);
         region = previous) {
        previous = region->prev;
        if (!region->used_pages)
            doom(trimming, region);
    }
}

static bool is_idle(const struct shmfi_region *region, size_t block)
{
    size_t pages = region->block / shmfi_page_size();
    size_t first = block * pages;
    size_t count = first + pages > region->n_pages ? region->n_pages - first : pages;
    return shmfi_bits_any(region->populated, block, 1) &&
           !shmfi_bits_any(region->used, first, count);
}

/* From the top, because new segments are placed from the bottom. */
static void punch_blocks(struct trimming *trimming, struct shmfi_region *region)
{
    size_t end = region->n_blocks;
    while (end && !enough(trimming)) {
        uint64_t surplus = shmfi_memory.reserved - shmfi_memory.used - trimming->keep;
        size_t first = end;
        while (first && is_idle(region, first - 1) && (end - first) * region->block < surplus)
            first--;
        if (first < end) {
            uint64_t bytes = shmfi_region_punch(region, first, end - first);
            trimming->bytes += bytes;
            trimming->after->released += bytes;
            trimming->dropped += bytes > 0;
        }
        end = first < end ? first : end - 1;
    }
}

uint64_t shmfi_trim_locked(uint64_t keep, struct shmfi_after *after, size_t *dropped)
{
    struct trimming trimming = {.keep = keep, .after = after};
    drop_regions(&trimming);
    struct shmfi_region *region;
    for (region = shmfi_memory.shared.tail; region; region = region->prev)
        punch_blocks(&trimming, region);
    for (region = shmfi_memory.busy.head; region; region = region->next)
        punch_blocks(&trimming, region);
    if (dropped)
        *dropped = trimming.dropped;
    return trimming.bytes;
}

uint64_t shmf_memory_trim(uint64_t keep_bytes)
{
    struct shmfi_after after = {0};
    shmfi_private_trim();
    shmfi_memory_enter();
    uint64_t bytes = shmfi_trim_locked(keep_bytes, &after, NULL);
    shmfi_memory_leave(&after);
    return bytes;
}

static void count(const struct shmfi_region_list *list, struct shmf_memory_stats *stats)
{
    for (const struct shmfi_region *region = list->head; region; region = region->next) {
        stats->regions++;
        stats->placed_bytes += region->placed ? region->reserved : 0;
        stats->huge_bytes +=
            shmfi_bits_count(region->huge_map, 0, region->n_blocks) * region->block;
    }
}

void shmf_memory_get_stats(struct shmf_memory_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    shmfi_memory_enter();
    count(&shmfi_memory.shared, stats);
    count(&shmfi_memory.busy, stats);
    count(&shmfi_memory.cached, stats);
    stats->reserved_bytes = shmfi_memory.reserved;
    stats->used_bytes = shmfi_memory.used;
    stats->cached_bytes = shmfi_memory.reserved - shmfi_memory.used;
    stats->recycled = shmfi_memory.recycled;
    stats->fresh = shmfi_memory.fresh;
    stats->foreign_regions = shmfi_memory.foreign;
    shmfi_memory_leave(NULL);
}

static bool all_zero(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i++) {
        if (at[i])
            return false;
    }
    return true;
}

int shmf_memory_set_options(const struct shmf_memory_options *options, struct shmf_error *err)
{
    if (!options)
        return shmfi_error(err, SHMF_E_INVAL, "options is NULL");
    if (options->numa > SHMF_NUMA_INTERLEAVE)
        return shmfi_error(err, SHMF_E_INVAL, "options.numa: %u is none of enum shmf_numa",
                           options->numa);
    if (!all_zero(options->reserved0, sizeof options->reserved0) ||
        !all_zero(options->reserved, sizeof options->reserved))
        return shmfi_error(err, SHMF_E_INVAL, "options: a reserved field is not zero");
    struct shmfi_after after = {0};
    shmfi_memory_enter();
    shmfi_memory.options = *options;
    if (options->cache_bytes)
        shmfi_trim_locked(options->cache_bytes, &after, NULL);
    shmfi_memory_leave(&after);
    return 0;
}

void shmfi_memory_set_budget(const struct shmfi_budget *budget)
{
    shmfi_memory_enter();
    shmfi_memory.budget = budget ? *budget : (struct shmfi_budget){0};
    shmfi_memory_leave(NULL);
}

void shmfi_memory_set_drop_hook(void (*hook)(void *context, uint64_t region_id), void *context)
{
    shmfi_memory_enter();
    shmfi_memory.drop_hook = hook;
    shmfi_memory.drop_context = context;
    shmfi_memory_leave(NULL);
}

int shmfi_memory_set_dontfork(bool dontfork)
{
    shmfi_memory_enter();
    shmfi_memory.dontfork = dontfork;
    shmfi_memory_leave(NULL);
    return 0;
}

static void forget_segment(struct shmfi_node *node, void *table)
{
    shmfi_table_remove(table, node);
    shmfi_sys.free((char *)node - offsetof(struct shmfi_live, node));
}

static void forget_region(struct shmfi_node *node, void *table)
{
    shmfi_table_remove(table, node);
    shmfi_region_destroy(
        (struct shmfi_region *)((char *)node - offsetof(struct shmfi_region, node)));
}

void shmfi_memory_reset(void)
{
    shmfi_private_trim();
    shmfi_memory_enter();
    shmfi_table_each(&shmfi_memory.segments, forget_segment, &shmfi_memory.segments);
    shmfi_table_each(&shmfi_memory.regions, forget_region, &shmfi_memory.regions);
    shmfi_table_deinit(&shmfi_memory.segments);
    shmfi_table_deinit(&shmfi_memory.regions);
    shmfi_memory.shared = shmfi_memory.busy = shmfi_memory.cached = (struct shmfi_region_list){0};
    shmfi_memory.shared_size = shmfi_memory.reserved = shmfi_memory.used = 0;
    shmfi_memory.recycled = shmfi_memory.fresh = shmfi_memory.foreign = 0;
    shmfi_memory.budget = (struct shmfi_budget){0};
    shmfi_memory.drop_hook = NULL;
    shmfi_memory.options = (struct shmf_memory_options){0};
    shmfi_memory.dontfork = shmfi_memory.no_collapse = shmfi_memory.no_populate = false;
    shmfi_memory_leave(NULL);
}
