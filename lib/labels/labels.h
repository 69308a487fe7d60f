/* Labels in plain memory: UTF-8 strings laid out as an Arrow column, and hash indexes over them.
 *
 * What is read may come from another process and change at any time, so every offset is read once
 * and checked against the private sizes given here; a probe of an index is bounded by its capacity.
 * Nothing here allocates. */
#ifndef SHMFI_LABELS_LABELS_H
#define SHMFI_LABELS_LABELS_H

#include <shmframe/error.h>
#include <shmframe/format.h>

#include <stdbool.h>

/* ---- text --------------------------------------------------------------------------------- */

bool shmfi_utf8_valid(const char *text, uint64_t size);

#define SHMFI_SHOWN_TEXT_SIZE  256
#define SHMFI_SHOWN_TEXT_WIDTH 48

/* Makes text fit for a terminal: control characters and broken UTF-8 become U+FFFD, what is wider
 * than SHMFI_SHOWN_TEXT_WIDTH columns ends in "...". Returns how many columns it takes. */
unsigned shmfi_text_show(char to[SHMFI_SHOWN_TEXT_SIZE], const char *text, uint64_t size);

/* ---- strings ------------------------------------------------------------------------------ */

struct shmfi_strings {
    const void *offsets; /* n + 1 int32 or, if `wide`, int64 */
    const char *bytes;
    uint64_t bytes_size;
    uint64_t n;
    bool wide;
};

/* The strings that a checked descriptor describes. */
struct shmfi_strings shmfi_strings_resolve(const void *segment,
                                           const struct shmf_format_column *column, uint64_t n);

/* False: out of range, or the offsets are not in order. */
bool shmfi_strings_at(const struct shmfi_strings *strings, uint64_t position, const char **text,
                      uint64_t *size);

/* One load, so that what is checked is what is used. A negative offset becomes a huge one. */
static inline uint64_t shmfi_strings_offset(const struct shmfi_strings *strings, uint64_t position)
{
    if (strings->wide)
        return (uint64_t)__atomic_load_n((const int64_t *)strings->offsets + position,
                                         __ATOMIC_RELAXED);
    return (uint64_t)(int64_t)__atomic_load_n((const int32_t *)strings->offsets + position,
                                              __ATOMIC_RELAXED);
}

/* Does the string in this place begin at this offset, and has this size? */
static inline bool shmfi_strings_is_at(const struct shmfi_strings *strings, uint64_t position,
                                       uint64_t begin, uint64_t size)
{
    return position < strings->n && shmfi_strings_offset(strings, position) == begin &&
           shmfi_strings_offset(strings, position + 1) == begin + size;
}

/* A hint: what is to be known about the string in this place, said to begin there, is read soon. */
void shmfi_strings_fetch(const struct shmfi_strings *strings, uint64_t position, uint64_t begin);

/* Where labels to be written come from. `get` returns a NUL-terminated string that lives until the
 * next call, for which it may use the buffer; or NULL. */
#define SHMFI_NUMBER_SIZE 24
struct shmfi_label_source {
    const char *(*get)(const void *context, uint64_t position, char buffer[SHMFI_NUMBER_SIZE]);
    const void *context;
};

/* How many bytes `n` labels have together. SHMF_E_INVAL names `what` and the position of a label
 * that is NULL or not valid UTF-8. */
int shmfi_labels_measure(const struct shmfi_label_source *source, uint64_t n, const char *what,
                         uint64_t *bytes, struct shmf_error *err);

/* Writes them where the descriptor says, which was laid out for what was measured. SHMF_E_INVAL:
 * the labels changed meanwhile. */
int shmfi_labels_write(const struct shmfi_label_source *source, uint64_t n, const char *what,
                       void *segment, const struct shmf_format_column *column,
                       struct shmf_error *err);

/* ---- hash index --------------------------------------------------------------------------- */

/* What an index was, or is to be, made of: strings, or numbers if `numbers` is not NULL. */
struct shmfi_labels {
    struct shmfi_strings strings;
    const int64_t *numbers;
    uint64_t n;
};

/* `capacity` slots; or as many entries, and the tags of each eight of them. */
struct shmfi_index {
    const struct shmf_format_entry *entries; /* NULL: the index is one of slots */
    const struct shmf_format_group *groups;
    const struct shmf_format_slot *slots;
    uint64_t capacity;
};

/* The index that a checked header describes. */
struct shmfi_index shmfi_index_resolve(const void *segment, const struct shmf_format_index *place,
                                       bool tagged);

uint64_t shmfi_hash(const void *bytes, uint64_t size);

/* Fills an index of `capacity` places (more than labels->n, and those of an index with tags a
 * multiple of eight) from whatever they hold. */
void shmfi_index_build(void *at, uint64_t capacity, bool tagged, const struct shmfi_labels *labels);

/* Does a place say what it must, where `counts` has how many labels each first position stands for?
 * Counts it in `*taken` if it is not empty. */
bool shmfi_index_place_is_good(const struct shmfi_index *index, const struct shmfi_labels *labels,
                               uint64_t place, const uint32_t *counts, uint64_t *taken);

/* What is looked up: text, or the 8 bytes of a number; they must outlive it. */
struct shmfi_key {
    const void *bytes;
    uint64_t size;
    uint64_t hash;
};
void shmfi_key_set(struct shmfi_key *key, const void *bytes, uint64_t size);

/* The first position with the label, and in `*count` (may be NULL) how many there are;
 * SHMF_E_NOTFOUND. */
int64_t shmfi_index_find(const struct shmfi_index *index, const struct shmfi_labels *labels,
                         const struct shmfi_key *key, int64_t *count);

int64_t shmfi_index_find_text(const struct shmfi_index *index, const struct shmfi_labels *labels,
                              const char *text, uint64_t size, int64_t *count);
int64_t shmfi_index_find_number(const struct shmfi_index *index, const struct shmfi_labels *labels,
                                int64_t number, int64_t *count);

/* Brings what finding up to SHMFI_FETCHED keys will read into the caches, for all at the same time:
 * in a large index most of a lookup is waiting for memory. */
#define SHMFI_FETCHED 32
void shmfi_index_fetch(const struct shmfi_index *index, const struct shmfi_labels *labels,
                       const struct shmfi_key *keys, unsigned n);

#endif
