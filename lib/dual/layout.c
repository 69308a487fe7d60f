/* From a frame to the pieces of a file. */
#include "dual/dual.h"

#include "base/error.h"
#include "base/sys.h"
#include "format/format.h"
#include "frame/frame_internal.h"
#include "share/share_internal.h"

#include <string.h>

/* Arrow's first message begins here, and its flatbuffer may go on behind our header. */
enum { MESSAGE = 8, PREFIX = 8, HEADER = sizeof(struct shmf_format_frame) };

#define PAGE 4096u

uint64_t shmfi_plan_put(struct shmfi_plan *plan, const void *data, uint64_t size,
                        uint64_t alignment)
{
    uint64_t offset = (plan->end + alignment - 1) / alignment * alignment;
    if (plan->n == plan->room && !plan->failed) {
        uint64_t room = plan->room ? 2 * plan->room : 64;
        void *more = shmfi_sys.realloc(plan->pieces, room * sizeof plan->pieces[0]);
        plan->failed = !more;
        plan->pieces = more ? more : plan->pieces;
        plan->room = more ? room : plan->room;
    }
    if (plan->failed)
        return 0;
    if (size > 0)
        plan->pieces[plan->n++] = (struct shmfi_outside_piece){offset, data, size};
    plan->end = offset + size;
    return offset;
}

/* ---- messages ------------------------------------------------------------------------------ */

/* The root offset of the schema's flatbuffer leads over our header. */
static void put_schema(struct shmfi_dual *dual)
{
    struct shmfi_flat *flat = &dual->schema_flat;
    shmfi_ipc_put_schema(flat, &dual->schema, dual->ids, HEADER - MESSAGE - PREFIX - 4);
    shmfi_ipc_end_message(flat, MESSAGE, 0, SHMFI_IPC_ALIGNMENT);
    if (flat->failed)
        return;
    memcpy(dual->header.header.foreign, SHMFI_IPC_MAGIC "\0", MESSAGE);
    memcpy(dual->header.header.foreign + MESSAGE, flat->bytes,
           sizeof dual->header.header.foreign - MESSAGE);
    shmfi_plan_put(&dual->plan, flat->bytes + HEADER - MESSAGE, flat->size - (HEADER - MESSAGE), 1);
}

/* Strings without nulls: offsets, bytes. */
static void put_dictionary(struct shmfi_dual *dual, uint64_t position)
{
    struct shmf_format_dictionary *made = &dual->dictionaries[position];
    struct shmf_format_column *values = &made->values;
    struct shmfi_flat *flat = &dual->dictionary_flats[position];
    const unsigned char *base = dual->frame->base;
    uint64_t each = values->dtype == SHMF_LARGE_UTF8 ? 8 : 4, size = (made->n_values + 1) * each;
    uint64_t behind = (size + 63) / 64 * 64, body = behind + (values->data_size + 63) / 64 * 64;
    const struct shmfi_ipc_batch batch = {
        .n_rows = (int64_t)made->n_values,
        .body_size = body,
        .nodes = (const int64_t[]){(int64_t)made->n_values, 0},
        .n_nodes = 1,
        .buffers = (const uint64_t[]){0, 0, 0, size, behind, values->data_size},
        .n_buffers = 3};
    shmfi_ipc_put_batch(flat, &batch, (int64_t)position);
    struct shmfi_ipc_block block =
        shmfi_ipc_end_message(flat, dual->plan.end, 0, SHMFI_IPC_ALIGNMENT);
    block.body_size = (int64_t)body;
    dual->blocks[dual->n_blocks++] = block;
    shmfi_plan_put(&dual->plan, flat->bytes, flat->size, 1);
    made->span_offset = dual->plan.end;
    made->span_size = body;
    values->offsets_offset = shmfi_plan_put(&dual->plan, base + values->offsets_offset, size, 64);
    values->data_offset =
        shmfi_plan_put(&dual->plan, base + values->data_offset, values->data_size, 64);
    dual->plan.end = made->span_offset + body;
}

/* The body keeps its distance to whole pages. */
static struct shmfi_ipc_block put_batch(struct shmfi_dual *dual)
{
    const struct shmf_format_frame *old = &dual->frame->header;
    uint64_t body = shmfi_dual_describe_batch(dual);
    const struct shmfi_ipc_batch batch = {.n_rows = (int64_t)old->n_rows,
                                          .body_size = body,
                                          .nodes = dual->nodes,
                                          .n_nodes = dual->n_nodes,
                                          .buffers = dual->buffers,
                                          .n_buffers = dual->n_buffers};
    shmfi_ipc_put_batch(&dual->batch_flat, &batch, -1);
    struct shmfi_ipc_block block =
        shmfi_ipc_end_message(&dual->batch_flat, dual->plan.end, old->body_offset % PAGE, PAGE);
    block.body_size = (int64_t)body;
    shmfi_plan_put(&dual->plan, dual->batch_flat.bytes, dual->batch_flat.size, 1);
    dual->header.body_offset = dual->plan.end;
    shmfi_plan_put(&dual->plan, dual->frame->base + old->body_offset, old->body_size, 1);
    if (dual->labels)
        shmfi_plan_put(&dual->plan, dual->labels, old->n_rows * sizeof(int64_t), 1);
    dual->plan.end = dual->header.body_offset + body;
    return block;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static int allocate(struct shmfi_dual *dual, struct shmf_error *err)
{
    const struct shmf_format_frame *header = &dual->frame->header;
    size_t n = (size_t)header->n_columns + 2, d = (size_t)header->n_dictionaries + 1;
    dual->columns = shmfi_sys.calloc(n, sizeof dual->columns[0]);
    dual->dictionaries = shmfi_sys.calloc(d, sizeof dual->dictionaries[0]);
    dual->dictionary_flats = shmfi_sys.calloc(d, sizeof dual->dictionary_flats[0]);
    dual->blocks = shmfi_sys.calloc(d, sizeof dual->blocks[0]);
    dual->ids = shmfi_sys.calloc(n, sizeof dual->ids[0]);
    dual->nodes = shmfi_sys.calloc(4 * n, sizeof dual->nodes[0]);
    dual->buffers = shmfi_sys.calloc(8 * n, sizeof dual->buffers[0]);
    if (dual->with_labels && header->row_labels == SHMFI_ROWS_RANGE) {
        dual->labels = shmfi_sys.calloc((size_t)header->n_rows + 1, sizeof(int64_t));
        for (uint64_t r = 0; dual->labels && r < header->n_rows; r++)
            dual->labels[r] =
                (int64_t)((uint64_t)header->range_start + r * (uint64_t)header->range_step);
    }
    bool missing = dual->with_labels && header->row_labels == SHMFI_ROWS_RANGE && !dual->labels;
    if (!dual->columns || !dual->dictionaries || !dual->dictionary_flats || !dual->blocks ||
        !dual->ids || !dual->nodes || !dual->buffers || missing)
        return shmfi_error(err, SHMF_E_NOMEM, "frame as an Arrow file");
    return SHMF_OK;
}

/* A dictionary that several columns share has one number. */
static void number_dictionaries(struct shmfi_dual *dual)
{
    const struct shmf_frame *frame = dual->frame;
    for (uint64_t d = 0; d < frame->header.n_dictionaries; d++)
        memcpy(&dual->dictionaries[d], frame->dictionaries + d * frame->dictionary_size,
               sizeof dual->dictionaries[d]);
    for (uint64_t c = 0; c < frame->header.n_columns; c++) {
        const struct shmf_format_column *column = shmfi_frame_descriptor(frame, (int64_t)c);
        dual->ids[c] = column->dtype == SHMF_DICTIONARY ? (int64_t)column->dictionary - 1 : -1;
    }
    dual->ids[frame->header.n_columns] = -1;
}

/* Metadata are told in 31 bits. */
static bool too_large(const struct shmfi_dual *dual)
{
    return dual->schema_flat.size > INT32_MAX || dual->batch_flat.size > INT32_MAX ||
           dual->footer_flat.size > INT32_MAX;
}

int shmfi_dual_make(struct shmfi_dual *dual, const struct shmf_frame *frame, const char *row_labels,
                    struct shmf_error *err)
{
    static const uint32_t end_of_stream[] = {SHMFI_IPC_CONTINUATION, 0};
    const struct shmf_arrow_export_options options = {.row_labels = row_labels};
    *dual = (struct shmfi_dual){
        .frame = frame, .header = frame->header, .with_labels = row_labels != NULL};
    int rc = shmf_arrow_export_schema(frame, &options, &dual->schema, err);
    if (!rc)
        rc = allocate(dual, err);
    if (rc)
        return rc;
    number_dictionaries(dual);
    shmfi_plan_put(&dual->plan, &dual->header, HEADER, 1);
    put_schema(dual);
    for (uint64_t d = 0; d < frame->header.n_dictionaries; d++)
        put_dictionary(dual, d);
    struct shmfi_ipc_block block = put_batch(dual);
    shmfi_plan_put(&dual->plan, end_of_stream, sizeof end_of_stream, 8);
    shmfi_dual_put_tables(dual);
    uint64_t footer = (dual->plan.end + 7) / 8 * 8;
    shmfi_ipc_put_footer(&dual->footer_flat, &dual->schema, dual->ids,
                         &(struct shmfi_ipc_blocks){dual->blocks, dual->n_blocks},
                         &(struct shmfi_ipc_blocks){&block, 1}, footer, SHMFI_BUFFER_ALIGNMENT);
    shmfi_plan_put(&dual->plan, dual->footer_flat.bytes, dual->footer_flat.size, 8);
    bool failed = dual->plan.failed || dual->schema_flat.failed || dual->batch_flat.failed;
    for (uint64_t d = 0; d < frame->header.n_dictionaries; d++)
        failed |= dual->dictionary_flats[d].failed;
    if (failed || dual->footer_flat.failed)
        return shmfi_error(err, SHMF_E_NOMEM, "frame as an Arrow file");
    if (too_large(dual))
        return shmfi_error(err, SHMF_E_TOOBIG, "frame: metadata of 2 GiB as an Arrow file");
    dual->header.header.header_size = HEADER;
    dual->header.header.compatible = 0;
    dual->header.header.generation = SHMFI_GENERATION_OF_FILES;
    dual->header.header.total_size = dual->plan.end;
    return SHMF_OK;
}

void shmfi_dual_free(struct shmfi_dual *dual)
{
    if (dual->schema.release)
        dual->schema.release(&dual->schema);
    for (uint64_t d = 0; dual->dictionary_flats && d < dual->header.n_dictionaries; d++)
        shmfi_flat_free(&dual->dictionary_flats[d]);
    shmfi_flat_free(&dual->schema_flat);
    shmfi_flat_free(&dual->batch_flat);
    shmfi_flat_free(&dual->footer_flat);
    shmfi_sys.free(dual->plan.pieces);
    shmfi_sys.free(dual->columns);
    shmfi_sys.free(dual->dictionaries);
    shmfi_sys.free(dual->dictionary_flats);
    shmfi_sys.free(dual->blocks);
    shmfi_sys.free(dual->ids);
    shmfi_sys.free(dual->labels);
    shmfi_sys.free(dual->nodes);
    shmfi_sys.free(dual->buffers);
}
