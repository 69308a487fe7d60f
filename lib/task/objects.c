#include "task/objects.h"

#include <string.h>

/* Inputs that task after task is given are opened once per worker. Only what other processes own
 * is kept: a reference to a segment of our own would keep it from being used again. What was
 * released meanwhile is only a mapping here, until its region goes; its handle does not come back,
 * because generations do not. Private to the worker's one thread. */
#define KEPT 8

static struct {
    struct shmf_handle handle;
    void *object;
    const struct shmfi_object_type *type;
} kept[KEPT];
static unsigned next_kept;

/* Of one whole. */
static bool same(const struct shmf_handle *a, const struct shmf_handle *b)
{
    return a->region == b->region && a->offset == b->offset && a->length == b->length &&
           a->generation == b->generation && a->access == b->access;
}

static void *find_kept(const struct shmf_handle *handle, const struct shmfi_object_type *type)
{
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i].type == type && same(&kept[i].handle, handle))
            return kept[i].object;
    return NULL;
}

/* Selections go with whatever goes: the region in which they are named is not that of the whole. */
static void forget_region(uint64_t id)
{
    for (unsigned i = 0; i < KEPT; i++)
        if (kept[i].object &&
            (kept[i].handle.region == id || kept[i].handle.kind == SHMF_KIND_SELECTION)) {
            kept[i].type->free(kept[i].object);
            kept[i].object = NULL;
            kept[i].type = NULL;
        }
}

/* What has to give way may be in use by the task that runs: it goes when that is over. */
static bool keep(struct shmf_task *task, const struct shmf_handle *handle, void *object,
                 const struct shmfi_object_type *type)
{
    unsigned place = next_kept % KEPT;
    if (kept[place].object && shmfi_task_defer(task, kept[place].type->free, kept[place].object))
        return false;
    next_kept++;
    kept[place].handle = *handle;
    kept[place].object = object;
    kept[place].type = type;
    shmfi_task_watch_drops(forget_region);
    return true;
}

static int check_handle(struct shmf_task *task, size_t position, const struct shmf_handle *handle,
                        const struct shmfi_object_type *type)
{
    if (position >= shmf_task_n_handles(task))
        return shmf_task_fail(task, SHMF_E_RANGE, "handle %zu: the task has %zu handles", position,
                              shmf_task_n_handles(task));
    if (handle->kind != type->kind &&
        (!type->open_selection || handle->kind != type->selection_kind))
        return shmf_task_fail(task, SHMF_E_INVAL, "handle %zu names no %s", position, type->name);
    return SHMF_OK;
}

/* What this process may write is not kept. */
static int open_segment(const struct shmf_handle *handle, const struct shmfi_object_type *type,
                        void **object, bool *keepable, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    int rc = shmfi_segment_open(handle, &segment, err);
    if (rc)
        return rc;
    if (handle->access == SHMF_WRITABLE)
        return type->open_granted(segment, object, err);
    *keepable = *keepable && !segment->writable;
    return type->open(segment, true, object, err);
}

/* The whole that the handle names a part of; or, not kept, it is freed with the task. */
static void *open_whole(struct shmf_task *task, size_t position, const struct shmf_handle *handle,
                        const struct shmfi_object_type *type)
{
    bool shared = handle->access == SHMF_READ_ONLY || handle->access == SHMF_WRITABLE;
    bool keepable = task->worker >= 0 && shared;
    void *object = keepable ? find_kept(handle, type) : NULL;
    if (object)
        return object;
    struct shmf_error err;
    int rc = handle->kind == type->kind ? open_segment(handle, type, &object, &keepable, &err)
                                        : type->open_selection(handle, &object, &keepable, &err);
    if (rc) {
        shmf_task_fail(task, rc, "handle %zu: %s", position, err.message);
        return NULL;
    }
    if (keepable && keep(task, handle, object, type))
        return object;
    if (!shmfi_task_defer(task, type->free, object))
        return object;
    type->free(object);
    return NULL;
}

void *shmfi_task_open(struct shmf_task *task, size_t position, const struct shmfi_object_type *type)
{
    struct shmf_handle handle = shmf_task_handle(task, position);
    struct shmf_error err;
    if (check_handle(task, position, &handle, type))
        return NULL;
    void *whole = open_whole(task, position, &handle, type), *part;
    if (!whole || (!handle.begin && !handle.end && handle.access != SHMF_WRITABLE))
        return whole;
    int rc = type->slice(whole, &handle, &part, &err);
    if (rc) {
        shmf_task_fail(task, rc, "handle %zu: %s", position, err.message);
        return NULL;
    }
    if (!shmfi_task_defer(task, type->free, part))
        return part;
    type->free(part);
    return NULL;
}

void *shmfi_task_own(struct shmf_task *task, void *object, const struct shmfi_object_type *type,
                     const struct shmf_error *err)
{
    if (!object) {
        shmfi_task_error(task, err);
        return NULL;
    }
    if (!shmfi_task_defer(task, type->free_made, object))
        return object;
    type->free(object);
    return NULL;
}

bool shmfi_task_made(const struct shmf_task *task, const void *object,
                     const struct shmfi_object_type *type)
{
    for (size_t i = 0; i < task->n_deferred; i++)
        if (task->deferred[i].object == object && task->deferred[i].destroy == type->free_made)
            return true;
    return false;
}
