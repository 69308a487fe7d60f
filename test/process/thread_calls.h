/* Several threads of the application that use a pool. */
#ifndef TEST_THREAD_CALLS_H
#define TEST_THREAD_CALLS_H

#include "future_calls.h"

#include <pthread.h>

enum { THREADS = 4 };

/* In a thread no CMocka assertion may run: a body says by its return value what went wrong. */
typedef const char *(*body_fn)(int thread, void *context);

struct runner {
    pthread_t thread;
    body_fn body;
    int number;
    void *context;
    const char *wrong; /* NULL: nothing */
};

static inline void *run(void *argument)
{
    struct runner *runner = argument;
    runner->wrong = runner->body(runner->number, runner->context);
    return NULL;
}

static inline void start_from(int first, struct runner *runners, int count, body_fn body,
                              void *context)
{
    for (int i = first; i < count; i++) {
        runners[i] = (struct runner){.body = body, .number = i, .context = context};
        assert_int_equal(pthread_create(&runners[i].thread, NULL, run, &runners[i]), 0);
    }
}

static inline void start(struct runner *runners, int count, body_fn body, void *context)
{
    start_from(0, runners, count, body, context);
}

static inline void join(struct runner *runners, int count)
{
    for (int i = 0; i < count; i++) {
        pthread_join(runners[i].thread, NULL);
        if (runners[i].wrong)
            fail_msg("thread %d: %s", i, runners[i].wrong);
    }
}

static inline void run_in_threads(body_fn body, void *context)
{
    struct runner runners[THREADS];
    start(runners, THREADS, body, context);
    join(runners, THREADS);
}

#endif
