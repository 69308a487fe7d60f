/* The statistics as a table. Numbers are put together from integers, because printf's would take
 * the locale's decimal point. */
#include "pool/pool_internal.h"

#include <inttypes.h>
#include <stdio.h>

#define COLUMN 11

static const char *const titles[] = {"worker", "pid",      "cpu",    "processes", "tasks",
                                     "failed", "busy s",   "idle s", "busy %",    "minor",
                                     "major",  "recycled", "fresh",  "held MiB",  "huge MiB"};

/* `value` divided by `unit`, with one digit behind the point. */
static void put_tenths(FILE *stream, int width, uint64_t value, uint64_t unit)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64, value / unit, value % unit * 10 / unit);
    fprintf(stream, "%*s", width, text);
}

static void put_mib(FILE *stream, int width, uint64_t bytes)
{
    put_tenths(stream, width, bytes, UINT64_C(1) << 20);
}

static void put(FILE *stream, uint64_t value)
{
    fprintf(stream, "%*" PRIu64, COLUMN, value);
}

static void put_or_none(FILE *stream, bool there, int64_t value)
{
    if (there)
        fprintf(stream, "%*" PRId64, COLUMN, value);
    else
        fprintf(stream, "%*s", COLUMN, "-");
}

static void put_worker(FILE *stream, const struct shmf_worker_stats *one)
{
    uint64_t both = one->working_ns + one->waiting_ns;
    put_or_none(stream, one->pid > 0, one->pid);
    put_or_none(stream, one->cpu >= 0, one->cpu);
    put(stream, one->processes);
    put(stream, one->tasks_done);
    put(stream, one->tasks_failed);
    put_tenths(stream, COLUMN, one->working_ns, 1000000000);
    put_tenths(stream, COLUMN, one->waiting_ns, 1000000000);
    put_tenths(stream, COLUMN, both ? one->working_ns / (both / 1000 + 1) : 0, 10);
    put(stream, one->minor_faults);
    put(stream, one->major_faults);
    put(stream, one->recycled);
    put(stream, one->fresh);
    put_mib(stream, COLUMN, one->bytes_held);
    put_mib(stream, COLUMN, one->bytes_huge);
    fputc('\n', stream);
}

static void add(struct shmf_worker_stats *sum, const struct shmf_worker_stats *one)
{
    sum->processes += one->processes;
    sum->tasks_done += one->tasks_done;
    sum->tasks_failed += one->tasks_failed;
    sum->working_ns += one->working_ns;
    sum->waiting_ns += one->waiting_ns;
    sum->minor_faults += one->minor_faults;
    sum->major_faults += one->major_faults;
    sum->recycled += one->recycled;
    sum->fresh += one->fresh;
    sum->bytes_held += one->bytes_held;
    sum->bytes_huge += one->bytes_huge;
}

static void put_workers(struct shmf_pool *pool, FILE *stream)
{
    struct shmf_worker_stats one, sum = {.cpu = -1};
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        fprintf(stream, "%*s", i ? COLUMN : 6, titles[i]);
    fputc('\n', stream);
    for (uint32_t w = 0; w < pool->max_workers; w++) {
        if (shmf_pool_get_worker_stats(pool, (int)w, &one) || !one.processes)
            continue;
        fprintf(stream, "%6u", w);
        put_worker(stream, &one);
        add(&sum, &one);
    }
    fprintf(stream, "%6s", "all");
    put_worker(stream, &sum);
}

static void put_summary(const struct shmf_pool *pool, const struct shmf_pool_stats *stats,
                        FILE *stream)
{
    fprintf(stream, "tasks    %" PRIu64 " done, %" PRIu64 " failed, %" PRIu64 " retried\n",
            stats->tasks_done, stats->tasks_failed, stats->tasks_retried);
    fprintf(stream, "results ");
    put_mib(stream, 0, stats->bytes_delivered);
    fprintf(stream, " MiB delivered; workers hold ");
    put_mib(stream, 0, stats->bytes_held);
    fprintf(stream, " of ");
    put_mib(stream, 0, stats->bytes_budget);
    fprintf(stream, " MiB, ");
    put_mib(stream, 0, stats->bytes_cached);
    fprintf(stream, " MiB of it cached\n");
    fprintf(stream, "workers  %u wanted, %" PRIu64 " died, %" PRIu64 " respawned\n", pool->wanted,
            stats->workers_died, stats->respawns);
    if (stats->threads_at_creation)
        fprintf(stream,
                "threads  %" PRIu64 " others ran when the pool was made: locks that they held then "
                "stay locked in workers\n",
                stats->threads_at_creation);
}

int shmf_pool_report(struct shmf_pool *pool, FILE *stream)
{
    struct shmf_pool_stats stats;
    int rc = stream ? shmf_pool_get_stats(pool, &stats) : SHMF_E_INVAL;
    if (rc)
        return rc;
    put_summary(pool, &stats, stream);
    if (!pool->is_inline)
        put_workers(pool, stream);
    return ferror(stream) ? SHMF_E_SYS : SHMF_OK;
}
