/* The command line that the examples share. */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { WAY_SEQUENTIAL = 1, WAY_BUFFER = 2, WAY_PIPE = 4, WAY_SHARED = 8, WAY_ALL = 15 };

struct options {
    int64_t rows; /* of the input */
    int64_t columns;
    int64_t tasks;      /* of the shared way */
    int64_t sequential; /* tasks of the sequential ways: the first so many of the same list */
    int64_t pipe;       /* tasks of the pipe way, likewise */
    unsigned ways;
    int workers;  /* processes */
    int window;   /* tasks in flight */
    int attempts; /* how often a task is started when its worker dies */
    uint64_t seed;
    bool check;       /* compare the results of all ways */
    bool progress;    /* a progress bar even where stderr is no terminal */
    const char *json; /* file to append one JSON object per way to; "-": standard output */
};

/* A further option that takes text, of one example only. */
struct text_option {
    const char *name;
    const char *argument;
    const char *help;
    const char **value;
};

/* Reads the command line into `options`, which holds the example's defaults; exits after --help
 * and on errors. `quick` are the sizes for --quick. `texts` ends with a NULL name, or is NULL. */
void options_parse(struct options *options, const struct options *quick, const char *about,
                   const struct text_option *texts, int argc, char **argv);

#endif
