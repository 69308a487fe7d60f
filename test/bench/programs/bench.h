/* What the programs of the benches share. Each is a server: started as
 *
 *     PROGRAM BENCH IMPL WORKERS AT
 *
 * it reads "run N" or "cold N" from standard input, a line each, and answers each with one JSON
 * object of figures. suite.py starts one server for every impl of a bench and asks them in turn, so
 * that all meet the same moods of the machine. AT is the bench's parameter (bytes, nanoseconds,
 * tasks in flight) or 0. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct setting {
    const char *bench, *impl;
    int workers;
    int64_t at;
};
extern struct setting setting;

/* The figures of one answer. */
struct reply {
    struct figure {
        const char *metric;
        double value;
    } figures[16];
    int count;
};

void reply_add(struct reply *reply, const char *metric, double value);

/* What can be measured in one way. `prepare` makes inputs, which is never timed. `open` makes what
 * runs tasks (threads, processes, buffers), `close` ends it; "cold" times open, run and close
 * together, "run" opens once and times `run` alone. Any but `run` may be NULL. */
struct measure {
    const char *bench; /* NULL: any that work_find knows */
    const char *impl;
    void (*prepare)(void);
    void (*open)(void);
    void (*run)(int64_t n, struct reply *reply);
    void (*close)(void);
};

/* Serves until standard input ends. */
int bench_serve(const struct measure *measure);

double bench_now(void); /* seconds */

/* Exits with a message when `ok` is false. */
void bench_need(bool ok, const char *what);

/* Median of the values, which are sorted. */
double bench_quantile(double *values, int64_t n, double share);

#ifdef __cplusplus
}
#endif

#endif
