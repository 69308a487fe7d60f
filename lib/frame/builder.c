#include "frame/builder_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "dtype/dtype.h"
#include "frame/runs.h"

void shmfi_bits_drain(struct shmfi_bits *bits, unsigned char *to)
{
    shmfi_bits_flush(bits);
    shmfi_stream_drain(&bits->bytes, to);
    *bits = (struct shmfi_bits){0};
}

/* ---- beginning and giving up -------------------------------------------------------------- */

static int check_spec(const struct shmf_frame_spec *spec, struct shmf_error *err)
{
    if (!spec)
        return shmfi_error(err, SHMF_E_INVAL, "spec: NULL");
    if (spec->row_labels || spec->row_numbers)
        return shmfi_error(err, SHMF_E_INVAL,
                           "row_labels, row_numbers: must be NULL for a builder");
    return shmfi_frame_check_spec(spec, err);
}

static enum shmfi_plain_way way_of(uint32_t dtype)
{
    switch (dtype) {
    case SHMF_INT64:
    case SHMF_TIMESTAMP:
    case SHMF_DURATION:
    case SHMF_DATE64:
    case SHMF_TIME64:
        return SHMFI_WAY_INT64;
    case SHMF_FLOAT64:
        return SHMFI_WAY_DOUBLE;
    case SHMF_UTF8:
    case SHMF_BINARY:
        return SHMFI_WAY_TEXT;
    default:
        return SHMFI_WAY_NONE;
    }
}

static void begin_columns(struct shmf_builder *builder, const struct shmf_frame_spec *spec)
{
    for (int64_t c = 0; c < builder->n_columns; c++) {
        const struct shmf_format_column *descriptor = shmfi_frame_descriptor(builder->model, c);
        struct shmfi_growing *column = &builder->columns[c];
        column->dtype = descriptor->dtype;
        column->width = shmfi_format_width(descriptor);
        column->nullable = spec->columns && spec->columns[c].nullable;
        column->way = way_of(column->dtype);
        builder->expected_bytes[c] = (uint64_t)shmfi_frame_spec_details(spec, c)->data_size;
    }
}

/* A finished frame without rows: what all that are built have in common. */
static struct shmf_frame *make_model(const struct shmf_frame_spec *spec, struct shmf_error *err)
{
    struct shmf_frame_spec empty = *spec;
    struct shmfi_column_size *sizes = shmfi_sys.calloc((size_t)spec->n_columns + 1, sizeof *sizes);
    if (!sizes) {
        shmfi_error(err, SHMF_E_NOMEM, "sizes of %lld columns", (long long)spec->n_columns);
        return NULL;
    }
    empty.n_rows = 0;
    struct shmf_frame *model =
        shmfi_frame_create(&empty, &(struct shmfi_frame_source){.sizes = sizes}, err);
    shmfi_sys.free(sizes);
    if (model && shmf_frame_finish(model, err)) {
        shmf_frame_free(model);
        return NULL;
    }
    return model;
}

struct shmf_builder *shmf_builder_new(const struct shmf_frame_spec *spec, struct shmf_error *err)
{
    if (check_spec(spec, err))
        return NULL;
    struct shmf_builder *builder = shmfi_sys.calloc(1, sizeof *builder);
    size_t n = (size_t)spec->n_columns;
    if (builder) {
        builder->columns = shmfi_sys.calloc(n + 1, sizeof *builder->columns);
        builder->expected_bytes = shmfi_sys.calloc(n + 1, sizeof *builder->expected_bytes);
    }
    if (!builder || !builder->columns || !builder->expected_bytes) {
        shmf_builder_free(builder);
        shmfi_error(err, SHMF_E_NOMEM, "builder of %zu columns", n);
        return NULL;
    }
    builder->model = make_model(spec, err);
    if (!builder->model) {
        shmf_builder_free(builder);
        return NULL;
    }
    builder->n_columns = (int64_t)n;
    builder->range_start = spec->range_start;
    builder->range_step = spec->range_step;
    builder->expected_rows = spec->n_rows;
    begin_columns(builder, spec);
    return builder;
}

static void clear_column(struct shmfi_growing *column)
{
    shmfi_stream_clear(&column->data);
    shmfi_stream_clear(&column->ends);
    shmfi_stream_clear(&column->booleans.bytes);
    shmfi_stream_clear(&column->validity.bytes);
    *column = (struct shmfi_growing){
        .dtype = column->dtype,
        .width = column->width,
        .way = way_of(column->dtype),
        .nullable = column->nullable,
    };
}

static void clear(struct shmf_builder *builder)
{
    for (int64_t c = 0; c < builder->n_columns; c++)
        clear_column(&builder->columns[c]);
    clear_column(&builder->row_labels);
    shmf_frame_free(builder->reserved);
    builder->reserved = NULL;
    builder->begun = false;
    builder->labels = SHMF_ROWS_RANGE;
}

void shmf_builder_free(struct shmf_builder *builder)
{
    if (!builder)
        return;
    clear(builder);
    shmf_frame_free(builder->model);
    shmfi_sys.free(builder->columns);
    shmfi_sys.free(builder->expected_bytes);
    shmfi_sys.free(builder);
}

/* ---- row labels --------------------------------------------------------------------------- */

static int begin_label(struct shmf_builder *builder, enum shmf_row_labels kind)
{
    if (builder->failure.code)
        return builder->failure.code;
    if (builder->labels != SHMF_ROWS_RANGE && builder->labels != kind)
        return shmfi_error(&builder->failure, SHMF_E_DTYPE,
                           "row %lld: its label is not of the kind that the first has",
                           (long long)builder->row_labels.n);
    builder->labels = kind;
    return SHMF_OK;
}

/* As one piece of bytes with a NUL behind each. */
int shmf_builder_label_text(struct shmf_builder *builder, const char *data, int64_t size)
{
    if (!builder)
        return SHMF_E_INVAL;
    int rc = begin_label(builder, SHMF_ROWS_UTF8);
    if (rc)
        return rc;
    struct shmfi_growing *labels = &builder->row_labels;
    if (!data || size < 0 || memchr(data, '\0', (size_t)size))
        return shmfi_error(&builder->failure, SHMF_E_INVAL, "row %lld: no label of %lld bytes",
                           (long long)labels->n, (long long)size);
    rc = shmfi_stream_need(&labels->data, (uint64_t)size + 1, &builder->failure);
    if (rc)
        return rc;
    shmfi_stream_put(&labels->data, data, (uint64_t)size);
    shmfi_stream_put(&labels->data, "", 1);
    labels->bytes += (uint64_t)size + 1;
    labels->n++;
    return SHMF_OK;
}

int shmf_builder_label_number(struct shmf_builder *builder, int64_t number)
{
    if (!builder)
        return SHMF_E_INVAL;
    int rc = begin_label(builder, SHMF_ROWS_INT64);
    if (!rc)
        rc = shmfi_stream_need(&builder->row_labels.data, sizeof number, &builder->failure);
    if (rc)
        return rc;
    shmfi_stream_put(&builder->row_labels.data, &number, sizeof number);
    builder->row_labels.bytes += sizeof number;
    builder->row_labels.n++;
    return SHMF_OK;
}

int64_t shmf_builder_rows(const struct shmf_builder *builder)
{
    int64_t most = 0;
    for (int64_t c = 0; builder && c < builder->n_columns; c++)
        if (builder->columns[c].n > most)
            most = builder->columns[c].n;
    return builder && builder->row_labels.n > most ? builder->row_labels.n : most;
}

/* ---- the end ------------------------------------------------------------------------------ */

static int check_lengths(const struct shmf_builder *builder, int64_t n, struct shmf_error *err)
{
    for (int64_t c = 0; c < builder->n_columns; c++)
        if (builder->columns[c].n != n)
            return shmfi_error(err, SHMF_E_INVAL,
                               "column %lld has %lld values, but there are %lld "
                               "rows",
                               (long long)c, (long long)builder->columns[c].n, (long long)n);
    if (builder->labels != SHMF_ROWS_RANGE && builder->row_labels.n != n)
        return shmfi_error(err, SHMF_E_INVAL, "%lld rows have labels, but there are %lld",
                           (long long)builder->row_labels.n, (long long)n);
    return SHMF_OK;
}

static void fill_column(struct shmf_frame *frame, int64_t position, struct shmfi_growing *column)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, position);
    unsigned char *base = frame->base;
    uint64_t offset_size = descriptor->dtype == SHMF_LARGE_UTF8 ? 8 : 4;
    if (column->has_bits) {
        memset(base + descriptor->validity_offset, 0xFF, (size_t)column->whole);
        shmfi_bits_drain(&column->validity, base + descriptor->validity_offset + column->whole);
    }
    if (descriptor->dtype == SHMF_BOOL)
        shmfi_bits_drain(&column->booleans, base + descriptor->data_offset);
    else
        shmfi_stream_drain(&column->data, base + descriptor->data_offset);
    if (descriptor->offsets_offset)
        shmfi_stream_drain(&column->ends, base + descriptor->offsets_offset + offset_size);
}

static struct shmf_frame *create(struct shmf_builder *builder, struct shmf_frame_spec *spec,
                                 struct shmfi_column_size *sizes, struct shmf_error *err)
{
    struct shmfi_growing *labels = &builder->row_labels;
    char *flat = shmfi_sys.malloc(labels->bytes + 1);
    if (!flat) {
        shmfi_error(err, SHMF_E_NOMEM, "row labels of %llu bytes",
                    (unsigned long long)labels->bytes);
        return NULL;
    }
    shmfi_stream_drain(&labels->data, (unsigned char *)flat);
    struct shmfi_flat_texts texts = {flat, flat + labels->bytes, flat}, *context = &texts;
    flat[labels->bytes] = '\0';
    const struct shmfi_label_source source = {shmfi_flat_next, &context};
    if (builder->labels == SHMF_ROWS_INT64)
        spec->row_numbers = (const void *)flat;
    for (int64_t c = 0; c < builder->n_columns; c++)
        sizes[c] =
            (struct shmfi_column_size){builder->columns[c].bytes, builder->columns[c].has_bits ||
                                                                      builder->columns[c].nullable};
    struct shmf_frame *frame = shmfi_frame_create(
        spec,
        &(struct shmfi_frame_source){
            .sizes = sizes, .row_labels = builder->labels == SHMF_ROWS_UTF8 ? &source : NULL},
        err);
    shmfi_sys.free(flat);
    return frame;
}

/* All columns are copied, once, into a frame of just the right size. */
static struct shmf_frame *put_together(struct shmf_builder *builder, struct shmf_error *err)
{
    struct shmfi_spec like;
    struct shmfi_column_size *sizes =
        shmfi_sys.calloc((size_t)builder->n_columns + 1, sizeof *sizes);
    if (!sizes) {
        shmfi_error(err, SHMF_E_NOMEM, "sizes of %lld columns", (long long)builder->n_columns);
        return NULL;
    }
    struct shmf_frame *frame = NULL;
    if (shmfi_spec_of(builder->model, &like, err) == SHMF_OK) {
        like.spec.n_rows = shmf_builder_rows(builder);
        like.spec.range_start = builder->range_start;
        like.spec.range_step = builder->range_step;
        frame = create(builder, &like.spec, sizes, err);
        shmfi_spec_free(&like);
    }
    shmfi_sys.free(sizes);
    for (int64_t c = 0; frame && c < builder->n_columns; c++)
        fill_column(frame, c, &builder->columns[c]);
    return frame;
}

static struct shmf_frame *assemble(struct shmf_builder *builder, struct shmf_error *err)
{
    struct shmf_frame *frame = shmfi_builder_take_reserved(builder);
    if (!frame)
        frame = put_together(builder, err);
    if (frame && shmf_frame_finish(frame, err)) {
        shmf_frame_free(frame);
        return NULL;
    }
    return frame;
}

struct shmf_frame *shmf_builder_finish(struct shmf_builder *builder, struct shmf_error *err)
{
    if (!builder) {
        shmfi_error(err, SHMF_E_INVAL, "builder: NULL");
        return NULL;
    }
    struct shmf_error *failure = &builder->failure;
    struct shmf_frame *frame = NULL;
    if (!failure->code && !check_lengths(builder, shmf_builder_rows(builder), failure))
        frame = assemble(builder, failure);
    if (!frame && err)
        *err = *failure;
    if (frame)
        shmfi_builder_expect(builder);
    clear(builder);
    return frame;
}
