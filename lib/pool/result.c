#include "pool/result.h"

#include "base/sys.h"
#include "pool/grants.h"

#include <math.h>
#include <string.h>

struct shmf_result *shmfi_result_new(void)
{
    struct shmf_result *result = shmfi_sys.malloc(sizeof *result);
    if (!result)
        return NULL;
    /* All but the texts, of which there are none yet: they are most of it. */
    const size_t message = offsetof(struct shmf_result, failure.message);
    const size_t behind = message + sizeof result->failure.message;
    memset(result, 0, message);
    result->failure.message[0] = '\0';
    memset((char *)result + behind, 0, offsetof(struct shmf_result, bytes) - behind);
    return result;
}

int64_t shmf_result_index(const struct shmf_result *result)
{
    return result ? result->index : -1;
}

int shmf_result_status(const struct shmf_result *result)
{
    return result ? result->failure.code : SHMF_E_INVAL;
}

const struct shmf_failure *shmf_result_failure(const struct shmf_result *result)
{
    return result && result->failure.code ? &result->failure : NULL;
}

int shmf_result_worker(const struct shmf_result *result)
{
    return result ? result->worker : -1;
}

uint64_t shmf_result_nanoseconds(const struct shmf_result *result)
{
    return result ? result->nanoseconds : 0;
}

const void *shmf_result_bytes(const struct shmf_result *result, size_t *size)
{
    const void *bytes = NULL;
    if (result && !result->failure.code) {
        if (result->kind == SHMF_KIND_NONE && !result->segment)
            bytes = result->bytes;
        else if (result->kind == SHMF_KIND_BYTES)
            bytes = (const char *)result->segment->base + SHMFI_BYTES_OFFSET;
    }
    if (size)
        *size = bytes ? (size_t)result->size : 0;
    return bytes;
}

double shmf_result_double(const struct shmf_result *result)
{
    size_t size;
    const void *bytes = shmf_result_bytes(result, &size);
    double value = NAN;
    if (bytes && size == sizeof value)
        memcpy(&value, bytes, sizeof value);
    return value;
}

const struct shmf_handle *shmf_result_undefined(const struct shmf_result *result, size_t *count)
{
    bool any = result && result->granted; /* never none */
    if (count)
        *count = any ? result->granted->count : 0;
    return any ? result->granted->handles : NULL;
}

void shmf_result_free(struct shmf_result *result)
{
    if (!result)
        return;
    if (result->object)
        result->free_object(result->object);
    if (result->segment)
        shmfi_segment_unref(result->segment);
    if (result->failure.code) {
        shmfi_sys.free((void *)(uintptr_t)result->failure.backtrace);
        shmfi_sys.free(result->granted);
    }
    shmfi_sys.free(result);
}
