/* Results as the caller gets them. */
#include "map.h"

#include <stdlib.h>
#include <string.h>

/* ---- of this rank's pool -----------------------------------------------------------------------
 */

static void set_failure(struct shmfi_mpi_got *got, const struct shmf_failure *failure)
{
    got->failure = *failure;
    got->result.status = failure->code;
    got->result.failure = &got->failure;
}

struct shmfi_mpi_got *shmfi_mpi_own(struct shmf_result *result)
{
    struct shmfi_mpi_got *got = calloc(1, sizeof *got);
    if (!got) {
        shmf_result_free(result);
        return NULL;
    }
    got->own = result;
    got->result.index = shmf_result_index(result);
    got->result.worker = shmf_result_worker(result);
    got->result.nanoseconds = shmf_result_nanoseconds(result);
    got->result.array = shmf_result_take_array(result);
    if (!got->result.array)
        got->result.frame = shmf_result_take_frame(result);
    got->is_workers = got->result.array || got->result.frame;
    if (!got->is_workers)
        got->result.bytes = shmf_result_bytes(result, &got->result.size);
    if (shmf_result_status(result)) /* after opening it, which may fail */
        set_failure(got, shmf_result_failure(result));
    return got;
}

void shmf_mpi_result_free(struct shmf_mpi_result *result)
{
    struct shmfi_mpi_got *got = (struct shmfi_mpi_got *)result;
    if (!got)
        return;
    shmf_array_free(result->array);
    shmf_frame_free(result->frame);
    shmf_image_free(got->image);
    if (got->own)
        shmf_result_free(got->own);
    else
        free((void *)(uintptr_t)result->bytes);
    free(got);
}

/* ---- of other nodes ----------------------------------------------------------------------------
 */

void shmfi_mpi_fail(struct shmfi_mpi_got *got, const struct shmf_error *why)
{
    struct shmf_failure failure = {
        .code = why->code, .exit_status = -1, .worker = got->result.worker, .attempts = 1};
    memcpy(failure.message, why->message, sizeof failure.message);
    shmf_array_free(got->result.array);
    shmf_frame_free(got->result.frame);
    got->result.array = NULL;
    got->result.frame = NULL;
    set_failure(got, &failure);
}

static struct shmf_frame *frame_of_image(const void *image, uint64_t size, struct shmf_error *err)
{
    struct shmf_image *copy = shmf_image_new(size, err);
    if (!copy)
        return NULL;
    memcpy(shmf_image_data(copy), image, size);
    return shmf_image_frame(copy, err);
}

/* A frame like the one described, with rows that are to come. */
static struct shmf_frame *empty_columns(const struct shmfi_mpi_label *label,
                                        const void *description, struct shmf_error *err)
{
    struct shmfi_mpi_spec made;
    struct shmf_frame *like = frame_of_image(description, label->described, err);
    if (!like)
        return NULL;
    struct shmf_frame *frame = NULL;
    if (!shmfi_mpi_spec_of(like, &made, err)) {
        made.spec.n_rows = label->rows;
        made.spec.range_start = label->start;
        made.spec.range_step = label->step;
        frame = shmf_frame_new(&made.spec, err);
        shmfi_mpi_spec_free(&made);
    }
    shmf_frame_free(like);
    return frame;
}

static int column_places(struct shmf_frame *frame, struct shmfi_mpi_flow *flow,
                         struct shmf_error *err)
{
    struct shmf_column column;
    int64_t n = shmf_frame_columns(frame);
    flow->parts = calloc((size_t)n + 1, sizeof *flow->parts);
    if (!flow->parts)
        return shmfi_mpi_no_memory(err);
    flow->n_parts = (size_t)n;
    for (int64_t c = 0; c < n; c++) {
        shmf_frame_column(frame, c, &column);
        flow->parts[c] = (struct shmfi_mpi_part){shmf_frame_data_mut(frame, c),
                                                 column.n_rows ? (uint64_t)column.data_size : 0};
    }
    return SHMF_OK;
}

/* Where the body goes; the object is there for it. */
static int make_room(struct shmfi_mpi_got *got, const struct shmfi_mpi_label *label,
                     struct shmfi_mpi_flow *flow, struct shmf_error *err)
{
    const void *description = label + 1;
    const struct shmfi_mpi_shape *shape = description;
    struct shmf_mpi_result *result = &got->result;
    void *bytes = NULL;
    switch ((enum shmfi_mpi_what)label->what) {
    case SHMFI_MPI_COLUMNS:
        result->frame = empty_columns(label, description, err);
        return result->frame ? column_places(result->frame, flow, err) : err->code;
    case SHMFI_MPI_ARRAY:
        result->array =
            shmf_array_new((enum shmf_dtype)shape->dtype, shape->ndim, shape->shape, err);
        bytes = shmf_array_data_mut(result->array);
        break;
    case SHMFI_MPI_IMAGE:
        got->image = shmf_image_new(label->body, err);
        bytes = shmf_image_data(got->image);
        break;
    case SHMFI_MPI_BYTES:
        bytes = malloc(label->body + 1);
        result->bytes = bytes;
        result->size = label->body;
        if (!bytes)
            shmfi_mpi_no_memory(err);
    }
    if (!bytes)
        return err->code;
    flow->parts = malloc(sizeof *flow->parts);
    if (!flow->parts)
        return shmfi_mpi_no_memory(err);
    flow->parts[0] = (struct shmfi_mpi_part){bytes, label->body};
    flow->n_parts = 1;
    return SHMF_OK;
}

static void place_here(const struct shmfi_mpi_label *label, const struct shmfi_mpi_flow *flow)
{
    const char *at = (const char *)(label + 1) + ((label->described + 15) & ~UINT64_C(15));
    for (size_t i = 0; i < flow->n_parts; at += flow->parts[i++].size)
        if (flow->parts[i].size)
            memcpy(flow->parts[i].bytes, at, flow->parts[i].size);
}

static bool may_pass(int code)
{
    return code == SHMF_E_NOSPC || code == SHMF_E_NOFILES || code == SHMF_E_NOMEM;
}

struct shmfi_mpi_got *shmfi_mpi_unpack(const struct shmfi_mpi_label *label, int *socket,
                                       struct shmfi_mpi_flow *flow, struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    struct shmfi_mpi_got *got = calloc(1, sizeof *got);
    flow->n_parts = 0;
    flow->parts = NULL;
    if (!got) {
        shmfi_mpi_no_memory(err);
        return NULL;
    }
    got->key = got->result.index = label->index;
    got->result.worker = label->worker;
    got->result.nanoseconds = label->nanoseconds;
    if (label->status) {
        set_failure(got, (const struct shmf_failure *)(label + 1));
        got->failure.backtrace = NULL; /* addresses of another process, maybe on another machine */
        return got;
    }
    bool lent = label->where == SHMFI_MPI_LENT;
    int rc = lent ? shmfi_mpi_borrow(socket, label, got, &why) : make_room(got, label, flow, &why);
    if (rc && may_pass(rc)) {
        shmfi_mpi_flow_free(flow);
        shmf_mpi_result_free(&got->result);
        *err = why;
        return NULL;
    }
    if (rc) {
        shmfi_mpi_flow_free(flow);
        shmfi_mpi_fail(got, &why);
    } else if (lent) {
        got->is_workers = !got->result.failure;
    } else if (label->where == SHMFI_MPI_HERE) {
        place_here(label, flow);
        shmfi_mpi_flow_free(flow);
        shmfi_mpi_complete(got);
    }
    return got;
}

void shmfi_mpi_complete(struct shmfi_mpi_got *got)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    int rc = SHMF_OK;
    if (got->image) {
        got->result.frame = shmf_image_frame(got->image, &why);
        got->image = NULL;
        rc = got->result.frame ? SHMF_OK : why.code;
    } else if (got->result.frame) {
        rc = shmf_frame_finish(got->result.frame, &why);
    }
    if (rc)
        shmfi_mpi_fail(got, &why);
}
