/* Reading frames: opening one of 5,000 columns, finding a row among a million labels, and gathering
 * a row across columns. */
#include "way.h"

#include <shmframe/shmframe.h>

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WIDTH = 16 };

static struct shmf_error err;
static struct shmf_frame *frame;
static int64_t n_rows, n_columns;
static char (*labels)[WIDTH];
static double *values; /* a row */
static struct hsearch_data table;
static int plain; /* a memfd of the frame's size */

static void make_labels(void)
{
    labels = malloc((size_t)n_rows * sizeof *labels);
    bench_need(labels != NULL, "memory for labels");
    for (int64_t i = 0; i < n_rows; i++)
        snprintf(labels[i], sizeof *labels, "Idx-%d", (int)i);
}

static void make_frame(int64_t rows, int64_t columns)
{
    static const double one = 1;
    n_rows = rows;
    n_columns = columns;
    make_labels();
    const char **row_labels = malloc((size_t)rows * sizeof *row_labels);
    values = malloc((size_t)columns * sizeof *values);
    bench_need(row_labels && values, "memory for labels");
    for (int64_t i = 0; i < rows; i++)
        row_labels[i] = labels[i];
    struct shmf_frame_spec spec = {
        .n_rows = rows, .n_columns = columns, .dtype = SHMF_FLOAT64, .row_labels = row_labels};
    frame = shmf_frame_from_matrix(&spec, &one, 0, 0, &err);
    bench_need(frame != NULL, "a frame");
    free(row_labels);
}

static void prepare_wide(void)
{
    make_frame(1000, setting.at ? setting.at : 5000);
}

static void reply_each(struct reply *reply, double start, int64_t n)
{
    reply_add(reply, "ns", (bench_now() - start) * 1e9 / (double)n);
}

static void open_frame(int64_t n, struct reply *reply)
{
    struct shmf_handle handle = shmf_frame_handle(frame);
    double start = bench_now();
    for (int64_t i = 0; i < n; i++) {
        struct shmf_frame *opened = shmf_frame_open(handle, &err);
        bench_need(opened != NULL, "shmf_frame_open");
        shmf_frame_free(opened);
    }
    reply_each(reply, start, n);
}

/* What attaching costs at least: mapping a segment of that size, touching it, unmapping it. */
static void prepare_memfd(void)
{
    plain = memfd_create("bench", MFD_CLOEXEC);
    bench_need(plain >= 0 && ftruncate(plain, 40 << 20) == 0, "memfd_create");
}

static void open_memfd(int64_t n, struct reply *reply)
{
    double start = bench_now();
    for (int64_t i = 0; i < n; i++) {
        volatile char *memory = mmap(NULL, 40 << 20, PROT_READ, MAP_SHARED, plain, 0);
        bench_need(memory != MAP_FAILED, "mmap");
        (void)memory[0];
        munmap((void *)(uintptr_t)memory, 40 << 20);
    }
    reply_each(reply, start, n);
}

/* The rows asked for: all over the table, in no order. */
static int64_t wanted(int64_t i)
{
    return i * INT64_C(7919) % n_rows;
}

/* ---- what is looked up: labels that were written just before, in the order in which they are
 * asked for, as a program has them that reads or makes them, and as the bench in Python has its
 * own. Those that the frame was made of lie elsewhere: asking for these, each in a cache line and a
 * page of its own, would be a second search through memory beside the one that is measured.
 * ----------------- */

enum { ASKED = 500000 }; /* at a time; the clock stands still while they are written */

static char (*asked)[WIDTH];
static int64_t *expected;

static void prepare_asked(void)
{
    asked = malloc(ASKED * sizeof *asked);
    expected = malloc(ASKED * sizeof *expected);
    bench_need(asked && expected, "memory for labels");
}

static void ask(int64_t first, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        expected[i] = wanted(first + i);
        snprintf(asked[i], sizeof *asked, "Idx-%d", (int)expected[i]);
    }
}

static void look_up(void (*find)(int64_t n), int64_t n, struct reply *reply)
{
    double seconds = 0;
    for (int64_t i = 0; i < n; i += ASKED) {
        int64_t some = n - i < ASKED ? n - i : ASKED;
        ask(i, some);
        double start = bench_now();
        find(some);
        seconds += bench_now() - start;
    }
    reply_add(reply, "ns", seconds * 1e9 / (double)n);
}

static void prepare_long(void)
{
    make_frame((setting.at ? setting.at : 1000000), 2);
    prepare_asked();
}

static void find_loc(int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        bench_need(shmf_frame_loc(frame, asked[i]) == expected[i], "shmf_frame_loc");
}

static void loc(int64_t n, struct reply *reply)
{
    look_up(find_loc, n, reply);
}

static void prepare_hsearch(void)
{
    n_rows = setting.at ? setting.at : 1000000;
    make_labels();
    prepare_asked();
    bench_need(hcreate_r((size_t)n_rows * 2, &table), "hcreate_r");
    for (int64_t i = 0; i < n_rows; i++) {
        ENTRY *found, entry = {labels[i], (void *)(intptr_t)i};
        bench_need(hsearch_r(entry, ENTER, &found, &table), "hsearch_r");
    }
}

/* The C library's hash table. */
static void find_hsearch(int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        ENTRY *found = NULL, entry = {asked[i], NULL};
        bench_need(hsearch_r(entry, FIND, &found, &table) && (intptr_t)found->data == expected[i],
                   "hsearch_r");
    }
}

static void hsearch_all(int64_t n, struct reply *reply)
{
    look_up(find_hsearch, n, reply);
}

static void reply_cells(struct reply *reply, double start, int64_t n)
{
    reply_each(reply, start, n);
    reply_add(reply, "ns_per_cell", reply->figures[0].value / (double)n_columns);
}

static void gather(int64_t n, struct reply *reply)
{
    double start = bench_now();
    for (int64_t i = 0; i < n; i++)
        bench_need(shmf_frame_row(frame, wanted(i), values) == 0, "shmf_frame_row");
    reply_cells(reply, start, n);
}

static void gather_plain(int64_t n, struct reply *reply)
{
    struct shmf_matrix matrix;
    bench_need(shmf_frame_matrix(frame, &matrix) == 0, "shmf_frame_matrix");
    const double *data = matrix.data;
    double start = bench_now();
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < n_columns; c++)
            values[c] = data[c * matrix.leading_dimension + wanted(i)];
        __asm__ volatile("" ::"r"(values) : "memory");
    }
    reply_cells(reply, start, n);
}

const struct measure bench_lookup[] = {
    {"frame_open_5000_columns", "shmframe", prepare_wide, NULL, open_frame, NULL},
    {"frame_open_5000_columns", "raw", prepare_memfd, NULL, open_memfd, NULL},
    {"loc_1e6", "shmframe", prepare_long, NULL, loc, NULL},
    {"loc_1e6", "raw", prepare_hsearch, NULL, hsearch_all, NULL},
    {"row_gather", "shmframe", prepare_wide, NULL, gather, NULL},
    {"row_gather", "raw", prepare_wide, NULL, gather_plain, NULL},
    {0},
};
