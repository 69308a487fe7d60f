/* broadcast [MIB [ROUNDS [WAYS]]]: a frame made by rank 0 is given to all ranks of a node, in
 * interleaved rounds, each way first in turn:
 *
 *     shmframe     made in shared memory, shmf_mpi_bcast
 *     small pages  the same without huge pages, of which windows have none
 *     again        as the first, in memory that the library has kept from a frame that was freed
 *     mpi_bcast    made in private memory, MPI_Bcast into a private buffer of each rank
 *     mpi_window   made in a window of MPI_Win_allocate_shared, which all ranks see
 *
 *     mpirun -n 4 bench_broadcast 1024
 *
 * WAYS: letters of those that take part, of "spabw".
 * Each round takes from nothing to when every rank has read every page. Prints medians of the time
 * of the slowest rank, without and with the making of the data and of the memory for it; the ratio
 * of the latter to the window's in the same round; the processor time of rank 0, who makes the
 * data; page faults and system calls of all ranks (the latter where the kernel lets itself be
 * asked); and what their memory is: the proportional set size (/proc/self/smaps_rollup) added up.
 */
#include "ranks.h"

#include <shmframe/memory.h>

#include <linux/perf_event.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

enum { MOST_ROUNDS = 101, WAYS = 5, WINDOW = 4 };

static const char *const names[WAYS] = {"shmframe", "small pages", "again", "mpi_bcast",
                                        "mpi_window"};
static const char letters[] = "spabw";
static int64_t rows; /* of 8 bytes */
static int calls_fd = -1;

struct round {
    double making, giving, reading; /* seconds of the slowest rank */
    double faults, calls;           /* of all ranks */
    double work;                    /* processor time of rank 0, who makes the data */
    double memory;                  /* MiB of all ranks */
};

/* ---- counting -------------------------------------------------------------------------------- */

static void open_counter(void)
{
    FILE *file = fopen("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "re");
    struct perf_event_attr event = {
        .type = PERF_TYPE_TRACEPOINT, .size = sizeof event, .disabled = 1};
    unsigned long long id;
    if (file && fscanf(file, "%llu", &id) == 1) {
        event.config = id;
        calls_fd = (int)syscall(SYS_perf_event_open, &event, 0, -1, -1, 0);
    }
    if (file)
        fclose(file);
}

static double faults(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_minflt;
}

static double calls(void)
{
    uint64_t count = 0;
    if (calls_fd < 0 || read(calls_fd, &count, sizeof count) != (ssize_t)sizeof count)
        return 0;
    return (double)count;
}

/* Waiting for the others does not count. */
static void begin(struct round *round, double *start)
{
    round->faults -= faults();
    round->calls -= calls();
    round->work -= processor_time();
    if (calls_fd >= 0)
        ioctl(calls_fd, PERF_EVENT_IOC_ENABLE, 0);
    *start = MPI_Wtime();
}

static double end(struct round *round, double *start)
{
    if (calls_fd >= 0)
        ioctl(calls_fd, PERF_EVENT_IOC_DISABLE, 0);
    round->calls += calls();
    round->work += processor_time();
    round->faults += faults();
    return lap(start);
}

static double memory_of_all(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    double kib = 0;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Pss: %lf", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return sum_of_all(kib) / 1024;
}

/* ---- the ways -------------------------------------------------------------------------------- */

static void make(double *data)
{
    for (int64_t i = 0; i < rows; i++)
        data[i] = (double)i;
}

static void read_all(const double *data)
{
    double sum = 0;
    for (int64_t i = 0; i < rows; i += 512)
        sum += data[i];
    need(sum > 0, "the sum");
}

/* What all ways do when the data is with all. */
static void read_and_count(struct round *round, const double *data)
{
    double start;
    begin(round, &start);
    read_all(data);
    round->reading = end(round, &start);
    round->memory = memory_of_all();
    round->faults = sum_of_all(round->faults);
    round->calls = sum_of_all(round->calls);
}

static struct round by_shmframe(void)
{
    struct round round = {0};
    struct shmf_frame_spec spec = {.n_rows = rows, .n_columns = 1, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = NULL;
    double start;
    begin(&round, &start);
    if (place.rank == 0) {
        frame = shmf_frame_new(&spec, &err);
        need(frame != NULL, "frame");
        make(shmf_frame_data_mut(frame, 0));
        need(shmf_frame_finish(frame, &err) == SHMF_OK, "finish");
    }
    round.making = end(&round, &start);
    begin(&round, &start);
    need(shmf_mpi_bcast(mpi, 0, &frame, &err) == SHMF_OK, "bcast");
    round.giving = end(&round, &start);
    read_and_count(&round, shmf_frame_data(frame, 0, SHMF_FLOAT64));
    shmf_frame_free(frame);
    return round;
}

static struct round by_small_pages(void)
{
    struct shmf_memory_options options = {.no_huge_pages = 1};
    need(shmf_memory_set_options(&options, &err) == SHMF_OK, "options");
    struct round round = by_shmframe();
    options.no_huge_pages = 0;
    shmf_memory_set_options(&options, &err);
    return round;
}

static struct round again(void)
{
    by_shmframe();
    return by_shmframe();
}

static struct round by_mpi_bcast(void)
{
    struct round round = {0};
    double start;
    begin(&round, &start);
    double *data = malloc((size_t)rows * sizeof *data);
    need(data != NULL, "buffer");
    if (place.rank == 0)
        make(data);
    round.making = end(&round, &start);
    begin(&round, &start);
    MPI_Bcast(data, (int)rows, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    round.giving = end(&round, &start);
    read_and_count(&round, data);
    free(data);
    return round;
}

static struct round by_window(void)
{
    struct round round = {0};
    MPI_Win window;
    MPI_Aint size, mine = place.rank == 0 ? (MPI_Aint)rows * (MPI_Aint)sizeof(double) : 0;
    int unit;
    double *data, start;
    begin(&round, &start);
    MPI_Win_allocate_shared(mine, sizeof *data, MPI_INFO_NULL, MPI_COMM_WORLD, &data, &window);
    MPI_Win_shared_query(window, 0, &size, &unit, &data);
    MPI_Win_fence(0, window);
    if (place.rank == 0)
        make(data);
    round.making = end(&round, &start);
    begin(&round, &start);
    MPI_Win_fence(0, window);
    round.giving = end(&round, &start);
    read_and_count(&round, data);
    MPI_Win_free(&window);
    return round;
}

/* ---- rounds ---------------------------------------------------------------------------------- */

enum figure { GIVEN, MADE, RATIO, WORK, FAULTS, CALLS, MEMORY, FIGURES };

static double figures[WAYS][FIGURES][MOST_ROUNDS];

static void note(int way, int i, const struct round *round, double before)
{
    figures[way][GIVEN][i] = round->giving + round->reading;
    figures[way][MADE][i] = round->making + round->giving + round->reading;
    figures[way][WORK][i] = round->work;
    figures[way][FAULTS][i] = round->faults;
    figures[way][CALLS][i] = round->calls;
    figures[way][MEMORY][i] = round->memory - before;
}

static void print(int rounds, const char *chosen)
{
    printf("medians of %d rounds\n", rounds);
    for (int way = 0; way < WAYS; way++) {
        double of[FIGURES];
        for (int f = 0; f < FIGURES; f++)
            of[f] = median(figures[way][f], rounds);
        char share[32] = "";
        if (strchr(chosen, letters[WINDOW]))
            snprintf(share, sizeof share, ", %4.2f of the window's", of[RATIO]);
        if (strchr(chosen, letters[way]))
            printf("%-11s given and read %7.4f s   made too %6.3f s%s   rank 0 worked %6.3f s   "
                   "%7.0f faults, %6.0f calls   %5.0f MiB\n",
                   names[way], of[GIVEN], of[MADE], share, of[WORK], of[FAULTS], of[CALLS],
                   of[MEMORY]);
    }
}

static void run(int rounds, const char *chosen)
{
    static struct round (*const ways[WAYS])(void) = {by_shmframe, by_small_pages, again,
                                                     by_mpi_bcast, by_window};
    double before = memory_of_all();
    for (int i = -1; i < rounds; i++) { /* the first warms up */
        for (int turn = 0; turn < WAYS; turn++) {
            int way = (turn + i + 1) % WAYS;
            if (!strchr(chosen, letters[way]))
                continue;
            struct round round = ways[way]();
            shmf_memory_trim(0);
            if (i >= 0)
                note(way, i, &round, before);
        }
        for (int way = 0; i >= 0 && way < WAYS; way++)
            figures[way][RATIO][i] = figures[way][MADE][i] / figures[WINDOW][MADE][i];
    }
}

int main(int argc, char **argv)
{
    const char *chosen = argc > 3 ? argv[3] : letters;
    start_ranks(&argc, &argv);
    rows = (argc > 1 ? atoll(argv[1]) : 1024) << 17;
    int rounds = argc > 2 ? atoi(argv[2]) : 9;
    need(rows > 0 && rows < INT32_MAX && rounds > 0 && rounds <= MOST_ROUNDS,
         "usage: broadcast [MIB [ROUNDS [WAYS]]]");
    open_counter();
    run(rounds, chosen);
    if (place.rank == 0)
        print(rounds, chosen);
    return end_ranks();
}
