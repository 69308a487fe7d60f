/* What naive code does: workers at the other end of pipes, through which every task's input and
 * every result is copied. Kept as short and as fair as possible; it is what the library is for to
 * replace. */
#ifndef EXAMPLES_PIPES_H
#define EXAMPLES_PIPES_H

#include <stddef.h>
#include <stdint.h>

struct pipe_job {
    int n_workers;
    int64_t n_tasks;
    const void *input; /* sent along with every task */
    size_t input_bytes;
    size_t result_bytes;
    int (*compute)(const void *input, int64_t task, void *result, void *user); /* in a worker */
    void (*take)(int64_t task, const void *result, void *user);
    void *user;
};

/* 0, or -1 after a message on stderr. */
int pipe_map(const struct pipe_job *job);

#endif
