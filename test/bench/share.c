/* What sharing beyond the pool costs: bench_share [MEGABYTES]. Medians of some rounds; the copy
 * that publishing makes is compared with plain copies. */
#include <shmframe/shmframe.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 5

static struct shmf_error err;
static struct shmf_array *array;
static struct shmf_share *share;
static struct shmf_array *got;
static struct shmf_loan *loan;
static char *warm;
static int ends[2];
static char name[40];
static size_t size;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(int good)
{
    if (good)
        return;
    fprintf(stderr, "%s\n", err.message);
    exit(1);
}

static void copy_warm(void)
{
    memcpy(warm, shmf_array_data(array), size);
}

/* What a program without the library would do. */
static void copy_to_file(void)
{
    int fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    check(fd >= 0 && !ftruncate(fd, (off_t)size));
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(at != MAP_FAILED);
    memcpy(at, shmf_array_data(array), size);
    munmap(at, size);
    close(fd);
}

static void publish(void)
{
    share = shmf_array_publish(array, name, NULL, &err);
    check(share != NULL);
}

static void attach(void)
{
    got = shmf_array_attach(name, NULL, &err);
    check(got != NULL);
}

static void read_all(void)
{
    const unsigned char *data = shmf_array_data(got);
    unsigned sum = 0;
    for (size_t i = 0; i < size; i += 4096)
        sum += data[i];
    __asm__ volatile("" ::"r"(sum));
}

static void free_attached(void)
{
    shmf_array_free(got);
}

static void free_share(void)
{
    shmf_share_free(share);
}

static void copy_attached(void)
{
    got = shmf_array_attach(name, &(struct shmf_attach_options){.access = SHMF_PRIVATE_COPY}, &err);
    check(got != NULL);
}

static void send_one(void)
{
    check(shmf_array_send(array, ends[0], -1, &err) == 0);
}

static void receive_one(void)
{
    got = shmf_array_receive(ends[1], -1, NULL, &err);
    check(got != NULL);
}

static void pass_on(void)
{
    struct shmf_array *first = got;
    check(shmf_array_send(first, ends[0], -1, &err) == 0);
    receive_one();
    shmf_array_free(first);
}

static void lend(void)
{
    loan = shmf_array_lend(array, ends[0], -1, &err);
    check(loan != NULL);
}

static void borrow(void)
{
    got = shmf_array_borrow(ends[1], -1, &err);
    check(got != NULL);
}

static void ask(void)
{
    check(shmf_loan_is_over(loan) == 0);
}

static void end_loan(void)
{
    shmf_array_free(got);
    check(shmf_loan_is_over(loan) == 1);
    shmf_loan_free(loan);
}

static const struct {
    const char *what;
    void (*run)(void);
} steps[] = {
    {"plain copy into warm private memory", copy_warm},
    {"plain copy into a fresh file of /dev/shm", copy_to_file},
    {"publish under a name", publish},
    {"attach", attach},
    {"the first reading, a byte of each page", read_all},
    {"free what is attached", free_attached},
    {"attach as a private copy", copy_attached},
    {"free it", free_attached},
    {"give up the name", free_share},
    {"send", send_one},
    {"receive", receive_one},
    {"pass on what was received, and receive it", pass_on},
    {"free it (the pages go)", free_attached},
    {"lend", lend},
    {"borrow", borrow},
    {"ask whether the loan is over", ask},
    {"the first reading, a byte of each page", read_all},
    {"free what is borrowed, and the loan", end_loan},
};

#define STEPS (sizeof steps / sizeof steps[0])

static int by_size(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

int main(int n, char **args)
{
    int64_t bytes = (n > 1 ? atol(args[1]) : 200) * 1000000;
    double seconds[STEPS][ROUNDS];
    size = (size_t)bytes;
    snprintf(name, sizeof name, "bench-%d", (int)getpid());
    array = shmf_array_new(SHMF_UINT8, 1, &bytes, &err);
    warm = malloc(size);
    check(array && warm && !socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends));
    memset(shmf_array_data_mut(array), 1, size);
    memset(warm, 2, size);
    for (int round = -1; round < ROUNDS; round++) /* the first warms the machine's memory */
        for (size_t i = 0; i < STEPS; i++) {
            double start = now();
            steps[i].run();
            if (round >= 0)
                seconds[i][round] = now() - start;
        }
    printf("%zu bytes, medians of %d\n", size, ROUNDS);
    for (size_t i = 0; i < STEPS; i++) {
        qsort(seconds[i], ROUNDS, sizeof seconds[i][0], by_size);
        printf("%10.3f ms  %s\n", seconds[i][ROUNDS / 2] * 1e3, steps[i].what);
    }
    free(warm);
    shmf_array_free(array);
    return 0;
}
