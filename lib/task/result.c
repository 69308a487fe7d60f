/* Frames and arrays in results. What a worker wrote is checked when it is first looked at. */
#include "pool/result.h"

#include "task/objects.h"

#include <string.h>

static void *open_result(struct shmf_result *result, const struct shmfi_object_type *type)
{
    if (!result || result->failure.code || result->kind != type->kind || !result->segment)
        return NULL;
    if (result->object)
        return result->object;
    struct shmf_error err;
    void *object;
    int rc = type->open(shmfi_segment_ref(result->segment), false, &object, &err);
    if (rc) {
        result->failure = (struct shmf_failure){
            .code = rc, .exit_status = -1, .worker = result->worker, .attempts = 1};
        memcpy(result->failure.message, err.message, sizeof result->failure.message);
        return NULL;
    }
    result->object = object;
    result->free_object = type->free;
    return object;
}

static void *take_result(struct shmf_result *result, const struct shmfi_object_type *type)
{
    void *object = open_result(result, type);
    if (object)
        result->object = NULL;
    return object;
}

const struct shmf_array *shmf_result_array(struct shmf_result *result)
{
    return open_result(result, &shmfi_array_type);
}

const struct shmf_frame *shmf_result_frame(struct shmf_result *result)
{
    return open_result(result, &shmfi_frame_type);
}

struct shmf_array *shmf_result_take_array(struct shmf_result *result)
{
    return take_result(result, &shmfi_array_type);
}

struct shmf_frame *shmf_result_take_frame(struct shmf_result *result)
{
    return take_result(result, &shmfi_frame_type);
}
