/* frame/: builders against plain arrays that grow in the test; labels, failures, memory. */
#include "support/test.h"
#include "unit/typed_frame.h"

#include <shmframe/builder.h>
#include <shmframe/memory.h>

#include <stdio.h>
#include <stdlib.h>

static uint64_t random_state = 7;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

static struct shmf_builder *begin(const struct shmf_frame_spec *spec)
{
    struct shmf_error err = {0};
    struct shmf_builder *builder = shmf_builder_new(spec, &err);
    if (!builder)
        fail_msg("%s", err.message);
    return builder;
}

static struct shmf_frame *finish(struct shmf_builder *builder)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_builder_finish(builder, &err);
    if (!frame)
        fail_msg("%s", err.message);
    return frame;
}

/* ---- an oracle: what was appended, in plain memory ------------------------------------------ */

enum { NUMBER, FLAG, REAL, WORD, N_COLUMNS };

static const struct shmf_column_spec columns[N_COLUMNS] = {{"number", SHMF_INT16, 0},
                                                           {"flag", SHMF_BOOL, 0},
                                                           {"real", SHMF_FLOAT64, 1},
                                                           {"word", SHMF_UTF8, 0}};
static const struct shmf_frame_spec spec = {.n_columns = N_COLUMNS, .columns = columns};

struct row {
    bool null[N_COLUMNS];
    int64_t number;
    bool flag;
    double real;
    char *word;
    int64_t size;
};

static struct row random_row(unsigned nulls)
{
    struct row row = {.number = (int64_t)random_below(65536) - 32768,
                      .flag = random_below(2),
                      .real = (double)random_below(1000) / 8,
                      .size = (int64_t)random_below(random_below(50) ? 12 : 40000)};
    row.word = malloc((size_t)row.size + 1);
    assert_non_null(row.word);
    for (int64_t i = 0; i < row.size; i++)
        row.word[i] = (char)('a' + random_below(26));
    for (int c = 0; c < N_COLUMNS; c++)
        row.null[c] = nulls && random_below(nulls) == 0;
    return row;
}

static int append_cell(struct shmf_builder *builder, int64_t c, const struct row *row)
{
    if (row->null[c])
        return shmf_builder_append_null(builder, c);
    switch (c) {
    case NUMBER:
        return shmf_builder_append_int64(builder, c, row->number);
    case FLAG:
        return shmf_builder_append_int64(builder, c, row->flag);
    case REAL:
        return shmf_builder_append_double(builder, c, row->real);
    default:
        return shmf_builder_append_text(builder, c, row->word, row->size);
    }
}

static int append_row(struct shmf_builder *builder, const struct row *row)
{
    struct shmf_cell cells[N_COLUMNS] = {
        {SHMF_CELL_INT64, {.integer = row->number}},
        {SHMF_CELL_INT64, {.integer = row->flag}},
        {SHMF_CELL_DOUBLE, {.number = row->real}},
        {SHMF_CELL_TEXT, {.text = {row->word, row->size}}},
    };
    for (int c = 0; c < N_COLUMNS; c++)
        if (row->null[c])
            cells[c].kind = SHMF_CELL_NULL;
    return shmf_builder_append_row(builder, cells);
}

static void assert_row(const struct shmf_frame *frame, int64_t r, const struct row *row)
{
    int64_t number;
    double real;
    for (int c = 0; c < N_COLUMNS; c++)
        assert_int_equal(shmf_frame_is_null(frame, r, c), row->null[c]);
    if (!row->null[NUMBER]) {
        assert_int_equal(shmf_frame_cell_int64(frame, r, NUMBER, &number), SHMF_OK);
        assert_int_equal(number, row->number);
    }
    if (!row->null[FLAG]) {
        assert_int_equal(shmf_frame_cell_int64(frame, r, FLAG, &number), SHMF_OK);
        assert_int_equal(number, row->flag);
    }
    if (!row->null[REAL]) {
        assert_int_equal(shmf_frame_cell(frame, r, REAL, &real), SHMF_OK);
        assert_true(real == row->real);
    }
    if (!row->null[WORD]) {
        struct shmf_text text = shmf_frame_text(frame, r, WORD);
        assert_int_equal(text.size, row->size);
        assert_memory_equal(text.data, row->word, (size_t)row->size);
    }
}

static void assert_like_oracle(struct shmf_builder *builder, int64_t n, unsigned nulls, bool by_row)
{
    struct row *rows = malloc((size_t)n * sizeof *rows + 1);
    assert_non_null(rows);
    int64_t count[N_COLUMNS] = {0};
    for (int64_t r = 0; r < n; r++) {
        rows[r] = random_row(nulls);
        for (int c = 0; c < N_COLUMNS; c++)
            count[c] += rows[r].null[c];
        if (by_row)
            assert_int_equal(append_row(builder, &rows[r]), SHMF_OK);
    }
    for (int64_t c = 0; c < N_COLUMNS && !by_row; c++)
        for (int64_t r = 0; r < n; r++)
            assert_int_equal(append_cell(builder, c, &rows[r]), SHMF_OK);
    assert_int_equal(shmf_builder_rows(builder), n);
    struct shmf_frame *frame = finish(builder);
    assert_int_equal(shmf_frame_rows(frame), n);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    for (int c = 0; c < N_COLUMNS; c++) {
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, c, &column), SHMF_OK);
        assert_int_equal(column.null_count, count[c]);
    }
    for (int64_t r = 0; r < n; r++) {
        assert_row(frame, r, &rows[r]);
        free(rows[r].word);
    }
    free(rows);
    shmf_frame_free(frame);
}

static void test_builders_hold_what_was_appended_by_row_and_by_column(void **state)
{
    (void)state;
    const int64_t lengths[] = {0, 1, 7, 8, 9, 63, 64, 65, 1000, 20000};
    struct shmf_builder *builder = begin(&spec); /* one for all: it is empty after each */
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        for (unsigned nulls = 0; nulls < 60; nulls = nulls * 7 + 2)
            assert_like_oracle(builder, lengths[i], nulls, nulls % 3 == 0);
    shmf_builder_free(builder);
}

static void test_many_values_are_appended_at_once(void **state)
{
    (void)state;
    enum { N = 100000 };
    const struct shmf_frame_spec one = {.n_columns = 1, .dtype = SHMF_INT32};
    struct shmf_builder *builder = begin(&one);
    int32_t *values = malloc(N * sizeof *values);
    assert_non_null(values);
    for (int32_t i = 0; i < N; i++)
        values[i] = i * 3;
    int64_t n = 0;
    for (int64_t size = 1; n + size < N; n += size, size = size * 2 + 1)
        assert_int_equal(shmf_builder_append_many(builder, 0, values + n, size), SHMF_OK);
    assert_int_equal(shmf_builder_append_null(builder, 0), SHMF_OK);
    assert_int_equal(shmf_builder_append_many(builder, 0, values, 1000), SHMF_OK);
    struct shmf_frame *frame = finish(builder);
    const int32_t *data = shmf_frame_data(frame, 0, SHMF_INT32);
    assert_memory_equal(data, values, (size_t)n * sizeof *values);
    assert_memory_equal(data + n + 1, values, 1000 * sizeof *values);
    struct shmf_column column;
    assert_int_equal(shmf_frame_column(frame, 0, &column), SHMF_OK);
    assert_int_equal(column.null_count, 1);
    assert_int_equal(shmf_frame_is_null(frame, n, 0), 1);
    shmf_frame_free(frame);
    shmf_builder_free(builder);
    free(values);
}

static void test_schema_details_and_metadata_survive(void **state)
{
    (void)state;
    struct shmf_frame_spec typed = typed_spec;
    typed.n_rows = 0;
    struct shmf_builder *builder = begin(&typed);
    struct shmf_cell cells[N_TYPED] = {
        [NAME] = {SHMF_CELL_TEXT, {.text = TEXT("x")}},
        [BLOB] = {SHMF_CELL_TEXT, {.text = TEXT("\xFF\x00")}},
        [UUID] = {SHMF_CELL_TEXT, {.text = TEXT("abc")}},
        [KIND] = {SHMF_CELL_INT64, {.integer = 2}},
        [DAY] = {SHMF_CELL_INT64, {.integer = 1}},
        [WHEN] = {SHMF_CELL_INT64, {.integer = 1}},
    };
    assert_int_equal(shmf_builder_append_row(builder, cells), SHMF_OK);
    struct shmf_frame *frame = finish(builder), *model = typed_frame(NULL);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    for (int c = 0; c < N_TYPED; c++) {
        struct shmf_type a, b;
        assert_int_equal(shmf_frame_type(frame, c, &a), SHMF_OK);
        assert_int_equal(shmf_frame_type(model, c, &b), SHMF_OK);
        assert_true(a.dtype == b.dtype && a.unit == b.unit && a.width == b.width &&
                    a.precision == b.precision && a.scale == b.scale && a.ordered == b.ordered &&
                    a.index_dtype == b.index_dtype && a.zone.size == b.zone.size);
        assert_int_equal(shmf_frame_n_metadata(frame, c), shmf_frame_n_metadata(model, c));
        struct shmf_text label = shmf_frame_column_label(frame, c);
        assert_int_equal(label.size, typed_size(typed_columns[c].label));
        assert_memory_equal(label.data, typed_columns[c].label, (size_t)label.size);
    }
    char text[64];
    shmf_frame_cell_text(frame, 0, WHEN, text, sizeof text);
    assert_string_equal(text, "1970-01-01 00:00:00.001Z");
    assert_int_equal(shmf_frame_text(frame, 0, KIND).size, 5);
    assert_int_equal(shmf_frame_is_null(frame, 0, PRICE), 1);
    shmf_frame_free(model);
    shmf_frame_free(frame);
    shmf_builder_free(builder);
}

static void test_rows_are_labelled_as_they_come(void **state)
{
    (void)state;
    const struct shmf_frame_spec one = {
        .n_columns = 1, .dtype = SHMF_INT32, .range_start = 5, .range_step = 2};
    struct shmf_builder *builder = begin(&one);
    char text[16];
    for (int i = 0; i < 10000; i++) {
        int size = snprintf(text, sizeof text, "row %d", i % 9000);
        assert_int_equal(shmf_builder_label_text(builder, text, size), SHMF_OK);
        assert_int_equal(shmf_builder_append_int64(builder, 0, i), SHMF_OK);
    }
    struct shmf_frame *frame = finish(builder);
    int64_t count;
    assert_int_equal(shmf_frame_loc(frame, "row 8999"), 8999);
    assert_int_equal(shmf_frame_loc_text(frame, (struct shmf_text)TEXT("row 0"), &count), 0);
    assert_int_equal(count, 2);
    shmf_frame_free(frame);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(shmf_builder_label_number(builder, -i), SHMF_OK);
        assert_int_equal(shmf_builder_append_int64(builder, 0, i), SHMF_OK);
    }
    frame = finish(builder);
    assert_int_equal(shmf_frame_loc_number(frame, -99), 99);
    shmf_frame_free(frame);
    assert_int_equal(shmf_builder_append_int64(builder, 0, 1), SHMF_OK);
    frame = finish(builder);
    assert_int_equal(shmf_frame_loc_number(frame, 5), 0);
    shmf_frame_free(frame);
    shmf_builder_free(builder);
}

/* ---- failures ------------------------------------------------------------------------------- */

/* What was refused is refused with this message at the end, too. */
static void assert_failed(struct shmf_builder *builder, int rc, int code, const char *culprit)
{
    struct shmf_error err = {0};
    assert_int_equal(rc, code);
    assert_int_equal(shmf_builder_append_null(builder, 0), code);
    assert_null(shmf_builder_finish(builder, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.message, culprit))
        fail_msg("\"%s\" does not name %s", err.message, culprit);
    shmf_builder_free(builder);
}

static void test_values_that_do_not_fit_are_refused_and_remembered(void **state)
{
    (void)state;
    struct shmf_frame_spec typed = typed_spec;
    typed.n_rows = 0;
    struct shmf_builder *b = begin(&spec);
    assert_failed(b, shmf_builder_append_int64(b, NUMBER, 32768), SHMF_E_RANGE,
                  "column 0, row 0: 32768 is no int16");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_int64(b, FLAG, 2), SHMF_E_RANGE, "2 is no bool");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_int64(b, WORD, 2), SHMF_E_DTYPE, "utf8");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_double(b, NUMBER, 2), SHMF_E_DTYPE, "int16");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_text(b, REAL, "", 0), SHMF_E_DTYPE, "float64");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_text(b, WORD, NULL, 0), SHMF_E_INVAL, "column 3");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_text(b, WORD, "", -1), SHMF_E_INVAL, "column 3");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_many(b, FLAG, "", 1), SHMF_E_DTYPE, "bool");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_many(b, REAL, "", INT64_MAX), SHMF_E_TOOBIG, "column 2");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_null(b, 4), SHMF_E_RANGE, "no column 4");
    b = begin(&spec);
    assert_failed(b, shmf_builder_append_row(b, NULL), SHMF_E_INVAL, "cells");
    b = begin(&typed);
    assert_failed(b, shmf_builder_append_text(b, UUID, "ab", 2), SHMF_E_RANGE, "2 bytes");
    b = begin(&typed);
    assert_failed(b, shmf_builder_append_int64(b, KIND, 256), SHMF_E_RANGE, "uint8");
    b = begin(&spec);
    assert_int_equal(shmf_builder_label_number(b, 1), SHMF_OK);
    assert_failed(b, shmf_builder_label_text(b, "a", 1), SHMF_E_DTYPE, "row 1");
    b = begin(&spec);
    assert_failed(b, shmf_builder_label_text(b, "a\0b", 3), SHMF_E_INVAL, "row 0");
}

static void assert_unfinished(struct shmf_builder *builder, const char *culprit)
{
    struct shmf_error err = {0};
    assert_null(shmf_builder_finish(builder, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    if (!strstr(err.message, culprit))
        fail_msg("\"%s\" does not name %s", err.message, culprit);
    shmf_builder_free(builder);
}

static void test_what_does_not_fit_together_is_refused_at_the_end(void **state)
{
    (void)state;
    struct shmf_frame_spec typed = typed_spec;
    typed.n_rows = 0;
    struct shmf_builder *b = begin(&spec);
    shmf_builder_append_int64(b, NUMBER, 1);
    assert_unfinished(b, "column 1 has 0 values, but there are 1 rows");
    b = begin(&spec);
    shmf_builder_label_number(b, 1);
    shmf_builder_append_row(b, (const struct shmf_cell[N_COLUMNS]){0});
    shmf_builder_append_row(b, (const struct shmf_cell[N_COLUMNS]){0});
    assert_unfinished(b, "1 rows have labels, but there are 2");
    b = begin(&typed);
    struct shmf_cell cells[N_TYPED] = {[NAME] = {SHMF_CELL_TEXT, {.text = TEXT("\xFF")}}};
    shmf_builder_append_row(b, cells);
    assert_unfinished(b, "column 0: row 0: not valid UTF-8");
    b = begin(&typed);
    cells[NAME].kind = SHMF_CELL_NULL;
    cells[KIND] = (struct shmf_cell){SHMF_CELL_INT64, {.integer = 3}};
    shmf_builder_append_row(b, cells);
    assert_unfinished(b, "column 4: row 0: no such category");
    b = begin(&spec);
    shmf_builder_label_text(b, "\xFF", 1);
    shmf_builder_append_row(b, (const struct shmf_cell[N_COLUMNS]){0});
    assert_unfinished(b, "label 0 is not valid UTF-8");
    assert_null(shmf_builder_new(NULL, NULL));
    typed.row_numbers = &(int64_t){1};
    assert_null(shmf_builder_new(&typed, NULL));
    assert_null(shmf_builder_finish(NULL, NULL));
    assert_int_equal(shmf_builder_append_null(NULL, 0), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_rows(NULL), 0);
    shmf_builder_free(NULL);
}

static void test_abandoned_builders_leave_nothing(void **state)
{
    (void)state;
    struct shmf_memory_stats before, after;
    shmf_memory_get_stats(&before);
    struct shmf_builder *builder = begin(&spec);
    for (int i = 0; i < 30000; i++) {
        struct row row = random_row(5);
        assert_int_equal(shmf_builder_label_number(builder, i), SHMF_OK);
        assert_int_equal(append_row(builder, &row), SHMF_OK);
        free(row.word);
    }
    shmf_memory_get_stats(&after);
    assert_true(after.used_bytes > before.used_bytes);
    shmf_builder_free(builder);
    shmf_memory_get_stats(&after);
    assert_true(after.used_bytes == before.used_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builders_hold_what_was_appended_by_row_and_by_column),
        cmocka_unit_test(test_many_values_are_appended_at_once),
        cmocka_unit_test(test_schema_details_and_metadata_survive),
        cmocka_unit_test(test_rows_are_labelled_as_they_come),
        cmocka_unit_test(test_values_that_do_not_fit_are_refused_and_remembered),
        cmocka_unit_test(test_what_does_not_fit_together_is_refused_at_the_end),
        cmocka_unit_test(test_abandoned_builders_leave_nothing),
    };
    return cmocka_run_group_tests_name("frame builder", tests, NULL, NULL);
}
