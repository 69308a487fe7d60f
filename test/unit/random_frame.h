/* Frames of random values, and rows compared by reading every cell of them. */
#ifndef TEST_UNIT_RANDOM_FRAME_H
#define TEST_UNIT_RANDOM_FRAME_H

#include "support/test.h"
#include "unit/typed_frame.h"

#include <shmframe/builder.h>

#include <stdio.h>

static uint64_t random_state = 11;

static inline uint64_t random_below(uint64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

enum { NUMBER, FLAG, REAL, WORD, CATEGORY, WAVE, N_COLUMNS };

static const struct shmf_column_spec random_columns[N_COLUMNS] = {
    {"number", SHMF_INT16, 0},    {"flag", SHMF_BOOL, 0},       {"real", SHMF_FLOAT64, 0},
    {"word", SHMF_LARGE_UTF8, 0}, {"kind", SHMF_DICTIONARY, 0}, {"wave", SHMF_COMPLEX64, 0}};
static const struct shmf_column_details random_details[N_COLUMNS] = {
    [CATEGORY] = {.values = typed_kinds, .n_values = 3}};
static const struct shmf_frame_spec random_spec = {.n_columns = N_COLUMNS,
                                                   .columns = random_columns,
                                                   .details = random_details,
                                                   .range_start = 100};

static inline void append_random(struct shmf_builder *builder, unsigned nulls)
{
    char word[24];
    int64_t size = (int64_t)random_below(sizeof word);
    for (int64_t i = 0; i < size; i++)
        word[i] = (char)('a' + random_below(26));
    const struct shmf_cell cells[N_COLUMNS] = {
        {SHMF_CELL_INT64, {.integer = (int64_t)random_below(65536) - 32768}},
        {SHMF_CELL_INT64, {.integer = (int64_t)random_below(2)}},
        {SHMF_CELL_DOUBLE, {.number = (double)random_below(1000) / 8 - 60}},
        {SHMF_CELL_TEXT, {.text = {word, size}}},
        {SHMF_CELL_INT64, {.integer = (int64_t)random_below(3)}},
        {SHMF_CELL_NULL, {.integer = 0}},
    };
    const float wave[] = {(float)random_below(10), -1};
    for (int64_t c = 0; c < N_COLUMNS - 1; c++) {
        const struct shmf_cell *cell = &cells[c];
        int rc = nulls && random_below(nulls) == 0 ? shmf_builder_append_null(builder, c)
                 : cell->kind == SHMF_CELL_INT64
                     ? shmf_builder_append_int64(builder, c, cell->value.integer)
                 : cell->kind == SHMF_CELL_DOUBLE
                     ? shmf_builder_append_double(builder, c, cell->value.number)
                     : shmf_builder_append_text(builder, c, cell->value.text.data,
                                                cell->value.text.size);
        assert_int_equal(rc, SHMF_OK);
    }
    assert_int_equal(shmf_builder_append_many(builder, WAVE, wave, 1), SHMF_OK);
}

/* `labels`: 0 a range, 1 numbers, 2 text; some of them twice. */
static inline struct shmf_frame *random_frame(int64_t n, unsigned nulls, int labels)
{
    struct shmf_builder *builder = shmf_builder_new(&random_spec, NULL);
    assert_non_null(builder);
    for (int64_t r = 0; r < n; r++) {
        char text[24];
        int64_t number = (int64_t)random_below((uint64_t)n);
        int size = snprintf(text, sizeof text, "r%lld", (long long)number);
        append_random(builder, nulls);
        if (labels == 1)
            assert_int_equal(shmf_builder_label_number(builder, number), SHMF_OK);
        else if (labels == 2)
            assert_int_equal(shmf_builder_label_text(builder, text, size), SHMF_OK);
    }
    struct shmf_frame *frame = shmf_builder_finish(builder, NULL);
    assert_non_null(frame);
    shmf_builder_free(builder);
    return frame;
}

/* Row by row and cell by cell, as text. */
static inline void assert_same_row(const struct shmf_frame *a, int64_t ra,
                                   const struct shmf_frame *b, int64_t rb)
{
    for (int64_t c = 0; c < shmf_frame_columns(a); c++) {
        char of_a[128], of_b[128];
        assert_int_equal(shmf_frame_is_null(a, ra, c), shmf_frame_is_null(b, rb, c));
        shmf_frame_cell_text(a, ra, c, of_a, sizeof of_a);
        shmf_frame_cell_text(b, rb, c, of_b, sizeof of_b);
        assert_string_equal(of_a, of_b);
    }
    struct shmf_text s = shmf_frame_row_text(a, ra), t = shmf_frame_row_text(b, rb);
    int64_t m = 0, n = 0;
    assert_int_equal(s.size, t.size);
    if (s.size > 0)
        assert_memory_equal(s.data, t.data, (size_t)s.size);
    assert_int_equal(shmf_frame_row_number(a, ra, &m), shmf_frame_row_number(b, rb, &n));
    assert_int_equal(m, n);
}

#endif
