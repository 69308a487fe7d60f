#include "life.h"

#include "bench.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* The sum of the lines of smaps_rollup that begin like this, in bytes. */
static int64_t memory_of(int64_t pid, const char *field)
{
    char path[64], line[128];
    int64_t sum = 0, value;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    bench_need(file != NULL, path);
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (colon && !strncmp(line, field, strlen(field)) &&
            sscanf(colon + 1, "%" SCNd64, &value) == 1)
            sum += value * 1024;
    }
    fclose(file);
    return sum;
}

static int64_t count_entries(int64_t pid)
{
    char path[64];
    int64_t n = 0;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/fd", pid);
    DIR *directory = opendir(path);
    bench_need(directory != NULL, path);
    for (const struct dirent *entry; (entry = readdir(directory));)
        n += entry->d_name[0] != '.';
    closedir(directory);
    return n;
}

static int64_t count_lines(int64_t pid)
{
    char path[64];
    int64_t n = 0;
    snprintf(path, sizeof path, "/proc/%" PRId64 "/maps", pid);
    FILE *file = fopen(path, "r");
    bench_need(file != NULL, path);
    for (int c; (c = getc(file)) != EOF;)
        n += c == '\n';
    fclose(file);
    return n;
}

void life_count(const struct shmf_pool *pool, struct life_account *account)
{
    *account = (struct life_account){.resident = memory_of(getpid(), "Pss:"),
                                     .descriptors = count_entries(getpid()),
                                     .mappings = count_lines(getpid())};
    for (int w = 0; w < shmf_pool_workers(pool); w++) {
        int64_t pid = shmf_pool_worker_pid(pool, w);
        account->resident += memory_of(pid, "Pss:");
        account->worker_private += memory_of(pid, "Private_");
        if (w == 0) {
            account->descriptors += count_entries(pid);
            account->mappings += count_lines(pid);
        }
    }
}
