#include "workload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static double per_second(const struct way *way)
{
    return way->seconds > 0 ? (double)way->n_tasks / way->seconds : 0;
}

void report_table(const struct workload *work, const struct way *ways, int n_ways)
{
    double base = n_ways ? per_second(&ways[0]) : 0;
    printf("\n%s: results of %.4g MB, %d workers\n", work->name, (double)work->result_bytes / 1e6,
           work->options->workers);
    printf("  %-12s %8s %10s %12s %10s %12s\n", "way", "tasks", "seconds", "tasks/s", "speed-up",
           "faults/task");
    for (int w = 0; w < n_ways; w++) {
        const struct way *way = &ways[w];
        printf("  %-12s %8" PRId64 " %10.3f %12.2f %10.2f", way->name, way->n_tasks, way->seconds,
               per_second(way), base > 0 ? per_second(way) / base : 0);
        printf(" %12.1f", isnan(way->steady_faults) ? way->faults : way->steady_faults);
        if (way->n_failed)
            printf("   %" PRId64 " tasks FAILED", way->n_failed);
        printf("\n");
        if (way->n_tasks < work->options->tasks)
            printf("  %-12s (the first %" PRId64 " of %" PRId64 " tasks)\n", "", way->n_tasks,
                   work->options->tasks);
        if (way->peak_shared_bytes)
            printf("  %-12s (the workers held %.4g MB of shared memory at most)\n", "",
                   (double)way->peak_shared_bytes / 1e6);
    }
}

static void json_number(FILE *out, const char *name, double value)
{
    if (isnan(value))
        fprintf(out, ", \"%s\": null", name);
    else
        fprintf(out, ", \"%s\": %.6g", name, value);
}

void report_json(const struct workload *work, const struct way *ways, int n_ways)
{
    const char *path = work->options->json;
    FILE *out = strcmp(path, "-") ? fopen(path, "a") : stdout;
    if (!out) {
        perror(path);
        return;
    }
    for (int w = 0; w < n_ways; w++) {
        const struct way *way = &ways[w];
        fprintf(out, "{\"workload\": \"%s\", \"mode\": \"%s\", \"workers\": %d, ", work->name,
                way->name, work->options->workers);
        fprintf(out, "\"tasks\": %" PRId64 ", \"failed\": %" PRId64, way->n_tasks, way->n_failed);
        json_number(out, "seconds", way->seconds);
        json_number(out, "per_second", per_second(way));
        json_number(out, "faults_per_task", way->faults);
        json_number(out, "steady_faults_per_task", way->steady_faults);
        fprintf(out, ", \"result_bytes\": %zu, \"peak_shared_bytes\": %" PRIu64 "}\n",
                work->result_bytes, way->peak_shared_bytes);
    }
    if (out != stdout)
        fclose(out);
}
