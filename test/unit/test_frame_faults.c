/* frame/: every allocation in turn fails; what was begun is refused as out of memory, and nothing
 * of it stays (Valgrind and sanitizers watch the private memory, the statistics the shared one). */
#include "base/sys.h"
#include "support/test.h"
#include "unit/random_frame.h"

#include <shmframe/derive.h>
#include <shmframe/memory.h>

#include <stdlib.h>

static int left; /* allocations until one fails */

static void *failing_malloc(size_t size)
{
    return left-- == 0 ? NULL : malloc(size);
}

static void *failing_calloc(size_t n, size_t size)
{
    return left-- == 0 ? NULL : calloc(n, size);
}

static struct shmf_frame *whole; /* what others are derived from */

static struct shmf_frame *build(struct shmf_error *err)
{
    struct shmf_builder *builder = shmf_builder_new(&random_spec, err);
    if (!builder)
        return NULL;
    for (int i = 0; i < 200; i++) {
        const struct shmf_cell cells[N_COLUMNS] = {
            {SHMF_CELL_INT64, {.integer = i}},     {SHMF_CELL_INT64, {.integer = i & 1}},
            {SHMF_CELL_NULL, {.integer = 0}},      {SHMF_CELL_TEXT, {.text = TEXT("word")}},
            {SHMF_CELL_INT64, {.integer = i % 3}}, {SHMF_CELL_NULL, {.integer = 0}},
        };
        shmf_builder_append_row(builder, cells);
        shmf_builder_label_text(builder, "label", 5);
    }
    struct shmf_frame *frame = shmf_builder_finish(builder, err);
    shmf_builder_free(builder);
    return frame;
}

static struct shmf_frame *take(struct shmf_error *err)
{
    const int64_t rows[] = {3, 1, 4};
    return shmf_frame_take(whole, rows, 3, err);
}

static struct shmf_frame *concat(struct shmf_error *err)
{
    const struct shmf_frame *const both[] = {whole, whole};
    return shmf_frame_concat(both, 2, err);
}

static struct shmf_frame *slice(struct shmf_error *err)
{
    return shmf_frame_slice(whole, 1, 2, err);
}

static struct shmf_frame *describe(struct shmf_error *err)
{
    return shmf_frame_describe(whole, err);
}

static struct shmf_frame *open_again(struct shmf_error *err)
{
    struct shmf_handle handle = shmf_frame_handle(whole);
    handle.access = SHMF_PRIVATE_COPY; /* is checked, which needs a copy of the tables */
    return shmf_frame_open(handle, err);
}

static struct shmf_frame *check(struct shmf_error *err)
{
    struct shmf_frame *frame = shmf_frame_slice(whole, 0, 1, err);
    if (frame && shmf_frame_validate(frame, SHMF_VALIDATE_FULL, err)) {
        shmf_frame_free(frame);
        return NULL;
    }
    return frame;
}

static void assert_survives(struct shmf_frame *(*make)(struct shmf_error *err), int least)
{
    struct shmf_memory_stats before, after;
    int failures = 0;
    for (bool done = false; !done; failures += !done) {
        struct shmf_error err = {0};
        shmf_memory_get_stats(&before);
        left = failures;
        shmfi_sys.malloc = failing_malloc;
        shmfi_sys.calloc = failing_calloc;
        struct shmf_frame *frame = make(&err);
        shmfi_sys.malloc = malloc;
        shmfi_sys.calloc = calloc;
        done = frame != NULL;
        if (!done)
            assert_int_equal(err.code, SHMF_E_NOMEM);
        shmf_frame_free(frame);
        shmf_memory_get_stats(&after);
        assert_true(after.used_bytes == before.used_bytes);
    }
    assert_true(failures >= least);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    whole = random_frame(50, 4, 2);
    assert_survives(typed_frame, 3);
    assert_survives(build, 15);
    assert_survives(take, 8);
    assert_survives(concat, 8);
    assert_survives(slice, 2);
    assert_survives(describe, 7);
    assert_survives(open_again, 3);
    assert_survives(check, 4);
    shmf_frame_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("frame faults", tests, NULL, NULL);
}
