#include "fuzz/oracle.h"

#include <shmframe/dtype.h>
#include <shmframe/format.h>
#include <shmframe/handle.h>

#include <string.h>

/* No sum or product of a few 64-bit sizes overflows this. */
typedef __int128 wide;

/* The part of the segment in which buffers must lie, one behind the other. */
struct room {
    wide next, end;
};

static bool is_zero(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    unsigned char any = 0;
    for (size_t i = 0; i < size; i++)
        any |= at[i];
    return any == 0;
}

static bool between(uint64_t value, uint64_t least, uint64_t most)
{
    return value >= least && value <= most;
}

static bool good_header(const struct shmf_format_header *h, uint32_t kind, uint64_t known,
                        size_t size)
{
    return memcmp(h->magic, "SHMF\r\n\x1a\n", 8) == 0 && h->version == 1 &&
           h->incompatible <= (kind == SHMF_KIND_FRAME) && h->kind == kind && h->state == 2 &&
           between(h->total_size, known, size) && between(h->header_size, known, h->total_size) &&
           h->header_size % 8 == 0;
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Bytes of one value, by the table in the document; 0: not of one width. */
static wide value_bytes(uint32_t dtype)
{
    static const unsigned char bytes[] = {
        [2] = 1,  [3] = 2,  [4] = 4,  [5] = 8,  [6] = 1,  [7] = 2,   [8] = 4,
        [9] = 8,  [10] = 2, [11] = 4, [12] = 8, [13] = 8, [14] = 16, [20] = 4,
        [21] = 8, [22] = 4, [23] = 8, [24] = 8, [25] = 8, [26] = 16};
    return dtype < sizeof bytes ? bytes[dtype] : 0;
}

static bool takes(struct room *room, uint64_t offset, wide size)
{
    if (offset % 64 || offset < room->next || offset + size > room->end)
        return false;
    room->next = offset + size;
    return true;
}

static bool good_text(uint64_t offset, uint64_t size, const struct shmf_format_frame *h)
{
    if (offset == 0)
        return size == 0;
    return offset >= h->header.header_size && (wide)offset + size <= h->header.total_size;
}

static bool good_unit(uint32_t dtype, unsigned unit)
{
    switch (dtype) {
    case SHMF_TIME32:
        return unit == 1 || unit == 2;
    case SHMF_TIME64:
        return unit == 3 || unit == 4;
    case SHMF_TIMESTAMP:
    case SHMF_DURATION:
        return unit >= 1 && unit <= 4;
    default:
        return unit == 0;
    }
}

/* Fields that name what only some dtypes have. */
static bool good_parameters(const struct shmf_format_column *c, const struct shmf_format_frame *h)
{
    uint32_t d = c->dtype;
    bool fixed = d == SHMF_FIXED_BINARY, categories = d == SHMF_DICTIONARY;
    bool decimal = d == SHMF_DECIMAL128, stamp = d == SHMF_TIMESTAMP;
    if (fixed ? !between(c->width, 1, INT32_MAX) : c->width != 0)
        return false;
    if (categories ? !between(c->dictionary, 1, h->n_dictionaries) : c->dictionary != 0)
        return false;
    if (categories ? !between(c->index_dtype, 2, 9) : c->index_dtype != 0)
        return false;
    if (categories ? c->flags > 1 : c->flags != 0)
        return false;
    if (decimal ? !between(c->precision, 1, 38) : c->precision || c->scale)
        return false;
    if (stamp ? !good_text(c->zone_offset, c->zone_size, h) : c->zone_offset || c->zone_size)
        return false;
    return good_unit(d, c->unit) && c->reserved == 0;
}

static wide data_bytes(const struct shmf_format_column *c, wide n)
{
    switch (c->dtype) {
    case SHMF_BOOL:
        return (n + 7) / 8;
    case SHMF_UTF8:
    case SHMF_LARGE_UTF8:
    case SHMF_BINARY:
        return c->data_size;
    case SHMF_FIXED_BINARY:
        return n * c->width;
    case SHMF_DICTIONARY:
        return n * value_bytes(c->index_dtype);
    default:
        return n * value_bytes(c->dtype);
    }
}

static bool good_column(const struct shmf_format_column *c, const struct shmf_format_frame *h,
                        uint64_t n, struct room *room)
{
    bool strings = between(c->dtype, SHMF_UTF8, SHMF_BINARY);
    if (!between(c->dtype, SHMF_BOOL, SHMF_DECIMAL128) || !good_parameters(c, h))
        return false;
    if (c->null_count > n || (c->null_count > 0 && c->validity_offset == 0))
        return false;
    if (c->validity_offset && !takes(room, c->validity_offset, ((wide)n + 7) / 8))
        return false;
    if (!strings && c->offsets_offset)
        return false;
    if (strings &&
        !takes(room, c->offsets_offset, ((wide)n + 1) * (c->dtype == SHMF_LARGE_UTF8 ? 8 : 4)))
        return false;
    return c->data_size == data_bytes(c, n) && takes(room, c->data_offset, c->data_size);
}

/* Strings without nulls. */
static bool good_strings(const struct shmf_format_column *c, const struct shmf_format_frame *h,
                         uint64_t n, struct room *room)
{
    return (c->dtype == SHMF_UTF8 || c->dtype == SHMF_LARGE_UTF8) && !c->null_count &&
           !c->validity_offset && good_column(c, h, n, room);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static bool good_table(uint64_t offset, uint64_t n, uint64_t entry, uint64_t known, uint64_t size)
{
    return entry >= known && entry % 8 == 0 && offset % 8 == 0 &&
           offset + (wide)n * entry <= (wide)size;
}

static bool good_index(const struct shmf_format_index *index, uint64_t n, uint64_t size)
{
    return index->capacity > n && good_table(index->offset, index->capacity, 24, 24, size);
}

/* Of 32 bytes, in groups of eight that have eight bytes besides. */
static bool good_tagged_index(const struct shmf_format_index *index, uint64_t n, uint64_t size)
{
    return index->capacity > n && index->capacity % 8 == 0 && index->offset % 64 == 0 &&
           index->offset + (wide)index->capacity * 33 <= (wide)size;
}

static bool good_rows(const struct shmf_format_frame *h, struct room *body)
{
    if (h->row_labels == 0) {
        wide last = h->range_start + ((wide)h->n_rows - 1) * h->range_step;
        return h->range_step && (h->n_rows == 0 || (last >= INT64_MIN && last <= INT64_MAX)) &&
               is_zero(&h->row_label, sizeof h->row_label) &&
               is_zero(&h->row_index, sizeof h->row_index);
    }
    if (h->row_labels > 2 || h->range_start || h->range_step ||
        !(h->header.incompatible ? good_tagged_index(&h->row_index, h->n_rows, h->header.total_size)
                                 : good_index(&h->row_index, h->n_rows, h->header.total_size)))
        return false;
    return h->row_labels == 1 ? h->row_label.dtype == SHMF_INT64 && !h->row_label.validity_offset &&
                                    good_column(&h->row_label, h, h->n_rows, body)
                              : good_strings(&h->row_label, h, h->n_rows, body);
}

static bool good_shape(const struct shmf_format_frame *h)
{
    uint64_t size = h->header.total_size;
    bool matrix = between(h->matrix_dtype, SHMF_INT8, SHMF_COMPLEX128);
    return h->n_rows <= INT64_MAX && h->n_columns <= INT64_MAX && h->body_offset % 64 == 0 &&
           h->body_offset >= h->header.header_size && h->body_size % 64 == 0 &&
           (wide)h->body_offset + h->body_size <= (wide)size &&
           good_table(h->columns_offset, h->n_columns, h->column_size, 96, size) &&
           (h->n_dictionaries ? good_table(h->dictionaries_offset, h->n_dictionaries,
                                           h->dictionary_size, 128, size)
                              : !h->dictionaries_offset && !h->dictionary_size) &&
           ((!h->metadata_offset && !h->metadata_size) ||
            (h->metadata_offset && good_text(h->metadata_offset, h->metadata_size, h))) &&
           (matrix || !h->matrix_dtype) && h->matrix_stride % 64 == 0 &&
           (matrix || !h->matrix_stride) && is_zero(h->reserved, sizeof h->reserved);
}

/* Every column has the matrix' dtype, no nulls, its distance, and fits into it. */
static bool good_matrix(const struct shmf_format_frame *h, const struct shmf_format_column *c,
                        uint64_t position, uint64_t first)
{
    return h->matrix_dtype == 0 || (c->dtype == h->matrix_dtype && !c->null_count &&
                                    between(h->matrix_stride, c->data_size, INT64_MAX) &&
                                    c->data_offset == first + position * h->matrix_stride);
}

static bool good_columns(const struct shmf_format_frame *h, const unsigned char *bytes)
{
    struct room body = {h->body_offset, (wide)h->body_offset + h->body_size};
    uint64_t first = 0;
    for (uint64_t i = 0; i < h->n_columns; i++) {
        struct shmf_format_column column;
        memcpy(&column, bytes + h->columns_offset + i * h->column_size, sizeof column);
        first = i == 0 ? column.data_offset : first;
        if (!good_text(column.metadata_offset, column.metadata_size, h) ||
            !good_column(&column, h, h->n_rows, &body) || !good_matrix(h, &column, i, first))
            return false;
    }
    return good_rows(h, &body);
}

static bool good_dictionaries(const struct shmf_format_frame *h, const unsigned char *bytes)
{
    wide end = h->header.header_size;
    for (uint64_t i = 0; i < h->n_dictionaries; i++) {
        struct shmf_format_dictionary d;
        memcpy(&d, bytes + h->dictionaries_offset + i * h->dictionary_size, sizeof d);
        struct room span = {d.span_offset, (wide)d.span_offset + d.span_size};
        if (d.n_values > INT64_MAX || d.span_offset % 64 || d.span_offset < end ||
            d.span_size % 64 || span.end > (wide)h->body_offset || d.reserved ||
            !good_strings(&d.values, h, d.n_values, &span))
            return false;
        end = (wide)d.span_offset + d.span_size;
    }
    return true;
}

static bool good_frame(const unsigned char *bytes, size_t size)
{
    struct shmf_format_frame h;
    if (size < sizeof h)
        return false;
    memcpy(&h, bytes, sizeof h);
    struct room all = {h.header.header_size, h.header.total_size};
    return good_header(&h.header, SHMF_KIND_FRAME, sizeof h, size) && good_shape(&h) &&
           good_index(&h.column_index, h.n_columns, h.header.total_size) &&
           good_strings(&h.column_label, &h, h.n_columns, &all) && good_columns(&h, bytes) &&
           good_dictionaries(&h, bytes);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

/* As many elements as an int64 counts, the last one inside. `product` and `end` are cut when they
 * are too large already, so that 16 factors do not overflow them. */
static bool good_elements(const struct shmf_format_array *h)
{
    const wide limit = (wide)1 << 64;
    uint64_t alignment = h->dtype == SHMF_BOOL ? 1
                         : between(h->dtype, SHMF_COMPLEX64, SHMF_COMPLEX128)
                             ? (uint64_t)value_bytes(h->dtype) / 2
                             : (uint64_t)value_bytes(h->dtype);
    wide product = 1, end = h->dtype == SHMF_BOOL ? 1 : value_bytes(h->dtype);
    bool empty = false;
    for (uint32_t d = 0; d < 16; d++) {
        if (h->shape[d] < 0 || h->strides[d] < 0 || (uint64_t)h->strides[d] % alignment)
            return false;
        if (d >= h->n_dims && (h->shape[d] || h->strides[d]))
            return false;
        if (d >= h->n_dims || h->shape[d] == 0) {
            empty |= d < h->n_dims;
            continue;
        }
        product *= h->shape[d];
        end += (wide)(h->shape[d] - 1) * h->strides[d];
        product = product > limit ? limit : product;
        end = end > limit ? limit : end;
    }
    return product <= INT64_MAX && end < limit && (empty || end <= (wide)h->data_size);
}

static bool good_array(const unsigned char *bytes, size_t size)
{
    struct shmf_format_array h;
    if (size < sizeof h)
        return false;
    memcpy(&h, bytes, sizeof h);
    return good_header(&h.header, SHMF_KIND_ARRAY, sizeof h, size) &&
           between(h.dtype, SHMF_BOOL, SHMF_COMPLEX128) && between(h.n_dims, 1, 16) &&
           h.data_offset % 64 == 0 && h.data_offset >= h.header.header_size &&
           (wide)h.data_offset + h.data_size <= (wide)h.header.total_size && !h.width && !h.unit &&
           !h.precision && !h.scale && !h.reserved0 && !h.reserved1 && !h.reserved2 &&
           good_elements(&h);
}

bool oracle_opens(const unsigned char *bytes, size_t size)
{
    struct shmf_format_header header;
    if (size < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    return header.kind == SHMF_KIND_ARRAY ? good_array(bytes, size) : good_frame(bytes, size);
}
