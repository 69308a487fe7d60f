/* Batches held against their schema, and measured before the frame is made. */
#include "import.h"

#include <string.h>

struct shmfi_arrow_piece shmfi_arrow_piece(const struct shmfi_arrow_import *import, int64_t field,
                                           int64_t batch)
{
    const struct ArrowArray *root = &import->batches[batch];
    const struct ArrowArray *array = import->is_struct ? root->children[field] : root;
    return (struct shmfi_arrow_piece){
        .array = array,
        .first = array->offset + (import->is_struct ? root->offset : 0),
        .n = root->length,
        .validity = array->null_count && array->n_buffers > 0 ? array->buffers[0] : NULL,
    };
}

/* ---- structure ---------------------------------------------------------------------------- */

static int wrong(const struct shmfi_arrow_import *import, int64_t field, int64_t batch,
                 struct shmf_error *err, const char *what)
{
    return shmf_error_set(err, SHMF_E_INVAL, "field \"%s\": batch %lld: %s",
                          field < 0 ? "" : shmfi_arrow_name(import->fields[field].schema),
                          (long long)batch, what);
}

static int64_t buffers_of(enum shmfi_arrow_layout layout)
{
    switch (layout) {
    case SHMFI_ARROW_PARTS:
        return 1;
    case SHMFI_ARROW_TEXT:
    case SHMFI_ARROW_LARGE:
    case SHMFI_ARROW_VIEW:
        return 3;
    default:
        return 2;
    }
}

/* What is wrong with an array of this layout of which `n` elements are used; or NULL. A buffer that
 * nothing is read from may be NULL. */
static const char *problem(const struct ArrowArray *array, enum shmfi_arrow_layout layout,
                           int64_t n)
{
    if (!array || !array->release)
        return "released or missing";
    if (array->length < 0 || array->offset < 0 || array->length > INT64_MAX - array->offset ||
        array->offset + array->length > INT64_MAX / 32 || array->length < n)
        return "length or offset";
    if (layout == SHMFI_ARROW_VIEW ? array->n_buffers < 3 : array->n_buffers != buffers_of(layout))
        return "number of buffers";
    if (!array->buffers)
        return "buffers: NULL";
    if (array->null_count > 0 && !array->buffers[0])
        return "nulls without a bitmap";
    if (layout != SHMFI_ARROW_PARTS && n > 0 && !array->buffers[1])
        return "buffers[1]: NULL";
    return NULL;
}

static const char *problem_of_field(const struct shmfi_arrow_field *field,
                                    const struct ArrowArray *array, int64_t n)
{
    const char *found = problem(array, field->type.layout, n);
    if (found || field->type.layout < SHMFI_ARROW_PARTS)
        return found;
    if (field->type.layout != SHMFI_ARROW_PARTS)
        return problem(array->dictionary, field->type.values,
                       array->dictionary ? array->dictionary->length : 0)
                   ? "dictionary"
                   : NULL;
    if (array->n_children != 1 || !array->children)
        return "number of children";
    return problem(array->children[0], SHMFI_ARROW_FIXED, 2 * (array->offset + n));
}

static int check_batch(const struct shmfi_arrow_import *import, int64_t b, struct shmf_error *err)
{
    const struct ArrowArray *batch = &import->batches[b];
    int64_t skipped = import->is_struct ? batch->offset : 0;
    if (batch->length < 0 || batch->offset < 0 || batch->length > INT64_MAX / 32 - batch->offset)
        return wrong(import, -1, b, err, "length or offset");
    if (import->is_struct &&
        (batch->n_children != import->n_fields || (import->n_fields > 0 && !batch->children)))
        return wrong(import, -1, b, err, "number of children");
    if (import->is_struct && batch->null_count && batch->n_buffers > 0 && batch->buffers &&
        batch->buffers[0] &&
        shmfi_arrow_count_bits(batch->buffers[0], batch->offset, batch->length) < batch->length)
        return wrong(import, -1, b, err, "rows that are null as a whole");
    for (int64_t f = 0; f < import->n_fields; f++) {
        const struct ArrowArray *array = import->is_struct ? batch->children[f] : batch;
        const char *found = problem_of_field(&import->fields[f], array, skipped + batch->length);
        if (found)
            return wrong(import, f, b, err, found);
    }
    return SHMF_OK;
}

int shmfi_arrow_check_batches(const struct shmfi_arrow_import *import, struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (int64_t b = 0; b < import->n_batches && !rc; b++)
        rc = check_batch(import, b, err);
    return rc;
}

/* ---- texts -------------------------------------------------------------------------------- */

struct view {
    int32_t size;
    char prefix[4];
    int32_t buffer, offset;
};

static struct shmf_text view_text(const struct ArrowArray *array, int64_t i)
{
    const unsigned char *at = (const unsigned char *)array->buffers[1] + (uint64_t)i * 16;
    struct view view;
    memcpy(&view, at, sizeof view);
    if (view.size >= 0 && view.size <= 12)
        return (struct shmf_text){(const char *)at + sizeof view.size, view.size};
    if (view.size < 0 || view.buffer < 0 || view.offset < 0 || view.buffer >= array->n_buffers - 3)
        return (struct shmf_text){NULL, 0};
    /* the last buffer has the sizes of those between */
    int64_t all = ((const int64_t *)array->buffers[array->n_buffers - 1])[view.buffer];
    const char *data = array->buffers[2 + view.buffer];
    if (view.offset > all || view.size > all - view.offset)
        return (struct shmf_text){NULL, 0};
    return (struct shmf_text){data + view.offset, view.size};
}

static struct shmf_text text_between(const char *data, int64_t from, int64_t to)
{
    if (from < 0 || to < from || (to > from && !data))
        return (struct shmf_text){NULL, 0};
    return (struct shmf_text){to > from ? data + from : "", to - from};
}

struct shmf_text shmfi_arrow_text(const struct ArrowArray *array, enum shmfi_arrow_layout layout,
                                  int64_t i)
{
    if (layout == SHMFI_ARROW_VIEW)
        return view_text(array, i);
    if (layout == SHMFI_ARROW_LARGE) {
        const int64_t *wide = array->buffers[1];
        return text_between(array->buffers[2], wide[i], wide[i + 1]);
    }
    const int32_t *narrow = array->buffers[1];
    return text_between(array->buffers[2], narrow[i], narrow[i + 1]);
}

/* Bytes of all rows; negative: impossible. */
static int64_t text_bytes(const struct shmfi_arrow_piece *piece, enum shmfi_arrow_layout layout)
{
    const struct ArrowArray *array = piece->array;
    int64_t bytes = 0;
    if (piece->n == 0)
        return 0;
    if (layout != SHMFI_ARROW_VIEW) {
        const int32_t *narrow = array->buffers[1];
        const int64_t *wide = array->buffers[1];
        int64_t from, to;
        if (layout == SHMFI_ARROW_LARGE) {
            from = wide[piece->first];
            to = wide[piece->first + piece->n];
        } else {
            from = narrow[piece->first];
            to = narrow[piece->first + piece->n];
        }
        bool fine = from >= 0 && to >= from && (to == from || array->buffers[2]);
        return fine ? to - from : -1;
    }
    for (int64_t i = 0; i < piece->n; i++) {
        struct shmf_text text = {"", 0};
        if (!shmfi_arrow_is_null(piece, i))
            text = view_text(array, piece->first + i);
        if (!text.data)
            return -1;
        bytes += text.size;
    }
    return bytes;
}

/* ---- measuring ---------------------------------------------------------------------------- */

/* Rows whose category is a null. */
static int64_t null_categories(const struct shmfi_arrow_field *field,
                               const struct shmfi_arrow_piece *piece, int64_t batch)
{
    const int64_t *map = field->categories.maps[batch];
    int64_t n = field->categories.sizes[batch], count = 0;
    for (int64_t i = 0; map && i < piece->n; i++) {
        int64_t index = shmfi_arrow_index(piece->array->buffers[1], field->type.type.index_dtype,
                                          piece->first + i);
        count += !shmfi_arrow_is_null(piece, i) && index >= 0 && index < n && map[index] < 0;
    }
    return count;
}

/* Rows whose value is a null. */
static int64_t null_values(const struct shmfi_arrow_field *field,
                           const struct shmfi_arrow_piece *piece)
{
    const struct ArrowArray *values = piece->array->dictionary;
    const uint8_t *validity = values->null_count ? values->buffers[0] : NULL;
    int64_t count = 0;
    for (int64_t i = 0; validity && i < piece->n; i++) {
        if (shmfi_arrow_is_null(piece, i))
            continue;
        int64_t index =
            shmfi_arrow_index(piece->array->buffers[1], field->type.indexes, piece->first + i);
        count += index >= 0 && index < values->length &&
                 !shmfi_arrow_bit(validity, values->offset + index);
    }
    return count;
}

static int measure_piece(struct shmfi_arrow_import *import, int64_t f, int64_t b,
                         struct shmf_error *err)
{
    struct shmfi_arrow_field *field = &import->fields[f];
    struct shmfi_arrow_piece piece = shmfi_arrow_piece(import, f, b);
    enum shmfi_arrow_layout layout = field->type.layout;
    if (piece.validity)
        field->nulls += piece.n - shmfi_arrow_count_bits(piece.validity, piece.first, piece.n);
    if (layout == SHMFI_ARROW_TEXT || layout == SHMFI_ARROW_LARGE || layout == SHMFI_ARROW_VIEW) {
        int64_t bytes = text_bytes(&piece, layout);
        if (bytes < 0 || __builtin_add_overflow(field->bytes, bytes, &field->bytes))
            return wrong(import, f, b, err, "offsets that lead nowhere");
    }
    if (layout == SHMFI_ARROW_LOOKUP)
        field->nulls += null_values(field, &piece);
    if (layout != SHMFI_ARROW_INDEXES)
        return SHMF_OK;
    int rc = shmfi_arrow_add_categories(import, field, b, piece.array->dictionary, err);
    if (!rc)
        field->nulls += null_categories(field, &piece, b);
    return rc;
}

int shmfi_arrow_measure(struct shmfi_arrow_import *import, struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (int64_t b = 0; b < import->n_batches; b++)
        if (__builtin_add_overflow(import->n_rows, import->batches[b].length, &import->n_rows))
            return shmf_error_set(err, SHMF_E_TOOBIG, "too many rows");
    for (int64_t f = 0; f < import->n_fields; f++)
        for (int64_t b = 0; b < import->n_batches && !rc; b++)
            rc = measure_piece(import, f, b, err);
    return rc;
}
