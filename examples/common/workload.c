#include "workload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_WAYS = 4 };

/* Every result that was looked at must be the same in all ways, bit for bit: all of them call the
 * same functions with the same numbers in the same order, so there is nothing to round. */
static int compare(const struct workload *work, const struct way *ways, int n_ways, FILE *out)
{
    int64_t n_compared = 0, n_alone = 0;
    for (int64_t task = 0; task < work->options->tasks; task++) {
        const struct way *first = NULL;
        bool compared = false;
        for (int w = 0; w < n_ways; w++) {
            if (task >= ways[w].n_tasks || !ways[w].sums[task])
                continue;
            if (!first) {
                first = &ways[w];
                continue;
            }
            compared = true;
            if (ways[w].sums[task] != first->sums[task]) {
                fprintf(out, "DIFFERENT: task %" PRId64 ", %s %016" PRIx64 ", %s %016" PRIx64 "\n",
                        task, first->name, first->sums[task], ways[w].name, ways[w].sums[task]);
                return -1;
            }
        }
        n_compared += compared;
        n_alone += first && !compared;
    }
    fprintf(out, "results: %" PRId64 " compared bit for bit, all ways agree", n_compared);
    if (n_alone)
        fprintf(out, "; %" PRId64 " further ones were computed in one way only", n_alone);
    fprintf(out, "\n");
    return 0;
}

static void free_ways(struct way *ways, int n_ways)
{
    for (int w = 0; w < n_ways; w++)
        free(ways[w].sums);
}

int workload_run(const struct workload *work)
{
    static const struct {
        unsigned bit;
        const char *name;
        int (*run)(const struct workload *work, struct way *way);
    } known[MAX_WAYS] = {{WAY_SEQUENTIAL, "sequential", run_sequential},
                         {WAY_BUFFER, "one buffer", run_one_buffer},
                         {WAY_PIPE, "pipe", run_pipe},
                         {WAY_SHARED, "shared", run_shared}};
    const struct options *options = work->options;
    const int64_t n_tasks[MAX_WAYS] = {options->sequential, options->sequential, options->pipe,
                                       options->tasks};
    struct way ways[MAX_WAYS] = {{0}};
    int n_ways = 0, rc = 0;
    for (int k = 0; k < MAX_WAYS && rc == 0; k++) {
        struct way *way = &ways[n_ways];
        if (!(options->ways & known[k].bit) ||
            (known[k].bit == WAY_BUFFER && work->result_bytes < 1 << 20))
            continue;
        way->name = known[k].name;
        way->n_tasks = n_tasks[k];
        way->steady_faults = NAN;
        way->sums = need_memory((size_t)way->n_tasks * sizeof *way->sums);
        n_ways++;
        rc = known[k].run(work, way);
        if (way->n_failed)
            rc = -1;
    }
    bool only_json = options->json && options->json[0] == '-';
    if (options->json)
        report_json(work, ways, n_ways);
    if (!only_json)
        report_table(work, ways, n_ways);
    if (rc == 0 && options->check)
        rc = compare(work, ways, n_ways, only_json ? stderr : stdout);
    free_ways(ways, n_ways);
    return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
