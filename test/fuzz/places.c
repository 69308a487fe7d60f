#include "fuzz/places.h"

#include "format/fields.h"

#include <shmframe/handle.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct place *places;
    size_t n, room;
    size_t size; /* of the segment */
};

static struct place *add(struct list *list)
{
    if (list->n == list->room) {
        list->room = 2 * list->room + 64;
        list->places = realloc(list->places, list->room * sizeof *list->places);
        if (!list->places)
            abort();
    }
    return &list->places[list->n++];
}

/* A field with its elements; those of arrays carry their position. */
static void add_field(struct list *list, const struct field *field, size_t at, const char *prefix)
{
    for (size_t i = 0; i < field->size / field->element; i++) {
        if (at + field->offset + (i + 1) * field->element > list->size)
            return;
        struct place *place = add(list);
        char position[24] = "";
        if (field->size > field->element)
            snprintf(position, sizeof position, "[%zu]", i);
        snprintf(place->name, sizeof place->name, "%s%s%s", prefix, field->name, position);
        place->field = field->name;
        place->at = at + field->offset + i * field->element;
        place->size = (unsigned)field->element;
    }
}

static void add_struct(struct list *list, const char *structure, size_t at, const char *prefix)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        const struct field *field = &fields[i];
        char inner[80];
        if (strcmp(field->structure, structure))
            continue;
        if (!field->nested) {
            add_field(list, field, at, prefix);
            continue;
        }
        snprintf(inner, sizeof inner, "%s%s.", prefix, field->name);
        add_struct(list, field->nested, at + field->offset, inner);
    }
}

/* As many entries as there are, or as begin in the segment: of a bad one nothing is believed. */
static void add_table(struct list *list, const char *structure, uint64_t at, uint64_t step,
                      uint64_t n, const char *name)
{
    for (uint64_t i = 0; i < n && step > 0 && at < list->size; i++, at += step) {
        char prefix[48];
        if (step > list->size)
            n = i + 1;
        snprintf(prefix, sizeof prefix, "%s %llu: ", name, (unsigned long long)i);
        add_struct(list, structure, at, prefix);
    }
}

static void add_row_index(struct list *list, const struct shmf_format_frame *h)
{
    const size_t entry = sizeof(struct shmf_format_entry), group = sizeof(struct shmf_format_group);
    uint64_t at = h->row_index.offset, n = h->row_index.capacity;
    if (!(h->header.incompatible & SHMF_FORMAT_TAGGED_ROWS)) {
        add_table(list, "shmf_format_slot", at, sizeof(struct shmf_format_slot), n,
                  "row_index slot");
        return;
    }
    add_table(list, "shmf_format_entry", at, entry, n, "row_index slot");
    if (n < list->size / entry) /* of a bad one nothing is believed */
        add_table(list, "shmf_format_group", at + n * entry, group, n / 8, "row_index slot tags");
}

static void add_frame(struct list *list, const unsigned char *segment)
{
    struct shmf_format_frame h = {0};
    memcpy(&h, segment, list->size < sizeof h ? list->size : sizeof h);
    add_struct(list, "shmf_format_frame", 0, "");
    add_table(list, "shmf_format_column", h.columns_offset, h.column_size, h.n_columns, "column");
    add_table(list, "shmf_format_dictionary", h.dictionaries_offset, h.dictionary_size,
              h.n_dictionaries, "dictionary");
    add_row_index(list, &h);
    add_table(list, "shmf_format_slot", h.column_index.offset, sizeof(struct shmf_format_slot),
              h.column_index.capacity, "column_index slot");
}

struct place *list_places(const unsigned char *segment, size_t size, size_t *n)
{
    struct list list = {.size = size};
    struct shmf_format_header header = {0};
    memcpy(&header, segment, size < sizeof header ? size : sizeof header);
    if (header.kind == SHMF_KIND_FRAME)
        add_frame(&list, segment);
    else
        add_struct(&list, "shmf_format_array", 0, "");
    *n = list.n;
    return list.places;
}

/* Of a fixed size each: the compiler makes them one instruction. */
uint64_t get_place(const unsigned char *segment, const struct place *place)
{
    uint64_t value = 0;
    const unsigned char *at = segment + place->at;
    switch (place->size) {
    case 1:
        return *at;
    case 2:
        memcpy(&value, at, 2);
        return value;
    case 4:
        memcpy(&value, at, 4);
        return value;
    default:
        memcpy(&value, at, 8);
        return value;
    }
}

void put_place(unsigned char *segment, const struct place *place, uint64_t value)
{
    unsigned char *at = segment + place->at;
    switch (place->size) {
    case 1:
        *at = (unsigned char)value;
        break;
    case 2:
        memcpy(at, &value, 2);
        break;
    case 4:
        memcpy(at, &value, 4);
        break;
    default:
        memcpy(at, &value, 8);
    }
}

static size_t add_value(uint64_t value, uint64_t old, uint64_t *values, size_t n)
{
    if (value == old)
        return n;
    for (size_t i = 0; i < n; i++)
        if (values[i] == value)
            return n;
    values[n] = value;
    return n + 1;
}

size_t list_boundaries(const unsigned char *segment, size_t size, const struct place *place,
                       uint64_t values[MAX_BOUNDARIES])
{
    uint64_t old = get_place(segment, place);
    uint64_t most = place->size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * place->size) - 1;
    const uint64_t all[] = {
        0,
        1,
        2,
        3,
        7,
        8,
        16,
        63,
        64,
        65,
        old - 1,
        old + 1,
        old - 64,
        old + 64,
        2 * old,
        ~old,
        size - 64,
        size - 8,
        size - 1,
        size,
        size + 1,
        size + 64,
        INT32_MAX,
        1ull << 31,
        UINT32_MAX,
        1ull << 32,
        1ull << 60,
        1ull << 61,
        INT64_MAX,
        1ull << 63,
        UINT64_MAX - 63,
        UINT64_MAX - 7,
        most,
        most / 2,
        most / 2 + 1,
    };
    _Static_assert(sizeof all / sizeof all[0] <= MAX_BOUNDARIES, "MAX_BOUNDARIES");
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        n = add_value(all[i] & most, old, values, n);
    return n;
}
