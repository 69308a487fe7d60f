/* Categories of dictionaries, merged over batches. As long as all batches have the same ones
 * (nearly always) they are taken as they are; indexes are rewritten from the first batch on that
 * differs. */
#include "import.h"

#include <stdlib.h>
#include <string.h>

static bool same_text(struct shmf_text a, struct shmf_text b)
{
    return a.size == b.size && !a.data == !b.data &&
           (a.size == 0 || memcmp(a.data, b.data, (size_t)a.size) == 0);
}

static uint64_t hash_of(struct shmf_text text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int64_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 29;
}

/* The slot of a text, or the empty one where it belongs. */
static int64_t *find(const struct shmfi_arrow_categories *all, struct shmf_text text)
{
    uint64_t mask = (uint64_t)all->n_slots - 1, at = hash_of(text) & mask;
    while (all->slots[at] && !same_text(all->values[all->slots[at] - 1], text))
        at = (at + 1) & mask;
    return &all->slots[at];
}

/* Room for n categories in all, and a hash table of those that are there. The first of several
 * equal ones is found. */
static int make_room(struct shmfi_arrow_categories *all, int64_t n)
{
    int64_t n_slots = 16;
    if (n > all->capacity) {
        struct shmf_text *values = realloc(all->values, (size_t)n * sizeof *values);
        if (!values)
            return SHMF_E_NOMEM;
        all->values = values;
        all->capacity = n;
    }
    while (n_slots < 2 * n)
        n_slots *= 2;
    if (all->slots && n_slots <= all->n_slots)
        return SHMF_OK;
    int64_t *slots = calloc((size_t)n_slots, sizeof *slots);
    if (!slots)
        return SHMF_E_NOMEM;
    free(all->slots);
    all->slots = slots;
    all->n_slots = n_slots;
    for (int64_t i = 0; i < all->n; i++) {
        int64_t *slot = find(all, all->values[i]);
        if (!*slot)
            *slot = i + 1;
    }
    return SHMF_OK;
}

/* Texts of a dictionary; data NULL for a null. To be freed; NULL: `*rc` says why. */
static struct shmf_text *texts_of(const struct shmfi_arrow_field *field, int64_t batch,
                                  const struct ArrowArray *dictionary, int *rc,
                                  struct shmf_error *err)
{
    const uint8_t *validity = dictionary->null_count ? dictionary->buffers[0] : NULL;
    struct shmf_text *texts = malloc((size_t)dictionary->length * sizeof *texts + 1);
    if (!texts) {
        *rc = shmfi_arrow_no_memory(err);
        return NULL;
    }
    for (int64_t i = 0; i < dictionary->length; i++) {
        int64_t at = dictionary->offset + i;
        texts[i] = (struct shmf_text){NULL, 0};
        if (validity && !shmfi_arrow_bit(validity, at))
            continue;
        texts[i] = shmfi_arrow_text(dictionary, field->type.values, at);
        if (texts[i].data)
            continue;
        *rc = shmf_error_set(err, SHMF_E_INVAL,
                             "field \"%s\": batch %lld: dictionary: value %lld: its offsets lead "
                             "nowhere",
                             shmfi_arrow_name(field->schema), (long long)batch, (long long)i);
        free(texts);
        return NULL;
    }
    return texts;
}

static bool has_null(const struct shmf_text *texts, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!texts[i].data)
            return true;
    return false;
}

static bool same_texts(const struct shmfi_arrow_categories *all, const struct shmf_text *texts,
                       int64_t n)
{
    bool same = n == all->n;
    for (int64_t i = 0; i < n && same; i++)
        same = same_text(all->values[i], texts[i]);
    return same;
}

/* Adds those that are not there yet, and makes the map. */
static int merge(struct shmfi_arrow_categories *all, const struct shmf_text *texts, int64_t n,
                 int64_t batch)
{
    int64_t *map = malloc((size_t)n * sizeof *map + 1);
    if (!map || make_room(all, all->n + n)) {
        free(map);
        return SHMF_E_NOMEM;
    }
    all->maps[batch] = map;
    for (int64_t i = 0; i < n; i++) {
        map[i] = -1;
        if (!texts[i].data)
            continue;
        int64_t *slot = find(all, texts[i]);
        if (!*slot) {
            all->values[all->n] = texts[i];
            *slot = ++all->n;
        }
        map[i] = *slot - 1;
    }
    return SHMF_OK;
}

static int add(struct shmfi_arrow_categories *all, struct shmf_text *texts, int64_t n,
               int64_t batch)
{
    if (batch == 0 && !has_null(texts, n)) {
        all->values = texts;
        all->n = all->capacity = n;
        return SHMF_OK;
    }
    int rc = same_texts(all, texts, n) ? SHMF_OK : merge(all, texts, n, batch);
    free(texts);
    return rc;
}

int shmfi_arrow_add_categories(struct shmfi_arrow_import *import, struct shmfi_arrow_field *field,
                               int64_t batch, const struct ArrowArray *dictionary,
                               struct shmf_error *err)
{
    struct shmfi_arrow_categories *all = &field->categories;
    int rc = SHMF_OK;
    if (!all->maps) {
        all->maps = calloc((size_t)import->n_batches, sizeof *all->maps);
        all->sizes = calloc((size_t)import->n_batches, sizeof *all->sizes);
        if (!all->maps || !all->sizes)
            return shmfi_arrow_no_memory(err);
    }
    all->sizes[batch] = dictionary->length;
    struct shmf_text *texts = texts_of(field, batch, dictionary, &rc, err);
    if (!texts)
        return rc;
    return add(all, texts, dictionary->length, batch) ? shmfi_arrow_no_memory(err) : SHMF_OK;
}

void shmfi_arrow_free_categories(struct shmfi_arrow_categories *categories, int64_t n_batches)
{
    for (int64_t b = 0; categories->maps && b < n_batches; b++)
        free(categories->maps[b]);
    free(categories->maps);
    free(categories->sizes);
    free(categories->slots);
    free(categories->values);
}
