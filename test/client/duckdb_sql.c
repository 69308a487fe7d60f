/* duckdb_sql PROGRAM: SQL over frames that another process published, by way of
 * <shmframe/duckdb.h>: the answers are those that C computes, rows come back bit by bit, and all
 * memory comes back. PROGRAM is this one; with the argument "publish PREFIX" it is the other
 * process. */
#include "unit/every_frame.h"

#include <shmframe/duckdb.h>
#include <shmframe/memory.h>
#include <shmframe/share.h>

#include <inttypes.h>
#include <math.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CITIES = 40, READINGS = 50000 };

static char cities_name[64], readings_name[64];
static const char *program;
static struct shmf_duckdb *duckdb;
static struct shmf_error err;

/* ---- the tables ---------------------------------------------------------------------------- */

static void city_label(char *to, int64_t city)
{
    snprintf(to, 32, city % 3 ? "c%lld" : "a city with a long name %lld", (long long)city);
}

static int64_t city_of(int64_t r)
{
    return (r * 7919 + r / 11) % (CITIES + 5); /* some are in no table of cities */
}

static bool is_null(int64_t r)
{
    return r % 13 == 4;
}

static double value_of(int64_t r)
{
    return (double)((r * 104729) % 10007) / 8 - 300;
}

static struct shmf_frame *make_cities(void)
{
    const struct shmf_column_spec columns[] = {{"id", SHMF_INT32, 0}, {"name", SHMF_UTF8, 0}};
    static char names[CITIES][32];
    struct shmf_text texts[CITIES];
    int32_t ids[CITIES];
    for (int c = 0; c < CITIES; c++) {
        city_label(names[c], c);
        texts[c] = (struct shmf_text){names[c], (int64_t)strlen(names[c])};
        ids[c] = c;
    }
    const struct shmf_frame_spec spec = {.n_rows = CITIES, .n_columns = 2, .columns = columns};
    return shmf_frame_from_columns(&spec, (const void *const[]){ids, texts}, NULL, &err);
}

static struct shmf_frame *make_readings(void)
{
    const struct shmf_column_spec columns[] = {
        {"unused", SHMF_UINT8, 0}, {"city", SHMF_INT32, 0}, {"value", SHMF_FLOAT64, 1}};
    static uint8_t unused[READINGS], valid[READINGS / 8 + 1];
    static int32_t city[READINGS];
    static double value[READINGS];
    for (int64_t r = 0; r < READINGS; r++) {
        city[r] = (int32_t)city_of(r);
        value[r] = value_of(r);
        valid[r / 8] |= (uint8_t)(!is_null(r) << (r % 8));
    }
    const struct shmf_frame_spec spec = {.n_rows = READINGS, .n_columns = 3, .columns = columns};
    return shmf_frame_from_columns(&spec, (const void *const[]){unused, city, value},
                                   (const uint8_t *const[]){NULL, NULL, valid}, &err);
}

/* The other process: its names go when its input ends. */
static int publish(const char *prefix)
{
    char name[64];
    struct shmf_frame *frames[] = {make_cities(), make_readings()};
    struct shmf_share *shares[2];
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s_%s", prefix, i ? "readings" : "cities");
        shares[i] = frames[i] ? shmf_frame_publish(frames[i], name, NULL, &err) : NULL;
        shmf_frame_free(frames[i]);
        if (!shares[i]) {
            printf("%s\n", err.message);
            return 1;
        }
    }
    if (write(STDOUT_FILENO, "!", 1) != 1)
        return 1;
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    shmf_share_free(shares[0]);
    shmf_share_free(shares[1]);
    return 0;
}

static pid_t start_owner(const char *prefix, int *input)
{
    int in[2], out[2];
    char byte;
    assert_int_equal(pipe(in) | pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        execl(program, program, "publish", prefix, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    assert_int_equal(read(out[0], &byte, 1), 1);
    assert_int_equal(byte, '!');
    close(out[0]);
    *input = in[1];
    return pid;
}

/* ---- asking -------------------------------------------------------------------------------- */

static struct shmf_frame *ask(const char *format, ...) SHMF_PRINTF(1, 2);
static struct shmf_frame *ask(const char *format, ...)
{
    char sql[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    struct shmf_frame *answer = shmf_duckdb_query(duckdb, sql, &err);
    if (!answer)
        fail_msg("%s: %s", sql, err.message);
    assert_int_equal(shmf_frame_validate(answer, SHMF_VALIDATE_FULL, &err), SHMF_OK);
    return answer;
}

static int64_t whole(const struct shmf_frame *frame, int64_t r, int64_t c)
{
    int64_t value;
    assert_int_equal(shmf_frame_cell_int64(frame, r, c, &value), SHMF_OK);
    return value;
}

static double number(const struct shmf_frame *frame, int64_t r, int64_t c)
{
    double value;
    assert_int_equal(shmf_frame_cell(frame, r, c, &value), SHMF_OK);
    return value;
}

static uint64_t used_bytes(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.used_bytes;
}

/* ---- what C computes ----------------------------------------------------------------------- */

static void test_rows_are_counted_and_filtered(void **state)
{
    (void)state;
    int64_t matches = 0;
    double sum = 0;
    for (int64_t r = 0; r < READINGS; r++)
        if (!is_null(r) && value_of(r) > 100 && city_of(r) == 3) {
            matches++;
            sum += value_of(r);
        }
    struct shmf_frame *all = ask("SELECT count(*), count(value) FROM %s", readings_name);
    struct shmf_frame *some =
        ask("SELECT count(*), sum(value) FROM %s WHERE value > 100 AND city = 3", readings_name);
    int64_t valid = 0;
    for (int64_t r = 0; r < READINGS; r++)
        valid += !is_null(r);
    assert_int_equal(whole(all, 0, 0), READINGS);
    assert_int_equal(whole(all, 0, 1), valid);
    assert_true(matches > 100);
    assert_int_equal(whole(some, 0, 0), matches);
    assert_true(number(some, 0, 1) == sum); /* eighths: exact in any order */
    shmf_frame_free(all);
    shmf_frame_free(some);
}

static void test_tables_are_joined_and_grouped_by_strings(void **state)
{
    (void)state;
    int64_t n[CITIES] = {0};
    double sum[CITIES] = {0};
    for (int64_t r = 0; r < READINGS; r++)
        if (city_of(r) < CITIES && !is_null(r)) {
            n[city_of(r)]++;
            sum[city_of(r)] += value_of(r);
        }
    struct shmf_frame *answer = ask(
        "SELECT c.id, c.name, count(r.value), sum(r.value) FROM %s r JOIN %s c ON c.id = r.city "
        "WHERE c.name LIKE 'a city%%' GROUP BY ALL ORDER BY c.name",
        readings_name, cities_name);
    assert_int_equal(shmf_frame_rows(answer), (CITIES + 2) / 3);
    for (int64_t r = 0; r < shmf_frame_rows(answer); r++) {
        char name[32];
        int64_t id = whole(answer, r, 0);
        city_label(name, id);
        struct shmf_text text = shmf_frame_text(answer, r, 1);
        assert_int_equal(text.size, strlen(name));
        assert_memory_equal(text.data, name, (size_t)text.size);
        assert_int_equal(id % 3, 0);
        assert_int_equal(whole(answer, r, 2), n[id]);
        assert_true(number(answer, r, 3) == sum[id]);
    }
    shmf_frame_free(answer);
}

static void test_windows_see_the_rows_before(void **state)
{
    (void)state;
    struct shmf_frame *answer =
        ask("SELECT r, v, v - lag(v) OVER (ORDER BY r), row_number() OVER (ORDER BY v, r) FROM "
            "(SELECT row_number() OVER () - 1 AS r, value AS v FROM %s) WHERE r < 500 ORDER BY r",
            readings_name);
    assert_int_equal(shmf_frame_rows(answer), 500);
    for (int64_t r = 0; r < 500; r++) {
        int64_t rank = 1;
        assert_int_equal(whole(answer, r, 0), r);
        assert_int_equal(shmf_frame_is_null(answer, r, 1), is_null(r));
        bool none = r == 0 || is_null(r) || is_null(r - 1);
        assert_int_equal(shmf_frame_is_null(answer, r, 2), none);
        if (!none)
            assert_true(number(answer, r, 2) == value_of(r) - value_of(r - 1));
        for (int64_t s = 0; s < 500; s++) /* nulls are last */
            rank += is_null(r) ? !is_null(s) || s < r
                               : !is_null(s) && (value_of(s) < value_of(r) ||
                                                 (value_of(s) == value_of(r) && s < r));
        assert_int_equal(whole(answer, r, 3), rank);
    }
    shmf_frame_free(answer);
}

static void test_a_table_is_read_any_number_of_times_and_in_order(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct shmf_frame *answer =
            ask("SELECT a.value, b.city FROM (SELECT * FROM shmframe('%s') LIMIT 5000) a, %s b "
                "WHERE b.city = 44 AND a.city = 1 LIMIT 10",
                readings_name, readings_name);
        assert_int_equal(shmf_frame_rows(answer), 10);
        shmf_frame_free(answer);
        answer = ask("SELECT city FROM %s", readings_name);
        assert_int_equal(shmf_frame_rows(answer), READINGS);
        for (int64_t r = 0; r < READINGS; r++)
            assert_int_equal(whole(answer, r, 0), city_of(r));
        shmf_frame_free(answer);
    }
}

/* ---- dtypes -------------------------------------------------------------------------------- */

/* DuckDB's own type for what it does not keep: cells are compared as they are read. */
static void assert_same_cell(const struct shmf_frame *a, const struct shmf_frame *b, int64_t r,
                             int64_t c)
{
    char of_a[256], of_b[256];
    struct shmf_type from, to;
    assert_int_equal(shmf_frame_is_null(a, r, c), shmf_frame_is_null(b, r, c));
    if (shmf_frame_is_null(a, r, c))
        return;
    shmf_frame_type(a, c, &from);
    shmf_frame_type(b, c, &to);
    if (from.dtype == SHMF_FLOAT16) {
        double x = number(a, r, c), y = number(b, r, c);
        assert_true(x == y || (isnan(x) && isnan(y)));
        return;
    }
    if (from.dtype >= SHMF_DATE32 && from.dtype != SHMF_DECIMAL128 &&
        (from.dtype != to.dtype || from.unit != to.unit))
        return; /* another unit: checked in SQL */
    shmf_frame_cell_text(a, r, c, of_a, sizeof of_a);
    shmf_frame_cell_text(b, r, c, of_b, sizeof of_b);
    assert_string_equal(of_a, of_b);
}

/* A complex number is a list there, which no frame has; a duration an interval. */
static void test_every_dtype_comes_back(void **state)
{
    (void)state;
    const int64_t rows[] = {0, 1, 5000}, first[] = {0, 0, 13};
    every_sensible = true;
    for (size_t i = 0; i < 3; i++)
        for (unsigned nulls = 0; nulls < 4; nulls += 3) {
            struct shmf_frame *frame = every_frame(rows[i] + first[i], nulls, SHMF_ROWS_RANGE);
            struct shmf_frame *slice = shmf_frame_slice(frame, first[i], rows[i], NULL);
            assert_int_equal(shmf_duckdb_add(duckdb, "every", slice, &err), SHMF_OK);
            shmf_frame_free(frame);
            struct shmf_frame *answer =
                ask("SELECT * REPLACE ([complex64[1], complex64[2]]::VARCHAR AS complex64, "
                    "complex128[1] AS complex128, epoch_us(duration) AS duration) FROM every");
            assert_int_equal(shmf_frame_columns(answer), EVERY_N);
            for (int64_t c = 0; c < EVERY_N; c++)
                for (int64_t r = 0; r < rows[i]; r++)
                    if (c != SHMF_COMPLEX64 - 1 && c != SHMF_COMPLEX128 - 1 &&
                        c != SHMF_DURATION - 1)
                        assert_same_cell(slice, answer, r, c);
            for (int64_t c = 1; c < 9; c++)
                assert_same_elements(slice, answer, c);
            for (int64_t c = SHMF_FLOAT32 - 1; c < SHMF_FLOAT64; c++)
                assert_same_elements(slice, answer, c);
            shmf_frame_free(answer);
            shmf_frame_free(slice);
        }
}

static void test_what_duckdb_cannot_hold_is_text(void **state)
{
    (void)state;
    enum { MANY = 6000 };
    static char names[MANY][16];
    static struct shmf_text values[MANY];
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "v%d", i);
        values[i] = (struct shmf_text){names[i], (int64_t)strlen(names[i])};
    }
    const struct shmf_column_spec columns[] = {{"kind", SHMF_DICTIONARY, 1},
                                               {"", SHMF_DECIMAL128, 0}};
    const struct shmf_column_details details[] = {
        {.type = {.index_dtype = SHMF_INT32}, .values = values, .n_values = MANY},
        {.type = {.precision = 10, .scale = -2}}};
    struct shmf_frame *frame = shmf_frame_new(
        &(struct shmf_frame_spec){
            .n_rows = MANY, .n_columns = 2, .columns = columns, .details = details},
        &err);
    int32_t *indexes = shmf_frame_data_mut(frame, 0);
    int64_t *decimals = shmf_frame_data_mut(frame, 1);
    for (int64_t r = 0; r < MANY; r++) {
        indexes[r] = (int32_t)(MANY - 1 - r);
        decimals[2 * r] = r;
        decimals[2 * r + 1] = 0;
    }
    shmf_frame_validity_mut(frame, 0)[5] &= 0x7f;
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    assert_int_equal(shmf_duckdb_add(duckdb, "odd", frame, &err), SHMF_OK);
    struct shmf_frame *answer = ask("SELECT * FROM odd");
    for (int64_t r = 0; r < MANY; r++)
        for (int64_t c = 0; c < 2; c++) {
            char of_a[64], of_b[64];
            shmf_frame_cell_text(frame, r, c, of_a, sizeof of_a);
            shmf_frame_cell_text(answer, r, c, of_b, sizeof of_b);
            assert_string_equal(of_a, of_b);
        }
    shmf_frame_free(answer);
    shmf_frame_free(frame);
}

/* ---- errors -------------------------------------------------------------------------------- */

static void test_what_cannot_be_answered_says_why(void **state)
{
    (void)state;
    const struct {
        const char *sql;
        int code;
        const char *says;
    } wrong[] = {
        {"SELEKT 1", SHMF_E_INVAL, "SELEKT"},
        {"SELECT * FROM there_is_no_such_name", SHMF_E_INVAL, "there_is_no_such_name"},
        {"SELECT * FROM shmframe('there_is_no_such_name')", SHMF_E_INVAL, "there_is_no_such_name"},
        {"SELECT 1 AS a, [1, 2] AS liste", SHMF_E_UNSUPPORTED, "\"liste\""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(shmf_duckdb_query(duckdb, wrong[i].sql, &err));
        assert_int_equal(err.code, wrong[i].code);
        if (!strstr(err.message, wrong[i].says) || strchr(err.message, '\n'))
            fail_msg("%s: %s", wrong[i].sql, err.message);
    }
    struct shmf_frame *still = ask("SELECT 1");
    shmf_frame_free(still);
    assert_null(shmf_duckdb_query(NULL, "SELECT 1", &err));
    assert_null(shmf_duckdb_query(duckdb, NULL, &err));
    assert_int_equal(shmf_duckdb_add(duckdb, "", NULL, &err), SHMF_E_INVAL);
    assert_null(shmf_duckdb_open(&(struct shmf_duckdb_options){.reserved = {1}}, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_duckdb_open(&(struct shmf_duckdb_options){.library = "/no/duckdb.so"}, &err));
    assert_int_equal(err.code, SHMF_E_NOTFOUND);
    assert_non_null(strstr(err.message, "/no/duckdb.so"));
}

static void test_names_are_tables_only_where_they_may_be(void **state)
{
    (void)state;
    char sql[128];
    struct shmf_duckdb *closed =
        shmf_duckdb_open(&(struct shmf_duckdb_options){.no_names = 1, .threads = 1}, &err);
    assert_non_null(closed);
    snprintf(sql, sizeof sql, "SELECT * FROM %s", readings_name);
    assert_null(shmf_duckdb_query(closed, sql, &err));
    snprintf(sql, sizeof sql, "SELECT * FROM shmframe('%s')", readings_name);
    assert_null(shmf_duckdb_query(closed, sql, &err));
    shmf_duckdb_free(closed);
}

/* ---- all ----------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    char prefix[32];
    int input;
    if (argc == 3 && strcmp(argv[1], "publish") == 0)
        return publish(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_counted_and_filtered),
        cmocka_unit_test(test_tables_are_joined_and_grouped_by_strings),
        cmocka_unit_test(test_windows_see_the_rows_before),
        cmocka_unit_test(test_a_table_is_read_any_number_of_times_and_in_order),
        cmocka_unit_test(test_every_dtype_comes_back),
        cmocka_unit_test(test_what_duckdb_cannot_hold_is_text),
        cmocka_unit_test(test_what_cannot_be_answered_says_why),
        cmocka_unit_test(test_names_are_tables_only_where_they_may_be),
    };
    program = argv[0];
    uint64_t token; /* of this run: a number of a process is used again, with what it left */
    if (getrandom(&token, sizeof token, 0) != sizeof token)
        return 1;
    snprintf(prefix, sizeof prefix, "sql%016" PRIx64, token);
    snprintf(cities_name, sizeof cities_name, "%s_cities", prefix);
    snprintf(readings_name, sizeof readings_name, "%s_readings", prefix);
    pid_t owner = start_owner(prefix, &input);
    uint64_t before = used_bytes();
    duckdb = shmf_duckdb_open(&(struct shmf_duckdb_options){.threads = 2}, &err);
    if (!duckdb) {
        printf("skipped: %s\n", err.message);
        return 77;
    }
    int failed = cmocka_run_group_tests_name("SQL by DuckDB", tests, NULL, NULL);
    shmf_duckdb_free(duckdb);
    if (used_bytes() != before) {
        printf("%llu bytes are left\n", (unsigned long long)(used_bytes() - before));
        failed++;
    }
    close(input);
    waitpid(owner, NULL, 0);
    return failed;
}
