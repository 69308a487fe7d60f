/* A pool inside an event loop: the loop waits for timers and for results at once, and never blocks
 * in a function of the library.
 *
 *     cc embed_events.c -o embed_events $(pkg-config --cflags --libs shmframe)
 * prints
 *
 *     task 0: 1 2 3
 *     task 1: 2 4 6
 *     task 2: SHMF_E_CANCELLED
 *     the timer ticked meanwhile: yes */
#include <shmframe/shmframe.h>

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TASKS = 3, SLOW = 2 };

struct program {
    struct shmf_pool *pool;
    struct shmf_future *futures[TASKS];
    int epoll, timer, ticks, left;
};

/* Runs in a worker. The last task would take for ever. */
static int multiples(struct shmf_task *task, void *context)
{
    const int factor = *(const int *)shmf_task_arg(task);
    int numbers[] = {factor, 2 * factor, 3 * factor};
    (void)context;
    usleep(50000);
    if (factor == SLOW + 1)
        for (;;)
            pause();
    return shmf_task_return_bytes(task, numbers, sizeof numbers);
}

/* Called inside shmf_pool_progress, once for every task. */
static void done(struct shmf_future *future, void *user)
{
    struct program *program = user;
    (void)future;
    program->left--;
}

static int watch(struct program *program, int fd)
{
    return epoll_ctl(program->epoll, EPOLL_CTL_ADD, fd,
                     &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
}

static int submit(struct program *program, struct shmf_error *err)
{
    const struct shmf_submit_options options = {.done_fn = done, .user = program};
    for (int i = 0; i < TASKS; i++) {
        const int factor = i + 1;
        const struct shmf_task_input input = {.arg = &factor, .arg_size = sizeof factor};
        program->futures[i] = shmf_pool_submit(program->pool, multiples, &input, &options, err);
        if (!program->futures[i])
            return -1;
        program->left++;
    }
    return shmf_pool_progress(program->pool, err);
}

/* Every 20 ms. The fifth time it is enough for the slow task. */
static void tick(struct program *program)
{
    uint64_t expirations;
    if (read(program->timer, &expirations, sizeof expirations) < 0)
        return;
    if (++program->ticks == 5)
        shmf_future_cancel(program->futures[SLOW]);
}

static int loop(struct program *program, struct shmf_error *err)
{
    while (program->left) {
        struct epoll_event event;
        if (epoll_wait(program->epoll, &event, 1, -1) < 1)
            continue;
        if (event.data.fd == program->timer)
            tick(program);
        if (shmf_pool_progress(program->pool, err) < 0)
            return -1;
    }
    return 0;
}

static void show(struct program *program)
{
    for (int i = 0; i < TASKS; i++) {
        struct shmf_result *result = shmf_future_result(program->futures[i]);
        const int *n = shmf_result_bytes(result, NULL);
        if (n)
            printf("task %d: %d %d %d\n", i, n[0], n[1], n[2]);
        else
            printf("task %d: %s\n", i, shmf_status_name(shmf_result_status(result)));
    }
    printf("the timer ticked meanwhile: %s\n", program->ticks >= 5 ? "yes" : "no");
}

int main(void)
{
    struct shmf_error err = {0};
    struct program program = {.pool = shmf_pool_new(NULL, &err),
                              .epoll = epoll_create1(EPOLL_CLOEXEC),
                              .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    const struct itimerspec every = {{0, 20000000}, {0, 20000000}};
    int rc = -1;
    if (program.pool && timerfd_settime(program.timer, 0, &every, NULL) == 0 &&
        watch(&program, program.timer) == 0 && watch(&program, shmf_pool_fd(program.pool)) == 0 &&
        submit(&program, &err) >= 0)
        rc = loop(&program, &err);
    if (rc == 0)
        show(&program);
    else
        fprintf(stderr, "%s\n", err.message);
    for (int i = 0; i < TASKS; i++)
        shmf_future_free(program.futures[i]);
    shmf_pool_free(program.pool);
    close(program.timer);
    close(program.epoll);
    return rc != 0;
}
