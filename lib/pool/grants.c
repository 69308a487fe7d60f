#include "pool/grants.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/submit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* One slice on the books. */
struct entry {
    int64_t begin, end;
    const void *call;                  /* NULL: it goes when its task is over */
    const struct shmfi_granted *owner; /* NULL: its task is over */
    int64_t task;                      /* -1: several, all over */
};

/* An object of which something is granted; it has its region for itself. */
struct granted_object {
    uint64_t region;
    struct entry *entries; /* by begin; disjoint */
    size_t count, capacity;
    struct granted_object *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct granted_object *objects;
static _Atomic size_t n_objects; /* read without the lock: mostly there are none */

/* ---- the books ---------------------------------------------------------------------------- */

static void free_object(struct granted_object *object)
{
    shmfi_sys.free(object->entries);
    shmfi_sys.free(object);
}

/* A forked child has granted nothing yet. */
static void forget_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    while (objects) {
        struct granted_object *object = objects;
        objects = object->next;
        free_object(object);
    }
    n_objects = 0;
}

static void first_time(void)
{
    shmfi_process_watch_forks(&lock, forget_in_child);
}

static struct granted_object *find_object(uint64_t region)
{
    struct granted_object *object = objects;
    while (object && object->region != region)
        object = object->next;
    return object;
}

static struct granted_object *make_object(uint64_t region)
{
    struct granted_object *object = shmfi_sys.calloc(1, sizeof *object);
    if (!object)
        return NULL;
    object->region = region;
    object->next = objects;
    objects = object;
    n_objects++;
    return object;
}

static void drop_if_empty(struct granted_object *object)
{
    if (object->count)
        return;
    struct granted_object **at = &objects;
    while (*at != object)
        at = &(*at)->next;
    *at = object->next;
    n_objects--;
    free_object(object);
}

/* The first entry that ends behind `row`; the one to overlap with, if any. */
static size_t find_entry(const struct granted_object *object, int64_t row)
{
    size_t low = 0, high = object->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (object->entries[middle].end <= row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool insert(struct granted_object *object, size_t at, const struct entry *entry)
{
    if (object->count == object->capacity) {
        size_t capacity = object->capacity ? 2 * object->capacity : 16;
        void *grown = shmfi_sys.realloc(object->entries, capacity * sizeof *object->entries);
        if (!grown)
            return false;
        object->entries = grown;
        object->capacity = capacity;
    }
    memmove(&object->entries[at + 1], &object->entries[at],
            (object->count - at) * sizeof *object->entries);
    object->entries[at] = *entry;
    object->count++;
    return true;
}

static void erase(struct granted_object *object, size_t at)
{
    object->count--;
    memmove(&object->entries[at], &object->entries[at + 1],
            (object->count - at) * sizeof *object->entries);
}

/* Neighbours that are over become one, so that the books of a long call stay short. */
static void merge(struct granted_object *object, size_t left)
{
    if (left + 1 >= object->count)
        return;
    struct entry *a = &object->entries[left], *b = a + 1;
    if (a->owner || b->owner || a->call != b->call || a->end != b->begin)
        return;
    a->end = b->end;
    a->task = -1;
    erase(object, left + 1);
}

/* ---- slices ------------------------------------------------------------------------------- */

static int64_t end_of(const struct shmf_handle *handle)
{
    return handle->begin || handle->end ? handle->end : INT64_MAX;
}

static const char *name_rows(char text[64], int64_t begin, int64_t end)
{
    if (begin == 0 && end == INT64_MAX)
        return "all rows";
    snprintf(text, 64, "rows [%lld, %lld)", (long long)begin, (long long)end);
    return text;
}

struct shmf_handle shmfi_cut_handle(const struct shmf_handle *handle, int64_t begin, int64_t end)
{
    return handle->access == SHMF_WRITABLE ? shmf_handle_slice(*handle, begin, end) : *handle;
}

bool shmfi_any_writable(const struct shmf_handle *handles, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (handles[i].access == SHMF_WRITABLE)
            return true;
    return false;
}

int shmfi_check_handle(const struct shmf_handle *handle, const char *what, size_t position,
                       struct shmf_error *err)
{
    if (handle->access > SHMF_WRITABLE)
        return shmfi_error(err, SHMF_E_INVAL, "%s[%zu].access: %u is none of enum shmf_access",
                           what, position, handle->access);
    if (handle->begin < 0 || handle->begin > handle->end)
        return shmfi_error(err, SHMF_E_RANGE, "%s[%zu]: rows [%lld, %lld)", what, position,
                           (long long)handle->begin, (long long)handle->end);
    return SHMF_OK;
}

/* A call's own slice of a handle must lie in what the handle itself grants. */
static int cut(const struct shmf_handle *handle, const struct shmfi_order *order, size_t position,
               struct shmf_handle *result, struct shmf_error *err)
{
    if (order->begin < handle->begin || order->end > end_of(handle))
        return shmfi_error(err, SHMF_E_RANGE,
                           "handles[%zu]: rows [%lld, %lld) are wanted, rows [%lld, %lld) granted",
                           position, (long long)order->begin, (long long)order->end,
                           (long long)handle->begin, (long long)handle->end);
    *result = shmfi_cut_handle(handle, order->begin, order->end);
    return SHMF_OK;
}

static int overlap(const struct entry *there, const struct shmf_handle *handle, const void *call,
                   size_t position, struct shmf_error *err)
{
    char wanted[64], given[64], whose[64];
    if (!call || there->call != call)
        snprintf(whose, sizeof whose, "granted to another call");
    else if (there->task < 0)
        snprintf(whose, sizeof whose, "granted to earlier tasks of this call");
    else
        snprintf(whose, sizeof whose, "granted to task %lld of this call", (long long)there->task);
    return shmfi_error(err, SHMF_E_ACCESS, "handles[%zu]: %s overlap %s, %s", position,
                       name_rows(wanted, handle->begin, end_of(handle)),
                       name_rows(given, there->begin, there->end), whose);
}

static int enter(const struct shmf_handle *handle, const struct shmfi_granted *owner, int64_t task,
                 size_t position, struct shmf_error *err)
{
    struct granted_object *object = find_object(handle->region);
    if (!object)
        object = make_object(handle->region);
    if (!object)
        return shmfi_error(err, SHMF_E_NOMEM, "no memory to note what is granted");
    struct entry entry = {handle->begin, end_of(handle), owner->call, owner, task};
    size_t at = find_entry(object, entry.begin);
    int rc = SHMF_OK;
    if (at < object->count && object->entries[at].begin < entry.end)
        rc = overlap(&object->entries[at], handle, owner->call, position, err);
    else if (!insert(object, at, &entry))
        rc = shmfi_error(err, SHMF_E_NOMEM, "no memory to note what is granted");
    drop_if_empty(object);
    return rc;
}

/* ---- tasks -------------------------------------------------------------------------------- */

/* How a task's grant leaves the books, if it is on them: a child that was forked by a task of an
 * inline pool has none of its parent's. */
static void leave(const struct shmf_handle *handle, const struct shmfi_granted *owner,
                  bool for_good)
{
    struct granted_object *object = find_object(handle->region);
    if (!object)
        return;
    size_t at = find_entry(object, handle->begin);
    if (at == object->count || object->entries[at].owner != owner)
        return;
    if (for_good || !object->entries[at].call) {
        erase(object, at);
        drop_if_empty(object);
        return;
    }
    object->entries[at].owner = NULL;
    merge(object, at);
    if (at)
        merge(object, at - 1);
}

static void leave_all(const struct shmfi_granted *granted, bool for_good)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < granted->count; i++)
        leave(&granted->handles[i], granted, for_good);
    pthread_mutex_unlock(&lock);
}

void shmfi_grants_undo(struct shmfi_granted *granted)
{
    if (granted)
        leave_all(granted, true);
    shmfi_sys.free(granted);
}

void shmfi_grants_over(const struct shmfi_granted *granted)
{
    if (granted)
        leave_all(granted, false);
}

void shmfi_grants_end(const void *call)
{
    if (!atomic_load_explicit(&n_objects, memory_order_relaxed))
        return;
    pthread_mutex_lock(&lock);
    struct granted_object *next;
    for (struct granted_object *object = objects; object; object = next) {
        size_t kept = 0;
        next = object->next;
        for (size_t i = 0; i < object->count; i++) {
            struct entry *entry = &object->entries[i];
            bool ours = entry->call == call;
            if (ours && !entry->owner)
                continue;
            if (ours)
                entry->call = NULL; /* it runs on */
            object->entries[kept++] = *entry;
        }
        object->count = kept;
        drop_if_empty(object);
    }
    pthread_mutex_unlock(&lock);
}

static size_t count_writable(const struct shmfi_order *order)
{
    size_t count = 0;
    for (size_t i = 0; order->shared && i < order->shared->count; i++)
        count += order->shared->handles[i].access == SHMF_WRITABLE;
    for (size_t i = 0; i < order->input.n_handles; i++)
        count += order->input.handles[i].access == SHMF_WRITABLE;
    return count;
}

/* The order's handle number `i`, cut for its task; SHMF_E_RANGE. */
static int handle_of(const struct shmfi_order *order, size_t i, struct shmf_handle *handle,
                     struct shmf_error *err)
{
    size_t n_shared = order->shared ? order->shared->count : 0;
    *handle = i < n_shared ? order->shared->handles[i] : order->input.handles[i - n_shared];
    if (i < n_shared && handle->access == SHMF_WRITABLE)
        return cut(handle, order, i, handle, err);
    return SHMF_OK;
}

int shmfi_grants_take(const struct shmfi_order *order, struct shmfi_granted **result,
                      struct shmf_error *err)
{
    *result = NULL;
    size_t count = count_writable(order);
    if (!count)
        return SHMF_OK;
    pthread_once(&once, first_time);
    struct shmfi_granted *granted =
        shmfi_sys.calloc(1, sizeof *granted + count * sizeof *granted->handles);
    if (!granted)
        return shmfi_error(err, SHMF_E_NOMEM, "no memory to note what is granted");
    granted->call = order->call;
    size_t n_handles = order->input.n_handles + (order->shared ? order->shared->count : 0);
    int rc = SHMF_OK;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_handles && !rc; i++) {
        struct shmf_handle handle;
        rc = handle_of(order, i, &handle, err);
        if (rc || handle.access != SHMF_WRITABLE || handle.begin == end_of(&handle))
            continue;
        rc = enter(&handle, granted, order->index, i, err);
        if (rc)
            continue;
        if (!granted->count)
            granted->first_position = i;
        granted->handles[granted->count++] = handle;
    }
    pthread_mutex_unlock(&lock);
    if (rc) {
        shmfi_grants_undo(granted);
        return rc;
    }
    *result = granted;
    return SHMF_OK;
}

void shmfi_grants_describe(const struct shmfi_granted *granted, char *message, size_t size)
{
    char rows[64];
    size_t length = strnlen(message, size);
    if (!granted || !granted->count || length >= size)
        return;
    const struct shmf_handle *first = &granted->handles[0];
    snprintf(message + length, size - length, "; %s of handle %zu are undefined%s",
             name_rows(rows, first->begin, end_of(first)), granted->first_position,
             granted->count > 1 ? ", and others" : "");
}

/* ---- descriptors -------------------------------------------------------------------------- */

/* That the worker can write the region is noted before it can: its death must taint the region. A
 * message that does not fit is noted too early, which is undone. */
static int send_to(struct shmf_pool *pool, uint32_t worker, const struct shmfi_mail *mail, int fd,
                   struct shmf_error *err)
{
    struct shmfi_member *member = &pool->members[worker];
    if (!member->incarnation || member->socket < 0 || shmfi_ids_has(&member->granted, mail->id))
        return 1;
    if (shmfi_ids_add(&member->granted, mail->id))
        return shmfi_error(err, SHMF_E_NOMEM, "no memory to note a region");
    if (shmfi_fdpass_send(member->socket, mail, sizeof *mail, fd, NULL) == 0) {
        shmfi_ids_remove(&member->granted, mail->id);
        shmfi_wake(&pool->board, worker); /* so that it empties its socket */
        return 0;
    }
    atomic_fetch_add_explicit(&pool->board.lines[worker].app_mail, 1, memory_order_release);
    return 1;
}

int shmfi_pool_send_writable(struct shmf_pool *pool, struct shmfi_region *region,
                             struct shmf_error *err)
{
    int fd = shmfi_region_write_fd(region, err);
    if (fd < 0)
        return fd;
    struct shmfi_mail mail = {SHMFI_MAIL_WRITABLE, 0, shmfi_region_id(region),
                              shmfi_region_size(region)};
    int all = 1;
    for (uint32_t w = 0; w < pool->n_workers; w++) {
        int rc = send_to(pool, w, &mail, fd, err);
        if (rc < 0)
            return rc;
        all = all && rc;
    }
    return all;
}
