/* What the files of the Arrow adapter share. It lives on public headers alone. */
#ifndef SHMFI_ARROW_ADAPTER_H
#define SHMFI_ARROW_ADAPTER_H

#include <shmframe/arrow.h>

#include <stdbool.h>

/* Metadata of fields: what marks the row labels, and lists of two that are complex numbers. (No
 * extension type: there are readers that refuse those whose names they do not know.) */
#define SHMFI_ARROW_ROW_LABELS "shmframe.row_labels"
#define SHMFI_ARROW_COMPLEX    "shmframe.complex"

/* SHMF_E_NOMEM. */
int shmfi_arrow_no_memory(struct shmf_error *err);

/* SHMF_E_INVAL unless they are zero. */
int shmfi_arrow_check_reserved(const uint64_t *words, size_t count, struct shmf_error *err);

static inline bool shmfi_arrow_bit(const uint8_t *bitmap, int64_t i)
{
    return bitmap[i / 8] >> (i % 8) & 1;
}

/* ---- metadata as the C Data interface writes it --------------------------------------------- */

/* A reader of it; `at` NULL: there is none. */
struct shmfi_arrow_pairs {
    const char *at;
    int32_t left;
};
struct shmfi_arrow_pairs shmfi_arrow_pairs_begin(const char *metadata);
bool shmfi_arrow_pairs_next(struct shmfi_arrow_pairs *pairs, struct shmf_pair *pair);

/* The value of the first pair with this key; data NULL when there is none. */
struct shmf_text shmfi_arrow_metadata(const char *metadata, const char *key);

/* Bytes of `n` pairs so written; written to `to`, unless it is NULL. */
size_t shmfi_arrow_pairs_write(const struct shmf_pair *pairs, int64_t n, char *to);

static inline bool shmfi_arrow_text_is(struct shmf_text text, const char *wanted)
{
    size_t size = __builtin_strlen(wanted);
    return text.data && (size_t)text.size == size && __builtin_memcmp(text.data, wanted, size) == 0;
}

/* ---- types -------------------------------------------------------------------------------- */

/* How the values of a field lie in its buffers. */
enum shmfi_arrow_layout {
    SHMFI_ARROW_FIXED,   /* `width` bytes each */
    SHMFI_ARROW_BITS,    /* booleans */
    SHMFI_ARROW_TEXT,    /* int32 offsets */
    SHMFI_ARROW_LARGE,   /* int64 offsets */
    SHMFI_ARROW_VIEW,    /* 16 bytes each that hold or point to the text */
    SHMFI_ARROW_PARTS,   /* complex: a fixed-size list of two floats */
    SHMFI_ARROW_INDEXES, /* dictionary: `width` bytes each */
    SHMFI_ARROW_LOOKUP   /* the same, of values that are no text: they take the indexes' place */
};

struct shmfi_arrow_type {
    struct shmf_type type; /* the zone points into the schema */
    enum shmfi_arrow_layout layout;
    int64_t width;
    enum shmf_dtype indexes;        /* of a dictionary whose values take their place */
    enum shmfi_arrow_layout values; /* of a dictionary */
    int64_t values_width;           /* of values of fixed width */
};

/* For messages and labels: the specification lets it be NULL. */
static inline const char *shmfi_arrow_name(const struct ArrowSchema *field)
{
    return field->name ? field->name : "";
}

/* The type of a field. SHMF_E_UNSUPPORTED, SHMF_E_INVAL name it. */
int shmfi_arrow_type(const struct ArrowSchema *field, struct shmfi_arrow_type *type,
                     struct shmf_error *err);

/* Bytes of one value of a fixed width; 0 for the others. */
size_t shmfi_arrow_width(const struct shmf_type *type);

#endif
