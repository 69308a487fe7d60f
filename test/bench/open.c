/* Opening a frame: from a file that some other program wrote, with everything checked that opening
 * checks, and through a handle of this process, beside a bare open, mmap, munmap and close of the
 * same file. Frames of few rows and of ten million, whose values are holes in the file: opening
 * must not look at them. Medians of interleaved rounds, one JSON object a line, with page faults;
 * "first": what earlier openings had left in the heap was given back before.
 *
 *     build/test/bench/bench_open [COLUMNS [ROUNDS]]       (default 5,000 and 51)
 *
 * What is promised: "outside" costs at most 5 times "bare" and 20 ns a column. */
#include "frame/frame_internal.h"

#include <shmframe/frame.h>
#include <shmframe/memory.h>

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ROUNDS = 501, SIZES = 2, WAYS = 3 };

static const int64_t rows[SIZES] = {10, 10000000};
static const char *const way_names[WAYS] = {"bare", "outside", "handle"};

struct subject {
    struct shmf_frame *frame;
    char path[64];
    size_t size;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

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

static void put(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const char *from = bytes;
    for (size_t done = 0; done < size;) {
        ssize_t n = pwrite(fd, from + done, size - done, (off_t)(offset + done));
        if (n <= 0)
            fail("pwrite");
        done += (size_t)n;
    }
}

/* As a frame of ten rows has them, but for the places of the columns, which are at the end. */
static void put_headers(int fd, const struct shmf_frame *model, int64_t n_rows)
{
    struct shmf_format_frame h = model->header;
    uint64_t size = ((uint64_t)n_rows * sizeof(double) + 63) / 64 * 64, shift;
    h.n_rows = (uint64_t)n_rows;
    h.matrix_stride = size;
    shift = h.header.total_size; /* the body lies behind everything else */
    h.body_offset = (shift + 63) / 64 * 64;
    h.body_size = size * h.n_columns;
    h.header.total_size = h.body_offset + h.body_size;
    if (ftruncate(fd, (off_t)h.header.total_size))
        fail("ftruncate");
    put(fd, model->base, (size_t)shift, 0);
    put(fd, &h, sizeof h, 0);
    for (uint64_t c = 0; c < h.n_columns; c++) {
        struct shmf_format_column column = *shmfi_frame_descriptor(model, (int64_t)c);
        column.data_offset = h.body_offset + c * size;
        column.data_size = (uint64_t)n_rows * sizeof(double);
        put(fd, &column, sizeof column, h.columns_offset + c * h.column_size);
    }
}

/* `frame` has ten rows always. */
static struct subject make(int64_t n_rows, int64_t n_columns)
{
    const struct shmf_frame_spec spec = {
        .n_rows = 10, .n_columns = n_columns, .dtype = SHMF_FLOAT64};
    struct subject subject = {.frame = shmf_frame_new(&spec, NULL)};
    if (!subject.frame || shmf_frame_finish(subject.frame, NULL))
        fail("frame");
    snprintf(subject.path, sizeof subject.path, "/dev/shm/bench_open.%d.%lld", (int)getpid(),
             (long long)n_rows);
    int fd = open(subject.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        fail(subject.path);
    put_headers(fd, subject.frame, n_rows);
    subject.size = (size_t)lseek(fd, 0, SEEK_END);
    close(fd);
    return subject;
}

static void from_file(const struct subject *subject, int way)
{
    int fd = open(subject->path, O_RDONLY | O_CLOEXEC);
    void *base = mmap(NULL, subject->size, PROT_READ, MAP_SHARED, fd, 0);
    struct shmf_frame *frame = NULL;
    if (fd < 0 || base == MAP_FAILED)
        fail(subject->path);
    if (way > 0 && shmfi_frame_from_memory(base, subject->size, false, &frame, NULL))
        fail("shmfi_frame_from_memory");
    shmf_frame_free(frame);
    munmap(base, subject->size);
    close(fd);
}

static void from_handle(const struct subject *subject)
{
    struct shmf_frame *frame = shmf_frame_open(shmf_frame_handle(subject->frame), NULL);
    if (!frame)
        fail("shmf_frame_open");
    shmf_frame_free(frame);
}

static void drop_caches(void)
{
    shmf_memory_trim(0);
    malloc_trim(0);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double times[SIZES][WAYS][MAX_ROUNDS];
static long faulted[SIZES][WAYS];

static void measure(const struct subject *subjects, int64_t n_columns, int rounds, bool first)
{
    for (int round = 0; round < rounds; round++)
        for (int size = 0; size < SIZES; size++)
            for (int way = 0; way < WAYS; way++) {
                if (first)
                    drop_caches();
                long before = faults();
                double start = now();
                if (way < 2)
                    from_file(&subjects[size], way);
                else
                    from_handle(&subjects[size]);
                times[size][way][round] = now() - start;
                faulted[size][way] = faults() - before;
            }
    for (int size = 0; size < SIZES; size++)
        for (int way = 0; way < WAYS; way++) {
            double *all = times[size][way], *bare = times[size][0];
            qsort(all, (size_t)rounds, sizeof *all, by_value);
            double us = all[rounds / 2] * 1e6;
            double promised = bare[rounds / 2] * 5e6 + (double)n_columns * 20e-3;
            printf("{\"bench\": \"open\", \"time\": \"%s\", \"way\": \"%s\", \"columns\": %lld, "
                   "\"rows\": %lld, \"us\": %.2f, \"promised_us\": %.2f, \"of_promised\": %.2f, "
                   "\"faults\": %ld}\n",
                   first ? "first" : "again", way_names[way], (long long)n_columns,
                   (long long)rows[size], us, promised, us / promised, faulted[size][way]);
        }
}

int main(int argc, char **argv)
{
    struct subject subjects[SIZES];
    int64_t n_columns = argc > 1 ? atoll(argv[1]) : 5000;
    int rounds = argc > 2 ? atoi(argv[2]) : 51;
    if (n_columns < 1 || n_columns > 1000000 || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "open: COLUMNS is not in 1..1000000, or ROUNDS not in 1..501\n");
        return 2;
    }
    for (int size = 0; size < SIZES; size++)
        subjects[size] = make(rows[size], n_columns);
    measure(subjects, n_columns, rounds, false);
    measure(subjects, n_columns, rounds, true);
    for (int size = 0; size < SIZES; size++) {
        unlink(subjects[size].path);
        shmf_frame_free(subjects[size].frame);
    }
    return 0;
}
