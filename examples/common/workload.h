/* A problem, stated once and solved in several ways, so that their speeds and results can be
 * compared: one task after the other; by worker processes that are sent copies through pipes; and
 * by a pool that shares its memory. The example supplies the problem, these files the rest. */
#ifndef EXAMPLES_WORKLOAD_H
#define EXAMPLES_WORKLOAD_H

#include "checksum.h"
#include "options.h"

#include <shmframe/shmframe.h>

struct workload {
    const char *name;
    const struct options *options;
    void *context; /* the example's own */

    /* Plain C, no library in it: one task's result into `result`. 0, or -1 on failure. */
    int (*compute)(const struct workload *work, const void *input, int64_t task, void *result);
    const void *input;
    size_t input_bytes; /* what naive code sends along with every task */
    size_t result_bytes;

    /* The same for the pool. */
    shmf_task_fn task;
    struct shmf_tasks tasks;
    uint64_t budget_bytes; /* shared memory that the workers may hold; 0: the default */

    /* Who is handed the results of the shared way while the clock runs; may be NULL. */
    void (*consume)(const struct workload *work, struct shmf_result *result,
                    const struct view *view);
};

/* One way, once it has run. */
struct way {
    const char *name;
    int64_t n_tasks;
    int64_t n_failed;
    double seconds;
    double faults;              /* minor page faults a task, over all processes */
    double steady_faults;       /* the same after the first few tasks; NaN: not measured */
    uint64_t peak_shared_bytes; /* the most that the workers held */
    uint64_t *sums;             /* checksum of every task's result; 0: not looked at */
};

/* Runs the ways that the options ask for, prints a table (or JSON), compares the results.
 * Returns the program's exit status: 0 when no task failed and all ways agree. */
int workload_run(const struct workload *work);

/* The ways. 0, or -1 when it could not be carried out, after a message. */
int run_sequential(const struct workload *work, struct way *way); /* memory of its own per result */
int run_one_buffer(const struct workload *work, struct way *way); /* one buffer for all results */
int run_pipe(const struct workload *work, struct way *way);
int run_shared(const struct workload *work, struct way *way);

/* The seeds that the tasks see (shmf_task_seed), for those who do without a pool; the caller frees
 * them. Exits with a message when there is no memory. */
uint64_t *task_seeds(uint64_t seed, int64_t n_tasks);

/* "prefix0", "prefix1", ...; exits with a message when there is no memory. */
const char *const *make_labels(const char *prefix, int64_t n);
void free_labels(const char *const *labels);

/* options->rows x options->columns random doubles with row labels Idx-0, Idx-1, ... and column
 * labels Col-0, Col-1, ...; the caller frees it. Exits with a message when it cannot be made. */
struct shmf_frame *random_frame(const struct options *options);

/* What workers need to hold results of this size, and no more: one for every task in flight and
 * one for every worker. */
uint64_t shared_budget(const struct options *options, size_t result_bytes);

/* Zeroed memory or an exit with a message: for a program's set-up. */
void *need_memory(size_t bytes);

int print_error(const char *what, const struct shmf_error *err); /* returns -1 */
int64_t minor_faults(int64_t pid); /* of a process, or of this one and its dead children for 0 */
double seconds_now(void);

void report_table(const struct workload *work, const struct way *ways, int n_ways);
void report_json(const struct workload *work, const struct way *ways, int n_ways);

#endif
