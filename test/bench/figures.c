/* The figures of docs/design.md, each beside the bare thing it is to be compared with. Medians of
 * interleaved rounds; one JSON object a line.
 *
 *     build/test/bench_figures [ROUNDS]       (default 7) */
#include <shmframe/shmframe.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define BIG         INT64_C(200000000)
#define ROWS        1000
#define COLUMNS     5000
#define NOOPS       100000
#define ELEMENTS    1000000
#define APPLIES     2000
#define MAX_ROUNDS  101

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void need(const void *object, const struct shmf_error *err)
{
    if (object)
        return;
    fprintf(stderr, "figures: %s: %s\n", shmf_status_name(err->code), err->message);
    exit(1);
}

/* ---- one measurement each: seconds per unit ------------------------------------------------ */

static struct shmf_pool *pool;
static struct shmf_frame *frame;
static char labels[ROWS][16];

static double raw_fresh(void)
{
    double start = now();
    int fd = memfd_create("figures", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, BIG))
        exit(1);
    char *memory = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int64_t at = 0; at < BIG; at += 4096)
        memory[at] = 1;
    double seconds = now() - start;
    munmap(memory, BIG);
    close(fd);
    return seconds;
}

static double new_array(void)
{
    struct shmf_error err;
    double start = now();
    struct shmf_array *array = shmf_array_new(SHMF_UINT8, 1, (int64_t[]){BIG}, &err);
    need(array, &err);
    double seconds = now() - start;
    shmf_array_free(array);
    return seconds;
}

static double fresh(void)
{
    shmf_memory_trim(0);
    return new_array();
}

static double recycled(void)
{
    new_array();
    return new_array();
}

static double loc(void)
{
    int64_t found = 0;
    double start = now();
    for (int i = 0; i < 100 * ROWS; i++)
        found += shmf_frame_loc(frame, labels[i * 7 % ROWS]);
    double seconds = now() - start;
    return found < 0 ? -1 : seconds / (100 * ROWS);
}

static double open_frame(void)
{
    struct shmf_error err;
    struct shmf_handle handle = shmf_frame_handle(frame);
    double start = now();
    struct shmf_frame *opened = shmf_frame_open(handle, &err);
    need(opened, &err);
    double seconds = now() - start;
    shmf_frame_free(opened);
    return seconds;
}

static int echo(struct shmf_task *task, void *unused)
{
    (void)unused;
    return shmf_task_return_bytes(task, shmf_task_arg(task), sizeof(int64_t));
}

static int64_t *numbers(void)
{
    static int64_t list[ELEMENTS];
    for (int64_t i = 0; i < ELEMENTS; i++)
        list[i] = i;
    return list;
}

static double imap(int window)
{
    struct shmf_error err;
    struct shmf_tasks tasks = {.count = NOOPS, .args = numbers(), .arg_size = sizeof(int64_t)};
    double start = now();
    struct shmf_iter *iter =
        shmf_pool_imap(pool, echo, &tasks, &(struct shmf_imap_options){.window = window}, &err);
    need(iter, &err);
    struct shmf_result *result;
    while (shmf_iter_next(iter, &result, &err) > 0)
        shmf_result_free(result);
    shmf_iter_free(iter);
    return (now() - start) / NOOPS;
}

static double imap_narrow(void)
{
    return imap(0);
}

static double imap_wide(void)
{
    return imap(64);
}

static double map(void)
{
    struct shmf_error err;
    static int64_t results[ELEMENTS];
    static int statuses[ELEMENTS];
    struct shmf_tasks tasks = {.count = ELEMENTS, .args = numbers(), .arg_size = sizeof(int64_t)};
    double start = now();
    if (shmf_pool_map(pool, echo, &tasks, NULL, results, sizeof *results, statuses, &err))
        need(NULL, &err);
    return (now() - start) / ELEMENTS;
}

static double apply(void)
{
    struct shmf_error err;
    int64_t number = 7;
    struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
    double start = now();
    for (int i = 0; i < APPLIES; i++) {
        struct shmf_result *result = shmf_pool_apply(pool, echo, &input, NULL, &err);
        need(result, &err);
        shmf_result_free(result);
    }
    return (now() - start) / APPLIES;
}

static double create(void)
{
    struct shmf_error err;
    double start = now();
    struct shmf_pool *other = shmf_pool_new(&(struct shmf_pool_options){.workers = 2}, &err);
    need(other, &err);
    shmf_pool_free(other);
    return now() - start;
}

static const struct figure {
    const char *name, *unit;
    double scale;
    double (*measure)(void);
} figures[] = {
    {"touch_200MB_raw_memfd", "ms", 1e3, raw_fresh},
    {"new_200MB_fresh", "ms", 1e3, fresh},
    {"new_200MB_recycled", "us", 1e6, recycled},
    {"loc_1000_labels", "ns", 1e9, loc},
    {"open_5000_columns", "us", 1e6, open_frame},
    {"imap_noop_default_window", "ns", 1e9, imap_narrow},
    {"imap_noop_window_64", "ns", 1e9, imap_wide},
    {"map_noop_per_element", "ns", 1e9, map},
    {"apply_round_trip", "us", 1e6, apply},
    {"pool_of_2_new_and_free", "ms", 1e3, create},
};

#define COUNT (sizeof figures / sizeof *figures)

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void set_up(void)
{
    struct shmf_error err;
    const char *rows[ROWS];
    for (int i = 0; i < ROWS; i++) {
        snprintf(labels[i], sizeof labels[i], "Idx-%d", i);
        rows[i] = labels[i];
    }
    struct shmf_frame_spec spec = {
        .n_rows = ROWS, .n_columns = COLUMNS, .dtype = SHMF_FLOAT64, .row_labels = rows};
    static double zero;
    frame = shmf_frame_from_matrix(&spec, &zero, 0, 0, &err);
    need(frame, &err);
    pool = shmf_pool_new(NULL, &err);
    need(pool, &err);
}

int main(int argc, char **argv)
{
    static double values[COUNT][MAX_ROUNDS];
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    if (rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "figures: ROUNDS is not in 1..%d\n", MAX_ROUNDS);
        return 2;
    }
    set_up();
    for (int round = 0; round < rounds; round++)
        for (size_t i = 0; i < COUNT; i++)
            values[i][round] = figures[i].measure() * figures[i].scale;
    for (size_t i = 0; i < COUNT; i++) {
        qsort(values[i], (size_t)rounds, sizeof(double), by_value);
        printf("{\"bench\": \"%s\", \"impl\": \"%s\", \"unit\": \"%s\", \"median\": %.4g, "
               "\"min\": %.4g, \"max\": %.4g, \"rounds\": %d}\n",
               figures[i].name, i ? "shmframe" : "raw", figures[i].unit, values[i][rounds / 2],
               values[i][0], values[i][rounds - 1], rounds);
    }
    shmf_pool_free(pool);
    shmf_frame_free(frame);
    return 0;
}
