#include "frame/frame_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "dtype/dtype.h"
#include "format/format.h"
#include "memory/memory.h"

#include <stddef.h>
#include <string.h>

/* What is known about a frame before it has memory. */
struct plan {
    const struct shmf_frame_spec *spec;
    const struct shmfi_frame_source *source;
    struct shmfi_label_source rows, columns;
    const struct shmfi_column_size *sizes; /* n_columns; or NULL: none has nulls or strings */
    struct shmfi_column_size *measured;    /* the same, if they were measured here; to be freed */
    uint64_t notes_offset;                 /* zones and metadata lie behind it */
    struct shmf_format_frame header;
};

/* ---- where labels come from --------------------------------------------------------------- */

static const char *from_strings(const void *context, uint64_t i, char buffer[SHMFI_NUMBER_SIZE])
{
    (void)buffer;
    return ((const char *const *)context)[i];
}

static const char *from_specs(const void *context, uint64_t i, char buffer[SHMFI_NUMBER_SIZE])
{
    (void)buffer;
    return ((const struct shmf_column_spec *)context)[i].label;
}

static const char *from_position(const void *context, uint64_t i, char buffer[SHMFI_NUMBER_SIZE])
{
    (void)context;
    char *at = buffer + SHMFI_NUMBER_SIZE - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + i % 10);
        i /= 10;
    } while (i);
    return at;
}

static void choose_sources(struct plan *plan)
{
    const struct shmf_frame_spec *spec = plan->spec;
    plan->rows = plan->source->row_labels
                     ? *plan->source->row_labels
                     : (struct shmfi_label_source){from_strings, spec->row_labels};
    if (spec->columns)
        plan->columns = (struct shmfi_label_source){from_specs, spec->columns};
    else if (spec->column_labels)
        plan->columns = (struct shmfi_label_source){from_strings, spec->column_labels};
    else
        plan->columns = (struct shmfi_label_source){from_position, NULL};
}

/* ---- layout ------------------------------------------------------------------------------- */

/* Is there a column whose size the numbers of rows and columns do not tell? */
static bool needs_sizes(const struct plan *plan)
{
    const struct shmf_frame_spec *spec = plan->spec;
    return spec->columns || spec->details || plan->source->validity ||
           shmfi_dtype_is_string((uint32_t)spec->dtype);
}

static int measure_column(const struct plan *plan, int64_t column, struct shmfi_column_size *size,
                          struct shmf_error *err)
{
    const struct shmf_frame_spec *spec = plan->spec;
    enum shmf_dtype dtype = shmfi_frame_spec_dtype(spec, column);
    const uint8_t *bitmap = plan->source->validity ? plan->source->validity[column] : NULL;
    int64_t absent = 0;
    size->bytes = (uint64_t)shmfi_frame_spec_details(spec, column)->data_size;
    if (plan->source->data && shmfi_dtype_is_string((uint32_t)dtype)) {
        int rc = shmfi_texts_measure(plan->source->data[column], spec->n_rows, "data", column,
                                     &size->bytes, &absent, err);
        if (rc)
            return rc;
        if (dtype != SHMF_LARGE_UTF8 && size->bytes > INT32_MAX)
            return shmfi_error(err, SHMF_E_TOOBIG,
                               "data[%lld]: only large_utf8 holds more than 2^31 - 1 bytes",
                               (long long)column);
    }
    size->nullable = (spec->columns && spec->columns[column].nullable) || absent ||
                     (bitmap && shmfi_bitmap_count(bitmap, spec->n_rows) < spec->n_rows);
    return SHMF_OK;
}

static int measure_columns(struct plan *plan, struct shmf_error *err)
{
    plan->sizes = plan->source->sizes;
    if (plan->sizes || !needs_sizes(plan))
        return SHMF_OK;
    int64_t n = plan->spec->n_columns;
    plan->measured = shmfi_sys.calloc((size_t)n + 1, sizeof plan->measured[0]);
    if (!plan->measured)
        return shmfi_error(err, SHMF_E_NOMEM, "sizes of %lld columns", (long long)n);
    plan->sizes = plan->measured;
    int rc = SHMF_OK;
    for (int64_t c = 0; c < n && !rc; c++)
        rc = measure_column(plan, c, &plan->measured[c], err);
    return rc;
}

static void lay_out_column(const struct plan *plan, struct shmfi_layout *layout, int64_t column,
                           struct shmf_format_column *descriptor)
{
    static const struct shmfi_column_size plain;
    const struct shmf_frame_spec *spec = plan->spec;
    const struct shmfi_column_size *size = plan->sizes ? &plan->sizes[column] : &plain;
    shmfi_frame_spec_describe(spec, column, descriptor);
    shmfi_layout_typed(layout, size->nullable, (uint64_t)spec->n_rows, size->bytes,
                       spec->n_columns > 1, descriptor);
}

static void lay_out_tables(struct plan *plan, struct shmfi_layout *layout, uint64_t column_bytes)
{
    struct shmf_format_frame *h = &plan->header;
    uint64_t table_size = h->n_columns * sizeof(struct shmf_format_column);
    if (h->n_columns > INT64_MAX / sizeof(struct shmf_format_column))
        layout->overflow = true;
    h->columns_offset = shmfi_layout_put(layout, table_size);
    shmfi_layout_strings(layout, h->n_columns, column_bytes, &h->column_label);
    shmfi_layout_index(layout, h->n_columns, false, &h->column_index);
    if (h->row_labels != SHMF_ROWS_RANGE)
        shmfi_layout_index(layout, h->n_rows, true, &h->row_index);
    if (h->n_dictionaries) {
        h->dictionary_size = sizeof(struct shmf_format_dictionary);
        h->dictionaries_offset =
            shmfi_layout_put(layout, h->n_dictionaries * sizeof(struct shmf_format_dictionary));
    }
    plan->notes_offset = layout->end;
}

/* The order of the parts: header, dictionaries | columns, row labels | column table, column labels,
 * indexes, dictionary table, zones and metadata. What comes from the spec is laid out twice, here
 * for its size and again when it is written. */
static int lay_out(struct plan *plan, uint64_t row_bytes, uint64_t column_bytes,
                   struct shmf_error *err)
{
    struct shmf_format_frame *h = &plan->header;
    struct shmf_format_column ignored;
    struct shmfi_layout layout = {.end = SHMFI_BODY_OFFSET};
    int rc = shmfi_frame_put_dictionaries(plan->spec, &layout, NULL, h, err);
    if (rc)
        return rc;
    h->body_offset = layout.end;
    for (int64_t c = 0; c < plan->spec->n_columns && !layout.overflow; c++)
        lay_out_column(plan, &layout, c, &ignored);
    if (h->row_labels == SHMF_ROWS_INT64)
        shmfi_layout_column(&layout, SHMF_INT64, false, h->n_rows, false, &h->row_label);
    else if (h->row_labels == SHMF_ROWS_UTF8)
        shmfi_layout_strings(&layout, h->n_rows, row_bytes, &h->row_label);
    h->body_size = layout.end - h->body_offset;
    lay_out_tables(plan, &layout, column_bytes);
    rc = shmfi_frame_put_notes(plan->spec, &layout, NULL, h, err);
    if (rc)
        return rc;
    h->header.total_size = layout.end;
    if (layout.overflow)
        return shmfi_error(err, SHMF_E_TOOBIG,
                           "n_rows, n_columns: %lld x %lld is too large a frame",
                           (long long)plan->spec->n_rows, (long long)plan->spec->n_columns);
    return SHMF_OK;
}

static int make_plan(struct plan *plan, struct shmf_error *err)
{
    const struct shmf_frame_spec *spec = plan->spec;
    struct shmf_format_frame *h = &plan->header;
    uint64_t row_bytes = 0, column_bytes = 0;
    int rc = SHMF_OK;
    h->header.version = SHMF_FORMAT_VERSION;
    h->header.header_size = sizeof *h;
    h->header.kind = SHMF_KIND_FRAME;
    h->header.state = SHMF_FORMAT_BUILDING;
    memcpy(h->header.magic, SHMF_FORMAT_MAGIC, sizeof h->header.magic);
    h->n_rows = (uint64_t)spec->n_rows;
    h->n_columns = (uint64_t)spec->n_columns;
    h->column_size = sizeof(struct shmf_format_column);
    choose_sources(plan);
    if (spec->row_labels || plan->source->row_labels || spec->row_numbers)
        h->header.incompatible = SHMF_FORMAT_TAGGED_ROWS;
    if (spec->row_labels || plan->source->row_labels) {
        h->row_labels = SHMF_ROWS_UTF8;
        rc = shmfi_labels_measure(&plan->rows, h->n_rows, "row_labels", &row_bytes, err);
    } else if (spec->row_numbers) {
        h->row_labels = SHMF_ROWS_INT64;
    } else {
        h->range_start = spec->range_start;
        h->range_step = spec->range_step ? spec->range_step : 1;
    }
    if (rc == SHMF_OK)
        rc = shmfi_labels_measure(&plan->columns, h->n_columns,
                                  spec->columns ? "columns" : "column_labels", &column_bytes, err);
    if (rc == SHMF_OK)
        rc = measure_columns(plan, err);
    return rc ? rc : lay_out(plan, row_bytes, column_bytes, err);
}

/* ---- writing ------------------------------------------------------------------------------ */

/* Everything but the generation, which is the memory module's. */
static void write_header(struct shmf_frame *frame)
{
    const unsigned char *from = (const unsigned char *)&frame->header;
    const size_t at = offsetof(struct shmf_format_header, generation);
    const size_t behind = at + sizeof frame->header.header.generation;
    memcpy(frame->base, from, at);
    memcpy(frame->base + behind, from + behind, sizeof frame->header - behind);
}

/* A column of strings begins with the offset 0. */
static void write_columns(struct shmf_frame *frame, const struct plan *plan)
{
    struct shmfi_layout layout = {.end = frame->header.body_offset};
    struct shmf_format_column *table = (void *)(frame->base + frame->header.columns_offset);
    for (int64_t c = 0; c < plan->spec->n_columns; c++) {
        lay_out_column(plan, &layout, c, &table[c]);
        if (table[c].validity_offset)
            shmfi_bitmap_fill(frame->base + table[c].validity_offset, plan->spec->n_rows);
        if (table[c].offsets_offset)
            memset(frame->base + table[c].offsets_offset, 0, sizeof(int64_t));
    }
    /* the table's own padding */
    uint64_t end = frame->header.columns_offset + frame->header.n_columns * sizeof table[0];
    memset(frame->base + end, 0, (size_t)(-end & (SHMFI_BUFFER_ALIGNMENT - 1)));
}

/* The index is padded too. */
static void write_index(struct shmf_frame *frame, const struct shmf_format_index *index,
                        bool tagged, const struct shmfi_labels *labels)
{
    uint64_t end = index->offset + index->capacity * shmfi_format_place_size(tagged);
    shmfi_index_build(frame->base + index->offset, index->capacity, tagged, labels);
    memset(frame->base + end, 0, (size_t)(-end & (SHMFI_BUFFER_ALIGNMENT - 1)));
}

/* What was laid out before the frame had memory, once more. */
static int write_extras(struct shmf_frame *frame, const struct plan *plan, struct shmf_error *err)
{
    struct shmfi_layout below = {.end = SHMFI_BODY_OFFSET}, behind = {.end = plan->notes_offset};
    int rc = shmfi_frame_put_dictionaries(plan->spec, &below, frame->base, &frame->header, err);
    return rc ? rc : shmfi_frame_put_notes(plan->spec, &behind, frame->base, &frame->header, err);
}

static int write_labels(struct shmf_frame *frame, const struct plan *plan, struct shmf_error *err)
{
    const struct shmf_format_frame *h = &frame->header;
    int rc = shmfi_labels_write(&plan->columns, h->n_columns, "column labels", frame->base,
                                &h->column_label, err);
    if (rc)
        return rc;
    write_index(frame, &h->column_index, false, &frame->column_labels);
    if (h->row_labels == SHMF_ROWS_RANGE)
        return SHMF_OK;
    if (h->row_labels == SHMF_ROWS_UTF8) {
        rc = shmfi_labels_write(&plan->rows, h->n_rows, "row_labels", frame->base, &h->row_label,
                                err);
    } else if (h->n_rows) {
        uint64_t end = h->row_label.data_offset + h->row_label.data_size;
        memcpy(frame->base + h->row_label.data_offset, plan->spec->row_numbers,
               h->row_label.data_size);
        memset(frame->base + end, 0, (size_t)(-end & (SHMFI_BUFFER_ALIGNMENT - 1)));
    }
    if (rc)
        return rc;
    write_index(frame, &h->row_index, true, &frame->row_labels);
    return SHMF_OK;
}

/* With no columns nothing but the spec can tell the dtype of the (empty) matrix. */
static void note_matrix(struct shmf_frame *frame, const struct shmf_frame_spec *spec)
{
    uint32_t dtype = 0;
    uint64_t stride = 0;
    if (spec->n_columns > 0)
        shmfi_frame_find_matrix(frame, &dtype, &stride);
    else if (shmfi_dtype_is_number((uint32_t)spec->dtype))
        dtype = (uint32_t)spec->dtype;
    frame->header.matrix_dtype = dtype;
    frame->header.matrix_stride = stride;
}

static int write_frame(struct shmf_frame *frame, const struct plan *plan, struct shmf_error *err)
{
    write_columns(frame, plan);
    note_matrix(frame, plan->spec);
    int rc = write_extras(frame, plan, err);
    write_header(frame);
    return rc ? rc : write_labels(frame, plan, err);
}

static struct shmf_frame *create(struct plan *plan, struct shmf_error *err)
{
    if (make_plan(plan, err))
        return NULL;
    struct shmf_frame *frame = shmfi_sys.calloc(1, sizeof *frame);
    if (!frame) {
        shmfi_error(err, SHMF_E_NOMEM, "frame object");
        return NULL;
    }
    unsigned flags = plan->source->grantable ? SHMFI_GRANTABLE : 0;
    if (shmfi_segment_new(plan->header.header.total_size, flags, &frame->segment, err)) {
        shmfi_sys.free(frame);
        return NULL;
    }
    frame->base = frame->segment->base;
    frame->header = plan->header;
    frame->columns = frame->base + frame->header.columns_offset;
    frame->column_size = frame->header.column_size;
    frame->dictionaries = frame->base + frame->header.dictionaries_offset;
    frame->dictionary_size = frame->header.dictionary_size;
    frame->building = true;
    shmfi_frame_resolve(frame);
    if (write_frame(frame, plan, err)) {
        shmf_frame_free(frame);
        return NULL;
    }
    return frame;
}

struct shmf_frame *shmfi_frame_create(const struct shmf_frame_spec *spec,
                                      const struct shmfi_frame_source *source,
                                      struct shmf_error *err)
{
    struct plan plan = {.spec = spec, .source = source};
    if (shmfi_frame_check_spec(spec, err))
        return NULL;
    struct shmf_frame *frame = create(&plan, err);
    shmfi_sys.free(plan.measured);
    return frame;
}

struct shmf_frame *shmf_frame_new(const struct shmf_frame_spec *spec, struct shmf_error *err)
{
    return shmfi_frame_create(spec, &(struct shmfi_frame_source){0}, err);
}
