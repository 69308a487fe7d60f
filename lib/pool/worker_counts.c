/* The figures of a worker's line. Tasks and times are counted as they pass; what costs system
 * calls is taken before the worker sleeps, and now and then while it is busy. A death loses what
 * was not taken yet. */
#include "base/sys.h"
#include "pool/machine.h"
#include "pool/worker.h"

#define COUNT_EVERY_NS    10000000u
#define COUNT_EVERY_TASKS 4096

static void add(_Atomic uint64_t *figure, uint64_t more)
{
    uint64_t before = atomic_load_explicit(figure, memory_order_relaxed);
    atomic_store_explicit(figure, before + more, memory_order_relaxed);
}

static void put(_Atomic uint64_t *figure, uint64_t value)
{
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static struct shmfi_counts of_process(const struct shmf_memory_stats *memory)
{
    struct rusage usage = {0};
    shmfi_sys.getrusage(RUSAGE_SELF, &usage);
    return (struct shmfi_counts){(uint64_t)usage.ru_minflt, (uint64_t)usage.ru_majflt,
                                 memory->recycled, memory->fresh};
}

static void look_at_growth(struct shmfi_worker *self)
{
    uint64_t most = self->setup->max_worker_bytes;
    uint64_t now = most && self->private_bytes ? shmfi_machine_private_bytes() : 0;
    self->outgrown = now > self->private_bytes && now - self->private_bytes > most;
}

void shmfi_worker_begin_growing(struct shmfi_worker *self)
{
    if (self->setup->max_worker_bytes)
        self->private_bytes = shmfi_machine_private_bytes();
}

void shmfi_worker_count(struct shmfi_worker *self)
{
    struct shmfi_line *line = self->line;
    struct shmf_memory_stats memory;
    shmf_memory_get_stats(&memory);
    struct shmfi_counts now = of_process(&memory);
    put(&line->minor_faults, self->before.minor_faults + now.minor_faults);
    put(&line->major_faults, self->before.major_faults + now.major_faults);
    put(&line->recycled, self->before.recycled + now.recycled);
    put(&line->fresh, self->before.fresh + now.fresh);
    put(&line->cached, memory.cached_bytes);
    put(&line->huge, memory.huge_bytes);
    self->uncounted = self->uncounted_tasks = 0;
    look_at_growth(self);
}

void shmfi_worker_begin_counting(struct shmfi_worker *self)
{
    const struct shmfi_line *line = self->line;
    struct shmf_memory_stats memory;
    shmf_memory_get_stats(&memory);
    /* Faults since birth are ours; objects were our ancestors'. */
    self->before = (struct shmfi_counts){get(&line->minor_faults), get(&line->major_faults),
                                         get(&line->recycled) - memory.recycled,
                                         get(&line->fresh) - memory.fresh};
    shmfi_worker_count(self);
}

void shmfi_worker_count_task(struct shmfi_worker *self)
{
    const struct shmf_task *task = &self->task;
    if (self->idle_since && task->began)
        shmfi_worker_count_waiting(self, task->began);
    self->idle_since = 0;
    add(&self->line->working, task->nanoseconds);
    self->patience.last_task = task->nanoseconds;
    if (task->error.code)
        add(&self->line->failed, 1);
    self->uncounted += task->nanoseconds;
    if (self->uncounted > COUNT_EVERY_NS || ++self->uncounted_tasks == COUNT_EVERY_TASKS)
        shmfi_worker_count(self);
}

void shmfi_worker_count_waiting(struct shmfi_worker *self, uint64_t now)
{
    add(&self->line->waiting, now - self->idle_since);
    self->idle_since = now;
}
