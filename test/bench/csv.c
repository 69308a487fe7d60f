/* Reading comma-separated values: a table of flights (timestamp, two integers, two texts) as a
 * frame, by shmf_csv_read with a pool of 2 and without one, beside libcsv with a loader that makes
 * the same frame: it is told the types, which shmf_csv_read finds out. The three frames must be
 * equal.
 *
 *     build/test/bench/bench_csv [ROWS [ROUNDS]]        (default 3,000,000 and 5)
 *
 * Medians of interleaved rounds, one JSON object a line; then the ratios. */
#include <shmframe/csv.h>
#include <shmframe/shmframe.h>

#ifdef WITH_LIBCSV
#include <csv.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROUNDS = 51, WAYS = 3 };

static const char *const names[WAYS] = {"pool", "alone", "libcsv"};
static char path[] = "/tmp/shmframe-bench-XXXXXX";
static struct shmf_pool *pool;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    fprintf(stderr, "csv: %s\n", what);
    unlink(path);
    exit(1);
}

static double write_table(long rows)
{
    uint32_t r = 1;
    FILE *out = fdopen(mkstemp(path), "w");
    if (!out)
        fail("no file");
    fprintf(out, "date,delay,distance,origin,destination\n");
    for (long i = 0; i < rows; i++) {
        r = r * 1664525u + 1013904223u;
        fprintf(out, "2001-%02d-%02d %02d:%02d:00,%d,%d,%c%c%c,%c%c%c\n",
                (int)(1 + i * 12 / rows % 12), (int)(1 + i % 28), (int)((r >> 8) % 24),
                (int)((r >> 13) % 60), (int)((r >> 10) % 200) - 30, (int)((r >> 9) % 3000),
                'A' + (int)((r >> 7) % 26), 'A' + (int)((r >> 11) % 26),
                'A' + (int)((r >> 15) % 26), 'A' + (int)((r >> 16) % 26),
                'A' + (int)((r >> 19) % 26), 'A' + (int)((r >> 22) % 26));
    }
    double size = (double)ftell(out);
    fclose(out);
    return size;
}

static struct shmf_frame *read_frame(struct shmf_pool *with)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_csv_read(path, &(struct shmf_csv_options){.pool = with}, &err);
    if (!frame)
        fail(err.message);
    return frame;
}

#ifdef WITH_LIBCSV
struct load {
    struct shmf_builder *builder;
    int64_t column, row;
};

static int64_t number(const char *text, int digits)
{
    int64_t value = 0;
    for (int i = 0; i < digits; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t timestamp(const char *t)
{
    return ((days_of(number(t, 4), number(t + 5, 2), number(t + 8, 2)) * 24 + number(t + 11, 2)) *
                60 +
            number(t + 14, 2)) *
               60000000 +
           number(t + 17, 2) * 1000000;
}

static void take_field(void *field, size_t size, void *context)
{
    struct load *load = context;
    const char *text = field; /* a NUL follows it: CSV_APPEND_NULL */
    if (load->row > 0) {
        switch (load->column) {
        case 0:
            shmf_builder_append_int64(load->builder, 0, timestamp(text));
            break;
        case 1:
        case 2:
            shmf_builder_append_int64(load->builder, load->column, strtoll(text, NULL, 10));
            break;
        default:
            shmf_builder_append_text(load->builder, load->column, text, (int64_t)size);
        }
    }
    load->column++;
}

static void take_row(int end, void *context)
{
    struct load *load = context;
    (void)end;
    load->row++;
    load->column = 0;
}

static struct shmf_frame *load(void)
{
    static char buffer[1 << 20];
    const struct shmf_column_spec columns[] = {{"date", SHMF_TIMESTAMP, 0},
                                               {"delay", SHMF_INT64, 0},
                                               {"distance", SHMF_INT64, 0},
                                               {"origin", SHMF_UTF8, 0},
                                               {"destination", SHMF_UTF8, 0}};
    const struct shmf_column_details details[5] = {{.type.unit = SHMF_MICROSECONDS}};
    const struct shmf_frame_spec spec = {.n_columns = 5, .columns = columns, .details = details};
    struct shmf_error err = {0};
    struct load context = {shmf_builder_new(&spec, &err), 0, 0};
    struct csv_parser parser;
    FILE *in = fopen(path, "r");
    size_t got;
    if (!context.builder || !in || csv_init(&parser, CSV_APPEND_NULL))
        fail("libcsv");
    while ((got = fread(buffer, 1, sizeof buffer, in)) > 0)
        if (csv_parse(&parser, buffer, got, take_field, take_row, &context) != got)
            fail("libcsv");
    csv_fini(&parser, take_field, take_row, &context);
    csv_free(&parser);
    fclose(in);
    struct shmf_frame *frame = shmf_builder_finish(context.builder, &err);
    shmf_builder_free(context.builder);
    if (!frame)
        fail(err.message);
    return frame;
}
#else
static struct shmf_frame *load(void)
{
    return NULL;
}
#endif

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    long rows = argc > 1 ? atol(argv[1]) : 3000000;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    double times[WAYS][MAX_ROUNDS];
    if (rows < 1 || rounds < 1 || rounds > MAX_ROUNDS)
        fail("ROWS and ROUNDS (at most 51)");
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = 2}, NULL);
    double size = write_table(rows);
    for (int round = -1; round < rounds; round++) { /* one round for nothing: pages, caches */
        struct shmf_frame *frames[WAYS];
        for (int way = 0; way < WAYS; way++) {
            double since = now();
            frames[way] = way == 2 ? load() : read_frame(way == 0 ? pool : NULL);
            if (round >= 0)
                times[way][round] = now() - since;
        }
        if (shmf_frame_equal(frames[0], frames[1]) != 1 ||
            (frames[2] && shmf_frame_equal(frames[0], frames[2]) != 1))
            fail("the frames differ");
        for (int way = 0; way < WAYS; way++)
            shmf_frame_free(frames[way]);
    }
    unlink(path);
    shmf_pool_free(pool);
    for (int way = 0; way < WAYS; way++) {
        qsort(times[way], (size_t)rounds, sizeof(double), compare);
#ifndef WITH_LIBCSV
        if (way == 2)
            break;
#endif
        printf("{\"bench\": \"csv\", \"impl\": \"%s\", \"metric\": \"mb_per_s\", \"unit\": "
               "\"MB/s\", \"median\": %.0f, "
               "\"min\": %.0f, \"max\": %.0f, \"rounds\": %d}\n",
               names[way], size / times[way][rounds / 2] / 1e6, size / times[way][rounds - 1] / 1e6,
               size / times[way][0] / 1e6, rounds);
    }
#ifdef WITH_LIBCSV
    for (int way = 0; way < 2; way++)
        fprintf(stderr, "%s: %.1f times libcsv\n", names[way],
                times[2][rounds / 2] / times[way][rounds / 2]);
#endif
    return 0;
}
