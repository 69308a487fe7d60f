/* Appending to the columns of a builder. */
#include "frame/builder_internal.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"

/* ---- one value ---------------------------------------------------------------------------- */

static int need_valid(struct shmfi_growing *column, struct shmf_error *err)
{
    return column->has_bits ? shmfi_bits_need(&column->validity, err) : SHMF_OK;
}

static void put_valid(struct shmfi_growing *column)
{
    if (column->has_bits)
        shmfi_bits_put(&column->validity, true);
    column->n++;
}

/* All room is there before anything is written. */
static int put_string(struct shmfi_growing *column, const void *bytes, uint64_t size,
                      struct shmf_error *err)
{
    bool wide = column->dtype == SHMF_LARGE_UTF8;
    uint64_t end;
    if (!shmfi_add(column->bytes, size, &end) || end > (wide ? INT64_MAX : INT32_MAX))
        return shmfi_error(err, SHMF_E_TOOBIG, "only large_utf8 holds more than 2^31 - 1 bytes");
    int rc = shmfi_stream_need(&column->data, size, err);
    if (!rc)
        rc = shmfi_stream_need(&column->ends, wide ? 8 : 4, err);
    if (rc)
        return rc;
    shmfi_stream_put(&column->data, bytes, size);
    column->bytes = end;
    int32_t narrow = (int32_t)end;
    shmfi_stream_put(&column->ends, wide ? (const void *)&end : &narrow, wide ? 8 : 4);
    return SHMF_OK;
}

int shmfi_growing_put(struct shmfi_growing *column, const void *bytes, uint64_t size,
                      struct shmf_error *err)
{
    int rc = need_valid(column, err);
    if (rc)
        return rc;
    if (shmfi_dtype_is_string(column->dtype)) {
        rc = put_string(column, bytes, size, err);
    } else {
        rc = shmfi_stream_need(&column->data, size, err);
        if (!rc)
            shmfi_stream_put(&column->data, bytes, size);
    }
    if (!rc)
        put_valid(column);
    return rc;
}

static int put_boolean(struct shmfi_growing *column, bool value, struct shmf_error *err)
{
    int rc = need_valid(column, err);
    if (!rc)
        rc = shmfi_bits_need(&column->booleans, err);
    if (rc)
        return rc;
    shmfi_bits_put(&column->booleans, value);
    put_valid(column);
    return SHMF_OK;
}

/* The bitmap begins with the byte of the first null: all bits before it are set. */
static void begin_validity(struct shmfi_growing *column)
{
    column->has_bits = true;
    column->way = SHMFI_WAY_NONE;
    column->whole = column->n / 8;
    column->validity.n_last = (unsigned)(column->n % 8);
    column->validity.last = (uint8_t)((1u << column->validity.n_last) - 1);
    if (column->bitmap && (uint64_t)column->whole <= column->bitmap_size)
        shmfi_stream_begin(&column->validity.bytes, column->bitmap + column->whole,
                           column->bitmap_size - (uint64_t)column->whole);
}

/* A value is put below it, and its bit is taken back; a null needs no more than any value. */
static int put_null(struct shmfi_growing *column, struct shmf_error *err)
{
    static const unsigned char zero[16];
    if (!column->has_bits)
        begin_validity(column);
    int rc = shmfi_bits_need(&column->validity, err);
    if (rc)
        return rc;
    if (column->dtype == SHMF_BOOL) {
        rc = shmfi_bits_need(&column->booleans, err);
        if (!rc)
            shmfi_bits_put(&column->booleans, false);
    } else if (shmfi_dtype_is_string(column->dtype)) {
        rc = put_string(column, zero, 0, err);
    } else {
        rc = shmfi_stream_need(&column->data, column->width, err);
        for (uint32_t left = column->width; !rc && left > 0;) {
            uint32_t size = left < sizeof zero ? left : (uint32_t)sizeof zero;
            shmfi_stream_put(&column->data, zero, size);
            left -= size;
        }
    }
    if (rc)
        return rc;
    shmfi_bits_put(&column->validity, false);
    column->n++;
    return SHMF_OK;
}

/* ---- conversions -------------------------------------------------------------------------- */

#define NARROW(type, least, most)                                                                  \
    do {                                                                                           \
        type narrow_ = (type)value;                                                                \
        if (value < (least) || value > (most))                                                     \
            return shmfi_error(err, SHMF_E_RANGE, "%lld is no %s", (long long)value,               \
                               shmfi_dtype_info(dtype)->name);                                     \
        return shmfi_growing_put(column, &narrow_, sizeof narrow_, err);                           \
    } while (0)

static int put_double(struct shmfi_growing *column, double value, struct shmf_error *err)
{
    float narrow = (float)value;
    if (column->dtype == SHMF_FLOAT64)
        return shmfi_growing_put(column, &value, sizeof value, err);
    if (column->dtype == SHMF_FLOAT32)
        return shmfi_growing_put(column, &narrow, sizeof narrow, err);
    return shmfi_error(err, SHMF_E_DTYPE, "a number for a column of %s",
                       shmfi_dtype_info(column->dtype)->name);
}

/* `dtype`: the column's, or that of a dictionary's indexes. */
static int put_int64(struct shmfi_growing *column, uint32_t dtype, int64_t value,
                     struct shmf_error *err)
{
    switch (dtype) {
    case SHMF_BOOL:
        if (value != 0 && value != 1)
            return shmfi_error(err, SHMF_E_RANGE, "%lld is no bool", (long long)value);
        return put_boolean(column, value != 0, err);
    case SHMF_INT8:
        NARROW(int8_t, INT8_MIN, INT8_MAX);
    case SHMF_INT16:
        NARROW(int16_t, INT16_MIN, INT16_MAX);
    case SHMF_INT32:
    case SHMF_DATE32:
    case SHMF_TIME32:
        NARROW(int32_t, INT32_MIN, INT32_MAX);
    case SHMF_INT64:
    case SHMF_DATE64:
    case SHMF_TIME64:
    case SHMF_TIMESTAMP:
    case SHMF_DURATION:
        return shmfi_growing_put(column, &value, sizeof value, err);
    case SHMF_UINT8:
        NARROW(uint8_t, 0, UINT8_MAX);
    case SHMF_UINT16:
        NARROW(uint16_t, 0, UINT16_MAX);
    case SHMF_UINT32:
        NARROW(uint32_t, 0, UINT32_MAX);
    case SHMF_UINT64:
        NARROW(uint64_t, 0, INT64_MAX);
    default:
        return put_double(column, (double)value, err);
    }
}

static int put_text(struct shmfi_growing *column, const char *data, int64_t size,
                    struct shmf_error *err)
{
    bool fixed = column->dtype == SHMF_FIXED_BINARY;
    if (!fixed && !shmfi_dtype_is_string(column->dtype))
        return shmfi_error(err, SHMF_E_DTYPE, "text for a column of %s",
                           shmfi_dtype_info(column->dtype)->name);
    if (!data || size < 0)
        return shmfi_error(err, SHMF_E_INVAL, "no text of %lld bytes", (long long)size);
    if (fixed && size != (int64_t)column->width)
        return shmfi_error(err, SHMF_E_RANGE, "%lld bytes for values of %u", (long long)size,
                           column->width);
    return shmfi_growing_put(column, data, (uint64_t)size, err);
}

/* ---- the public calls --------------------------------------------------------------------- */

/* The column; or NULL with the failure noted, or noted before. */
static struct shmfi_growing *begin(struct shmf_builder *builder, int64_t position)
{
    if (builder->failure.code)
        return NULL;
    if (!builder->begun)
        shmfi_builder_reserve(builder);
    if (position >= 0 && position < builder->n_columns)
        return &builder->columns[position];
    shmfi_error(&builder->failure, SHMF_E_RANGE, "there is no column %lld", (long long)position);
    return NULL;
}

/* Says which column, when something went wrong. */
static int end(struct shmf_builder *builder, const struct shmfi_growing *column, int rc)
{
    if (!rc)
        return rc;
    struct shmf_error why = builder->failure;
    return shmfi_error(&builder->failure, rc, "column %lld, row %lld: %.200s",
                       (long long)(column - builder->columns), (long long)column->n, why.message);
}

static int append_int64(struct shmf_builder *builder, struct shmfi_growing *column, int64_t value)
{
    int64_t position = column - builder->columns;
    uint32_t dtype = column->dtype;
    if (dtype == SHMF_DICTIONARY)
        dtype = shmfi_frame_descriptor(builder->model, position)->index_dtype;
    return put_int64(column, dtype, value, &builder->failure);
}

/* The column, if what is appended to it can be put there with as little ado as to a plain array. */
static struct shmfi_growing *plain_way(struct shmf_builder *builder, int64_t position,
                                       enum shmfi_plain_way way)
{
    if (builder->failure.code || (uint64_t)position >= (uint64_t)builder->n_columns)
        return NULL;
    struct shmfi_growing *column = &builder->columns[position];
    return column->way == way ? column : NULL;
}

static bool put_word(struct shmfi_growing *column, const void *word)
{
    if (!column || column->data.end - column->data.at < 8)
        return false;
    memcpy(column->data.at, word, 8);
    column->data.at += 8;
    column->n++;
    return true;
}

int shmf_builder_append_int64(struct shmf_builder *builder, int64_t position, int64_t value)
{
    if (!builder)
        return SHMF_E_INVAL;
    if (put_word(plain_way(builder, position, SHMFI_WAY_INT64), &value))
        return SHMF_OK;
    struct shmfi_growing *column = begin(builder, position);
    return column ? end(builder, column, append_int64(builder, column, value))
                  : builder->failure.code;
}

int shmf_builder_append_double(struct shmf_builder *builder, int64_t position, double value)
{
    if (!builder)
        return SHMF_E_INVAL;
    if (put_word(plain_way(builder, position, SHMFI_WAY_DOUBLE), &value))
        return SHMF_OK;
    struct shmfi_growing *column = begin(builder, position);
    return column ? end(builder, column, put_double(column, value, &builder->failure))
                  : builder->failure.code;
}

/* Short texts take two moves that overlap instead of a call. */
static void copy_text(unsigned char *to, const char *from, size_t size)
{
    uint64_t head, tail;
    uint32_t first, last;
    if (size > 16) {
        memcpy(to, from, size);
    } else if (size >= 8) {
        memcpy(&head, from, 8);
        memcpy(&tail, from + size - 8, 8);
        memcpy(to, &head, 8);
        memcpy(to + size - 8, &tail, 8);
    } else if (size >= 4) {
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + size - 4, &last, 4);
    } else {
        for (size_t i = 0; i < size; i++)
            to[i] = (unsigned char)from[i];
    }
}

static bool put_plain_text(struct shmfi_growing *column, const char *data, int64_t size)
{
    if (!column || !data || size < 0 || column->data.end - column->data.at < size ||
        column->ends.end - column->ends.at < 4 || size > INT32_MAX - (int64_t)column->bytes)
        return false;
    copy_text(column->data.at, data, (size_t)size);
    column->data.at += size;
    column->bytes += (uint64_t)size;
    const int32_t end_of_text = (int32_t)column->bytes;
    memcpy(column->ends.at, &end_of_text, sizeof end_of_text);
    column->ends.at += sizeof end_of_text;
    column->n++;
    return true;
}

int shmf_builder_append_text(struct shmf_builder *builder, int64_t position, const char *data,
                             int64_t size)
{
    if (!builder)
        return SHMF_E_INVAL;
    if (put_plain_text(plain_way(builder, position, SHMFI_WAY_TEXT), data, size))
        return SHMF_OK;
    struct shmfi_growing *column = begin(builder, position);
    return column ? end(builder, column, put_text(column, data, size, &builder->failure))
                  : builder->failure.code;
}

int shmf_builder_append_null(struct shmf_builder *builder, int64_t position)
{
    if (!builder)
        return SHMF_E_INVAL;
    struct shmfi_growing *column = begin(builder, position);
    return column ? end(builder, column, put_null(column, &builder->failure))
                  : builder->failure.code;
}

static int append_many(struct shmfi_growing *column, const void *values, int64_t n,
                       struct shmf_error *err)
{
    uint64_t size;
    if (column->width == 0)
        return shmfi_error(err, SHMF_E_DTYPE, "many values for a column of %s",
                           shmfi_dtype_info(column->dtype)->name);
    if (n < 0 || (n > 0 && !values))
        return shmfi_error(err, SHMF_E_INVAL, "no %lld values", (long long)n);
    if (!shmfi_mul((uint64_t)n, column->width, &size))
        return shmfi_error(err, SHMF_E_TOOBIG, "%lld values", (long long)n);
    int rc = shmfi_stream_need(&column->data, size, err);
    if (!rc && column->has_bits)
        rc = shmfi_stream_need(&column->validity.bytes, (uint64_t)n / 8 + 1, err);
    if (rc)
        return rc;
    shmfi_stream_put(&column->data, values, size);
    for (int64_t i = 0; column->has_bits && i < n; i++)
        shmfi_bits_put(&column->validity, true);
    column->n += n;
    return SHMF_OK;
}

int shmf_builder_append_many(struct shmf_builder *builder, int64_t position, const void *values,
                             int64_t n)
{
    if (!builder)
        return SHMF_E_INVAL;
    struct shmfi_growing *column = begin(builder, position);
    return column ? end(builder, column, append_many(column, values, n, &builder->failure))
                  : builder->failure.code;
}

int shmf_builder_append_row(struct shmf_builder *builder, const struct shmf_cell *cells)
{
    int rc = SHMF_OK;
    if (!builder)
        return SHMF_E_INVAL;
    if (builder->failure.code)
        return builder->failure.code;
    if (!cells && builder->n_columns > 0)
        return shmfi_error(&builder->failure, SHMF_E_INVAL, "cells: NULL");
    for (int64_t c = 0; c < builder->n_columns && !rc; c++) {
        switch (cells[c].kind) {
        case SHMF_CELL_NULL:
            rc = shmf_builder_append_null(builder, c);
            break;
        case SHMF_CELL_INT64:
            rc = shmf_builder_append_int64(builder, c, cells[c].value.integer);
            break;
        case SHMF_CELL_DOUBLE:
            rc = shmf_builder_append_double(builder, c, cells[c].value.number);
            break;
        case SHMF_CELL_TEXT:
            rc = shmf_builder_append_text(builder, c, cells[c].value.text.data,
                                          cells[c].value.text.size);
            break;
        default:
            rc = shmfi_error(&builder->failure, SHMF_E_INVAL, "cells[%lld].kind: there is no %d",
                             (long long)c, (int)cells[c].kind);
        }
    }
    return rc;
}
