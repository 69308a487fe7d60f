/* A pool beside OpenMP: the application's parallel regions run on threads, tasks on processes. The
 * pool is made first: threads of OpenMP that exist already are not there in a forked process.
 * Regions inside a task run on one thread, since the workers share the machine's CPUs among
 * themselves.
 *
 *     cc -fopenmp embed_openmp.c -o embed_openmp $(pkg-config --cflags --libs shmframe)
 * prints
 *
 *     threads in the application: more than one or as many as there are CPUs
 *     threads in each task: 1 1 1 1
 *     sums agree: yes */
#include <shmframe/shmframe.h>

#include <omp.h>
#include <stdio.h>

enum { N = 1000, TASKS = 4 };

/* The same function for both: a loop that OpenMP may cut. */
static long sum_of(int first, int *threads)
{
    long sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int i = first; i < first + N; i++) {
        if (i == first)
            *threads = omp_get_num_threads();
        sum += i;
    }
    return sum;
}

static int sum_task(struct shmf_task *task, void *context)
{
    int threads = 0;
    const long sum = sum_of(*(const int *)shmf_task_arg(task), &threads);
    const long answer[] = {sum, threads};
    (void)context;
    return shmf_task_return_bytes(task, answer, sizeof answer);
}

int main(void)
{
    const int firsts[TASKS] = {0, N, 2 * N, 3 * N};
    const struct shmf_tasks tasks = {.count = TASKS, .args = firsts, .arg_size = sizeof(int)};
    struct shmf_error err = {0};
    struct shmf_pool *pool = shmf_pool_new(NULL, &err);
    struct shmf_iter *iter = pool ? shmf_pool_imap(pool, sum_task, &tasks, NULL, &err) : NULL;
    struct shmf_result *result;
    long in_tasks = 0;
    int threads = 0, rc = -1;
    const long here = sum_of(0, &threads) + sum_of(N, &threads) + sum_of(2 * N, &threads) +
                      sum_of(3 * N, &threads);
    printf("threads in the application: %s\n", threads > 1 || threads == omp_get_num_procs()
                                                   ? "more than one or as many as there are CPUs"
                                                   : "one");
    printf("threads in each task:");
    while (iter && (rc = shmf_iter_next(iter, &result, &err)) > 0) {
        const long *answer = shmf_result_bytes(result, NULL);
        printf(" %ld", answer ? answer[1] : -1);
        in_tasks += answer ? answer[0] : 0;
        shmf_result_free(result);
    }
    printf("\nsums agree: %s\n", in_tasks == here ? "yes" : "no");
    if (rc < 0)
        fprintf(stderr, "%s\n", err.message);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    return rc < 0 || in_tasks != here;
}
