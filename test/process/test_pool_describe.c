/* Describing a frame over a pool, beside the description that one process makes; and a frame as the
 * matrix of a BLAS. */
#include "pool_calls.h"

#include <shmframe/derive.h>
#include <shmframe/map.h>

#include <dlfcn.h>
#include <math.h>

/* ---- descriptions ------------------------------------------------------------------------- */

static const struct shmf_column_spec columns[] = {
    {"real", SHMF_FLOAT64, 1}, {"word", SHMF_UTF8, 0},    {"flag", SHMF_BOOL, 1},
    {"small", SHMF_INT8, 0},   {"large", SHMF_UINT64, 0}, {"none", SHMF_FLOAT32, 1},
    {"far", SHMF_FLOAT64, 0}};

enum { REAL, WORD, FLAG, SMALL, LARGE, NONE, FAR, N_COLUMNS };

static struct shmf_frame *sample(int64_t n)
{
    const struct shmf_frame_spec spec = {.n_rows = n, .n_columns = N_COLUMNS, .columns = columns};
    struct shmf_builder *builder = shmf_builder_new(&spec, NULL);
    assert_non_null(builder);
    for (int64_t r = 0; r < n; r++) {
        int64_t mixed = (int64_t)((uint64_t)r * 2654435761u % 1000003u);
        struct shmf_cell cells[N_COLUMNS] = {
            {SHMF_CELL_DOUBLE, {.number = (double)mixed / 7 - 1000}},
            {SHMF_CELL_TEXT, {.text = {"x", 1}}},
            {SHMF_CELL_INT64, {.integer = mixed % 2}},
            {SHMF_CELL_INT64, {.integer = mixed % 256 - 128}},
            {SHMF_CELL_INT64, {.integer = mixed << 40}},
            {SHMF_CELL_NULL, {.integer = 0}},
            {SHMF_CELL_DOUBLE, {.number = 1e9 + (double)(r % 5)}},
        };
        if (mixed % 11 == 0)
            cells[REAL].kind = SHMF_CELL_NULL;
        if (mixed % 13 == 0)
            cells[REAL] = (struct shmf_cell){SHMF_CELL_DOUBLE, {.number = (double)NAN}};
        if (mixed % 3 == 0)
            cells[FLAG].kind = SHMF_CELL_NULL;
        assert_int_equal(shmf_builder_append_row(builder, cells), SHMF_OK);
    }
    struct shmf_frame *frame = shmf_builder_finish(builder, NULL);
    assert_non_null(frame);
    shmf_builder_free(builder);
    return frame;
}

static bool near(double a, double b)
{
    return a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-10 * fabs(b);
}

static void assert_same_description(const struct shmf_frame *a, const struct shmf_frame *b,
                                    bool exactly)
{
    assert_int_equal(shmf_frame_columns(a), shmf_frame_columns(b));
    for (int64_t c = 0; c < shmf_frame_columns(a); c++) {
        struct shmf_text s = shmf_frame_column_label(a, c), t = shmf_frame_column_label(b, c);
        assert_int_equal(s.size, t.size);
        assert_memory_equal(s.data, t.data, (size_t)s.size);
        for (int64_t r = 0; r < shmf_frame_rows(a); r++) {
            double of_a, of_b;
            assert_int_equal(shmf_frame_cell(a, r, c, &of_a), SHMF_OK);
            assert_int_equal(shmf_frame_cell(b, r, c, &of_b), SHMF_OK);
            bool rounded = r == shmf_frame_loc(a, "mean") || r == shmf_frame_loc(a, "std");
            bool same = of_a == of_b || (isnan(of_a) && isnan(of_b));
            if (!(rounded && !exactly ? near(of_a, of_b) : same))
                fail_msg("%.*s, row %d: %.17g, not %.17g", (int)s.size, s.data, (int)r, of_a, of_b);
        }
    }
}

static void assert_described(struct shmf_pool *pool, int64_t n, bool exactly)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame = sample(n), *alone = shmf_frame_describe(frame, &err);
    assert_non_null(alone);
    struct shmf_frame *together = shmf_pool_describe(pool, frame, &err);
    if (!together)
        fail_msg("%s: %s", shmf_status_name(err.code), err.message);
    assert_int_equal(shmf_frame_columns(alone), N_COLUMNS - 1);
    assert_same_description(together, alone, exactly);
    struct shmf_frame *again = shmf_pool_describe(pool, frame, &err);
    assert_non_null(again);
    assert_int_equal(shmf_frame_equal(together, again), 1);
    shmf_frame_free(again);
    shmf_frame_free(together);
    shmf_frame_free(alone);
    shmf_frame_free(frame);
}

static void test_a_pool_describes_as_one_process_does(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    assert_described(pool, 0, true);
    assert_described(pool, 1, true);
    assert_described(pool, 1000, true);
    assert_described(pool, (1 << 18) + 1, false);
    assert_described(pool, 3 * (1 << 18) + 777, false);
    shmf_pool_free(pool);
}

static void test_an_inline_pool_describes_too(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(SHMF_INLINE);
    assert_described(pool, 5000, true);
    shmf_pool_free(pool);
}

static void test_what_cannot_be_described_is_refused(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of(1);
    struct shmf_frame *frame = sample(10);
    assert_null(shmf_pool_describe(NULL, frame, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_pool_describe(pool, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    const int64_t chosen[] = {REAL};
    struct shmf_frame *part = shmf_frame_select(frame, chosen, 1, NULL);
    assert_non_null(part);
    struct shmf_frame *described = shmf_pool_describe(pool, part, &err);
    struct shmf_frame *expected = shmf_frame_describe(part, NULL);
    assert_int_equal(shmf_frame_equal(described, expected), 1);
    shmf_frame_free(expected);
    shmf_frame_free(described);
    shmf_frame_free(part);
    const struct shmf_column_spec text = {"word", SHMF_UTF8, 0};
    const struct shmf_frame_spec spec = {.n_columns = 1, .columns = &text};
    struct shmf_frame *texts = shmf_frame_new(&spec, NULL);
    assert_non_null(texts);
    assert_int_equal(shmf_frame_finish(texts, NULL), SHMF_OK);
    struct shmf_frame *empty = shmf_pool_describe(pool, texts, &err);
    assert_non_null(empty);
    assert_int_equal(shmf_frame_columns(empty), 0);
    shmf_frame_free(empty);
    shmf_frame_free(texts);
    shmf_frame_free(frame);
    shmf_pool_free(pool);
}

/* ---- OpenBLAS ----------------------------------------------------------------------------- */

enum { COLUMN_MAJOR = 102, NO_TRANS = 111, TRANS = 112 };

typedef void (*dgemv_fn)(int order, int trans, int m, int n, double alpha, const double *a, int lda,
                         const double *x, int incx, double beta, double *y, int incy);

static void assert_products(dgemv_fn dgemv, const struct shmf_frame *frame)
{
    struct shmf_matrix m;
    assert_int_equal(shmf_frame_matrix(frame, &m), SHMF_OK);
    assert_int_equal(m.dtype, SHMF_FLOAT64);
    int rows = (int)m.n_rows, cols = (int)m.n_columns, lda = (int)m.leading_dimension;
    double x[64], y[512];
    assert_in_range(rows, 1, 512);
    assert_in_range(cols, 1, 64);
    for (int c = 0; c < cols; c++)
        x[c] = c % 5 - 2;
    dgemv(COLUMN_MAJOR, NO_TRANS, rows, cols, 1, m.data, lda, x, 1, 0, y, 1);
    for (int64_t r = 0; r < rows; r++) {
        double row[64], sum = 0;
        assert_int_equal(shmf_frame_row(frame, r, row), SHMF_OK);
        for (int c = 0; c < cols; c++)
            sum += row[c] * x[c];
        assert_true(sum == y[r]); /* small integers: no rounding in any order */
    }
    for (int r = 0; r < rows; r++)
        y[r] = r % 3;
    dgemv(COLUMN_MAJOR, TRANS, rows, cols, 1, m.data, lda, y, 1, 0, x, 1);
    for (int64_t c = 0; c < cols; c++) {
        double sum = 0, cell;
        for (int64_t r = 0; r < rows; r++) {
            assert_int_equal(shmf_frame_cell(frame, r, c, &cell), SHMF_OK);
            sum += cell * y[r];
        }
        assert_true(sum == x[c]);
    }
}

/* 512 rows: the distance of columns is not their length (see docs/format.md). */
static void test_a_frame_is_the_matrix_of_a_blas_and_so_are_its_parts(void **state)
{
    (void)state;
    void *blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
    if (!blas) {
        print_message("skipped: %s\n", dlerror());
        skip();
    }
    dgemv_fn dgemv;
    void *found = dlsym(blas, "cblas_dgemv"); /* no function pointer in ISO C */
    assert_non_null(found);
    memcpy(&dgemv, &found, sizeof dgemv);
    static double cells[64][512];
    for (int c = 0; c < 64; c++)
        for (int r = 0; r < 512; r++)
            cells[c][r] = (c * 31 + r * 17) % 23 - 11;
    const struct shmf_frame_spec spec = {.n_rows = 512, .n_columns = 64, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame =
        shmf_frame_from_matrix(&spec, cells, sizeof(double), sizeof cells[0], NULL);
    assert_non_null(frame);
    struct shmf_matrix matrix;
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_OK);
    assert_int_equal(matrix.leading_dimension, 520);
    assert_products(dgemv, frame);
    struct shmf_frame *slice = shmf_frame_slice(frame, 3, 77, NULL);
    assert_non_null(slice);
    assert_products(dgemv, slice);
    const int64_t every_third[] = {0, 3, 6, 9, 12};
    struct shmf_frame *selection = shmf_frame_select(slice, every_third, 5, NULL);
    assert_non_null(selection);
    assert_products(dgemv, selection);
    shmf_frame_free(selection);
    shmf_frame_free(slice);
    shmf_frame_free(frame);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_pool_describes_as_one_process_does),
        test_case(test_an_inline_pool_describes_too),
        test_case(test_what_cannot_be_described_is_refused),
        test_case(test_a_frame_is_the_matrix_of_a_blas_and_so_are_its_parts),
    };
    return cmocka_run_group_tests_name("pool describe", tests, NULL, NULL);
}
