/* frame/: random frames with a column of every dtype, made in each of the three ways, and what is
 * made of them, against a naive implementation (oracle.h). */
#include "unit/oracle.h"

/* ---- three ways to make a frame ------------------------------------------------------------- */

struct labels {
    char text[ORACLE_ROWS][24];
    const char *list[ORACLE_ROWS];
};

static struct shmf_frame_spec spec_of(const struct oracle *oracle, struct labels *labels)
{
    struct shmf_frame_spec spec = *oracle_spec();
    spec.n_rows = oracle->n;
    for (int64_t r = 0; r < oracle->n; r++) {
        snprintf(labels->text[r], sizeof labels->text[r], "row %d", (int)oracle->label[r]);
        labels->list[r] = labels->text[r];
    }
    spec.row_labels = oracle->labels == SHMF_ROWS_UTF8 ? labels->list : NULL;
    spec.row_numbers = oracle->labels == SHMF_ROWS_INT64 ? oracle->label : NULL;
    return spec;
}

static void set_bit(unsigned char *bits, int64_t i, bool bit)
{
    unsigned char mask = (unsigned char)(1u << (i % 8));
    bits[i / 8] = (unsigned char)(bit ? bits[i / 8] | mask : bits[i / 8] & ~mask);
}

/* The caller's columns: elements, bits, or texts. */
static struct shmf_frame *from_columns(const struct oracle *oracle)
{
    static unsigned char data[N_ORACLE][ORACLE_ROWS * 16], bits[N_ORACLE][ORACLE_ROWS / 8 + 1];
    const void *columns[N_ORACLE];
    const uint8_t *validity[N_ORACLE];
    struct labels labels;
    struct shmf_frame_spec spec = spec_of(oracle, &labels);
    for (int64_t c = 0; c < N_ORACLE; c++) {
        enum shmf_dtype dtype = oracle_dtype(c);
        columns[c] = data[c];
        validity[c] = oracle_is_text(dtype) ? NULL : bits[c];
        for (int64_t r = 0; r < oracle->n; r++) {
            const struct oracle_cell *cell = &oracle->cells[c][r];
            const struct shmf_text text = {cell->null ? NULL : (const char *)cell->bytes,
                                           cell->null ? 0 : cell->size};
            set_bit(bits[c], r, !cell->null);
            if (dtype == SHMF_BOOL)
                set_bit(data[c], r, cell->bytes[0]);
            else if (oracle_is_text(dtype))
                memcpy(data[c] + (size_t)r * sizeof text, &text, sizeof text);
            else
                memcpy(data[c] + r * cell->size, cell->bytes, cell->size);
        }
    }
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, columns, validity, &err);
    if (!frame)
        fail_msg("%s", err.message);
    return frame;
}

static void write_column(struct shmf_frame *frame, int64_t c, const struct oracle *oracle)
{
    unsigned char *data = shmf_frame_data_mut(frame, c), *bits = shmf_frame_validity_mut(frame, c);
    void *offsets = shmf_frame_offsets_mut(frame, c);
    int64_t at = 0;
    assert_non_null(data);
    assert_non_null(bits);
    for (int64_t r = 0; r < oracle->n; r++) {
        const struct oracle_cell *cell = &oracle->cells[c][r];
        set_bit(bits, r, !cell->null);
        if (oracle_dtype(c) == SHMF_BOOL) {
            set_bit(data, r, cell->bytes[0]);
            continue;
        }
        memcpy(data + at, cell->bytes, cell->size);
        at += cell->size;
        if (oracle_dtype(c) == SHMF_LARGE_UTF8)
            ((int64_t *)offsets)[r + 1] = at;
        else if (offsets)
            ((int32_t *)offsets)[r + 1] = (int32_t)at;
    }
}

static struct shmf_frame *in_place(const struct oracle *oracle)
{
    struct shmf_column_spec columns[N_ORACLE];
    struct shmf_column_details details[N_ORACLE];
    struct labels labels;
    struct shmf_frame_spec spec = spec_of(oracle, &labels);
    for (int64_t c = 0; c < N_ORACLE; c++) {
        columns[c] = spec.columns[c];
        columns[c].nullable = 1;
        details[c] = spec.details[c];
        for (int64_t r = 0; oracle_is_text(oracle_dtype(c)) && r < oracle->n; r++)
            details[c].data_size += oracle->cells[c][r].size;
    }
    spec.columns = columns;
    spec.details = details;
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    for (int64_t c = 0; frame && c < N_ORACLE; c++)
        write_column(frame, c, oracle);
    if (!frame || shmf_frame_finish(frame, &err))
        fail_msg("%s", err.message);
    return frame;
}

/* By value where there is a call for it, else by the bytes. */
static int append(struct shmf_builder *builder, int64_t c, const struct oracle_cell *cell,
                  bool by_value)
{
    enum shmf_dtype dtype = oracle_dtype(c);
    int64_t integer = 0;
    double real;
    float single;
    memcpy(&integer, cell->bytes, cell->size < 8 ? cell->size : 8);
    if (cell->null)
        return shmf_builder_append_null(builder, c);
    if (oracle_is_text(dtype) || (by_value && dtype == SHMF_FIXED_BINARY))
        return shmf_builder_append_text(builder, c, (const char *)cell->bytes, cell->size);
    if (by_value && dtype == SHMF_FLOAT64) {
        memcpy(&real, cell->bytes, sizeof real);
        return shmf_builder_append_double(builder, c, real);
    }
    if (by_value && dtype == SHMF_FLOAT32) {
        memcpy(&single, cell->bytes, sizeof single);
        return shmf_builder_append_double(builder, c, (double)single);
    }
    bool is_integer = (dtype >= SHMF_INT8 && dtype <= SHMF_UINT64) ||
                      (dtype >= SHMF_DICTIONARY && dtype <= SHMF_DURATION);
    if (dtype == SHMF_BOOL || (by_value && is_integer))
        return shmf_builder_append_int64(builder, c, integer);
    return shmf_builder_append_many(builder, c, cell->bytes, 1);
}

/* Told, or not, how many rows will come. */
static struct shmf_frame *appended(const struct oracle *oracle)
{
    struct shmf_frame_spec spec = *oracle_spec();
    struct shmf_error err = {0};
    spec.n_rows = oracle_random(2) ? oracle->n : 0;
    struct shmf_builder *builder = shmf_builder_new(&spec, &err);
    if (!builder)
        fail_msg("%s", err.message);
    for (int64_t r = 0; r < oracle->n; r++) {
        char text[24];
        int size = snprintf(text, sizeof text, "row %d", (int)oracle->label[r]);
        for (int64_t c = 0; c < N_ORACLE; c++)
            assert_int_equal(append(builder, c, &oracle->cells[c][r], r % 2), SHMF_OK);
        if (oracle->labels == SHMF_ROWS_UTF8)
            assert_int_equal(shmf_builder_label_text(builder, text, size), SHMF_OK);
        else if (oracle->labels == SHMF_ROWS_INT64)
            assert_int_equal(shmf_builder_label_number(builder, oracle->label[r]), SHMF_OK);
    }
    struct shmf_frame *frame = shmf_builder_finish(builder, &err);
    if (!frame)
        fail_msg("%s", err.message);
    shmf_builder_free(builder);
    return frame;
}

static struct shmf_frame *make(const struct oracle *oracle, int64_t way)
{
    return way == 0 ? from_columns(oracle) : way == 1 ? in_place(oracle) : appended(oracle);
}

/* Labels that never came (a builder without rows has a range) cannot be told apart. */
static enum shmf_row_labels random_labels(int64_t n)
{
    return n == 0 ? SHMF_ROWS_RANGE : (enum shmf_row_labels)oracle_random(3);
}

static void random_oracle(struct oracle *oracle, int64_t most)
{
    int64_t n = oracle_random(most + 1), nulls = oracle_random(5);
    oracle_fill(oracle, n, nulls, random_labels(n));
}

/* ---- the properties ----------------------------------------------------------------------- */

static struct oracle all, part, other;

static void test_frames_made_in_three_ways_hold_what_they_were_made_of(void **state)
{
    (void)state;
    oracle_state = 1;
    for (int round = 0; round < test_rounds(60); round++) {
        struct shmf_frame *frames[3];
        random_oracle(&all, ORACLE_ROWS);
        for (int64_t way = 0; way < 3; way++) {
            frames[way] = make(&all, way);
            assert_oracle(frames[way], &all);
        }
        for (int way = 0; way < 3; way++)
            assert_int_equal(shmf_frame_equal(frames[way], frames[(way + 1) % 3]), 1);
        for (int way = 0; way < 3; way++)
            shmf_frame_free(frames[way]);
    }
}

static void test_slices_and_slices_of_slices_hold_their_rows(void **state)
{
    (void)state;
    oracle_state = 2;
    for (int round = 0; round < test_rounds(60); round++) {
        random_oracle(&all, ORACLE_ROWS);
        struct shmf_frame *frame = make(&all, oracle_random(3));
        for (int depth = 0; depth < 3; depth++) {
            int64_t first = oracle_random(all.n + 1), count = oracle_random(all.n - first + 1);
            struct shmf_frame *slice = shmf_frame_slice(frame, first, count, NULL);
            assert_non_null(slice);
            part = (struct oracle){.labels = all.labels};
            for (int64_t r = first; r < first + count; r++)
                oracle_append(&part, &all, r);
            assert_oracle(slice, &part);
            shmf_frame_free(frame);
            frame = slice;
            all = part;
        }
        shmf_frame_free(frame);
    }
}

/* A range's labels become numbers. */
static void test_rows_that_are_taken_are_those_that_were_named(void **state)
{
    (void)state;
    oracle_state = 3;
    for (int round = 0; round < test_rounds(60); round++) {
        int64_t rows[ORACLE_ROWS], n;
        random_oracle(&all, ORACLE_ROWS);
        struct shmf_frame *frame = make(&all, oracle_random(3));
        n = all.n ? oracle_random(ORACLE_ROWS) : 0;
        part =
            (struct oracle){.labels = all.labels == SHMF_ROWS_RANGE ? SHMF_ROWS_INT64 : all.labels};
        for (int64_t i = 0; i < n; i++) {
            rows[i] = oracle_random(all.n);
            oracle_append(&part, &all, rows[i]);
        }
        struct shmf_frame *taken = shmf_frame_take(frame, rows, n, NULL);
        assert_non_null(taken);
        assert_oracle(taken, &part);
        shmf_frame_free(taken);
        shmf_frame_free(frame);
    }
}

static void test_what_is_put_together_has_the_rows_of_all(void **state)
{
    (void)state;
    oracle_state = 4;
    for (int round = 0; round < test_rounds(60); round++) {
        struct shmf_frame *frames[3];
        enum shmf_row_labels labels = oracle_random(2) ? SHMF_ROWS_UTF8 : SHMF_ROWS_INT64;
        part = (struct oracle){.labels = labels};
        for (int i = 0; i < 3; i++) {
            oracle_fill(&other, 1 + oracle_random(ORACLE_ROWS / 3), oracle_random(5), labels);
            frames[i] = make(&other, oracle_random(3));
            for (int64_t r = 0; r < other.n; r++)
                oracle_append(&part, &other, r);
        }
        const struct shmf_frame *const list[] = {frames[0], frames[1], frames[2]};
        struct shmf_frame *whole = shmf_frame_concat(list, 3, NULL);
        assert_non_null(whole);
        assert_oracle(whole, &part);
        for (int i = 0; i < 3; i++)
            shmf_frame_free(frames[i]);
        shmf_frame_free(whole);
    }
}

static void test_frames_differ_when_one_cell_does(void **state)
{
    (void)state;
    oracle_state = 5;
    for (int64_t c = 0; c < N_ORACLE; c++) {
        oracle_fill(&all, 20, 3, SHMF_ROWS_INT64);
        other = all;
        struct oracle_cell *cell = &other.cells[c][oracle_random(20)];
        cell->null = !cell->null;
        struct shmf_frame *a = make(&all, oracle_random(3)), *b = make(&other, oracle_random(3));
        assert_int_equal(shmf_frame_equal(a, a), 1);
        assert_int_equal(shmf_frame_equal(a, b), 0);
        shmf_frame_free(a);
        shmf_frame_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_made_in_three_ways_hold_what_they_were_made_of),
        cmocka_unit_test(test_slices_and_slices_of_slices_hold_their_rows),
        cmocka_unit_test(test_rows_that_are_taken_are_those_that_were_named),
        cmocka_unit_test(test_what_is_put_together_has_the_rows_of_all),
        cmocka_unit_test(test_frames_differ_when_one_cell_does),
    };
    return cmocka_run_group_tests_name("frame oracle", tests, NULL, NULL);
}
