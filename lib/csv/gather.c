/* Frames of ranges on their way into one frame, as they come. How much text there will be is
 * reckoned from what came; when it is more, or when a column has its first null late, a larger
 * frame takes over what is there. */
#include "reading.h"

#include <stdlib.h>
#include <string.h>

struct column {
    unsigned char *data;
    uint8_t *validity; /* NULL: no nulls so far */
    void *offsets;     /* of text */
    size_t width;      /* 0: text; booleans: see is_bool */
    bool is_bool, large;
    int64_t used; /* bytes of text */
};

struct shmfi_csv_gathered {
    struct shmfi_csv_reading *reading;
    struct shmf_frame *frame;
    int64_t n_columns, n_rows, rows; /* of the frame, and of what came */
    int64_t *sizes;                  /* room for text in each column */
    bool *nullable;
    struct column *columns;
};

struct shmfi_csv_gathered *shmfi_csv_gather_begin(struct shmfi_csv_reading *reading)
{
    struct shmfi_csv_gathered *gathered = calloc(1, sizeof *gathered);
    const size_t n = (size_t)reading->plan->n_columns;
    if (gathered) {
        *gathered = (struct shmfi_csv_gathered){.reading = reading,
                                                .n_columns = reading->plan->n_columns,
                                                .n_rows = reading->n_rows,
                                                .sizes = calloc(n, sizeof *gathered->sizes),
                                                .nullable = calloc(n, sizeof *gathered->nullable),
                                                .columns = calloc(n, sizeof *gathered->columns)};
        if (gathered->sizes && gathered->nullable && gathered->columns)
            return gathered;
        shmfi_csv_gather_end(gathered, true);
    }
    shmf_error_set(reading->err, SHMF_E_NOMEM, "private memory is exhausted");
    return NULL;
}

/* ---- bits --------------------------------------------------------------------------------- */

/* `n` bits from the beginning of `from` (NULL: all set) to place `at`; what is behind them is
 * lost. */
static void put_bits(uint8_t *bits, int64_t at, const uint8_t *from, int64_t n)
{
    const unsigned shift = (unsigned)(at % 8);
    const int64_t last = (at + n - 1) / 8;
    for (int64_t i = 0, to = at / 8; i < (n + 7) / 8; i++, to++) {
        const unsigned byte = from ? from[i] : 0xff;
        bits[to] = (uint8_t)((bits[to] & ((1u << shift) - 1)) | byte << shift);
        if (to < last)
            bits[to + 1] = (uint8_t)(byte >> (8 - shift));
    }
}

/* ---- the frame that is filled --------------------------------------------------------------- */

static struct shmf_frame *new_frame(struct shmfi_csv_gathered *gathered)
{
    const size_t n = (size_t)gathered->n_columns;
    struct shmf_column_spec *columns = calloc(n, sizeof *columns);
    struct shmf_column_details *details = calloc(n, sizeof *details);
    struct shmf_frame *frame = NULL;
    if (columns && details) {
        shmfi_csv_describe(gathered->reading->plan, gathered->sizes, gathered->nullable, columns,
                           details);
        const struct shmf_frame_spec spec = {.n_rows = gathered->n_rows,
                                             .n_columns = gathered->n_columns,
                                             .columns = columns,
                                             .details = details};
        frame = shmf_frame_new(&spec, gathered->reading->err);
    } else {
        shmf_error_set(gathered->reading->err, SHMF_E_NOMEM, "private memory is exhausted");
    }
    free(columns);
    free(details);
    return frame;
}

static struct column column_of(struct shmf_frame *frame, int64_t c,
                               const struct shmfi_csv_target *target)
{
    const bool text = shmfi_csv_is_text(target);
    return (struct column){.data = shmf_frame_data_mut(frame, c),
                           .validity = shmf_frame_validity_mut(frame, c),
                           .offsets = text ? shmf_frame_offsets_mut(frame, c) : NULL,
                           .width = text ? 0 : shmf_dtype_size((enum shmf_dtype)target->dtype),
                           .is_bool = target->dtype == SHMF_BOOL,
                           .large = target->dtype == SHMF_LARGE_UTF8};
}

static void take_over(struct column *to, const struct column *from, int64_t rows)
{
    const size_t n = (size_t)rows;
    to->used = from->used;
    if (to->validity)
        put_bits(to->validity, 0, from->validity, rows);
    if (to->offsets) {
        memcpy(to->offsets, from->offsets,
               (n + 1) * (to->large ? sizeof(int64_t) : sizeof(int32_t)));
        if (from->used)
            memcpy(to->data, from->data, (size_t)from->used);
    } else if (n) {
        memcpy(to->data, from->data, to->is_bool ? (n + 7) / 8 : n * to->width);
    }
}

/* A frame for what is known now; it takes over what came so far. */
static int renew(struct shmfi_csv_gathered *gathered)
{
    struct shmf_frame *frame = new_frame(gathered);
    if (!frame)
        return gathered->reading->err->code ? gathered->reading->err->code : SHMF_E_NOMEM;
    for (int64_t c = 0; c < gathered->n_columns; c++) {
        struct column column = column_of(frame, c, &gathered->reading->plan->targets[c]);
        if (gathered->frame)
            take_over(&column, &gathered->columns[c], gathered->rows);
        gathered->columns[c] = column;
    }
    shmf_frame_free(gathered->frame);
    gathered->frame = frame;
    return SHMF_OK;
}

/* ---- parts -------------------------------------------------------------------------------- */

/* Text that a part's column holds. What is outside is found when the frame is finished. */
static int64_t text_size(const struct shmf_column *from, bool large, int64_t *first)
{
    const int64_t *wide = from->offsets;
    const int32_t *narrow = from->offsets;
    *first = large ? wide[0] : narrow[0];
    const int64_t last = large ? wide[from->n_rows] : narrow[from->n_rows];
    return *first < 0 || last < *first || last > from->data_size ? -1 : last - *first;
}

/* What all rows will have, if they are like those that came, and a little more. */
static int64_t expected(const struct shmfi_csv_gathered *gathered, int64_t used, int64_t rows)
{
    const double more = (double)(gathered->n_rows - rows) * (double)used / (double)(rows + 1);
    return used + (int64_t)(more * 1.03) + 4096;
}

/* Notes what is needed for the part beside what is there: nonzero, another frame. Negative: an
 * error. */
static int look(struct shmfi_csv_gathered *gathered, int64_t c, const struct shmf_column *from)
{
    const struct shmfi_csv_target *target = &gathered->reading->plan->targets[c];
    struct column *column = &gathered->columns[c];
    int64_t first, needed = column->used;
    int more = !gathered->frame || (from->null_count && !gathered->nullable[c]);
    gathered->nullable[c] |= from->null_count != 0;
    if (!shmfi_csv_is_text(target))
        return more;
    const int64_t size = text_size(from, target->dtype == SHMF_LARGE_UTF8, &first);
    if (size < 0)
        return shmf_error_set(gathered->reading->err, SHMF_E_POOL_BROKEN,
                              "a task returned a frame with wrong offsets");
    needed += size;
    if (needed > INT32_MAX && target->dtype == SHMF_UTF8)
        return shmf_error_set(gathered->reading->err, SHMF_E_TOOBIG,
                              "column %lld: only large_utf8 holds more than 2^31 - 1 bytes",
                              (long long)c + 1);
    if (gathered->frame && needed <= gathered->sizes[c])
        return more;
    int64_t room = expected(gathered, needed, gathered->rows + from->n_rows);
    gathered->sizes[c] = target->dtype == SHMF_UTF8 && room > INT32_MAX ? INT32_MAX : room;
    return 1;
}

static void put_text(struct column *to, int64_t at, const struct shmf_column *from)
{
    int64_t first;
    const int64_t size = text_size(from, to->large, &first);
    if (to->large) {
        const uint64_t *offsets = from->offsets, shift = (uint64_t)(to->used - first);
        uint64_t *ends = (uint64_t *)to->offsets + at;
        for (int64_t r = 0; r <= from->n_rows; r++)
            ends[r] = offsets[r] + shift;
    } else {
        const uint32_t *offsets = from->offsets, shift = (uint32_t)(to->used - first);
        uint32_t *ends = (uint32_t *)to->offsets + at;
        for (int64_t r = 0; r <= from->n_rows; r++)
            ends[r] = offsets[r] + shift;
    }
    if (size > 0)
        memcpy(to->data + to->used, (const char *)from->data + first, (size_t)size);
    to->used += size > 0 ? size : 0;
}

static void put(struct column *to, int64_t at, const struct shmf_column *from)
{
    if (to->validity)
        put_bits(to->validity, at, from->validity, from->n_rows);
    if (to->offsets)
        put_text(to, at, from);
    else if (to->is_bool)
        put_bits(to->data, at, from->data, from->n_rows);
    else
        memcpy(to->data + (size_t)at * to->width, from->data, (size_t)from->n_rows * to->width);
}

/* The part is a worker's: that it is one of these ranges is not taken on trust. */
static int check(const struct shmfi_csv_gathered *gathered, const struct shmf_frame *part)
{
    bool fine = shmf_frame_columns(part) == gathered->n_columns &&
                shmf_frame_rows(part) <= gathered->n_rows - gathered->rows;
    for (int64_t c = 0; fine && c < gathered->n_columns; c++) {
        struct shmf_column column;
        fine = shmf_frame_column(part, c, &column) == SHMF_OK && column.bit_offset == 0 &&
               column.dtype == (enum shmf_dtype)gathered->reading->plan->targets[c].dtype;
    }
    return fine ? SHMF_OK
                : shmf_error_set(gathered->reading->err, SHMF_E_CORRUPT,
                                 "it was changed while it was read");
}

int shmfi_csv_gather_add(struct shmfi_csv_gathered *gathered, const struct shmf_frame *part)
{
    struct shmf_column column;
    int rc = check(gathered, part);
    bool more = false;
    for (int64_t c = 0; rc >= 0 && c < gathered->n_columns; c++) {
        shmf_frame_column(part, c, &column);
        rc = look(gathered, c, &column);
        more |= rc > 0;
    }
    if (rc < 0 || (more && (rc = renew(gathered))))
        return rc;
    for (int64_t c = 0; column.n_rows > 0 && c < gathered->n_columns; c++) {
        shmf_frame_column(part, c, &column);
        put(&gathered->columns[c], gathered->rows, &column);
    }
    gathered->rows += shmf_frame_rows(part);
    return SHMF_OK;
}

struct shmf_frame *shmfi_csv_gather_end(struct shmfi_csv_gathered *gathered, bool failed)
{
    if (!gathered)
        return NULL;
    struct shmf_frame *frame = gathered->frame;
    if (!failed && gathered->rows != gathered->n_rows)
        failed = shmf_error_set(gathered->reading->err, SHMF_E_CORRUPT,
                                "it was changed while it was read") != 0;
    if (frame && (failed || shmf_frame_finish(frame, gathered->reading->err))) {
        shmf_frame_free(frame);
        frame = NULL;
    }
    free(gathered->sizes);
    free(gathered->nullable);
    free(gathered->columns);
    free(gathered);
    return frame;
}
