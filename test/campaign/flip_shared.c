/* A process changes shared segments while another one opens and reads them: whatever the reader
 * sees, each opening is refused or leads to a frame that can be used without leaving the segment
 * (pages without access lie before and behind it), because all bounds come from a private copy.
 *
 *     flip_shared [OPENINGS [SEED]]     defaults 1000000, 1
 *
 * Prints one line of JSON. A finding ends the reader by a signal, or by a sanitizer's report. */
#include "format/golden.h"
#include "frame/frame_internal.h"
#include "fuzz/mutate.h"
#include "fuzz/use.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FULLY = 16, HELD = 256, STAY = 500, PAGE = 4096 };

/* Shared by the two. */
static struct {
    uint64_t flips;  /* written by the flipper alone; its death leaves the count */
    uint64_t target; /* written by the reader alone: the segment that it reads now */
} * common;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void *map_shared(size_t size)
{
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return base;
}

/* A shared copy that ends where the page without access begins. */
static struct segment_copy share(const struct segment_copy *copy)
{
    size_t pages = (copy->size + PAGE - 1) / PAGE * PAGE;
    unsigned char *base = map_shared(pages + 2 * PAGE);
    if (mprotect(base, PAGE, PROT_NONE) || mprotect(base + PAGE + pages, PAGE, PROT_NONE)) {
        perror("mprotect");
        exit(1);
    }
    struct segment_copy shared = {base + PAGE + pages - copy->size, copy->size};
    memcpy(shared.base, copy->base, copy->size);
    return shared;
}

/* ---- the flipper ----------------------------------------------------------------------------- */

/* Any 4 bytes of the segment: offsets of strings, texts, values, metadata. */
static void change_word(struct mutator *mutator, struct place *word)
{
    static const uint32_t values[] = {0, 1, 7, 64, INT32_MAX, 1u << 31, UINT32_MAX};
    *word = (struct place){.size = 4, .at = 4 * random_below(&mutator->random, mutator->size / 4)};
    uint64_t value = get_place(mutator->bytes, word);
    switch (random_below(&mutator->random, 3)) {
    case 0:
        value += random_below(&mutator->random, 9) - 4;
        break;
    case 1:
        value = values[random_below(&mutator->random, sizeof values / sizeof values[0])];
        break;
    default:
        value ^= UINT64_C(1) << random_below(&mutator->random, 32);
    }
    change_place(mutator, word, value);
}

/* Each change stays for a moment and goes again, or nothing could be opened soon. */
static void flip(struct segment_copy *shared, uint64_t seed)
{
    struct mutator mutators[N_GOLDEN];
    uint64_t order = seed, target;
    for (int s = 0; s < N_GOLDEN; s++)
        mutators[s] = make_mutator(shared[s].base, shared[s].size, seed * N_GOLDEN + (uint64_t)s);
    for (;;) {
        __atomic_load(&common->target, &target, __ATOMIC_RELAXED);
        struct mutator *mutator = &mutators[target];
        struct place word;
        if (random_below(&order, 4) == 0)
            mutate(mutator, mutator->n_places);
        else
            change_word(mutator, &word);
        for (uint64_t wait = random_below(&order, HELD); wait > 0; wait--)
            __asm__ volatile("" ::: "memory");
        undo_changes(mutator);
        __atomic_store_n(&common->flips, common->flips + 1, __ATOMIC_RELAXED);
    }
}

static pid_t start_flipper(struct segment_copy *shared, uint64_t seed)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            flip(shared, seed);
        _exit(1);
    }
    return pid;
}

/* ---- the reader ------------------------------------------------------------------------------ */

static volatile int sink;

static void read_text(struct shmf_text text)
{
    for (int64_t i = 0; i < text.size; i++)
        sink += text.data[i];
}

/* What every program does: labels, lookups, cells. */
static void use_lightly(const struct shmf_frame *frame)
{
    int64_t count, rows = shmf_frame_rows(frame) < 8 ? shmf_frame_rows(frame) : 8;
    shmf_frame_loc(frame, "Idx-0");
    shmf_frame_column_loc(frame, "count");
    for (int64_t r = 0; r < rows; r++) {
        struct shmf_text label = shmf_frame_row_text(frame, r);
        read_text(label);
        shmf_frame_loc_text(frame, label, &count);
    }
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        read_text(shmf_frame_column_label(frame, c));
        for (int64_t r = 0; r < rows; r++)
            read_text(shmf_frame_text(frame, r, c));
    }
}

/* Returns whether it could be opened. */
static bool open_and_use(const struct segment_copy *shared, bool fully)
{
    struct shmf_frame *frame;
    struct shmf_error err;
    int rc = shmfi_frame_from_memory(shared->base, shared->size, false, &frame, &err);
    if (rc == SHMF_E_INVAL && fully) /* an array, most of the time */
        return use_segment(shared->base, shared->size, NULL) == SHMF_OK;
    if (rc)
        return false;
    if (fully)
        use_frame(frame, false);
    else
        use_lightly(frame);
    shmf_frame_free(frame);
    return true;
}

int main(int argc, char **argv)
{
    uint64_t openings = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1, opened = 0;
    struct segment_copy shared[N_GOLDEN];
    double start = now();
    for (int s = 0; s < N_GOLDEN; s++) {
        struct segment_copy copy = read_golden(golden_names[s]);
        shared[s] = share(&copy);
        free(copy.base);
    }
    common = map_shared(PAGE);
    pid_t flipper = start_flipper(shared, seed);
    for (uint64_t i = 0; i < openings; i++) {
        uint64_t target = i / STAY % N_GOLDEN;
        __atomic_store_n(&common->target, target, __ATOMIC_RELAXED);
        opened += open_and_use(&shared[target], i % FULLY == 0);
    }
    bool good =
        flipper > 0 && waitpid(flipper, NULL, WNOHANG) == 0 && opened > 0 && common->flips > 0;
    if (flipper > 0) {
        kill(flipper, SIGKILL);
        waitpid(flipper, NULL, 0);
    }
    double seconds = now() - start;
    printf("{\"campaign\": \"flip_shared\", \"seed\": %" PRIu64 ", \"openings\": %" PRIu64
           ", \"opened\": %" PRIu64 ", \"used_fully\": %" PRIu64 ", \"flips\": %" PRIu64
           ", \"seconds\": %.1f, \"findings\": %d, \"good\": %s}\n",
           seed, openings, opened, openings / FULLY, common->flips, seconds, good ? 0 : 1,
           good ? "true" : "false");
    return good ? 0 : 1;
}
