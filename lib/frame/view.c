/* Slices and selections: frames that share the segment of another one. What differs from it is in
 * private memory: a header, descriptors whose offsets lead to the first row, and positions. */
#include "frame/frame_internal.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "dtype/dtype.h"
#include "memory/memory.h"

#include <shmframe/derive.h>

#include <string.h>

/* ---- descriptors -------------------------------------------------------------------------- */

/* The first byte is counted twice: where somebody writes it meanwhile, the count is still one. */
static uint64_t count_nulls(const struct shmf_frame *view, const struct shmf_format_column *column)
{
    int64_t n = (int64_t)view->header.n_rows, shift = view->bit_shift;
    const uint8_t *bitmap = view->base + column->validity_offset;
    int64_t valid = shmfi_bitmap_count(bitmap, n + shift) - shmfi_bitmap_count(bitmap, shift);
    int64_t nulls = n - valid;
    return nulls < 0 ? 0 : nulls > n ? (uint64_t)n : (uint64_t)nulls;
}

/* The bits of the first row lie `skipped` bits behind the offsets that are there, its values
 * `rows`. A bitmap is looked at only where there are nulls in the whole. */
static void move(const struct shmf_frame *view, struct shmf_format_column *column, uint64_t rows,
                 uint64_t skipped, bool has_nulls)
{
    uint64_t n = view->header.n_rows;
    if (column->dtype == SHMF_BOOL) {
        column->data_offset += skipped / 8;
        column->data_size = (n + 7) / 8;
    } else if (shmfi_dtype_is_string(column->dtype)) {
        column->offsets_offset += rows * (column->dtype == SHMF_LARGE_UTF8 ? 8 : 4);
    } else {
        column->data_offset += rows * shmfi_format_width(column);
        column->data_size = n * shmfi_format_width(column);
    }
    if (!column->validity_offset)
        return;
    column->validity_offset += skipped / 8;
    column->null_count = has_nulls ? count_nulls(view, column) : 0;
}

static void move_columns(struct shmf_frame *view, const struct shmfi_frame_part *part)
{
    const struct shmf_frame *whole = part->whole;
    uint64_t skipped = (uint64_t)(part->first + whole->bit_shift);
    for (int64_t c = 0; c < part->n_columns; c++) {
        int64_t position = part->columns ? part->columns[c] : c;
        const struct shmf_format_column *column = shmfi_frame_descriptor(whole, position);
        view->copied[c] = *column;
        move(view, &view->copied[c], (uint64_t)part->first, skipped,
             shmfi_frame_validity(whole, column) != NULL);
    }
}

/* ---- labels ------------------------------------------------------------------------------- */

static void move_labels(struct shmf_frame *view, const struct shmfi_frame_part *part)
{
    struct shmfi_labels *labels = &view->row_labels;
    struct shmf_format_frame *h = &view->header;
    if (h->row_labels == SHMF_ROWS_RANGE) {
        if (part->n_rows > 0)
            h->range_start = (int64_t)((uint64_t)h->range_start +
                                       (uint64_t)part->first * (uint64_t)h->range_step);
        return;
    }
    labels->n = (uint64_t)part->n_rows;
    if (labels->numbers) {
        labels->numbers += part->first;
    } else {
        size_t size = labels->strings.wide ? sizeof(int64_t) : sizeof(int32_t);
        labels->strings.offsets =
            (const unsigned char *)labels->strings.offsets + (size_t)part->first * size;
        labels->strings.n = (uint64_t)part->n_rows;
    }
}

/* Do two rows bear the same label, which is no range's? `whole` is a position in the whole. */
static bool same_label(const struct shmf_frame *frame, int64_t row, int64_t whole)
{
    const struct shmfi_labels *all = &frame->indexed_rows;
    const char *a, *b;
    uint64_t size_of_a, size_of_b;
    if (all->numbers)
        return frame->row_labels.numbers[row] == all->numbers[whole];
    return shmfi_strings_at(&frame->row_labels.strings, (uint64_t)row, &a, &size_of_a) &&
           shmfi_strings_at(&all->strings, (uint64_t)whole, &b, &size_of_b) &&
           size_of_a == size_of_b && memcmp(a, b, size_of_a) == 0;
}

int64_t shmfi_view_row(const struct shmf_frame *frame, int64_t row, int64_t *count)
{
    int64_t n = (int64_t)frame->header.n_rows, found = SHMF_E_NOTFOUND, place;
    if (row < 0)
        return row;
    place = row - frame->first_row;
    if (*count == 1 || place >= n) /* the first of them, so that no other is before it */
        return place >= 0 && place < n ? place : SHMF_E_NOTFOUND;
    *count = 0;
    for (int64_t r = place > 0 ? place : 0; r < n; r++)
        if (same_label(frame, r, row)) {
            found = found < 0 ? r : found;
            ++*count;
        }
    return found;
}

static bool same_column_label(const struct shmf_frame *frame, int64_t column, int64_t whole)
{
    const char *wanted;
    uint64_t size;
    struct shmf_text text = shmf_frame_column_label(frame, column);
    return shmfi_strings_at(&frame->column_labels.strings, (uint64_t)whole, &wanted, &size) &&
           text.data && (uint64_t)text.size == size && memcmp(text.data, wanted, size) == 0;
}

int64_t shmfi_view_column(const struct shmf_frame *frame, int64_t column)
{
    if (column < 0 || !frame->selected)
        return column;
    for (int64_t c = 0; c < (int64_t)frame->header.n_columns; c++)
        if (same_column_label(frame, c, column))
            return c;
    return SHMF_E_NOTFOUND;
}

/* ---- the view ----------------------------------------------------------------------------- */

/* Descriptors, dictionaries, positions: one piece of memory. */
static int allocate(struct shmf_frame *view, const struct shmfi_frame_part *part,
                    struct shmf_error *err)
{
    uint64_t n = (uint64_t)part->n_columns, each = sizeof *view->copied + sizeof(int64_t);
    uint64_t columns, dictionaries, size;
    if (!shmfi_mul(n, each, &columns) ||
        !shmfi_mul(view->header.n_dictionaries, sizeof(struct shmf_format_dictionary),
                   &dictionaries) ||
        !shmfi_add(columns, dictionaries, &size))
        return shmfi_error(err, SHMF_E_TOOBIG, "column table");
    view->copied = shmfi_private_new(size);
    if (!view->copied)
        return shmfi_error(err, SHMF_E_NOMEM, "column table of %llu bytes",
                           (unsigned long long)size);
    return SHMF_OK;
}

static void copy_tables(struct shmf_frame *view, const struct shmfi_frame_part *part)
{
    const struct shmf_frame *whole = part->whole;
    struct shmf_format_dictionary *dictionaries = (void *)(view->copied + part->n_columns);
    int64_t *selected = (void *)(dictionaries + view->header.n_dictionaries);
    for (uint64_t d = 0; d < view->header.n_dictionaries; d++)
        memcpy(&dictionaries[d], whole->dictionaries + d * whole->dictionary_size,
               sizeof dictionaries[d]);
    for (int64_t c = 0; c < part->n_columns && part->columns; c++)
        selected[c] = whole->selected ? whole->selected[part->columns[c]] : part->columns[c];
    for (int64_t c = 0; c < part->n_columns && !part->columns && whole->selected; c++)
        selected[c] = whole->selected[c];
    view->selected = part->columns || whole->selected ? selected : NULL;
    view->columns = (const void *)view->copied;
    view->column_size = sizeof *view->copied;
    view->dictionaries = (const void *)dictionaries;
    view->dictionary_size = sizeof *dictionaries;
}

/* Columns may have come closer, or farther apart than 2^63: no matrix that anybody can use. */
static void note_matrix(struct shmf_frame *view)
{
    struct shmf_format_frame *h = &view->header;
    uint64_t least = h->n_columns > 0 ? view->copied[0].data_size : 0;
    bool found = shmfi_frame_find_matrix(view, &h->matrix_dtype, &h->matrix_stride);
    if (found && h->matrix_stride >= least && h->matrix_stride <= INT64_MAX &&
        h->matrix_stride % shmfi_dtype_info(h->matrix_dtype)->size == 0)
        return;
    h->matrix_dtype = 0;
    h->matrix_stride = 0;
}

struct shmf_frame *shmfi_frame_view(const struct shmfi_frame_part *part, struct shmf_error *err)
{
    const struct shmf_frame *whole = part->whole;
    struct shmf_frame *view = shmfi_sys.calloc(1, sizeof *view);
    if (!view) {
        shmfi_error(err, SHMF_E_NOMEM, "frame object");
        return NULL;
    }
    *view = *whole;
    view->segment = NULL;
    view->copied = NULL;
    view->alike = NULL;
    view->named = NULL;
    if (allocate(view, part, err)) {
        shmfi_sys.free(view);
        return NULL;
    }
    view->segment = whole->segment ? shmfi_segment_ref(whole->segment) : NULL;
    view->is_view = true;
    view->writable = false;
    view->nulls_open = false;
    view->first_row = whole->first_row + part->first;
    view->bit_shift = (part->first + whole->bit_shift) % 8;
    view->header.n_rows = (uint64_t)part->n_rows;
    view->header.n_columns = (uint64_t)part->n_columns;
    copy_tables(view, part);
    move_columns(view, part);
    move_labels(view, part);
    note_matrix(view);
    return view;
}

static int check_whole(const struct shmf_frame *frame, struct shmf_error *err)
{
    if (!frame)
        return shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
    return frame->building ? shmfi_error(err, SHMF_E_ACCESS, "frame: it is not finished") : SHMF_OK;
}

struct shmf_frame *shmf_frame_slice(const struct shmf_frame *frame, int64_t first, int64_t count,
                                    struct shmf_error *err)
{
    return check_whole(frame, err) ? NULL : shmfi_frame_slice(frame, first, count, err);
}

/* As a handle names it: no rows at all are in any frame. */
int shmfi_frame_named_slice(const struct shmf_frame *frame, int64_t begin, int64_t end,
                            struct shmf_frame **slice, struct shmf_error *err)
{
    int64_t rows = shmf_frame_rows(frame);
    struct shmf_error why = {0};
    if (begin == end)
        begin = end = begin < rows ? begin : rows;
    *slice = shmfi_frame_slice(frame, begin, end - begin, &why);
    if (*slice)
        return SHMF_OK;
    if (why.code == SHMF_E_RANGE)
        return shmfi_error(err, SHMF_E_RANGE, "rows [%lld, %lld) of a frame of %lld",
                           (long long)begin, (long long)end, (long long)rows);
    if (err)
        *err = why;
    return why.code;
}

struct shmf_frame *shmfi_frame_slice(const struct shmf_frame *frame, int64_t first, int64_t count,
                                     struct shmf_error *err)
{
    if (first < 0 || count < 0 ||
        !shmfi_inside((uint64_t)first, (uint64_t)count, frame->header.n_rows)) {
        shmfi_error(err, SHMF_E_RANGE, "first, count: %lld rows from %lld on, but there are %lld",
                    (long long)count, (long long)first, (long long)shmf_frame_rows(frame));
        return NULL;
    }
    const struct shmfi_frame_part part = {frame, first, count, NULL, shmf_frame_columns(frame)};
    return shmfi_frame_view(&part, err);
}

struct shmf_frame *shmf_frame_select(const struct shmf_frame *frame, const int64_t *columns,
                                     int64_t n, struct shmf_error *err)
{
    static const int64_t none;
    if (check_whole(frame, err))
        return NULL;
    if (n < 0 || (n > 0 && !columns)) {
        shmfi_error(err, SHMF_E_INVAL, "columns, n: no %lld positions", (long long)n);
        return NULL;
    }
    for (int64_t i = 0; i < n; i++)
        if (columns[i] < 0 || columns[i] >= shmf_frame_columns(frame)) {
            shmfi_error(err, SHMF_E_RANGE, "columns[%lld]: there is no column %lld", (long long)i,
                        (long long)columns[i]);
            return NULL;
        }
    const struct shmfi_frame_part part = {frame, 0, shmf_frame_rows(frame), n > 0 ? columns : &none,
                                          n};
    return shmfi_frame_view(&part, err);
}
