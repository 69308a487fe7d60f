#include "frame/runs.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "dtype/dtype.h"

#include <string.h>

static int64_t count_rows(const struct shmfi_runs *runs)
{
    int64_t n = 0;
    for (int64_t i = 0; i < runs->n; i++)
        n += runs->get(runs->context, i).count;
    return n;
}

/* ---- sizes -------------------------------------------------------------------------------- */

static int corrupt(int64_t column, int64_t row, struct shmf_error *err)
{
    return shmfi_error(err, SHMF_E_CORRUPT, "column %lld: row %lld: the offsets lead nowhere",
                       (long long)column, (long long)row);
}

static int measure_run(const struct shmfi_run *run, int64_t column, struct shmfi_column_size *size,
                       struct shmf_error *err)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(run->frame, column);
    size->nullable |= shmfi_frame_validity(run->frame, descriptor) != NULL;
    if (!shmfi_dtype_is_string(descriptor->dtype))
        return SHMF_OK;
    struct shmfi_strings strings = shmfi_frame_strings(run->frame, column);
    for (int64_t r = run->first; r < run->first + run->count; r++) {
        const char *text;
        uint64_t bytes;
        if (!shmfi_strings_at(&strings, (uint64_t)r, &text, &bytes))
            return corrupt(column, r, err);
        if (!shmfi_add(size->bytes, bytes, &size->bytes) ||
            (!strings.wide && size->bytes > INT32_MAX))
            return shmfi_error(err, SHMF_E_TOOBIG,
                               "column %lld: only large_utf8 holds more than 2^31 - 1 bytes",
                               (long long)column);
    }
    return SHMF_OK;
}

static int measure(const struct shmfi_runs *runs, struct shmfi_column_size *sizes,
                   struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (int64_t c = 0; c < shmf_frame_columns(runs->model); c++)
        for (int64_t i = 0; i < runs->n && !rc; i++) {
            struct shmfi_run run = runs->get(runs->context, i);
            rc = measure_run(&run, c, &sizes[c], err);
        }
    return rc;
}

/* ---- values ------------------------------------------------------------------------------- */

static void set_bit(uint8_t *bitmap, int64_t i, bool bit)
{
    uint8_t mask = (uint8_t)(1u << (i % 8));
    bitmap[i / 8] = (uint8_t)(bit ? bitmap[i / 8] | mask : bitmap[i / 8] & ~mask);
}

/* From `from` on, to `to` on; without a bitmap to read from all are set. */
static void copy_bits(uint8_t *bits, int64_t to, const uint8_t *source, int64_t from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (source && (from + i) % 8 == 0 && (to + i) % 8 == 0 && n - i >= 8) {
            int64_t bytes = (n - i) / 8;
            memcpy(bits + (to + i) / 8, source + (from + i) / 8, (size_t)bytes);
            i += bytes * 8 - 1;
        } else {
            set_bit(bits, to + i, !source || shmfi_bit(source, from + i));
        }
    }
}

/* The offset at which the text of row `to` begins is there already. */
static bool copy_strings(struct shmf_frame *made, int64_t column, int64_t to,
                         const struct shmfi_run *run)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(made, column);
    struct shmfi_strings strings = shmfi_frame_strings(run->frame, column);
    int32_t *narrow = (void *)(made->base + descriptor->offsets_offset);
    int64_t *wide = (void *)narrow;
    uint64_t at = strings.wide ? (uint64_t)wide[to] : (uint64_t)narrow[to];
    for (int64_t i = 0; i < run->count; i++) {
        const char *text;
        uint64_t size;
        if (!shmfi_strings_at(&strings, (uint64_t)(run->first + i), &text, &size) ||
            !shmfi_inside(at, size, descriptor->data_size))
            return false;
        memcpy(made->base + descriptor->data_offset + at, text, size);
        at += size;
        if (strings.wide)
            wide[to + i + 1] = (int64_t)at;
        else
            narrow[to + i + 1] = (int32_t)at;
    }
    return true;
}

static bool copy_run(struct shmf_frame *made, int64_t column, int64_t to,
                     const struct shmfi_run *run)
{
    const struct shmf_format_column *target = shmfi_frame_descriptor(made, column);
    const struct shmf_format_column *source = shmfi_frame_descriptor(run->frame, column);
    const unsigned char *from = run->frame->base + source->data_offset;
    unsigned char *data = made->base + target->data_offset;
    uint64_t width = shmfi_format_width(source);
    if (target->validity_offset)
        copy_bits(made->base + target->validity_offset, to,
                  shmfi_frame_validity(run->frame, source), run->first + run->frame->bit_shift,
                  run->count);
    if (shmfi_dtype_is_string(source->dtype))
        return copy_strings(made, column, to, run);
    if (source->dtype == SHMF_BOOL)
        copy_bits(data, to, from, run->first + run->frame->bit_shift, run->count);
    else if (width == 8 && run->count == 1)
        memcpy(data + (uint64_t)to * 8, from + (uint64_t)run->first * 8, 8);
    else
        memcpy(data + (uint64_t)to * width, from + (uint64_t)run->first * width,
               (uint64_t)run->count * width);
    return true;
}

static int fill(struct shmf_frame *made, const struct shmfi_runs *runs, struct shmf_error *err)
{
    for (int64_t c = 0; c < shmf_frame_columns(made); c++) {
        int64_t to = 0;
        for (int64_t i = 0; i < runs->n; i++) {
            struct shmfi_run run = runs->get(runs->context, i);
            if (!copy_run(made, c, to, &run))
                return corrupt(c, run.first, err);
            to += run.count;
        }
    }
    return SHMF_OK;
}

/* ---- labels ------------------------------------------------------------------------------- */

/* Bytes of all texts, and of the NULs behind them. */
static int measure_texts(const struct shmfi_runs *runs, uint64_t *size, struct shmf_error *err)
{
    *size = 0;
    for (int64_t i = 0; i < runs->n; i++) {
        struct shmfi_run run = runs->get(runs->context, i);
        for (int64_t r = run.first; r < run.first + run.count; r++) {
            struct shmf_text text = shmf_frame_row_text(run.frame, r);
            if (text.size > 0 && memchr(text.data, '\0', (size_t)text.size))
                return shmfi_error(err, SHMF_E_INVAL, "row %lld: a label with a NUL byte",
                                   (long long)r);
            *size += (uint64_t)text.size + 1;
        }
    }
    return SHMF_OK;
}

/* As much of it as there is room for: somebody may write what is read here. */
static char *put(char *at, const char *end, const void *bytes, size_t size)
{
    if (size > (size_t)(end - at))
        size = (size_t)(end - at);
    if (size > 0)
        memcpy(at, bytes, size);
    return at + size;
}

static void write_labels(const struct shmfi_runs *runs, bool texts, char *at, const char *end)
{
    for (int64_t i = 0; i < runs->n; i++) {
        struct shmfi_run run = runs->get(runs->context, i);
        for (int64_t r = run.first; r < run.first + run.count; r++) {
            struct shmf_text text;
            int64_t number = 0;
            if (texts) {
                text = shmf_frame_row_text(run.frame, r);
                at = put(put(at, end, text.data, (size_t)text.size), end, "", 1);
            } else {
                shmf_frame_row_number(run.frame, r, &number);
                at = put(at, end, &number, sizeof number);
            }
        }
    }
}

/* All labels in one piece of private memory: numbers, or texts with a NUL behind each, and one
 * more. */
static char *flatten(const struct shmfi_runs *runs, bool texts, int64_t n, uint64_t *size,
                     struct shmf_error *err)
{
    *size = (uint64_t)n * sizeof(int64_t);
    if (texts && measure_texts(runs, size, err))
        return NULL;
    char *flat = shmfi_sys.calloc(*size + 1, 1);
    if (!flat) {
        shmfi_error(err, SHMF_E_NOMEM, "row labels of %llu bytes", (unsigned long long)*size);
        return NULL;
    }
    write_labels(runs, texts, flat, flat + *size);
    return flat;
}

/* ---- the frame ---------------------------------------------------------------------------- */

static struct shmf_frame *create(const struct shmfi_runs *runs, struct shmf_frame_spec *spec,
                                 const struct shmfi_column_size *sizes, struct shmf_error *err)
{
    struct shmfi_frame_source source = {.sizes = sizes};
    struct shmfi_flat_texts texts, *context = &texts;
    const struct shmfi_label_source labels = {shmfi_flat_next, &context};
    bool is_text = shmf_frame_row_labels(runs->model) == SHMF_ROWS_UTF8;
    char *flat = NULL;
    if (!runs->is_range) {
        uint64_t size;
        flat = flatten(runs, is_text, spec->n_rows, &size, err);
        if (!flat)
            return NULL;
        texts = (struct shmfi_flat_texts){flat, flat + size, flat};
        source.row_labels = is_text ? &labels : NULL;
        spec->row_numbers = is_text ? NULL : (const void *)flat;
    }
    struct shmf_frame *made = shmfi_frame_create(spec, &source, err);
    shmfi_sys.free(flat);
    return made;
}

static struct shmf_frame *make(const struct shmfi_runs *runs, struct shmf_frame_spec *spec,
                               struct shmf_error *err)
{
    struct shmfi_column_size *sizes = shmfi_sys.calloc((size_t)spec->n_columns + 1, sizeof *sizes);
    if (!sizes) {
        shmfi_error(err, SHMF_E_NOMEM, "sizes of %lld columns", (long long)spec->n_columns);
        return NULL;
    }
    struct shmf_frame *made = NULL;
    if (measure(runs, sizes, err) == SHMF_OK)
        made = create(runs, spec, sizes, err);
    shmfi_sys.free(sizes);
    if (made && (fill(made, runs, err) || shmf_frame_finish(made, err))) {
        shmf_frame_free(made);
        return NULL;
    }
    return made;
}

struct shmf_frame *shmfi_frame_from_runs(const struct shmfi_runs *runs, struct shmf_error *err)
{
    struct shmfi_spec like;
    if (shmfi_spec_of(runs->model, &like, err))
        return NULL;
    like.spec.n_rows = count_rows(runs);
    like.spec.range_start = runs->range_start;
    like.spec.range_step = runs->range_step;
    struct shmf_frame *made = make(runs, &like.spec, err);
    shmfi_spec_free(&like);
    return made;
}
