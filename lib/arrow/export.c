/* Rows of a frame as ArrowArray, nothing copied. A batch is one piece of private memory: a view
 * that keeps the frame's segment, and a node for each array. The record batch, every child and
 * everything below a child hold one reference to it each, so that they may be moved out and
 * released on their own, at any time and in any thread. */
#include "export.h"

#include <shmframe/derive.h>

#include <stdlib.h>

/* `below`: a dictionary, or the parts of complex numbers. */
struct node {
    struct ArrowArray array;
    struct ArrowArray below;
    struct ArrowArray *child;
    const void *buffers[3];
    const void *buffers_below[3];
};

struct batch {
    int64_t references; /* atomic */
    struct shmf_frame *view;
    int64_t *numbers; /* labels of a range, computed; or NULL */
    const void *no_buffer;
    struct ArrowArray **children;
    struct node nodes[];
};

static void drop(struct batch *batch)
{
    if (__atomic_sub_fetch(&batch->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    shmf_frame_free(batch->view);
    free(batch->numbers);
    free(batch);
}

/* Whoever moved a child out marked it as released here. */
static void release_array(struct ArrowArray *array)
{
    struct batch *batch = array->private_data;
    for (int64_t i = 0; i < array->n_children; i++)
        if (array->children[i]->release)
            array->children[i]->release(array->children[i]);
    if (array->dictionary && array->dictionary->release)
        array->dictionary->release(array->dictionary);
    array->release = NULL;
    drop(batch);
}

static void hold(struct batch *batch, struct ArrowArray *array)
{
    __atomic_add_fetch(&batch->references, 1, __ATOMIC_RELAXED);
    array->release = release_array;
    array->private_data = batch;
}

/* Elements before the first; where bits begin inside a byte all buffers begin that much earlier,
 * which is inside the whole frame, since that many rows are skipped there. */
static const void *back(const void *data, int64_t elements, size_t width)
{
    return (const unsigned char *)data - (size_t)elements * width;
}

static void fill_texts(const struct shmf_column *column, struct ArrowArray *array,
                       const void **buffers)
{
    size_t width = column->dtype == SHMF_LARGE_UTF8 ? sizeof(int64_t) : sizeof(int32_t);
    array->n_buffers = 3;
    buffers[1] = back(column->offsets, array->offset, width);
    buffers[2] = column->data;
}

static void fill_dictionary(struct batch *batch, int64_t column, struct node *node)
{
    struct shmf_column values;
    if (shmf_frame_categories(batch->view, column, &values))
        return;
    node->below = (struct ArrowArray){.length = values.n_rows, .buffers = node->buffers_below};
    fill_texts(&values, &node->below, node->buffers_below);
    node->array.dictionary = &node->below;
    hold(batch, &node->below);
}

/* The numbers lie below the list, whose own buffers are the bitmap alone. */
static void fill_parts(struct batch *batch, struct node *node)
{
    struct ArrowArray *list = &node->array;
    node->below = (struct ArrowArray){.length = 2 * (list->length + list->offset),
                                      .n_buffers = 2,
                                      .buffers = node->buffers_below};
    node->buffers_below[1] = node->buffers[1];
    list->n_buffers = 1;
    node->child = &node->below;
    list->n_children = 1;
    list->children = &node->child;
    hold(batch, &node->below);
}

static void fill_column(struct batch *batch, int64_t position)
{
    struct node *node = &batch->nodes[position];
    struct ArrowArray *array = &node->array;
    struct shmf_column column;
    struct shmf_type type;
    if (shmf_frame_column(batch->view, position, &column) ||
        shmf_frame_type(batch->view, position, &type))
        return;
    bool bits = column.validity || column.dtype == SHMF_BOOL;
    array->length = column.n_rows;
    array->null_count = column.null_count;
    array->offset = bits ? column.bit_offset : 0;
    array->n_buffers = 2;
    array->buffers = node->buffers;
    node->buffers[0] = column.validity;
    if (column.offsets)
        fill_texts(&column, array, node->buffers);
    else
        node->buffers[1] = back(column.data, array->offset, shmfi_arrow_width(&type));
    if (column.dtype == SHMF_DICTIONARY)
        fill_dictionary(batch, position, node);
    else if (column.dtype == SHMF_COMPLEX64 || column.dtype == SHMF_COMPLEX128)
        fill_parts(batch, node);
    hold(batch, array);
}

static int fill_labels(struct batch *batch, int64_t position)
{
    struct node *node = &batch->nodes[position];
    struct shmf_column column;
    int64_t n = shmf_frame_rows(batch->view);
    node->array = (struct ArrowArray){.length = n, .n_buffers = 2, .buffers = node->buffers};
    if (shmf_frame_row_label_column(batch->view, &column) == SHMF_OK) {
        node->buffers[1] = column.data;
        if (column.offsets)
            fill_texts(&column, &node->array, node->buffers);
    } else {
        batch->numbers = malloc((size_t)n * sizeof(int64_t) + 1);
        for (int64_t r = 0; batch->numbers && r < n; r++)
            shmf_frame_row_number(batch->view, r, &batch->numbers[r]);
        node->buffers[1] = batch->numbers;
    }
    if (!node->buffers[1])
        return SHMF_E_NOMEM;
    hold(batch, &node->array);
    return SHMF_OK;
}

static struct batch *make_batch(const struct shmf_frame *frame, int64_t first, int64_t count,
                                bool labels, struct shmf_error *err)
{
    size_t n = (size_t)shmf_frame_columns(frame) + labels;
    struct batch *batch =
        calloc(1, sizeof *batch + n * (sizeof batch->nodes[0] + sizeof batch->children[0]));
    if (!batch) {
        shmfi_arrow_no_memory(err);
        return NULL;
    }
    batch->references = 1;
    batch->children = (void *)(batch->nodes + n);
    for (size_t i = 0; i < n; i++)
        batch->children[i] = &batch->nodes[i].array;
    batch->view = shmf_frame_slice(frame, first, count, err);
    if (!batch->view) {
        drop(batch);
        return NULL;
    }
    return batch;
}

int shmf_arrow_export_rows(const struct shmf_frame *frame, int64_t first, int64_t count,
                           const struct shmf_arrow_export_options *options,
                           struct ArrowArray *array, struct shmf_error *err)
{
    int rc = shmfi_arrow_check_export(frame, options, array, err);
    if (rc)
        return rc;
    bool labels = options && options->row_labels;
    int64_t n = shmf_frame_columns(frame);
    struct shmf_error reason = {.code = SHMF_E_NOMEM};
    struct batch *batch = make_batch(frame, first, count, labels, &reason);
    if (!batch) {
        if (err)
            *err = reason;
        return reason.code;
    }
    struct ArrowArray made = {.length = count,
                              .n_buffers = 1,
                              .n_children = n + labels,
                              .buffers = &batch->no_buffer,
                              .children = n + labels > 0 ? batch->children : NULL,
                              .release = release_array,
                              .private_data = batch};
    for (int64_t c = 0; c < n; c++)
        fill_column(batch, c);
    if (labels && fill_labels(batch, n)) {
        release_array(&made);
        return shmfi_arrow_no_memory(err);
    }
    *array = made;
    return SHMF_OK;
}

int shmf_arrow_export(const struct shmf_frame *frame,
                      const struct shmf_arrow_export_options *options, struct ArrowArray *array,
                      struct shmf_error *err)
{
    return shmf_arrow_export_rows(frame, 0, shmf_frame_rows(frame), options, array, err);
}
