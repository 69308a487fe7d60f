/* Small things that every example needs. */
#include "random.h"
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    /* Memory is obtained in pieces; with tiny results the rule below would not allow for one. */
    SMALLEST_BUDGET = 64 << 20,
    /* Beside a result: a page of header, and the region in whole huge pages. */
    ROOM = (2 << 20) + 4096
};

double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void *need_memory(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (!memory) {
        fprintf(stderr, "no memory for %zu bytes\n", bytes);
        exit(EXIT_FAILURE);
    }
    return memory;
}

uint64_t shared_budget(const struct options *options, size_t result_bytes)
{
    uint64_t each = result_bytes + ROOM;
    uint64_t most = (uint64_t)(options->window + options->workers) * each;
    return most > SMALLEST_BUDGET ? most : SMALLEST_BUDGET;
}

int print_error(const char *what, const struct shmf_error *err)
{
    fprintf(stderr, "%s: %s: %s\n", what, shmf_status_name(err->code), err->message);
    return -1;
}

const char *const *make_labels(const char *prefix, int64_t n)
{
    size_t each = strlen(prefix) + 21;
    char **labels = need_memory((size_t)n * (sizeof *labels + each));
    char *text = (char *)(labels + n);
    for (int64_t i = 0; i < n; i++, text += each) {
        labels[i] = text;
        snprintf(text, each, "%s%" PRId64, prefix, i);
    }
    return (const char *const *)labels;
}

void free_labels(const char *const *labels)
{
    free((void *)(uintptr_t)labels);
}

struct shmf_frame *random_frame(const struct options *options)
{
    const char *const *rows = make_labels("Idx-", options->rows);
    const char *const *columns = make_labels("Col-", options->columns);
    struct shmf_frame_spec spec = {.n_rows = options->rows,
                                   .n_columns = options->columns,
                                   .dtype = SHMF_FLOAT64,
                                   .row_labels = rows,
                                   .column_labels = columns};
    struct shmf_error err;
    struct random random;
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    random_seed(&random, options->seed);
    for (int64_t c = 0; frame && c < options->columns; c++)
        random_fill(&random, shmf_frame_data_mut(frame, c), options->rows);
    if (!frame || shmf_frame_finish(frame, &err)) {
        print_error("the frame", &err);
        exit(EXIT_FAILURE);
    }
    free_labels(rows);
    free_labels(columns);
    return frame;
}

int64_t minor_faults(int64_t pid)
{
    char path[64], line[1024];
    struct rusage own, children;
    if (pid == 0) {
        getrusage(RUSAGE_SELF, &own);
        getrusage(RUSAGE_CHILDREN, &children);
        return own.ru_minflt + children.ru_minflt;
    }
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    char *got = fgets(line, sizeof line, file);
    fclose(file);
    /* pid (name) state ppid pgrp session tty tpgid flags minflt ...; names may hold blanks */
    char *next = got ? strrchr(line, ')') : NULL;
    for (int field = 0; next && field < 8; field++)
        next = strchr(next + 1, ' ');
    return next ? strtoll(next, NULL, 10) : -1;
}

uint64_t *task_seeds(uint64_t seed, int64_t n_tasks)
{
    uint64_t *seeds = need_memory((size_t)n_tasks * sizeof *seeds);
    for (int64_t task = 0; task < n_tasks; task++)
        seeds[task] = shmf_task_seed_of(seed, task);
    return seeds;
}
