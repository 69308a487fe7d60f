/* A pool inside a threaded application: made before the threads, used by all of them at once.
 *
 *     cc embed_threads.c -o embed_threads $(pkg-config --cflags --libs shmframe) -pthread
 * prints
 *
 *     thread 0: 100 tasks, sum 4950
 *     thread 1: 100 tasks, sum 14950
 *     thread 2: 100 tasks, sum 24950
 *     thread 3: 100 tasks, sum 34950 */
#include <shmframe/shmframe.h>

#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, TASKS = 100 };

struct user {
    struct shmf_pool *pool;
    int first;
    int failed;
    double sum;
};

/* Runs in a worker, a process: it need not be thread-safe. */
static int number(struct shmf_task *task, void *context)
{
    static int calls; /* every worker has its own */
    calls++;
    (void)context;
    return shmf_task_return_double(task, *(const int *)shmf_task_arg(task));
}

/* A thread of the application. Each iterates over tasks of its own; the pool takes them all. */
static void *run(void *argument)
{
    struct user *user = argument;
    struct shmf_error err;
    struct shmf_result *result;
    int numbers[TASKS], rc = -1;
    for (int i = 0; i < TASKS; i++)
        numbers[i] = user->first + i;
    const struct shmf_tasks tasks = {.count = TASKS, .args = numbers, .arg_size = sizeof(int)};
    struct shmf_iter *iter = shmf_pool_imap(user->pool, number, &tasks, NULL, &err);
    while (iter && (rc = shmf_iter_next(iter, &result, &err)) > 0) {
        user->failed += shmf_result_status(result) != SHMF_OK;
        user->sum += shmf_result_double(result);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    if (rc < 0) {
        fprintf(stderr, "%s\n", err.message);
        user->failed++;
    }
    return NULL;
}

int main(void)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = shmf_pool_new(NULL, &err); /* before the threads: it forks */
    struct user users[THREADS];
    pthread_t threads[THREADS];
    int failed = 0;
    if (!pool) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        users[i] = (struct user){.pool = pool, .first = i * TASKS};
        if (pthread_create(&threads[i], NULL, run, &users[i]))
            return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        printf("thread %d: %d tasks, sum %g\n", i, TASKS, users[i].sum);
        failed += users[i].failed;
    }
    shmf_pool_free(pool);
    return failed != 0;
}
