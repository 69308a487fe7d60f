/* New memory of 200 MB: pages obtained by the library, and touched one by one. */
#include "way.h"

#include <shmframe/shmframe.h>

#include <sys/mman.h>
#include <unistd.h>

#define BIG INT64_C(200000000)

static double quickest(double seconds, double best)
{
    return best == 0 || seconds < best ? seconds : best;
}

/* The array is there and every page of it was written to. */
static void new_array(int64_t n, struct reply *reply)
{
    struct shmf_error err;
    struct shmf_memory_stats stats;
    double best = 0;
    uint64_t huge = 0;
    for (int64_t i = 0; i < n; i++) {
        shmf_memory_trim(0);
        double start = bench_now();
        struct shmf_array *array = shmf_array_new(SHMF_UINT8, 1, (int64_t[]){BIG}, &err);
        bench_need(array != NULL, "shmf_array_new");
        char *bytes = shmf_array_data_mut(array);
        for (int64_t at = 0; at < BIG; at += 4096)
            bytes[at] = 1;
        best = quickest(bench_now() - start, best);
        shmf_memory_get_stats(&stats);
        huge = stats.huge_bytes;
        shmf_array_free(array);
    }
    reply_add(reply, "ns", best * 1e9);
    reply_add(reply, "huge_share", (double)huge / (double)BIG);
}

static void touch(int64_t n, struct reply *reply)
{
    double best = 0;
    for (int64_t i = 0; i < n; i++) {
        double start = bench_now();
        int fd = memfd_create("bench", MFD_CLOEXEC);
        bench_need(fd >= 0 && ftruncate(fd, BIG) == 0, "memfd_create");
        char *bytes = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        bench_need(bytes != MAP_FAILED, "mmap");
        for (int64_t at = 0; at < BIG; at += 4096)
            bytes[at] = 1;
        best = quickest(bench_now() - start, best);
        munmap(bytes, BIG);
        close(fd);
    }
    reply_add(reply, "ns", best * 1e9);
}

const struct measure bench_memory[] = {
    {"warm_up", "shmframe", NULL, NULL, new_array, NULL},
    {"warm_up", "raw", NULL, NULL, touch, NULL},
    {0},
};
