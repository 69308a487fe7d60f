/* A segment and its distortions: fields set to boundary values, to each other's values, bits
 * turned, bytes of the tables overwritten. Everything follows from the seed. */
#ifndef TEST_FUZZ_MUTATE_H
#define TEST_FUZZ_MUTATE_H

#include "fuzz/places.h"

#include <stddef.h>
#include <stdint.h>

enum { MAX_CHANGES = 8 };

struct change {
    const struct place *place;
    uint64_t old;
};

struct mutator {
    unsigned char *bytes; /* the caller's, good but for what is changed now */
    size_t size;
    struct place *places;
    size_t n_places;
    size_t n_tables; /* of these are header and tables, those behind them slots of indexes */
    uint64_t (*values)[MAX_BOUNDARIES]; /* of each place */
    size_t *n_values;
    uint64_t random;
    struct change changes[MAX_CHANGES]; /* to be undone, the last one first */
    unsigned n_changes;
};

/* `bytes` hold a segment; of a bad one fewer places may be found. */
struct mutator make_mutator(unsigned char *bytes, size_t size, uint64_t seed);
void free_mutator(struct mutator *mutator);

/* Uniform enough for this; below `n`. */
uint64_t random_below(uint64_t *state, uint64_t n);

/* Set a place, so that undo_changes() sets it back. */
void change_place(struct mutator *mutator, const struct place *place, uint64_t value);

/* One to five changes at random, most of them single ones, in the first `n` places. */
void mutate(struct mutator *mutator, size_t n);

/* The last one; all of them. */
void undo_change(struct mutator *mutator);
void undo_changes(struct mutator *mutator);

#endif
