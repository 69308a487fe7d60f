#include "pool/shared.h"

#include "base/error.h"
#include "base/sys.h"
#include "pool/submit.h"

#include <string.h>

static int fill(struct shmfi_shared *shared, const struct shmf_handle *handles, size_t count,
                const char *what, struct shmf_error *err)
{
    shared->handles = shmfi_sys.calloc(count, sizeof *shared->handles);
    shared->pins = shmfi_sys.calloc(count, sizeof *shared->pins);
    if (!shared->handles || !shared->pins)
        return shmfi_error(err, SHMF_E_NOMEM, "%s: no memory for %zu handles", what, count);
    memcpy(shared->handles, handles, count * sizeof *handles);
    for (; shared->count < count; shared->count++) {
        size_t i = shared->count;
        int rc = shmfi_pin(&shared->handles[i], what, i, &shared->pins[i], err);
        if (rc)
            return rc;
    }
    return SHMF_OK;
}

int shmfi_shared_new(const struct shmf_handle *handles, size_t count, const char *what,
                     struct shmfi_shared **shared, struct shmf_error *err)
{
    *shared = NULL;
    if (!count)
        return SHMF_OK;
    struct shmfi_shared *made = shmfi_sys.calloc(1, sizeof *made);
    if (!made)
        return shmfi_error(err, SHMF_E_NOMEM, "%s: no memory for %zu handles", what, count);
    made->refs = 1;
    int rc = fill(made, handles, count, what, err);
    if (rc)
        shmfi_shared_unref(made);
    else
        *shared = made;
    return rc;
}

struct shmfi_shared *shmfi_shared_ref(struct shmfi_shared *shared)
{
    if (shared)
        shared->refs++;
    return shared;
}

void shmfi_shared_unref(struct shmfi_shared *shared)
{
    if (!shared || --shared->refs)
        return;
    for (size_t i = 0; i < shared->count; i++)
        shmfi_segment_unref(shared->pins[i]);
    shmfi_sys.free(shared->pins);
    shmfi_sys.free(shared->handles);
    shmfi_sys.free(shared);
}
