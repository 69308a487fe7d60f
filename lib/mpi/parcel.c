/* A result between the memory where a worker built it and the memory where the root has it. Arrays
 * and columns of numbers go from one to the other as they lie; other frames as images, of a sealed
 * copy. */
#include "map.h"

#include <shmframe/derive.h>

#include <stdlib.h>
#include <string.h>

enum {
    SMALL = 16 << 10,      /* bodies up to this many bytes go with the label */
    SMALL_FRAME = 64 << 10 /* frames up to this many bytes of data go as images, however plain */
};

/* ---- the parts of a body -----------------------------------------------------------------------
 */

static bool one_part(struct shmfi_mpi_flow *flow, const void *bytes, uint64_t size)
{
    flow->parts = malloc(sizeof *flow->parts);
    if (!flow->parts)
        return false;
    flow->parts[0] = (struct shmfi_mpi_part){(char *)(uintptr_t)bytes, size};
    flow->n_parts = 1;
    return true;
}

static bool column_parts(struct shmfi_mpi_flow *flow, struct shmf_frame *frame)
{
    struct shmf_column column;
    int64_t n = shmf_frame_columns(frame);
    flow->parts = calloc((size_t)n + 1, sizeof *flow->parts);
    for (int64_t c = 0; flow->parts && c < n; c++) {
        shmf_frame_column(frame, c, &column);
        flow->parts[c] = (struct shmfi_mpi_part){(char *)(uintptr_t)column.data,
                                                 column.n_rows ? (uint64_t)column.data_size : 0};
    }
    flow->n_parts = flow->parts ? (size_t)n : 0;
    return flow->parts != NULL;
}

static uint64_t size_of_parts(const struct shmfi_mpi_flow *flow)
{
    uint64_t size = 0;
    for (size_t i = 0; i < flow->n_parts; i++)
        size += flow->parts[i].size;
    return size;
}

static void copy_parts(const struct shmfi_mpi_flow *flow, char *bytes, bool to_parts)
{
    for (size_t i = 0; i < flow->n_parts; bytes += flow->parts[i++].size)
        if (flow->parts[i].size)
            memcpy(to_parts ? flow->parts[i].bytes : bytes, to_parts ? bytes : flow->parts[i].bytes,
                   flow->parts[i].size);
}

/* ---- packing -----------------------------------------------------------------------------------
 */

/* A frame's first row number and the step between them, as the range has them. */
static void read_range(const struct shmf_frame *frame, struct shmfi_mpi_label *label)
{
    int64_t second = 1;
    label->rows = shmf_frame_rows(frame);
    label->step = 1;
    if (label->rows > 0)
        shmf_frame_row_number(frame, 0, &label->start);
    if (label->rows > 1 && shmf_frame_row_number(frame, 1, &second) == SHMF_OK)
        label->step = second - label->start;
}

static int pack_array(const struct shmf_array *array, struct shmfi_mpi_label *label,
                      struct shmfi_mpi_shape *shape, struct shmfi_mpi_flow *flow)
{
    label->what = SHMFI_MPI_ARRAY;
    shape->dtype = (int32_t)shmf_array_dtype(array);
    shape->ndim = shmf_array_ndim(array);
    memcpy(shape->shape, shmf_array_shape(array), (size_t)shape->ndim * sizeof *shape->shape);
    uint64_t width = shmf_dtype_size(shmf_array_dtype(array));
    return one_part(flow, shmf_array_data(array), (uint64_t)shmf_array_size(array) * width)
               ? SHMF_OK
               : SHMF_E_NOMEM;
}

uint64_t shmfi_mpi_data_bytes(const struct shmf_frame *frame)
{
    struct shmf_column column;
    uint64_t size = 0;
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++)
        if (shmf_frame_column(frame, c, &column) == SHMF_OK)
            size += (uint64_t)column.data_size;
    return size;
}

/* Either the description or the body is the image of `package->sealed`. */
static int pack_frame(struct shmf_frame *frame, struct shmfi_mpi_label *label,
                      struct shmfi_mpi_package *package, struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    bool plain = shmfi_mpi_is_plain(frame) && shmfi_mpi_data_bytes(frame) > SMALL_FRAME;
    uint64_t size;
    label->what = plain ? SHMFI_MPI_COLUMNS : SHMFI_MPI_IMAGE;
    read_range(frame, label);
    package->sealed = shmf_frame_slice(frame, 0, plain ? 0 : label->rows, &why);
    int rc = package->sealed ? shmf_frame_seal(&package->sealed, &why) : why.code;
    if (rc) {
        if (err)
            *err = why;
        return rc;
    }
    const void *image = shmf_frame_image(package->sealed, &size);
    label->described = plain ? size : 0;
    bool there =
        plain ? column_parts(&package->flow, frame) : one_part(&package->flow, image, size);
    return there ? SHMF_OK : shmfi_mpi_no_memory(err);
}

/* Everything of the label, the description where it is not an image, and the parts of the body. */
static int look_at(struct shmfi_mpi_label *label, struct shmfi_mpi_shape *shape,
                   struct shmfi_mpi_package *package, struct shmf_error *err)
{
    struct shmf_result *result = package->result;
    size_t size;
    if (!shmf_result_status(result)) {
        const struct shmf_array *array = shmf_result_array(result);
        const struct shmf_frame *frame = array ? NULL : shmf_result_frame(result);
        if (array && pack_array(array, label, shape, &package->flow))
            return shmfi_mpi_no_memory(err);
        label->described = array ? sizeof *shape : 0;
        if (frame)
            return pack_frame((struct shmf_frame *)(uintptr_t)frame, label, package, err);
        const void *bytes = shmf_result_bytes(result, &size);
        if (bytes && !one_part(&package->flow, bytes, size))
            return shmfi_mpi_no_memory(err);
    }
    label->status = shmf_result_status(result); /* opening it may have failed */
    if (label->status) {
        label->what = SHMFI_MPI_BYTES;
        label->described = sizeof(struct shmf_failure);
    }
    return SHMF_OK;
}

/* What cannot be sent fails its task, and no other. */
static void give_up(struct shmfi_mpi_label *label, struct shmfi_mpi_package *package,
                    const struct shmf_error *why, struct shmf_failure *failure)
{
    shmfi_mpi_flow_free(&package->flow);
    *failure = (struct shmf_failure){
        .code = why->code, .exit_status = -1, .worker = label->worker, .attempts = 1};
    memcpy(failure->message, why->message, sizeof failure->message);
    label->status = why->code;
    label->what = SHMFI_MPI_BYTES;
    label->described = sizeof *failure;
}

static int put(struct shmfi_mpi_buffer *buffer, const struct shmfi_mpi_label *label,
               const void *description, const struct shmfi_mpi_package *package)
{
    if (!label->status && label->what == SHMFI_MPI_COLUMNS)
        description = shmf_frame_image(package->sealed, NULL);
    size_t before = buffer->size;
    void *at = shmfi_mpi_extend(buffer, sizeof *label);
    if (at)
        memcpy(at, label, sizeof *label);
    at = at ? shmfi_mpi_extend(buffer, label->described) : NULL;
    if (at && label->described)
        memcpy(at, description, label->described);
    bool here = label->where == SHMFI_MPI_HERE;
    at = at ? shmfi_mpi_extend(buffer, here ? label->body : 0) : NULL;
    if (at && here)
        copy_parts(&package->flow, at, false);
    if (!at)
        buffer->size = before;
    return at ? SHMF_OK : SHMF_E_NOMEM;
}

/* There is room for the label before anything is lent: what is lent must be announced. */
static bool lend(struct shmfi_mpi_buffer *buffer, struct shmf_result *result,
                 struct shmfi_mpi_lender *lender, const struct shmfi_mpi_label *label)
{
    struct shmfi_mpi_label complete = *label;
    size_t before = buffer->size;
    void *at = shmfi_mpi_extend(buffer, sizeof complete);
    bool lent = at && shmfi_mpi_lend(lender, result, &complete);
    if (lent)
        memcpy(at, &complete, sizeof complete);
    else
        buffer->size = before;
    return lent;
}

int shmfi_mpi_pack(struct shmfi_mpi_buffer *buffer, struct shmf_result *result,
                   struct shmfi_mpi_lender *lender, int rank, struct shmfi_mpi_package **package,
                   struct shmf_error *err)
{
    struct shmfi_mpi_package *made = calloc(1, sizeof *made);
    struct shmfi_mpi_label label = {.index = shmf_result_index(result),
                                    .nanoseconds = shmf_result_nanoseconds(result),
                                    .worker = shmf_result_worker(result)};
    struct shmfi_mpi_shape shape = {0};
    struct shmf_failure failure;
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    const void *description = &shape;
    *package = NULL;
    if (made && lend(buffer, result, lender, &label)) {
        free(made);
        shmf_result_free(result);
        return SHMF_OK;
    }
    if (!made) {
        shmf_result_free(result);
        return shmfi_mpi_no_memory(err);
    }
    made->result = result;
    if (look_at(&label, &shape, made, &why)) {
        give_up(&label, made, &why, &failure);
        description = &failure;
    } else if (label.status) {
        description = shmf_result_failure(result);
    }
    label.body = label.status ? 0 : size_of_parts(&made->flow);
    label.where = label.body > SMALL ? SHMFI_MPI_BEHIND : SHMFI_MPI_HERE;
    int rc = put(buffer, &label, description, made) ? shmfi_mpi_no_memory(err) : SHMF_OK;
    if (rc || label.where == SHMFI_MPI_HERE) {
        shmfi_mpi_package_free(made);
        return rc;
    }
    shmfi_mpi_flow_start(&made->flow, rank, true);
    *package = made;
    return SHMF_OK;
}

void shmfi_mpi_package_free(struct shmfi_mpi_package *package)
{
    shmfi_mpi_flow_free(&package->flow);
    shmf_frame_free(package->sealed);
    shmf_result_free(package->result);
    free(package);
}
