#include "fuzz/mutate.h"

#include <stdlib.h>
#include <string.h>

struct mutator make_mutator(unsigned char *bytes, size_t size, uint64_t seed)
{
    struct mutator made = {.bytes = bytes, .size = size, .random = seed};
    made.places = list_places(bytes, size, &made.n_places);
    made.values = calloc(made.n_places + 1, sizeof *made.values);
    made.n_values = calloc(made.n_places + 1, sizeof *made.n_values);
    if (!made.values || !made.n_values)
        abort();
    for (size_t i = 0; i < made.n_places; i++) {
        made.n_values[i] = list_boundaries(bytes, size, &made.places[i], made.values[i]);
        made.n_tables += !strstr(made.places[i].name, " slot ");
    }
    return made;
}

void free_mutator(struct mutator *mutator)
{
    free(mutator->places);
    free(mutator->values);
    free(mutator->n_values);
}

/* splitmix64 */
uint64_t random_below(uint64_t *state, uint64_t n)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (uint64_t)((unsigned __int128)z * n >> 64);
}

void change_place(struct mutator *mutator, const struct place *place, uint64_t value)
{
    if (mutator->n_changes == MAX_CHANGES)
        return;
    mutator->changes[mutator->n_changes++] =
        (struct change){place, get_place(mutator->bytes, place)};
    put_place(mutator->bytes, place, value);
}

void undo_change(struct mutator *mutator)
{
    const struct change *change = &mutator->changes[--mutator->n_changes];
    put_place(mutator->bytes, change->place, change->old);
}

void undo_changes(struct mutator *mutator)
{
    while (mutator->n_changes > 0)
        undo_change(mutator);
}

static void change_one(struct mutator *m, size_t n)
{
    size_t i = random_below(&m->random, n);
    const struct place *place = &m->places[i], *other;
    uint64_t value = get_place(m->bytes, place);
    switch (random_below(&m->random, 8)) {
    case 0: /* where another part begins, or near it */
        other = &m->places[random_below(&m->random, n)];
        value = get_place(m->bytes, other) + 64 * (random_below(&m->random, 3) - 1);
        break;
    case 1:
        value ^= UINT64_C(1) << random_below(&m->random, 8 * place->size);
        break;
    case 2:
        value = random_below(&m->random, UINT64_MAX);
        break;
    default:
        value = m->values[i][random_below(&m->random, m->n_values[i])];
    }
    change_place(m, place, value);
}

void mutate(struct mutator *mutator, size_t n)
{
    do
        change_one(mutator, n);
    while (mutator->n_changes < 5 && random_below(&mutator->random, 5) < 2);
}
