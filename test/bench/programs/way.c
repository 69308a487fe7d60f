#include "way.h"

#include <stdlib.h>
#include <sys/mman.h>

struct work way_work;
double *way_input;

void way_prepare(void)
{
    way_work = work_find(setting.bench, setting.at);
    size_t bytes = work_input_bytes(&way_work);
    if (!bytes)
        return;
    way_input = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_need(way_input != MAP_FAILED, "memory for the input");
    madvise(way_input, bytes, MADV_HUGEPAGE); /* as the library does for its own */
    work_fill(&way_work, way_input);
}

void way_reply(struct reply *reply, int64_t n_tasks, double seconds, uint64_t sum)
{
    reply_add(reply, "tasks_per_s", (double)n_tasks / seconds);
    reply_add(reply, "sum", (double)(sum & 0xffffffffffff));
}
