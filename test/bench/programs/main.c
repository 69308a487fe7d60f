/* The server for everything that is plain C; see bench.h. */
#include "way.h"

#include <stdlib.h>
#include <string.h>

static const struct measure *find(const char *bench, const char *impl)
{
    const struct measure *const tables[] = {
        bench_roundtrip, bench_loops, bench_lookup, bench_life,   bench_memory,
        bench_inplace,   way_plain,   way_pipe,     way_shmframe, way_raw,
#ifdef _OPENMP
        way_omp,
#endif
    };
    const struct measure *found = NULL;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct measure *m = tables[i]; m->impl; m++)
            if (!strcmp(m->impl, impl) && (m->bench ? !strcmp(m->bench, bench) : !found))
                found = m;
    return found;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s BENCH IMPL WORKERS AT\n", argv[0]);
        return 2;
    }
    setting = (struct setting){argv[1], argv[2], atoi(argv[3]), atoll(argv[4])};
    const struct measure *measure = find(argv[1], argv[2]);
    if (!measure) {
        fprintf(stderr, "%s: there is no bench %s of %s\n", argv[0], argv[1], argv[2]);
        return 2;
    }
    return bench_serve(measure);
}
