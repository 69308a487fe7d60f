#include "frame/frame_internal.h"

#include <shmframe/derive.h>

#include <string.h>

enum shmf_row_labels shmf_frame_row_labels(const struct shmf_frame *frame)
{
    return frame ? (enum shmf_row_labels)frame->header.row_labels : SHMF_ROWS_RANGE;
}

static struct shmf_text text_at(const struct shmfi_strings *strings, int64_t position)
{
    const char *text;
    uint64_t size;
    if (position < 0 || !shmfi_strings_at(strings, (uint64_t)position, &text, &size))
        return (struct shmf_text){NULL, 0};
    return (struct shmf_text){text, (int64_t)size};
}

struct shmf_text shmf_frame_column_label(const struct shmf_frame *frame, int64_t column)
{
    if (!frame || column < 0 || column >= (int64_t)frame->header.n_columns)
        return (struct shmf_text){NULL, 0};
    return text_at(&frame->column_labels.strings,
                   frame->selected ? frame->selected[column] : column);
}

struct shmf_text shmf_frame_row_text(const struct shmf_frame *frame, int64_t row)
{
    return frame ? text_at(&frame->row_labels.strings, row) : (struct shmf_text){NULL, 0};
}

/* The sum is an int64 (that was checked), the product need not be one: modulo 2^64 both are right.
 */
static int64_t range_at(const struct shmf_format_frame *header, int64_t row)
{
    return (int64_t)((uint64_t)header->range_start + (uint64_t)row * (uint64_t)header->range_step);
}

int shmf_frame_row_number(const struct shmf_frame *frame, int64_t row, int64_t *number)
{
    if (!frame || !number)
        return SHMF_E_INVAL;
    if (frame->header.row_labels == SHMF_ROWS_UTF8)
        return SHMF_E_DTYPE;
    if (row < 0 || row >= (int64_t)frame->header.n_rows)
        return SHMF_E_RANGE;
    if (frame->header.row_labels == SHMF_ROWS_INT64)
        *number = frame->row_labels.numbers[row];
    else
        *number = range_at(&frame->header, row);
    return SHMF_OK;
}

int shmf_frame_row_label_column(const struct shmf_frame *frame, struct shmf_column *column)
{
    if (!frame || !column)
        return SHMF_E_INVAL;
    const struct shmfi_labels *labels = &frame->row_labels;
    if (frame->header.row_labels == SHMF_ROWS_RANGE)
        return SHMF_E_DTYPE;
    if (frame->header.row_labels == SHMF_ROWS_UTF8)
        *column = shmfi_strings_column(&labels->strings);
    else
        *column = (struct shmf_column){.dtype = SHMF_INT64,
                                       .n_rows = (int64_t)labels->n,
                                       .data = labels->numbers,
                                       .data_size = (int64_t)(labels->n * sizeof(int64_t))};
    return SHMF_OK;
}

/* What was found in the whole, in the view. */
static int64_t row_in_view(const struct shmf_frame *frame, int64_t row, int64_t all, int64_t *count)
{
    row = shmfi_view_row(frame, row, &all);
    if (count && row >= 0)
        *count = all;
    return row;
}

static int64_t find_row(const struct shmf_frame *frame, const struct shmfi_key *key, int64_t *count)
{
    int64_t all = 0;
    if (!frame->is_view)
        return shmfi_index_find(&frame->row_index, &frame->indexed_rows, key, count);
    return row_in_view(frame, shmfi_index_find(&frame->row_index, &frame->indexed_rows, key, &all),
                       all, count);
}

static __attribute__((noinline)) int64_t
find_text_in_view(const struct shmf_frame *frame, const char *label, uint64_t size, int64_t *count)
{
    struct shmfi_key key;
    shmfi_key_set(&key, label, size);
    return find_row(frame, &key, count);
}

/* The way that most lookups go makes one call. */
static inline int64_t find_text(const struct shmf_frame *frame, const char *label, uint64_t size,
                                int64_t *count)
{
    if (frame->header.row_labels != SHMF_ROWS_UTF8)
        return SHMF_E_DTYPE;
    if (frame->is_view)
        return find_text_in_view(frame, label, size, count);
    return shmfi_index_find_text(&frame->row_index, &frame->indexed_rows, label, size, count);
}

int64_t shmf_frame_loc_text(const struct shmf_frame *frame, struct shmf_text label, int64_t *count)
{
    if (!frame || !label.data || label.size < 0)
        return SHMF_E_INVAL;
    return find_text(frame, label.data, (uint64_t)label.size, count);
}

int64_t shmf_frame_loc(const struct shmf_frame *frame, const char *label)
{
    if (!frame || !label)
        return SHMF_E_INVAL;
    return find_text(frame, label, strlen(label), NULL);
}

/* The row with number start + row * step, computed in 128 bits: the difference of two int64 need
 * not be one. */
static int64_t loc_in_range(const struct shmf_format_frame *header, int64_t number)
{
    __int128 distance = (__int128)number - header->range_start;
    if (distance % header->range_step != 0)
        return SHMF_E_NOTFOUND;
    __int128 row = distance / header->range_step;
    return row >= 0 && row < (__int128)header->n_rows ? (int64_t)row : SHMF_E_NOTFOUND;
}

int64_t shmf_frame_loc_number_count(const struct shmf_frame *frame, int64_t number, int64_t *count)
{
    struct shmfi_key key;
    if (!frame)
        return SHMF_E_INVAL;
    if (frame->header.row_labels == SHMF_ROWS_UTF8)
        return SHMF_E_DTYPE;
    if (frame->header.row_labels == SHMF_ROWS_RANGE) {
        int64_t row = loc_in_range(&frame->header, number);
        if (count && row >= 0)
            *count = 1;
        return row;
    }
    shmfi_key_set(&key, &number, sizeof number);
    return find_row(frame, &key, count);
}

int64_t shmf_frame_loc_number(const struct shmf_frame *frame, int64_t number)
{
    return shmf_frame_loc_number_count(frame, number, NULL);
}

int64_t shmf_frame_column_loc(const struct shmf_frame *frame, const char *label)
{
    if (!frame || !label)
        return SHMF_E_INVAL;
    int64_t column = shmfi_index_find_text(&frame->column_index, &frame->column_labels, label,
                                           strlen(label), NULL);
    return shmfi_view_column(frame, column);
}

/* ---- batches ------------------------------------------------------------------------------ */

/* A key without bytes is no label. Returns how many were found. */
static int64_t find_rows(const struct shmf_frame *frame, const struct shmfi_key *keys, unsigned n,
                         int64_t *rows)
{
    int64_t found = 0;
    shmfi_index_fetch(&frame->row_index, &frame->indexed_rows, keys, n);
    for (unsigned i = 0; i < n; i++) {
        rows[i] = keys[i].bytes ? find_row(frame, &keys[i], NULL) : SHMF_E_INVAL;
        found += rows[i] >= 0;
    }
    return found;
}

int64_t shmf_frame_loc_texts(const struct shmf_frame *frame, const struct shmf_text *labels,
                             int64_t n, int64_t *rows)
{
    int64_t found = 0;
    if (!frame || n < 0 || (n > 0 && (!labels || !rows)))
        return SHMF_E_INVAL;
    if (frame->header.row_labels != SHMF_ROWS_UTF8)
        return SHMF_E_DTYPE;
    for (int64_t i = 0; i < n; i += SHMFI_FETCHED) {
        struct shmfi_key keys[SHMFI_FETCHED];
        unsigned some = n - i < SHMFI_FETCHED ? (unsigned)(n - i) : SHMFI_FETCHED;
        for (unsigned k = 0; k < some; k++)
            if (!labels[i + k].data || labels[i + k].size < 0)
                shmfi_key_set(&keys[k], NULL, 0);
            else
                shmfi_key_set(&keys[k], labels[i + k].data, (uint64_t)labels[i + k].size);
        found += find_rows(frame, keys, some, rows + i);
    }
    return found;
}

int64_t shmf_frame_loc_numbers(const struct shmf_frame *frame, const int64_t *labels, int64_t n,
                               int64_t *rows)
{
    int64_t found = 0;
    if (!frame || n < 0 || (n > 0 && (!labels || !rows)))
        return SHMF_E_INVAL;
    if (frame->header.row_labels == SHMF_ROWS_UTF8)
        return SHMF_E_DTYPE;
    for (int64_t i = 0; i < n && frame->header.row_labels == SHMF_ROWS_RANGE; i++) {
        rows[i] = loc_in_range(&frame->header, labels[i]);
        found += rows[i] >= 0;
    }
    if (frame->header.row_labels == SHMF_ROWS_RANGE)
        return found;
    for (int64_t i = 0; i < n; i += SHMFI_FETCHED) {
        struct shmfi_key keys[SHMFI_FETCHED];
        unsigned some = n - i < SHMFI_FETCHED ? (unsigned)(n - i) : SHMFI_FETCHED;
        for (unsigned k = 0; k < some; k++)
            shmfi_key_set(&keys[k], &labels[i + k], sizeof labels[i + k]);
        found += find_rows(frame, keys, some, rows + i);
    }
    return found;
}
