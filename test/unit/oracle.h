/* A second, naive implementation of tables of every dtype: cells are bytes in an array, labels are
 * looked for one by one, and frames are read through their buffers by hand. */
#ifndef TEST_UNIT_ORACLE_H
#define TEST_UNIT_ORACLE_H

#include "support/test.h"

#include <shmframe/builder.h>
#include <shmframe/derive.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ORACLE_ROWS = 80, ORACLE_CELL = 16, ORACLE_LABELS = 12, N_ORACLE = SHMF_DECIMAL128 };

/* A column of each dtype, in the order of their numbers. */
struct oracle_cell {
    bool null;
    uint8_t size;
    unsigned char bytes[ORACLE_CELL];
};

struct oracle {
    int64_t n;
    enum shmf_row_labels labels;
    int64_t label[ORACLE_ROWS]; /* the number; of text, what stands behind "row " */
    struct oracle_cell cells[N_ORACLE][ORACLE_ROWS];
};

static uint64_t oracle_state;

static inline int64_t oracle_random(int64_t below)
{
    oracle_state = oracle_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((oracle_state >> 33) % (uint64_t)below);
}

static inline enum shmf_dtype oracle_dtype(int64_t column)
{
    return (enum shmf_dtype)(column + 1);
}

static inline bool oracle_is_text(enum shmf_dtype dtype)
{
    return dtype == SHMF_UTF8 || dtype == SHMF_LARGE_UTF8 || dtype == SHMF_BINARY;
}

/* Bytes of a value; those of fixed_binary and of the indexes of categories are chosen here. */
static inline uint8_t oracle_width(enum shmf_dtype dtype)
{
    return dtype == SHMF_FIXED_BINARY ? 5
           : dtype == SHMF_DICTIONARY ? 2
                                      : (uint8_t)shmf_dtype_size(dtype);
}

static const struct shmf_text oracle_categories[] = {{"red", 3}, {"", 0}, {"gr\xC3\xBCn", 5}};

static inline const struct shmf_frame_spec *oracle_spec(void)
{
    static struct shmf_column_spec columns[N_ORACLE];
    static struct shmf_column_details details[N_ORACLE];
    static struct shmf_frame_spec spec = {
        .n_columns = N_ORACLE, .columns = columns, .details = details};
    for (int64_t c = 0; c < N_ORACLE; c++)
        columns[c] = (struct shmf_column_spec){shmf_dtype_name(oracle_dtype(c)), oracle_dtype(c),
                                               c % 2 == 0};
    details[SHMF_FIXED_BINARY - 1].type.width = 5;
    details[SHMF_DICTIONARY - 1] = (struct shmf_column_details){
        .type = {.index_dtype = SHMF_UINT16}, .values = oracle_categories, .n_values = 3};
    details[SHMF_TIME32 - 1].type.unit = SHMF_MILLISECONDS;
    details[SHMF_TIME64 - 1].type.unit = SHMF_NANOSECONDS;
    details[SHMF_TIMESTAMP - 1].type.unit = SHMF_SECONDS;
    details[SHMF_DURATION - 1].type.unit = SHMF_MICROSECONDS;
    details[SHMF_DECIMAL128 - 1].type.precision = 20;
    return &spec;
}

/* ---- random tables ------------------------------------------------------------------------ */

static inline struct oracle_cell oracle_random_cell(enum shmf_dtype dtype, int64_t nulls)
{
    struct oracle_cell cell = {.null = nulls && oracle_random(nulls) == 0,
                               .size = oracle_width(dtype)};
    if (oracle_is_text(dtype))
        cell.size = (uint8_t)(oracle_random(3) ? oracle_random(ORACLE_CELL) : 0);
    for (int i = 0; i < cell.size; i++)
        cell.bytes[i] =
            (unsigned char)('a' + oracle_random(26)); /* numbers that are not negative */
    if (dtype == SHMF_BOOL || dtype == SHMF_DICTIONARY) {
        memset(cell.bytes, 0, sizeof cell.bytes);
        cell.bytes[0] = (unsigned char)oracle_random(dtype == SHMF_BOOL ? 2 : 3);
    }
    return cell;
}

static inline void oracle_fill(struct oracle *oracle, int64_t n, int64_t nulls,
                               enum shmf_row_labels labels)
{
    *oracle = (struct oracle){.n = n, .labels = labels};
    for (int64_t r = 0; r < n; r++) {
        oracle->label[r] = labels == SHMF_ROWS_RANGE ? r : oracle_random(ORACLE_LABELS);
        for (int64_t c = 0; c < N_ORACLE; c++)
            oracle->cells[c][r] = oracle_random_cell(oracle_dtype(c), c % 5 ? nulls : 0);
    }
}

/* ---- what is done with them --------------------------------------------------------------- */

static inline void oracle_append(struct oracle *to, const struct oracle *from, int64_t row)
{
    assert_in_range(to->n, 0, ORACLE_ROWS - 1);
    to->label[to->n] = from->label[row];
    for (int64_t c = 0; c < N_ORACLE; c++)
        to->cells[c][to->n] = from->cells[c][row];
    to->n++;
}

static inline int64_t oracle_find(const struct oracle *oracle, int64_t label, int64_t *count)
{
    int64_t first = SHMF_E_NOTFOUND;
    *count = 0;
    for (int64_t r = oracle->n - 1; r >= 0; r--)
        if (oracle->label[r] == label) {
            first = r;
            ++*count;
        }
    return first;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static inline bool oracle_bit(const void *bits, int64_t i)
{
    return ((const uint8_t *)bits)[i / 8] >> (i % 8) & 1;
}

static inline void oracle_read(const struct shmf_column *column, uint8_t width, int64_t row,
                               struct oracle_cell *cell)
{
    const unsigned char *at = column->data;
    *cell = (struct oracle_cell){.size = width};
    cell->null = column->validity && !oracle_bit(column->validity, row + column->bit_offset);
    if (column->dtype == SHMF_BOOL) {
        cell->bytes[0] = oracle_bit(at, row + column->bit_offset);
        return;
    }
    int64_t begin = row * width, end = begin + width;
    if (column->dtype == SHMF_LARGE_UTF8) {
        begin = ((const int64_t *)column->offsets)[row];
        end = ((const int64_t *)column->offsets)[row + 1];
    } else if (column->offsets) {
        begin = ((const int32_t *)column->offsets)[row];
        end = ((const int32_t *)column->offsets)[row + 1];
    }
    assert_in_range(end - begin, 0, ORACLE_CELL);
    cell->size = (uint8_t)(end - begin);
    memcpy(cell->bytes, at + begin, cell->size);
}

static inline void assert_oracle_labels(const struct shmf_frame *frame, const struct oracle *oracle)
{
    for (int64_t label = -1; label <= ORACLE_ROWS; label++) {
        char text[24];
        int64_t expected, count = 0, found,
                          size = snprintf(text, sizeof text, "row %d", (int)label);
        int64_t row = oracle_find(oracle, label, &expected);
        found = oracle->labels == SHMF_ROWS_UTF8
                    ? shmf_frame_loc_text(frame, (struct shmf_text){text, size}, &count)
                    : shmf_frame_loc_number_count(frame, label, &count);
        assert_int_equal(found, row);
        if (row >= 0)
            assert_int_equal(count, expected);
    }
}

static inline void assert_oracle(const struct shmf_frame *frame, const struct oracle *oracle)
{
    struct shmf_error err = {0};
    assert_int_equal(shmf_frame_rows(frame), oracle->n);
    assert_int_equal(shmf_frame_columns(frame), N_ORACLE);
    if (shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err))
        fail_msg("%s", err.message);
    for (int64_t c = 0; c < N_ORACLE; c++) {
        struct shmf_column column;
        int64_t nulls = 0;
        assert_int_equal(shmf_frame_column(frame, c, &column), SHMF_OK);
        assert_int_equal(column.dtype, oracle_dtype(c));
        for (int64_t r = 0; r < oracle->n; r++) {
            const struct oracle_cell *expected = &oracle->cells[c][r];
            struct oracle_cell cell;
            char text[128];
            oracle_read(&column, oracle_width(column.dtype), r, &cell);
            nulls += expected->null;
            assert_int_equal(cell.null, expected->null);
            assert_int_equal(shmf_frame_is_null(frame, r, c), expected->null);
            assert_true(shmf_frame_cell_text(frame, r, c, text, sizeof text) >= 0);
            assert_int_equal(strcmp(text, "null") == 0, expected->null);
            if (expected->null)
                continue;
            assert_int_equal(cell.size, expected->size);
            assert_memory_equal(cell.bytes, expected->bytes, cell.size);
        }
        assert_int_equal(column.null_count, nulls);
    }
    assert_oracle_labels(frame, oracle);
}

#endif
