/* Looking up row labels: shmf_frame_loc and shmf_frame_loc_texts beside GLib's GHashTable (if the
 * bench was built with it) over the same strings. Medians of interleaved rounds in the thread's
 * time on the cpu, so that other work of the machine counts little; one JSON object a line, with
 * the number of allocations that were made while looking up, by whomever.
 *
 *     build/test/bench_loc [LABELS [ROUNDS]]       (default 1,000,000 and 5)
 *
 * A million labels that exist are looked up in random order, from memory of their own, so that
 * neither table is helped by the one that asks; a tenth as many that do not exist besides. */
#include <shmframe/shmframe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef WITH_GLIB
#include <glib.h>
#endif

enum { LOOKUPS = 1000000, MAX_ROUNDS = 51, ROOM = 24 };

/* ---- every allocation of the process is counted ------------------------------------------- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);

static long allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    allocations++;
    return __libc_realloc(old, size);
}

/* ---- tables ------------------------------------------------------------------------------- */

static int64_t n_labels = 1000000;
static char **labels;             /* of the rows */
static char (*asked)[ROOM];       /* what is looked up */
static struct shmf_text *texts;   /* the same */
static int64_t *expected, *found; /* rows */
static struct shmf_frame *frame;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    fprintf(stderr, "loc: %s\n", what);
    exit(1);
}

static void check(const void *memory)
{
    if (!memory)
        fail("no memory");
}

static void write_label(char to[ROOM], int64_t i)
{
    snprintf(to, ROOM, "flight-%lld", (long long)(i * 2654435761 % 100000000007));
}

static uint64_t next_random(void)
{
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

static void make_labels(void)
{
    char *bytes = malloc((size_t)n_labels * ROOM);
    check(bytes);
    labels = malloc((size_t)n_labels * sizeof *labels);
    asked = malloc(LOOKUPS * sizeof *asked);
    texts = malloc(LOOKUPS * sizeof *texts);
    expected = malloc(LOOKUPS * sizeof *expected);
    found = malloc(LOOKUPS * sizeof *found);
    check(labels);
    check(asked && texts && expected && found ? asked : NULL);
    for (int64_t i = 0; i < n_labels; i++) {
        labels[i] = bytes + i * ROOM;
        write_label(bytes + i * ROOM, i);
    }
    for (int64_t i = 0; i < LOOKUPS; i++) {
        expected[i] = (int64_t)(next_random() % (uint64_t)n_labels);
        write_label(asked[i], expected[i]);
        if (i % 11 == 10) {
            expected[i] = SHMF_E_NOTFOUND;
            asked[i][0] = 'F';
        }
        texts[i] = (struct shmf_text){asked[i], (int64_t)strlen(asked[i])};
    }
}

static void make_frame(void)
{
    struct shmf_error err;
    const struct shmf_frame_spec spec = {.n_rows = n_labels,
                                         .n_columns = 1,
                                         .dtype = SHMF_FLOAT64,
                                         .row_labels = (const char *const *)labels};
    frame = shmf_frame_new(&spec, &err);
    if (!frame || shmf_frame_finish(frame, &err))
        fail(err.message);
}

#ifdef WITH_GLIB
static GHashTable *table;

static void make_table(void)
{
    table = g_hash_table_new(g_str_hash, g_str_equal);
    for (int64_t i = 0; i < n_labels; i++)
        g_hash_table_insert(table, labels[i], (void *)(i + 1));
}

static void look_up_glib(void)
{
    for (int64_t i = 0; i < LOOKUPS; i++) {
        int64_t row = (int64_t)g_hash_table_lookup(table, asked[i]);
        found[i] = row ? row - 1 : SHMF_E_NOTFOUND;
    }
}
#endif

static void look_up_loc(void)
{
    for (int64_t i = 0; i < LOOKUPS; i++)
        found[i] = shmf_frame_loc(frame, asked[i]);
}

static void look_up_batch(void)
{
    shmf_frame_loc_texts(frame, texts, LOOKUPS, found);
}

static const struct way {
    const char *name;
    void (*look_up)(void);
} ways[] = {
#ifdef WITH_GLIB
    {"GHashTable", look_up_glib},
#endif
    {"loc", look_up_loc},
    {"loc_texts", look_up_batch},
};

#define WAYS (sizeof ways / sizeof *ways)

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
    static double times[WAYS][MAX_ROUNDS];
    long made[WAYS] = {0};
    n_labels = argc > 1 ? atoll(argv[1]) : n_labels;
    int rounds = argc > 2 ? atoi(argv[2]) : 5;
    if (n_labels < 1 || n_labels > 100000000 || rounds < 1 || rounds > MAX_ROUNDS)
        fail("LABELS is not in 1..100000000, or ROUNDS not in 1..51");
    make_labels();
    make_frame();
#ifdef WITH_GLIB
    make_table();
#endif
    for (int round = 0; round < rounds; round++)
        for (size_t way = 0; way < WAYS; way++) {
            long before = allocations;
            double start = now();
            ways[way].look_up();
            times[way][round] = now() - start;
            made[way] += allocations - before;
            if (memcmp(found, expected, LOOKUPS * sizeof *found) != 0)
                fail("a label leads elsewhere");
        }
    for (size_t way = 0; way < WAYS; way++)
        qsort(times[way], (size_t)rounds, sizeof(double), by_value);
    for (size_t way = 0; way < WAYS; way++)
        printf("{\"bench\": \"loc\", \"labels\": %lld, \"impl\": \"%s\", \"ns\": %.1f, "
               "\"best_ns\": %.1f, \"times_the_first\": %.2f, \"allocations\": %ld}\n",
               (long long)n_labels, ways[way].name, times[way][rounds / 2] / LOOKUPS * 1e9,
               times[way][0] / LOOKUPS * 1e9, times[0][rounds / 2] / times[way][rounds / 2],
               made[way]);
    shmf_frame_free(frame);
    return 0;
}
