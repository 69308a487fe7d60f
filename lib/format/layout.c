#include "format/format.h"

#include "base/checked.h"
#include "dtype/dtype.h"

#include <string.h>

uint64_t shmfi_layout_put(struct shmfi_layout *layout, uint64_t size)
{
    uint64_t offset = layout->end, end;
    if (layout->overflow || !shmfi_add(offset, size, &end) ||
        !shmfi_round_up(end, SHMFI_BUFFER_ALIGNMENT, &end) || end > INT64_MAX) {
        layout->overflow = true;
        return 0;
    }
    layout->end = end;
    return offset;
}

/* Columns at a distance of a multiple of 4096 bytes would have the elements of one row compete
 * for the same few cache lines; 64 bytes more and they spread over all sets. */
static uint64_t put_apart(struct shmfi_layout *layout, uint64_t size)
{
    uint64_t offset = shmfi_layout_put(layout, size);
    if (layout->end - offset >= 4096 && (layout->end - offset) % 4096 == 0)
        shmfi_layout_put(layout, SHMFI_BUFFER_ALIGNMENT);
    return offset;
}

static void put_offsets(struct shmfi_layout *layout, uint64_t n, bool wide,
                        struct shmf_format_column *column)
{
    uint64_t size;
    if (!shmfi_add(n, 1, &size) || !shmfi_mul(size, wide ? 8 : 4, &size))
        layout->overflow = true;
    column->offsets_offset = shmfi_layout_put(layout, size);
}

void shmfi_layout_typed(struct shmfi_layout *layout, bool nullable, uint64_t n_rows, uint64_t bytes,
                        bool among_others, struct shmf_format_column *column)
{
    bool fits = true;
    if (shmfi_dtype_is_string(column->dtype))
        column->data_size = bytes;
    else if (column->dtype == SHMF_BOOL)
        fits = shmfi_dtype_column_bytes(SHMF_BOOL, n_rows, &column->data_size);
    else
        fits = shmfi_mul(n_rows, shmfi_format_width(column), &column->data_size);
    if (!fits)
        layout->overflow = true;
    if (nullable)
        column->validity_offset = shmfi_layout_put(layout, n_rows / 8 + (n_rows % 8 != 0));
    if (shmfi_dtype_is_string(column->dtype))
        put_offsets(layout, n_rows, column->dtype == SHMF_LARGE_UTF8, column);
    column->data_offset = among_others ? put_apart(layout, column->data_size)
                                       : shmfi_layout_put(layout, column->data_size);
}

void shmfi_layout_column(struct shmfi_layout *layout, uint32_t dtype, bool nullable,
                         uint64_t n_rows, bool among_others, struct shmf_format_column *column)
{
    memset(column, 0, sizeof *column);
    column->dtype = dtype;
    shmfi_layout_typed(layout, nullable, n_rows, 0, among_others, column);
}

void shmfi_layout_strings(struct shmfi_layout *layout, uint64_t n, uint64_t bytes,
                          struct shmf_format_column *column)
{
    bool wide = bytes > INT32_MAX;
    memset(column, 0, sizeof *column);
    column->dtype = wide ? SHMF_LARGE_UTF8 : SHMF_UTF8;
    put_offsets(layout, n, wide, column);
    column->data_offset = shmfi_layout_put(layout, bytes);
    column->data_size = bytes;
}

/* Six of eight entries are taken, or three of five slots. */
static bool index_capacity(uint64_t n, bool tagged, uint64_t *capacity)
{
    return tagged ? shmfi_mul(n / 6 + 1, SHMFI_GROUP_SIZE, capacity)
                  : shmfi_add(n, n / 3 * 2 + 2, capacity);
}

void shmfi_layout_index(struct shmfi_layout *layout, uint64_t n, bool tagged,
                        struct shmf_format_index *index)
{
    uint64_t size = 0;
    if (!index_capacity(n, tagged, &index->capacity) ||
        !shmfi_mul(index->capacity, shmfi_format_place_size(tagged), &size))
        layout->overflow = true;
    index->offset = shmfi_layout_put(layout, size);
}
