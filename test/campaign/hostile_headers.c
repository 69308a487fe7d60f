/* Distorted headers and tables of golden segments go through the checks of opening, at the speed of
 * memory: each must be refused or accepted as an independent reading of docs/format.md says, and
 * what is accepted must lie inside the segment, byte for byte (build it with sanitizers).
 *
 *     hostile_headers [COUNT [SEED [PAIRS]]]     defaults 1000000, 1, 0
 *
 * COUNT distortions at random; before them, with PAIRS = 1, every field at every boundary value,
 * and every pair of fields at every pair of boundary values. Each 256th that is accepted is used as
 * far as a frame or an array can be used. Prints a line of JSON, and one now and then on stderr; a
 * finding ends it, with the seed and the count that lead there again. */
#include "format/format.h"
#include "format/golden.h"
#include "fuzz/mutate.h"
#include "fuzz/oracle.h"
#include "fuzz/use.h"

#include <shmframe/handle.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_COLUMNS = 256, MAX_DICTIONARIES = 256, ROUND = 1 << 16, USED = 256, EXPLAINED = 64 };

static struct {
    uint64_t seed, tried, pairs, accepted, used;
    double start, told;
} run;

static struct segment {
    struct segment_copy copy;
    struct mutator mutator;
} segments[N_GOLDEN];

static const struct segment *current;
static volatile unsigned char sink;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void tell(FILE *out, bool good)
{
    double seconds = now() - run.start;
    fprintf(out,
            "{\"campaign\": \"hostile_headers\", \"seed\": %" PRIu64 ", \"headers\": %" PRIu64
            ", \"pairs\": %" PRIu64 ", \"accepted\": %" PRIu64 ", \"used\": %" PRIu64
            ", \"seconds\": %.1f, \"headers_per_second\": %.0f, \"findings\": %d, \"good\": %s}\n",
            run.seed, run.tried, run.pairs, run.accepted, run.used, seconds,
            (double)run.tried / seconds, good ? 0 : 1, good ? "true" : "false");
    fflush(out);
}

static void tell_changes(void)
{
    const struct mutator *mutator = &current->mutator;
    fprintf(stderr, "seed %" PRIu64 ", header %" PRIu64 ", %s:\n", run.seed, run.tried,
            golden_names[current - segments]);
    for (unsigned i = 0; i < mutator->n_changes; i++) {
        const struct change *change = &mutator->changes[i];
        fprintf(stderr, "  %s: 0x%" PRIx64 " -> 0x%" PRIx64 "\n", change->place->name, change->old,
                get_place(mutator->bytes, change->place));
    }
}

static void give_up(const char *why)
{
    fprintf(stderr, "%s\n", why);
    tell_changes();
    tell(stdout, false);
    exit(1);
}

/* Called by the sanitizers' runtime, where there is one. */
void __sanitizer_set_death_callback(void (*)(void)) __attribute__((weak));

/* ---- what was accepted lies inside ----------------------------------------------------------- */

/* The first and the last byte are enough for sanitizers: there is one end to run over. */
static void touch(uint64_t offset, uint64_t size)
{
    const unsigned char *bytes = current->copy.base;
    if (offset && size) {
        sink = bytes[offset];
        sink = bytes[offset + size - 1];
    }
}

static void touch_column(const struct shmf_format_column *column, uint64_t n)
{
    touch(column->validity_offset, n / 8 + (n % 8 != 0));
    touch(column->offsets_offset, (n + 1) * (column->dtype == SHMF_LARGE_UTF8 ? 8 : 4));
    touch(column->data_offset, column->data_size);
    touch(column->zone_offset, column->zone_size);
}

static void touch_frame(const struct shmf_format_frame *h, const struct shmf_format_column *columns,
                        const struct shmf_format_dictionary *dictionaries)
{
    for (uint64_t c = 0; c < h->n_columns; c++) {
        touch_column(&columns[c], h->n_rows);
        touch(columns[c].metadata_offset, columns[c].metadata_size);
    }
    for (uint64_t d = 0; d < h->n_dictionaries; d++)
        touch_column(&dictionaries[d].values, dictionaries[d].n_values);
    touch_column(&h->column_label, h->n_columns);
    touch(h->column_index.offset, h->column_index.capacity * sizeof(struct shmf_format_slot));
    touch(h->metadata_offset, h->metadata_size);
    if (h->row_labels == SHMFI_ROWS_RANGE)
        return;
    touch_column(&h->row_label, h->n_rows);
    touch(h->row_index.offset, h->row_index.capacity * (h->header.incompatible ? 33 : 24));
}

/* ---- one header ------------------------------------------------------------------------------ */

static bool accept_frame(struct shmf_error *err)
{
    static struct shmf_format_column columns[MAX_COLUMNS];
    static struct shmf_format_dictionary dictionaries[MAX_DICTIONARIES];
    struct shmf_format_frame header;
    const unsigned char *bytes = current->copy.base;
    if (shmfi_format_read_frame(bytes, current->copy.size, &header, err))
        return false;
    if (header.n_columns > MAX_COLUMNS || header.n_dictionaries > MAX_DICTIONARIES)
        give_up("more columns than fit into a golden segment");
    if (shmfi_format_read_columns(bytes, &header, columns, err) ||
        shmfi_format_read_dictionaries(bytes, &header, dictionaries, err))
        return false;
    touch_frame(&header, columns, dictionaries);
    return true;
}

static bool accept_array(struct shmf_error *err)
{
    struct shmf_format_array header;
    uint64_t last = 0;
    if (shmfi_format_read_array(current->copy.base, current->copy.size, &header, err))
        return false;
    for (uint32_t d = 0; d < header.n_dims; d++) {
        if (header.shape[d] == 0)
            return true;
        last += ((uint64_t)header.shape[d] - 1) * (uint64_t)header.strides[d];
    }
    touch(header.data_offset + last, shmf_dtype_size((enum shmf_dtype)header.dtype));
    return true;
}

static void try_header(void)
{
    const struct shmf_format_header *header = (const void *)current->copy.base;
    struct shmf_error err, *wanted = run.tried % EXPLAINED ? NULL : &err;
    bool accepted = header->kind == SHMF_KIND_ARRAY ? accept_array(wanted) : accept_frame(wanted);
    if (accepted != oracle_opens(current->copy.base, current->copy.size))
        give_up(accepted ? "accepted against the document" : "refused against the document");
    run.tried++;
    run.accepted += accepted;
    if (!accepted || run.accepted % USED)
        return;
    if (use_segment(current->copy.base, current->copy.size, NULL))
        give_up("accepted, but not opened");
    run.used++;
}

/* ---- many ------------------------------------------------------------------------------------ */

static void tell_now_and_then(void)
{
    if (now() - run.told < 60)
        return;
    run.told = now();
    tell(stderr, true);
}

static void try_values(struct mutator *mutator, size_t place, size_t behind)
{
    for (size_t v = 0; v < mutator->n_values[place]; v++) {
        change_place(mutator, &mutator->places[place], mutator->values[place][v]);
        try_header();
        for (size_t other = behind; other < mutator->n_tables; other++)
            for (size_t w = 0; w < mutator->n_values[other]; w++) {
                change_place(mutator, &mutator->places[other], mutator->values[other][w]);
                try_header();
                undo_change(mutator);
            }
        undo_changes(mutator);
        tell_now_and_then();
    }
}

static void try_all_pairs(void)
{
    for (size_t s = 0; s < N_GOLDEN; s++) {
        struct mutator *mutator = &segments[s].mutator;
        current = &segments[s];
        for (size_t place = 0; place < mutator->n_tables; place++)
            try_values(mutator, place, place + 1);
    }
    run.pairs = run.tried;
}

static void try_at_random(uint64_t count)
{
    uint64_t order = run.seed;
    for (uint64_t i = 0; i < count; i++) {
        if (i % 64 == 0)
            current = &segments[random_below(&order, N_GOLDEN)];
        struct mutator *mutator = &segments[current - segments].mutator;
        mutate(mutator, mutator->n_tables);
        try_header();
        undo_changes(mutator);
        if (i % ROUND == 0)
            tell_now_and_then();
    }
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    run.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    run.start = run.told = now();
    for (size_t s = 0; s < N_GOLDEN; s++) {
        segments[s].copy = read_golden(golden_names[s]);
        segments[s].mutator =
            make_mutator(segments[s].copy.base, segments[s].copy.size, run.seed * N_GOLDEN + s);
    }
    current = &segments[0];
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(tell_changes);
    if (argc > 3 && atoi(argv[3]))
        try_all_pairs();
    try_at_random(count);
    tell(stdout, true);
    for (size_t s = 0; s < N_GOLDEN; s++) {
        free_mutator(&segments[s].mutator);
        free(segments[s].copy.base);
    }
    return 0;
}
