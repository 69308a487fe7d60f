#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct setting setting;

double bench_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void bench_need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s/%s: %s (%s)\n", setting.bench, setting.impl, what, strerror(errno));
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double bench_quantile(double *values, int64_t n, double share)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[(int64_t)((double)(n - 1) * share + 0.5)];
}

void reply_add(struct reply *reply, const char *metric, double value)
{
    bench_need(reply->count < (int)(sizeof reply->figures / sizeof *reply->figures),
               "too many figures");
    reply->figures[reply->count++] = (struct figure){metric, value};
}

static void answer(const struct reply *reply)
{
    for (int i = 0; i < reply->count; i++)
        printf("%s\"%s\": %.17g", i ? ", " : "{", reply->figures[i].metric,
               reply->figures[i].value);
    printf("}\n");
    fflush(stdout);
}

static void run_cold(const struct measure *measure, int64_t n, struct reply *reply)
{
    double start = bench_now();
    if (measure->open)
        measure->open();
    measure->run(n, reply);
    if (measure->close)
        measure->close();
    double seconds = bench_now() - start;
    for (int i = 0; i < reply->count; i++)
        if (!strcmp(reply->figures[i].metric, "tasks_per_s"))
            reply->figures[i].value = (double)n / seconds;
}

int bench_serve(const struct measure *measure)
{
    char line[64];
    bool is_open = false;
    if (measure->prepare)
        measure->prepare();
    while (fgets(line, sizeof line, stdin)) {
        struct reply reply = {.count = 0};
        int64_t n;
        if (sscanf(line, "run %" SCNd64, &n) == 1) {
            if (!is_open && measure->open)
                measure->open();
            is_open = true;
            measure->run(n, &reply);
        } else if (sscanf(line, "cold %" SCNd64, &n) == 1 && !is_open) {
            run_cold(measure, n, &reply);
        } else {
            bench_need(false, "neither run nor cold");
        }
        answer(&reply);
    }
    if (is_open && measure->close)
        measure->close();
    return 0;
}
