/* DuckDB reads what we export by the C Stream interface, and we read what it exports: the values
 * are those of the frame, as C sees them, and every piece of memory comes back.
 *
 * Its arrow_scan ignores projections and filters unless two optimizers are off, and serves one
 * query. */
#include "client/duckdb.h"
#include "unit/every_frame.h"

#include <shmframe/arrow.h>
#include <shmframe/memory.h>

static struct duckdb duckdb;
static void *connection;

/* Types that DuckDB does not keep: float16 and date64 it refuses or turns into others, binary of
 * fixed width and decimals of negative scale likewise. */
static const int kept[] = {SHMF_BOOL,       SHMF_INT8,    SHMF_INT16,     SHMF_INT32,
                           SHMF_INT64,      SHMF_UINT8,   SHMF_UINT16,    SHMF_UINT32,
                           SHMF_UINT64,     SHMF_FLOAT32, SHMF_FLOAT64,   SHMF_UTF8,
                           SHMF_LARGE_UTF8, SHMF_BINARY,  SHMF_DICTIONARY};
enum { N_KEPT = sizeof kept / sizeof kept[0] };

static void run(const char *sql)
{
    duckdb_result result;
    if (duckdb.query(connection, sql, &result))
        fail_msg("%s: %s", sql, duckdb.result_error(&result));
    duckdb.destroy_result(&result);
}

/* The answer of a query, made of DuckDB's own arrays. */
static struct shmf_frame *ask(const char *sql)
{
    void *answer = NULL;
    if (duckdb.query_arrow(connection, sql, &answer))
        fail_msg("%s: %s", sql, duckdb.query_arrow_error(answer));
    struct ArrowSchema schema = {.release = NULL};
    struct shmf_frame *parts[4096];
    int64_t n = 0;
    void *to = &schema;
    assert_int_equal(duckdb.query_arrow_schema(answer, &to), 0);
    for (;; n++) {
        struct ArrowArray array = {.release = NULL};
        struct shmf_error err = {0};
        to = &array;
        assert_int_equal(duckdb.query_arrow_array(answer, &to), 0);
        if (!array.release)
            break;
        assert_true(n < 4096);
        parts[n] = shmf_arrow_import(&schema, &array, NULL, &err);
        if (!parts[n])
            fail_msg("%s", err.message);
        array.release(&array);
    }
    schema.release(&schema);
    duckdb.destroy_arrow(&answer);
    struct shmf_frame *all = shmf_frame_concat((const struct shmf_frame *const *)parts, n, NULL);
    for (int64_t i = 0; i < n; i++)
        shmf_frame_free(parts[i]);
    assert_non_null(all);
    return all;
}

static uint64_t used_bytes(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.used_bytes;
}

static struct shmf_frame *kept_columns(const struct shmf_frame *frame)
{
    int64_t positions[N_KEPT];
    for (int i = 0; i < N_KEPT; i++)
        positions[i] = kept[i] - 1;
    return shmf_frame_select(frame, positions, N_KEPT, NULL);
}

/* Strings have one type there: cells are compared as text, bits of numbers as they are. */
static void assert_same_cells(const struct shmf_frame *a, const struct shmf_frame *b)
{
    assert_int_equal(shmf_frame_rows(a), shmf_frame_rows(b));
    assert_int_equal(shmf_frame_columns(a), shmf_frame_columns(b));
    for (int64_t c = 0; c < shmf_frame_columns(a); c++)
        for (int64_t r = 0; r < shmf_frame_rows(a); r++) {
            char of_a[256], of_b[256];
            assert_int_equal(shmf_frame_is_null(a, r, c), shmf_frame_is_null(b, r, c));
            if (shmf_frame_is_null(a, r, c))
                continue;
            shmf_frame_cell_text(a, r, c, of_a, sizeof of_a);
            shmf_frame_cell_text(b, r, c, of_b, sizeof of_b);
            assert_string_equal(of_a, of_b);
        }
    for (int64_t c = 1; c < 11; c++)
        assert_same_elements(a, b, c);
}

static void view_of(const struct shmf_frame *frame, int64_t batch_rows,
                    struct ArrowArrayStream *stream)
{
    const struct shmf_arrow_export_options options = {.batch_rows = batch_rows};
    assert_int_equal(shmf_arrow_export_stream(frame, &options, stream, NULL), SHMF_OK);
    assert_int_equal(duckdb.arrow_scan(connection, "frame", stream), 0);
}

static void test_duckdb_sees_the_values_of_frames_and_slices(void **state)
{
    (void)state;
    uint64_t before = used_bytes();
    const int64_t cuts[][3] = {{0, 5000, 512}, {0, 5000, 0}, {8, 3001, 1024}, {1001, 2500, 700}};
    for (unsigned nulls = 0; nulls < 4; nulls += 3)
        for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
            struct shmf_frame *frame = every_frame(5000, nulls, SHMF_ROWS_RANGE);
            struct shmf_frame *some = kept_columns(frame);
            struct shmf_frame *slice = shmf_frame_slice(some, cuts[i][0], cuts[i][1], NULL);
            struct ArrowArrayStream stream;
            view_of(slice, cuts[i][2], &stream);
            shmf_frame_free(frame);
            shmf_frame_free(some);
            struct shmf_frame *answer = ask("SELECT * FROM frame");
            assert_same_cells(slice, answer);
            shmf_frame_free(answer);
            shmf_frame_free(slice);
            stream.release(&stream);
            run("DROP VIEW frame");
            assert_int_equal(used_bytes(), before);
        }
}

static void test_duckdb_answers_as_c_does(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(20000, 4, SHMF_ROWS_RANGE);
    struct shmf_frame *some = kept_columns(frame);
    struct ArrowArrayStream stream;
    view_of(some, 512 * 5, &stream);
    struct shmf_frame *answer =
        ask("SELECT count(*), sum(int16)::BIGINT, count(DISTINCT utf8) FROM frame "
            "WHERE dictionary = 'gr\xC3\xBCn' AND bool");
    int64_t expected[2] = {0, 0}, got[2] = {0, 0}, value;
    for (int64_t r = 0; r < 20000; r++) {
        struct shmf_text kind = shmf_frame_text(frame, r, SHMF_DICTIONARY - 1);
        if (!kind.data || kind.size != 5 ||
            shmf_frame_cell_int64(frame, r, SHMF_BOOL - 1, &value) || !value)
            continue;
        expected[0]++;
        if (shmf_frame_cell_int64(frame, r, SHMF_INT16 - 1, &value) == SHMF_OK)
            expected[1] += value;
    }
    for (int c = 0; c < 2; c++)
        assert_int_equal(shmf_frame_cell_int64(answer, 0, c, &got[c]), SHMF_OK);
    assert_true(expected[0] > 1000);
    assert_int_equal(got[0], expected[0]);
    assert_int_equal(got[1], expected[1]);
    stream.release(&stream);
    run("DROP VIEW frame");
    shmf_frame_free(answer);
    shmf_frame_free(some);
    shmf_frame_free(frame);
}

static void test_what_only_duckdb_makes_is_imported_or_refused_by_name(void **state)
{
    (void)state;
    struct shmf_frame *frame =
        ask("SELECT DATE '2024-02-29' d, TIME '12:30:00.25' t, "
            "TIMESTAMP '2024-02-29 12:30:00' s, 12.34::DECIMAL(10,2) p, "
            "'b'::ENUM('a', 'b') e, 'ab'::BLOB b, NULL::INTEGER n FROM range(3)");
    const char *expected[] = {
        "2024-02-29", "12:30:00.250000", "2024-02-29 12:30:00.000000", "12.34", "b", "6162",
        "null"};
    for (int64_t c = 0; c < 7; c++) {
        char text[64];
        shmf_frame_cell_text(frame, 2, c, text, sizeof text);
        assert_string_equal(text, expected[c]);
    }
    shmf_frame_free(frame);
    void *answer = NULL, *to;
    struct ArrowSchema schema;
    struct ArrowArray array = {.release = NULL};
    struct shmf_error err = {0};
    assert_int_equal(duckdb.query_arrow(connection, "SELECT 1 a, [1, 2] liste", &answer), 0);
    to = &schema;
    assert_int_equal(duckdb.query_arrow_schema(answer, &to), 0);
    to = &array;
    assert_int_equal(duckdb.query_arrow_array(answer, &to), 0);
    assert_null(shmf_arrow_import(&schema, &array, NULL, &err));
    assert_int_equal(err.code, SHMF_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "\"liste\""));
    array.release(&array);
    schema.release(&schema);
    duckdb.destroy_arrow(&answer);
}

int main(void)
{
    void *database;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duckdb_sees_the_values_of_frames_and_slices),
        cmocka_unit_test(test_duckdb_answers_as_c_does),
        cmocka_unit_test(test_what_only_duckdb_makes_is_imported_or_refused_by_name),
    };
    duckdb_load(&duckdb);
    if (duckdb.open(NULL, &database) || duckdb.connect(database, &connection))
        return 1;
    duckdb_result result;
    duckdb.query(connection, "SET threads = 1", &result);
    duckdb.destroy_result(&result);
    duckdb.query(connection, "SET disabled_optimizers = 'filter_pushdown,unused_columns'", &result);
    duckdb.destroy_result(&result);
    int failed = cmocka_run_group_tests_name("arrow and DuckDB", tests, NULL, NULL);
    duckdb.disconnect(&connection);
    duckdb.close(&database);
    return failed;
}
