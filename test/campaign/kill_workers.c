/* Workers are killed at random while they work, thousands of times; every task must be delivered
 * once, in order where order is promised, and right; at the end nothing more may be held than at
 * the beginning.
 *
 *     kill_workers [SECONDS [WORKERS [SEED]]]      defaults 5, 4, 1
 *
 * Prints one line of JSON; exit status 1 when anything was lost, doubled, wrong or leaked. */
#include <shmframe/shmframe.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TASKS    20000
#define NUMBERS  1000
#define MANY     2000 /* bytes: too many for the completion record */
#define WINDOW   32
#define PAUSE_US 300
#define FEW      8 /* descriptors beyond those of the first round */

struct count {
    long tasks, failed, wrong, doubled, lost, disordered;
};

static struct shmf_pool *pool;
static atomic_bool over;
static atomic_long signals;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int count_descriptors(void)
{
    int open = 0;
    for (int fd = 0; fd < 4096; fd++)
        open += fcntl(fd, F_GETFD) != -1;
    return open;
}

/* ---- tasks of every kind ------------------------------------------------------------------- */

static int64_t length_of(int64_t index)
{
    return index % 7 * 3000 + 10;
}

static int return_array(struct shmf_task *task, int64_t index)
{
    int64_t length = length_of(index);
    struct shmf_array *array = shmf_task_new_array(task, SHMF_INT64, 1, &length);
    if (!array)
        return -1;
    int64_t *numbers = shmf_array_data_mut(array);
    for (int64_t i = 0; i < length; i++)
        numbers[i] = index + i;
    return shmf_task_return_array(task, array);
}

static int return_many(struct shmf_task *task, int64_t index)
{
    unsigned char bytes[MANY];
    memset(bytes, (int)(index % 251), sizeof bytes);
    return shmf_task_return_bytes(task, bytes, sizeof bytes);
}

/* A number of the shared input: its square. */
static int return_looked_up(struct shmf_task *task, int64_t index)
{
    const struct shmf_array *input = shmf_task_array(task, 0);
    if (!input)
        return -1;
    const int64_t *squares = shmf_array_data(input);
    return shmf_task_return_bytes(task, &squares[index % NUMBERS], sizeof *squares);
}

static int work(struct shmf_task *task, void *unused)
{
    int64_t index = *(const int64_t *)shmf_task_arg(task);
    (void)unused;
    switch (index % 5) {
    case 0:
        return return_array(task, index);
    case 1:
        return return_many(task, index);
    case 2:
        return return_looked_up(task, index);
    case 3:
        for (volatile int i = 0; i < 20000; i++)
            continue;
        return shmf_task_return_bytes(task, &index, sizeof index);
    default:
        return shmf_task_return_bytes(task, &index, sizeof index);
    }
}

static bool is_array_right(const struct shmf_array *array, int64_t index)
{
    if (!array || shmf_array_size(array) != length_of(index))
        return false;
    const int64_t *numbers = shmf_array_data(array);
    for (int64_t i = 0; i < length_of(index); i++)
        if (numbers[i] != index + i)
            return false;
    return true;
}

static bool is_right(struct shmf_result *result)
{
    int64_t index = shmf_result_index(result), number = 0;
    size_t size;
    if (index % 5 == 0)
        return is_array_right(shmf_result_array(result), index);
    const unsigned char *bytes = shmf_result_bytes(result, &size);
    if (index % 5 == 1) {
        for (size_t i = 0; bytes && i < size; i++)
            if (bytes[i] != (unsigned char)(index % 251))
                return false;
        return bytes && size == MANY;
    }
    if (!bytes || size != sizeof number)
        return false;
    memcpy(&number, bytes, sizeof number);
    int64_t place = index % NUMBERS;
    return number == (index % 5 == 2 ? place * place : index);
}

/* ---- one round ----------------------------------------------------------------------------- */

static void take(struct shmf_result *result, char *seen, int64_t expected, struct count *count)
{
    int64_t index = shmf_result_index(result);
    count->tasks++;
    count->disordered += expected >= 0 && index != expected;
    count->doubled += seen[index]++ > 0;
    if (shmf_result_status(result) != SHMF_OK) {
        count->failed++;
        fprintf(stderr, "task %lld: %s\n", (long long)index, shmf_result_failure(result)->message);
    } else {
        count->wrong += !is_right(result);
    }
}

static bool run_round(const struct shmf_tasks *tasks, bool unordered, struct count *count)
{
    static char seen[TASKS];
    struct shmf_error err;
    struct shmf_imap_options options = {.window = WINDOW, .attempts = 1000, .unordered = unordered};
    struct shmf_iter *iter = shmf_pool_imap(pool, work, tasks, &options, &err);
    struct shmf_result *result;
    int64_t next = 0;
    int rc = iter ? 0 : -1;
    memset(seen, 0, sizeof seen);
    while (iter && (rc = shmf_iter_next(iter, &result, &err)) > 0) {
        take(result, seen, unordered ? -1 : next, count);
        shmf_result_free(result);
        next++;
    }
    shmf_iter_free(iter);
    for (int i = 0; i < TASKS; i++)
        count->lost += !seen[i];
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", shmf_status_name(err.code), err.message);
    return rc == 0;
}

static void *kill_now_and_then(void *seed_of_caller)
{
    unsigned seed = *(unsigned *)seed_of_caller;
    unsigned workers = (unsigned)shmf_pool_workers(pool);
    while (!over) {
        usleep((useconds_t)rand_r(&seed) % PAUSE_US);
        int64_t pid = shmf_pool_worker_pid(pool, (int)((unsigned)rand_r(&seed) % workers));
        if (pid > 0 && !kill((pid_t)pid, SIGKILL))
            signals++;
    }
    return NULL;
}

/* Nobody is killed here: what is held before and after can be compared. */
static bool run_quietly(const struct shmf_tasks *tasks, struct count *count)
{
    return run_round(tasks, false, count) && run_round(tasks, true, count);
}

static bool run_campaign(const struct shmf_tasks *tasks, double seconds, unsigned seed,
                         struct count *count)
{
    pthread_t killer;
    double end = now() + seconds;
    bool going = !pthread_create(&killer, NULL, kill_now_and_then, &seed);
    for (long round = 0; going && now() < end; round++)
        going = run_round(tasks, round % 2, count);
    over = true;
    pthread_join(killer, NULL);
    return going;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 5, start = now();
    int workers = argc > 2 ? atoi(argv[2]) : 4;
    unsigned seed = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
    struct shmf_error err;
    static int64_t indexes[TASKS], squares[NUMBERS];
    for (int64_t i = 0; i < TASKS; i++)
        indexes[i] = i;
    for (int64_t i = 0; i < NUMBERS; i++)
        squares[i] = i * i;
    struct shmf_pool_options options = {.workers = workers, .first_workers = seed % 2 ? 0 : 1};
    pool = shmf_pool_new(&options, &err);
    struct shmf_array *input =
        shmf_array_from_data(SHMF_INT64, 1, (int64_t[]){NUMBERS}, NULL, squares, &err);
    if (!pool || !input) {
        fprintf(stderr, "%s: %s\n", shmf_status_name(err.code), err.message);
        return 1;
    }
    struct shmf_handle handle = shmf_array_handle(input);
    struct shmf_tasks tasks = {.count = TASKS,
                               .args = indexes,
                               .arg_size = sizeof *indexes,
                               .handles = &handle,
                               .n_handles = 1,
                               .seed = seed};
    struct count count = {0};
    struct shmf_pool_stats stats;
    bool done = run_quietly(&tasks, &count);
    int before = count_descriptors();
    done = done && run_campaign(&tasks, seconds, seed, &count) && run_quietly(&tasks, &count);
    int leaked = count_descriptors() - before - FEW;
    shmf_pool_get_stats(pool, &stats);
    shmf_pool_free(pool);
    shmf_array_free(input);
    bool good = done && !count.failed && !count.wrong && !count.doubled && !count.lost &&
                !count.disordered && leaked <= 0;
    printf("{\"campaign\": \"kill_workers\", \"seed\": %u, \"workers\": %d, \"seconds\": %.1f, "
           "\"tasks\": %ld, \"signals\": %ld, \"deaths\": %llu, \"claimed_task_hit\": %llu, "
           "\"failed\": %ld, \"wrong\": %ld, \"doubled\": %ld, \"lost\": %ld, \"disordered\": %ld, "
           "\"descriptors_leaked\": %d, \"good\": %s}\n",
           seed, workers, now() - start, count.tasks, (long)signals,
           (unsigned long long)stats.workers_died, (unsigned long long)stats.tasks_retried,
           count.failed, count.wrong, count.doubled, count.lost, count.disordered,
           leaked > 0 ? leaked : 0, good ? "true" : "false");
    return good ? 0 : 1;
}
