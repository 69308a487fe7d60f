/* Where in a segment the fields of the format lie, each with a name that people can find. */
#ifndef TEST_FUZZ_PLACES_H
#define TEST_FUZZ_PLACES_H

#include <stddef.h>
#include <stdint.h>

/* One number of the format; arrays are several. */
struct place {
    char name[96];     /* "column 3: metadata_offset", "row_index slot 2: tag" */
    const char *field; /* "metadata_offset" */
    size_t at;
    unsigned size; /* 1, 2, 4 or 8 bytes */
};

/* Lists all places of a segment that lie in its bytes: header, column table, dictionary table,
 * indexes. The caller frees them. */
struct place *list_places(const unsigned char *segment, size_t size, size_t *n);

uint64_t get_place(const unsigned char *segment, const struct place *place);
void put_place(unsigned char *segment, const struct place *place, uint64_t value);

enum { MAX_BOUNDARIES = 40 };

/* The values at which something may turn over: 0, 1, the sizes of the segment, alignments, signs,
 * the neighbours of the value that is there; each once, cut to the place's size, and none is the
 * value that is there. Returns how many. */
size_t list_boundaries(const unsigned char *segment, size_t size, const struct place *place,
                       uint64_t values[MAX_BOUNDARIES]);

#endif
