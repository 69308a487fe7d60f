/* A function mapped over the rows of a frame: slices in, one frame out. */
#include "future_calls.h"

#include <shmframe/builder.h>
#include <shmframe/frame_map.h>

enum { ROWS = 1003 };

static struct shmf_frame *numbers(int64_t rows)
{
    struct shmf_error err = {0};
    struct shmf_column_spec columns[] = {{"x", SHMF_FLOAT64, 0}, {"odd", SHMF_BOOL, 0}};
    struct shmf_frame_spec spec = {.n_rows = rows, .n_columns = 2, .columns = columns};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    if (!frame)
        fail_msg("no frame: %s", err.message);
    uint8_t *odd = shmf_frame_data_mut(frame, 1);
    memset(odd, 0xAA, (size_t)(rows + 7) / 8);
    for (int64_t r = 0; r < rows; r++)
        ((double *)shmf_frame_data_mut(frame, 0))[r] = (double)r;
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    return frame;
}

static const struct shmf_column_spec squares_column = {"square", SHMF_FLOAT64, 1};

/* The squares of the rows, null where the number is odd, into `out`. */
static int write_squares(struct shmf_task *task, struct shmf_frame *out)
{
    const struct shmf_frame *rows = shmf_task_frame(task, 0);
    double *to = shmf_frame_data_mut(out, 0);
    uint8_t *valid = shmf_frame_validity_mut(out, 0);
    const double *x = shmf_frame_data(rows, 0, SHMF_FLOAT64);
    if (!x || !valid)
        return SHMF_E_TASK;
    for (int64_t r = 0; r < shmf_frame_rows(rows); r++) {
        int64_t odd;
        if (shmf_frame_cell_int64(rows, r, 1, &odd))
            return shmf_task_fail(task, SHMF_E_NOTFOUND, "no cell");
        to[r] = x[r] * x[r];
        if (odd)
            valid[r / 8] &= (uint8_t) ~(1u << r % 8);
    }
    return 0;
}

static int squares_in_place(struct shmf_task *task, void *context)
{
    (void)context;
    return write_squares(task, shmf_task_frame(task, 1));
}

static int squares_returned(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_frame *rows = shmf_task_frame(task, 0);
    struct shmf_frame_spec spec = {
        .n_rows = shmf_frame_rows(rows), .n_columns = 1, .columns = &squares_column};
    struct shmf_frame *out = rows ? shmf_task_new_frame(task, &spec) : NULL;
    if (!out)
        return SHMF_E_TASK;
    int rc = write_squares(task, out);
    return rc ? rc : shmf_task_return_frame(task, out);
}

static void assert_squares(const struct shmf_frame *frame, int64_t rows)
{
    struct shmf_error err = {0};
    assert_int_equal(shmf_frame_rows(frame), rows);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err), SHMF_OK);
    for (int64_t r = 0; r < rows; r++) {
        double value = 0;
        assert_int_equal(shmf_frame_is_null(frame, r, 0), r % 2);
        assert_int_equal(shmf_frame_cell(frame, r, 0, &value), SHMF_OK);
        assert_true(r % 2 || value == (double)(r * r));
    }
}

static struct shmf_frame *map_frame(struct shmf_pool *pool, shmf_task_fn fn,
                                    const struct shmf_frame *frame,
                                    const struct shmf_frame_map_options *options)
{
    struct shmf_error err = {0};
    struct shmf_frame *made = shmf_pool_map_frame(pool, fn, frame, options, &err);
    if (!made)
        fail_msg("%s: %s", shmf_status_name(err.code), err.message);
    return made;
}

static void test_rows_come_out_in_order_written_in_place_or_returned(void **state)
{
    static const int64_t sizes[] = {0, 1, 64, 65, ROWS};
    static const int64_t slices[] = {0, 1, 64, 100, INT64_MAX};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame_spec spec = {.n_columns = 1, .columns = &squares_column};
    for (int s = 0; s < 5; s++) {
        struct shmf_frame *in = numbers(sizes[s]);
        for (int i = 0; i < 5; i++) {
            struct shmf_frame_map_options options = {.rows = slices[i]};
            struct shmf_frame *out = map_frame(pool, squares_returned, in, &options);
            assert_squares(out, sizes[s]);
            shmf_frame_free(out);
            options.output = &spec;
            out = map_frame(pool, squares_in_place, in, &options);
            assert_squares(out, sizes[s]);
            shmf_frame_free(out);
        }
        struct shmf_frame *all = shmf_frame_select(in, (int64_t[]){0, 1}, 2, NULL);
        struct shmf_frame *out = map_frame(pool, squares_returned, all, NULL);
        assert_squares(out, sizes[s]);
        shmf_frame_free(out);
        shmf_frame_free(all);
        shmf_frame_free(in);
    }
    shmf_pool_free(pool);
}

static int first_row(struct shmf_task *task, void *context)
{
    double *out = shmf_frame_data_mut(shmf_task_frame(task, 1), 0);
    const double *x = shmf_frame_data(shmf_task_frame(task, 0), 0, SHMF_FLOAT64);
    const double *more = shmf_array_data(shmf_task_array(task, 2));
    int64_t begin = shmf_task_handle(task, 0).begin;
    if (!out || !x || !more)
        return SHMF_E_TASK;
    if (x[0] != (double)begin || begin < *(const int64_t *)context)
        return shmf_task_fail(task, SHMF_E_INVAL, "not the rows of the handle");
    for (int64_t r = 0; r < shmf_frame_rows(shmf_task_frame(task, 0)); r++)
        out[r] = x[r] + *more;
    return 0;
}

static void test_a_slice_of_a_frame_may_be_mapped_with_more_inputs(void **state)
{
    static int64_t context = 100;
    static const struct shmf_column_spec column = {"y", SHMF_FLOAT64, 0};
    struct shmf_error err = {0};
    struct shmf_frame_spec spec = {.n_rows = 500, .n_columns = 1, .columns = &column};
    struct shmf_frame *in = numbers(ROWS), *slice = shmf_frame_slice(in, 100, 500, &err);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *more =
        shmf_array_from_data(SHMF_FLOAT64, 1, (int64_t[]){1}, NULL, (double[]){0.5}, &err);
    struct shmf_handle handle = shmf_array_handle(more);
    struct shmf_frame_map_options options = {
        .output = &spec, .context = &context, .handles = &handle, .n_handles = 1};
    struct shmf_frame *out = map_frame(pool, first_row, slice, &options);
    const double *y = shmf_frame_data(out, 0, SHMF_FLOAT64);
    for (int64_t r = 0; r < 500; r++)
        assert_true(y[r] == (double)(r + 100) + 0.5);
    shmf_frame_free(out);
    shmf_frame_free(slice);
    shmf_frame_free(in);
    shmf_array_free(more);
    shmf_pool_free(pool);
}

/* ---- failures ----------------------------------------------------------------------------- */

static int die_once(struct shmf_task *task, void *context)
{
    if (shmf_task_index(task) == 2 && shmf_task_attempt(task) == 1 && shmf_task_worker(task) >= 0)
        raise(SIGKILL);
    return squares_in_place(task, context);
}

static int return_nothing(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_index(task) == 1 ? 0 : squares_returned(task, NULL);
}

static void assert_fails(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_frame *in,
                         const struct shmf_frame_map_options *options, int code, const char *text)
{
    struct shmf_error err = {0};
    assert_null(shmf_pool_map_frame(pool, fn, in, options, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.message, text))
        fail_msg("message: %s", err.message);
}

static void test_a_slice_whose_worker_died_is_named_or_starts_again(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    struct shmf_frame *in = numbers(ROWS);
    struct shmf_frame_spec spec = {.n_columns = 1, .columns = &squares_column};
    struct shmf_frame_map_options options = {.rows = 128, .output = &spec};
    assert_fails(pool, die_once, in, &options, SHMF_E_WORKER_DIED, "rows [256, 384)");
    options.attempts = 2;
    struct shmf_frame *out = map_frame(pool, die_once, in, &options);
    assert_squares(out, ROWS);
    shmf_frame_free(out);
    shmf_frame_free(in);
    shmf_pool_free(pool);
}

static void test_wrong_arguments_and_results_are_refused_by_name(void **state)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame *in = numbers(ROWS);
    struct shmf_frame *building = shmf_frame_new(&(struct shmf_frame_spec){.n_rows = 3}, &err);
    struct shmf_frame_spec spec = {.n_rows = 5, .n_columns = 1, .columns = &squares_column};
    struct shmf_handle grant = {.region = 1, .access = SHMF_WRITABLE};
    struct shmf_frame_map_options rows = {.rows = -1}, handles = {.n_handles = 1},
                                  writable = {.handles = &grant, .n_handles = 1},
                                  output = {.output = &spec}, reserved = {.reserved = {[6] = 1}},
                                  small = {.rows = 10};
    assert_fails(NULL, squares_returned, in, NULL, SHMF_E_INVAL, "pool");
    assert_fails(pool, NULL, in, NULL, SHMF_E_INVAL, "fn");
    assert_fails(pool, squares_returned, NULL, NULL, SHMF_E_INVAL, "frame");
    assert_fails(pool, squares_returned, building, NULL, SHMF_E_INVAL, "finished");
    assert_fails(pool, squares_returned, in, &rows, SHMF_E_INVAL, "options.rows");
    assert_fails(pool, squares_returned, in, &handles, SHMF_E_INVAL, "options.handles");
    assert_fails(pool, squares_returned, in, &writable, SHMF_E_INVAL, "options.handles[0]");
    assert_fails(pool, squares_returned, in, &output, SHMF_E_INVAL, "options.output");
    assert_fails(pool, squares_returned, in, &reserved, SHMF_E_INVAL, "reserved");
    assert_fails(pool, return_nothing, in, &small, SHMF_E_INVAL, "rows [10, 20)");
    shmf_frame_free(building);
    shmf_frame_free(in);
    shmf_pool_free(pool);
}

/* ---- frames that tasks made from others ------------------------------------------------------ */

static int odd_rows(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_error err = {0};
    const struct shmf_frame *rows = shmf_task_frame(task, 0);
    int64_t n = shmf_frame_rows(rows), kept = 0, *odd = malloc(((size_t)n + 1) * sizeof *odd);
    for (int64_t r = 0; r < n; r++) {
        double x;
        if (!shmf_frame_cell(rows, r, 0, &x) && (int64_t)x % 2)
            odd[kept++] = r;
    }
    struct shmf_frame *taken =
        shmf_task_own_frame(task, shmf_frame_take(rows, odd, kept, &err), &err);
    free(odd);
    return taken ? shmf_task_return_frame(task, taken) : SHMF_E_TASK;
}

static void test_frames_derived_in_the_task_are_results(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame *in = numbers(ROWS);
    struct shmf_frame_map_options options = {.rows = 100};
    struct shmf_frame *out = map_frame(pool, odd_rows, in, &options);
    assert_int_equal(shmf_frame_rows(out), ROWS / 2);
    const double *x = shmf_frame_data(out, 0, SHMF_FLOAT64);
    for (int64_t r = 0; r < ROWS / 2; r++)
        assert_true(x[r] == (double)(2 * r + 1));
    shmf_frame_free(out);
    shmf_frame_free(in);
    shmf_pool_free(pool);
}

static int builder_rows(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_error err = {0};
    struct shmf_column_spec column = {"name", SHMF_UTF8, 0};
    struct shmf_frame_spec spec = {.n_columns = 1, .columns = &column};
    struct shmf_builder *builder = shmf_builder_new(&spec, &err);
    for (int i = 0; builder && i < 3; i++)
        shmf_builder_append_text(builder, 0, "abc", i);
    struct shmf_frame *made =
        shmf_task_own_frame(task, builder ? shmf_builder_finish(builder, &err) : NULL, &err);
    shmf_builder_free(builder);
    return made ? shmf_task_return_frame(task, made) : SHMF_E_TASK;
}

/* What a task may not return: 0 its input, 1 a slice of it, 2 a slice of its own, 3 nothing. */
static int return_wrong(struct shmf_task *task, void *context)
{
    struct shmf_error err = {0};
    struct shmf_frame *in = shmf_task_frame(task, 0), *made = NULL;
    int64_t row = 0;
    switch (*(const int64_t *)context) {
    case 0:
        return shmf_task_return_frame(task, in);
    case 1:
        made = shmf_frame_slice(in, 0, 1, &err);
        break;
    case 2: {
        struct shmf_frame *own = shmf_frame_take(in, &row, 1, &err);
        made = shmf_frame_slice(own, 0, 1, &err);
        shmf_frame_free(own);
        break;
    }
    default:
        return shmf_task_own_frame(task, NULL, NULL) ? 0 : SHMF_E_TASK;
    }
    return shmf_task_return_frame(task, shmf_task_own_frame(task, made, &err));
}

static void test_builders_frames_are_results_and_slices_are_not(void **state)
{
    static int64_t what;
    struct shmf_error err = {0};
    struct shmf_frame *in = numbers(ROWS);
    struct shmf_handle handle = shmf_frame_handle(in);
    for (what = 0; what < 4; what++) {
        struct shmf_pool *pool = pool_of_state(state);
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        struct shmf_submit_options options = {.context = &what};
        struct shmf_result *result = shmf_pool_apply(pool, return_wrong, &input, &options, &err);
        assert_int_equal(shmf_result_status(result), SHMF_E_INVAL);
        shmf_result_free(result);
        result = shmf_pool_apply(pool, builder_rows, &input, NULL, &err);
        assert_good(result);
        const struct shmf_frame *frame = shmf_result_frame(result);
        assert_int_equal(shmf_frame_rows(frame), 3);
        assert_int_equal(shmf_frame_text(frame, 2, 0).size, 2);
        shmf_result_free(result);
        shmf_pool_free(pool);
    }
    shmf_frame_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_rows_come_out_in_order_written_in_place_or_returned),
        test_inline(test_rows_come_out_in_order_written_in_place_or_returned),
        test_with_workers(test_a_slice_of_a_frame_may_be_mapped_with_more_inputs),
        test_inline(test_a_slice_of_a_frame_may_be_mapped_with_more_inputs),
        test_case(test_a_slice_whose_worker_died_is_named_or_starts_again),
        test_with_workers(test_wrong_arguments_and_results_are_refused_by_name),
        test_inline(test_wrong_arguments_and_results_are_refused_by_name),
        test_with_workers(test_frames_derived_in_the_task_are_results),
        test_inline(test_frames_derived_in_the_task_are_results),
        test_with_workers(test_builders_frames_are_results_and_slices_are_not),
        test_inline(test_builders_frames_are_results_and_slices_are_not),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
