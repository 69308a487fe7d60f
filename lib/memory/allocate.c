/* shmfi_segment_new: where a segment goes, and obtaining the pages for it. */
#include "memory/state.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "memory/bits.h"

#include <shmframe/format.h>

#include <string.h>

struct request {
    uint64_t length;  /* whole pages */
    uint64_t granted; /* bytes that the budget has promised and that are not obtained yet */
    bool single;
    bool grantable;
    struct shmf_error *err;
    struct shmfi_after after;
};

struct place {
    struct shmfi_region *region; /* NULL: a new one of `size` bytes */
    uint64_t size;
    uint64_t offset;
    uint64_t missing; /* bytes that must be obtained from the kernel */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Lengths are limited by check_length, so that these cannot overflow. */
static uint64_t region_size(uint64_t length)
{
    uint64_t unit = length >= SHMFI_HUGE ? SHMFI_HUGE : shmfi_page_size();
    return (length + unit - 1) / unit * unit;
}

static uint64_t missing_in_new(uint64_t size, uint64_t length)
{
    uint64_t block = shmfi_region_block(size);
    return least((length + block - 1) / block * block, size);
}

/* Twice as large as the one before, within bounds, so that regions stay few. */
static uint64_t shared_region_size(uint64_t length)
{
    uint64_t size = SHMFI_SHARED_FIRST;
    while (size < SHMFI_SHARED_LARGEST && 2 * size <= shmfi_memory.shared_size + SHMFI_SHARED_FIRST)
        size *= 2;
    uint64_t needed = region_size(length);
    return needed > size ? needed : size;
}

/* The region released last whose size fits: its pages are most likely in the caches still. One that
 * others may have mapped writable holds nothing that they were not granted. */
static struct shmfi_region *find_cached(uint64_t length, bool grantable)
{
    struct shmfi_region *region = shmfi_memory.cached.head;
    while (region && (region->grantable != grantable || region->size < length ||
                      region->size > region_size(length) + length / 4))
        region = region->next;
    return region;
}

/* First fit, oldest region first: warm addresses come back. */
static bool find_shared(uint64_t length, struct place *place)
{
    size_t pages = length / shmfi_page_size();
    struct shmfi_region *region = shmfi_memory.shared.head;
    for (; region; region = region->next) {
        if (region->longest < pages)
            continue;
        size_t first;
        if (shmfi_bits_find_run(region->used, region->n_pages, pages, &first)) {
            place->region = region;
            place->offset = first * shmfi_page_size();
            return true;
        }
        region->longest = pages - 1;
    }
    return false;
}

static struct place find_place(const struct request *request)
{
    struct place place = {0};
    if (request->single)
        place.region = find_cached(request->length, request->grantable);
    else
        find_shared(request->length, &place);
    if (place.region) {
        place.missing = shmfi_region_missing(place.region, place.offset, request->length);
        return place;
    }
    place.size =
        request->single ? region_size(request->length) : shared_region_size(request->length);
    place.missing = missing_in_new(place.size, request->length);
    return place;
}

/* Asks the budget with the mutex free: it may wait, and may give back memory meanwhile. */
static int ask_budget(struct request *request, uint64_t bytes)
{
    struct shmfi_budget budget = shmfi_memory.budget;
    int rc = 0;
    if (budget.reserve) {
        shmfi_memory_leave(NULL);
        rc = budget.reserve(budget.context, bytes, request->err);
        shmfi_memory_enter();
    }
    if (!rc)
        request->granted += bytes;
    return rc == SHMFI_LOOK_AGAIN ? 0 : rc;
}

/* Growing in large steps must not fail where a region of just the right size would do. */
static int make_region(struct place *place, const struct request *request)
{
    int rc = shmfi_region_create(place->size, request->single, &place->region, request->err);
    uint64_t smallest = region_size(request->length);
    if (rc && place->size != smallest)
        rc = shmfi_region_create(smallest, request->single, &place->region, request->err);
    if (!rc)
        place->region->grantable = request->grantable;
    return rc;
}

static void occupy(struct shmfi_live *live)
{
    struct shmfi_region *region = live->segment.region;
    size_t first = live->segment.offset / shmfi_page_size();
    size_t pages = live->segment.length / shmfi_page_size();
    live->segment.zeroed = !shmfi_bits_any(region->dirty, first, pages);
    shmfi_bits_set(region->dirty, first, pages);
    shmfi_bits_set(region->used, first, pages);
    region->used_pages += pages;
    shmfi_memory.used += live->segment.length;
    if (region->single) {
        shmfi_list_remove(region);
        shmfi_list_push(&shmfi_memory.busy, region, true);
    }
}

/* Readers that see the generation see the zeroes before it. */
static void begin_header(const struct shmfi_live *live)
{
    const struct shmfi_segment *segment = &live->segment;
    if (!segment->zeroed)
        memset(segment->base, 0, SHMFI_HEADER_BYTES);
    __atomic_store_n(shmfi_generation_word(segment->region, segment->offset), segment->generation,
                     __ATOMIC_RELEASE);
}

/* Memfds know no limit but the killer of processes: what the machine cannot hold, whatever it
 * gives up for it, must be refused here. */
static int check_machine(const struct place *place, const struct request *request)
{
    struct sysinfo info;
    if (place->missing < SHMFI_SINGLE_FROM || shmfi_sys.sysinfo(&info))
        return 0;
    uint64_t most = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
    if (shmfi_memory.reserved <= most && place->missing <= most - shmfi_memory.reserved)
        return 0;
    return shmfi_error(request->err, SHMF_E_NOSPC,
                       "%llu bytes of shared memory: the machine has %llu in all",
                       (unsigned long long)place->missing, (unsigned long long)most);
}

static int fill(const struct place *place, struct request *request, struct shmfi_live **result)
{
    uint64_t obtained = 0;
    int rc = shmfi_region_populate(place->region, place->offset, request->length, &obtained,
                                   request->err);
    request->granted -= least(obtained, request->granted);
    if (rc)
        return rc;
    struct shmfi_live *live = shmfi_live_new(place->region, place->offset, request->length,
                                             shmfi_mix(shmfi_memory.generations + 1));
    if (!live)
        return shmfi_error(request->err, SHMF_E_NOMEM, "bookkeeping of a segment");
    shmfi_memory.generations++;
    if (obtained)
        shmfi_memory.fresh++;
    else
        shmfi_memory.recycled++;
    live->segment.writable = true;
    occupy(live);
    begin_header(live);
    shmfi_live_insert_locked(live);
    *result = live;
    return 0;
}

/* A region that was made for this and could not be filled goes again. */
static int take(struct place *place, struct request *request, struct shmfi_live **result)
{
    bool is_new = !place->region;
    int rc = check_machine(place, request);
    if (!rc && is_new)
        rc = make_region(place, request);
    if (rc)
        return rc;
    rc = fill(place, request, result);
    if (rc && is_new)
        shmfi_region_doom_locked(place->region, &request->after);
    return rc;
}

/* Pages or regions of another size may be cached while there is no room for this one: first as
 * much of them goes as is needed, the second time everything. */
static bool make_room(struct request *request, uint64_t bytes, int attempt)
{
    uint64_t cached = shmfi_memory.reserved - shmfi_memory.used;
    uint64_t keep = attempt == 0 && cached > bytes ? cached - bytes : 0;
    size_t dropped = 0;
    if (attempt < 2)
        shmfi_trim_locked(keep, &request->after, &dropped);
    shmfi_memory_leave(&request->after);
    shmfi_memory_enter();
    return dropped > 0;
}

static bool is_shortage(int rc)
{
    return rc == SHMF_E_NOSPC || rc == SHMF_E_NOMEM || rc == SHMF_E_NOFILES;
}

/* Looks, asks for what is missing, and looks again, since all may have changed while asking. */
static int place_and_take(struct request *request, struct shmfi_live **live)
{
    int refused = 0;
    for (int attempt = 0;;) {
        struct place place = find_place(request);
        int rc = refused;
        if (place.missing <= request->granted) {
            rc = take(&place, request, live);
            if (!rc)
                return 0;
        } else if (!refused) {
            refused = ask_budget(request, place.missing - request->granted);
            continue;
        }
        if (!is_shortage(rc) || !make_room(request, place.missing, attempt++))
            return rc;
        refused = 0;
    }
}

static void look_around(uint64_t length)
{
    struct shmfi_budget budget = shmfi_memory.budget;
    if (length < SHMFI_LOOK_FROM || !budget.look)
        return;
    shmfi_memory_leave(NULL);
    budget.look(budget.context, length);
    shmfi_memory_enter();
}

static int check_length(uint64_t length, uint64_t *rounded, struct shmf_error *err)
{
    if (!length)
        return shmfi_error(err, SHMF_E_INVAL, "length of a segment is zero");
    if (!shmfi_round_up(length, shmfi_page_size(), rounded) ||
        *rounded > (uint64_t)INT64_MAX - 2 * SHMFI_HUGE)
        return shmfi_error(err, SHMF_E_TOOBIG, "a segment of %llu bytes",
                           (unsigned long long)length);
    return 0;
}

int shmfi_segment_new(uint64_t length, unsigned flags, struct shmfi_segment **segment,
                      struct shmf_error *err)
{
    struct shmf_error why; /* of an attempt; the caller's record is for the outcome */
    struct request request = {.err = &why};
    struct shmfi_live *live = NULL;
    int rc = check_length(length, &request.length, err);
    if (rc)
        return rc;
    why = (struct shmf_error){.code = SHMF_E_NOSPC};
    request.grantable = flags & SHMFI_GRANTABLE;
    request.single =
        request.length >= SHMFI_SINGLE_FROM || (flags & (SHMFI_OWN_REGION | SHMFI_GRANTABLE));
    shmfi_memory_enter();
    look_around(request.length);
    rc = place_and_take(&request, &live);
    request.after.released += request.granted;
    shmfi_memory_leave(&request.after);
    if (!rc)
        *segment = &live->segment;
    else if (err)
        *err = why;
    return rc;
}
