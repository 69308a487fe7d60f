/* Appending the rows of a flights table (int64, utf8, timestamp) to a builder, beside appending the
 * same values to plain arrays that realloc grows. Medians of interleaved rounds, one JSON object a
 * line; "append" is the rows alone, "whole" everything from the builder's making to the finished
 * frame, or from the first malloc to the last realloc.
 *
 *     build/test/bench_append [ROWS [ROUNDS]]        (default 10,000,000 and 5)
 *
 * "told" builders know the numbers of rows and bytes beforehand, "untold" ones do not; "recycled"
 * rounds find pages that the round before has left, on both sides (arrays and frames are freed,
 * and trimming of the heap is off), "cold" ones fetch all of them from the kernel. */
#include <shmframe/shmframe.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { MAX_ROUNDS = 51, TEXTS = 4096 };

static int64_t n_rows = 10000000;
static char texts[TEXTS][8];
static int64_t sizes[TEXTS], n_bytes;

struct times {
    double append, whole;
    long faults;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static long faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

static void fail(const char *what)
{
    fprintf(stderr, "append: %s\n", what);
    exit(1);
}

/* The values of row i, the same for everybody: delay, tail number, time of departure. */
static inline int64_t delay_of(int64_t i)
{
    return i * 37 % 181 - 20;
}

static inline int64_t departure_of(int64_t i)
{
    return INT64_C(1356998400000) + i * 60000;
}

/* ---- plain arrays ------------------------------------------------------------------------- */

struct plain {
    int64_t *delays, *departures;
    int32_t *ends;
    char *bytes;
    int64_t n_delays, n_departures, n_ends, n_bytes;
    int64_t delays_room, departures_room, ends_room, bytes_room;
};

static void *grown(void *array, int64_t *room, int64_t needed, size_t size)
{
    int64_t more = *room ? 2 * *room : 1024;
    while (more < needed)
        more *= 2;
    array = realloc(array, (size_t)more * size);
    if (!array)
        fail("no memory");
    *room = more;
    return array;
}

/* One function a column and call, as a program would have them. */
__attribute__((noinline)) static void put_delay(struct plain *plain, int64_t value)
{
    if (plain->n_delays == plain->delays_room)
        plain->delays =
            grown(plain->delays, &plain->delays_room, plain->n_delays + 1, sizeof *plain->delays);
    plain->delays[plain->n_delays++] = value;
}

__attribute__((noinline)) static void put_departure(struct plain *plain, int64_t value)
{
    if (plain->n_departures == plain->departures_room)
        plain->departures = grown(plain->departures, &plain->departures_room,
                                  plain->n_departures + 1, sizeof *plain->departures);
    plain->departures[plain->n_departures++] = value;
}

__attribute__((noinline)) static void put_text(struct plain *plain, const char *text, int64_t size)
{
    if (plain->n_bytes + size > plain->bytes_room)
        plain->bytes = grown(plain->bytes, &plain->bytes_room, plain->n_bytes + size, 1);
    if (plain->n_ends == plain->ends_room)
        plain->ends = grown(plain->ends, &plain->ends_room, plain->n_ends + 1, sizeof *plain->ends);
    memcpy(plain->bytes + plain->n_bytes, text, (size_t)size);
    plain->n_bytes += size;
    plain->ends[plain->n_ends++] = (int32_t)plain->n_bytes;
}

static struct times append_plain(void)
{
    struct plain plain = {0};
    struct times times = {.faults = faults()};
    double start = now();
    for (int64_t i = 0; i < n_rows; i++) {
        put_delay(&plain, delay_of(i));
        put_text(&plain, texts[i % TEXTS], sizes[i % TEXTS]);
        put_departure(&plain, departure_of(i));
    }
    times.append = times.whole = now() - start;
    times.faults = faults() - times.faults;
    if (plain.delays[n_rows - 1] != delay_of(n_rows - 1) || plain.n_bytes != n_bytes)
        fail("plain arrays hold something else");
    free(plain.delays);
    free(plain.departures);
    free(plain.ends);
    free(plain.bytes);
    return times;
}

/* ---- a builder ---------------------------------------------------------------------------- */

static struct times append_rows(bool told)
{
    static const struct shmf_column_spec columns[] = {
        {"delay", SHMF_INT64, 0}, {"tail", SHMF_UTF8, 0}, {"departure", SHMF_TIMESTAMP, 0}};
    struct shmf_column_details details[3] = {
        [1] = {.data_size = told ? n_bytes : 0},
        [2] = {.type = {.unit = SHMF_MILLISECONDS, .zone = {"UTC", 3}}}};
    struct shmf_frame_spec spec = {
        .n_rows = told ? n_rows : 0, .n_columns = 3, .columns = columns, .details = details};
    struct times times = {.faults = faults()};
    struct shmf_error err;
    double start = now();
    struct shmf_builder *builder = shmf_builder_new(&spec, &err);
    if (!builder)
        fail(err.message);
    for (int64_t i = 0; i < n_rows; i++) {
        shmf_builder_append_int64(builder, 0, delay_of(i));
        shmf_builder_append_text(builder, 1, texts[i % TEXTS], sizes[i % TEXTS]);
        shmf_builder_append_int64(builder, 2, departure_of(i));
    }
    times.append = now() - start;
    struct shmf_frame *frame = shmf_builder_finish(builder, &err);
    times.whole = now() - start;
    times.faults = faults() - times.faults;
    if (!frame)
        fail(err.message);
    const int64_t *delays = shmf_frame_data(frame, 0, SHMF_INT64);
    if (shmf_frame_rows(frame) != n_rows || delays[n_rows - 1] != delay_of(n_rows - 1))
        fail("the frame holds something else");
    shmf_frame_free(frame);
    shmf_builder_free(builder);
    return times;
}

static struct times append_told(void)
{
    return append_rows(true);
}

static struct times append_untold(void)
{
    return append_rows(false);
}

/* ---- rounds ------------------------------------------------------------------------------- */

static const struct way {
    const char *name;
    struct times (*append)(void);
} ways[] = {{"realloc", append_plain}, {"told", append_told}, {"untold", append_untold}};

#define WAYS (sizeof ways / sizeof *ways)

static struct times taken[WAYS][MAX_ROUNDS];

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(size_t way, int rounds, bool whole)
{
    double values[MAX_ROUNDS];
    for (int i = 0; i < rounds; i++)
        values[i] = whole ? taken[way][i].whole : taken[way][i].append;
    qsort(values, (size_t)rounds, sizeof *values, by_value);
    return values[rounds / 2];
}

static void drop_caches(void)
{
    shmf_memory_trim(0);
    malloc_trim(0);
}

/* Plain arrays are "recycled" too: freed memory stays in the heap of the process. */
static void measure(const char *pages, int rounds)
{
    bool cold = strcmp(pages, "cold") == 0;
    mallopt(M_MMAP_THRESHOLD, cold ? 128 << 10 : 1 << 30);
    mallopt(M_TRIM_THRESHOLD, cold ? 128 << 10 : 2000 << 20);
    for (int round = cold ? 0 : -1; round < rounds; round++) /* the first warms up */
        for (size_t way = 0; way < WAYS; way++) {
            if (cold)
                drop_caches();
            struct times times = ways[way].append();
            if (round >= 0)
                taken[way][round] = times;
        }
    for (size_t way = 0; way < WAYS; way++)
        printf(
            "{\"bench\": \"append_flights\", \"pages\": \"%s\", \"impl\": \"%s\", \"rows\": %lld, "
            "\"append_ms\": %.1f, \"whole_ms\": %.1f, \"speed_of_append\": %.2f, "
            "\"speed_of_whole\": %.2f, \"faults\": %ld}\n",
            pages, ways[way].name, (long long)n_rows, median(way, rounds, false) * 1e3,
            median(way, rounds, true) * 1e3, median(0, rounds, false) / median(way, rounds, false),
            median(0, rounds, true) / median(way, rounds, true), taken[way][rounds - 1].faults);
}

int main(int argc, char **argv)
{
    n_rows = argc > 1 ? atoll(argv[1]) : n_rows;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    if (n_rows < 1 || n_rows > 300000000 || rounds < 1 || rounds > MAX_ROUNDS)
        fail("ROWS is not in 1..300000000, or ROUNDS not in 1..51");
    for (int i = 0; i < TEXTS; i++)
        sizes[i] = snprintf(texts[i], sizeof texts[i], "N%d", i * 7919 % 99991);
    for (int64_t i = 0; i < n_rows; i++)
        n_bytes += sizes[i % TEXTS];
    measure("recycled", rounds);
    measure("cold", rounds);
    return 0;
}
