#include "labels/match.h"

#include "format/format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { SHORT = sizeof(((struct shmf_format_entry *)NULL)->text) };

uint64_t shmfi_hash(const void *bytes, uint64_t size)
{
    return XXH3_64bits(bytes, size);
}

void shmfi_key_set(struct shmfi_key *key, const void *bytes, uint64_t size)
{
    *key = (struct shmfi_key){bytes, size, XXH3_64bits(bytes, size)};
}

bool shmfi_key_of(const struct shmfi_labels *labels, uint64_t position, struct shmfi_key *key,
                  uint64_t *begin)
{
    const char *text;
    uint64_t size;
    *begin = 0;
    if (labels->numbers) {
        shmfi_key_set(key, &labels->numbers[position], sizeof labels->numbers[0]);
        return true;
    }
    if (!shmfi_strings_at(&labels->strings, position, &text, &size))
        return false;
    shmfi_key_set(key, text, size);
    *begin = (uint64_t)(text - labels->strings.bytes);
    return true;
}

struct shmfi_index shmfi_index_resolve(const void *segment, const struct shmf_format_index *place,
                                       bool tagged)
{
    const unsigned char *at = (const unsigned char *)segment + place->offset;
    struct shmfi_index index = {.capacity = place->capacity};
    if (tagged) {
        index.entries = (const void *)at;
        index.groups = (const void *)(index.entries + place->capacity);
    } else {
        index.slots = (const void *)at;
    }
    return index;
}

/* ---- tags: eight at a time, as the bytes of one number ----------------------------------------
 */

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

typedef uint64_t __attribute__((may_alias)) eight_tags;

/* One load, as they may change. */
static inline uint64_t tags_of(const struct shmf_format_group *group)
{
    return __atomic_load_n((const eight_tags *)group, __ATOMIC_RELAXED);
}

static inline uint8_t tag_of(const struct shmfi_key *key)
{
    uint8_t low = (uint8_t)key->hash;
    return low ? low : 1;
}

/* The highest bit of each byte that is zero; and perhaps of some above the first of these. */
static inline uint64_t zero_bytes(uint64_t bytes)
{
    return (bytes - EACH_BYTE(1)) & ~bytes & EACH_BYTE(0x80);
}

static inline unsigned first_byte(uint64_t bits)
{
    return (unsigned)__builtin_ctzll(bits) / 8;
}

/* Where in its group a label lies if nobody else was there first: fetched while the tags are still
 * on their way. */
static inline unsigned preferred(const struct shmfi_key *key)
{
    return key->hash >> 8 & (SHMFI_GROUP_SIZE - 1);
}

/* ---- entries ----------------------------------------------------------------------------------
 */

/* Apart, because most labels are short. */
static __attribute__((noinline)) bool has_long_key(const struct shmfi_labels *labels,
                                                   const struct shmf_format_entry *entry,
                                                   uint64_t position, const void *bytes,
                                                   uint64_t size, uint64_t hash)
{
    const struct shmfi_key key = {bytes, size, hash};
    uint64_t words[2]; /* begin and hash */
    shmfi_format_snapshot(words, entry->text, sizeof words);
    return entry->size == SHMF_FORMAT_LONG && words[1] == hash &&
           shmfi_text_is(&labels->strings, position, words[0], &key);
}

static inline bool has_key(const struct shmfi_labels *labels, const struct shmf_format_entry *entry,
                           uint64_t position, const struct shmfi_key *key)
{
    if (position >= labels->n)
        return false;
    if (key->size > SHORT)
        return has_long_key(labels, entry, position, key->bytes, key->size, key->hash);
    return entry->size == key->size &&
           shmfi_same_bytes((const char *)entry->text, key->bytes, key->size);
}

static inline int64_t find(const struct shmfi_index *index, const struct shmfi_labels *labels,
                           const struct shmfi_key *key, int64_t *count)
{
    uint64_t n_groups = index->capacity / SHMFI_GROUP_SIZE;
    uint64_t group = shmfi_home(key->hash, n_groups), wanted = EACH_BYTE(tag_of(key));
    __builtin_prefetch(&index->entries[group * SHMFI_GROUP_SIZE + preferred(key)]);
    for (uint64_t probes = 0; probes < n_groups; probes++) {
        uint64_t tags = tags_of(&index->groups[group]);
        for (uint64_t same = zero_bytes(tags ^ wanted); same; same &= same - 1) {
            const struct shmf_format_entry *entry =
                &index->entries[group * SHMFI_GROUP_SIZE + first_byte(same)];
            uint64_t first = __atomic_load_n(&entry->first, __ATOMIC_RELAXED);
            if (!has_key(labels, entry, first - 1, key))
                continue;
            if (count)
                *count = entry->count;
            return (int64_t)(first - 1);
        }
        if (zero_bytes(tags))
            break;
        group = group + 1 == n_groups ? 0 : group + 1;
    }
    return SHMF_E_NOTFOUND;
}

static struct shmf_format_entry entry_of(const struct shmfi_key *key, uint64_t begin,
                                         uint64_t position, uint32_t count)
{
    struct shmf_format_entry entry = {.count = count, .first = position + 1};
    const uint64_t words[2] = {begin, key->hash};
    if (key->size > SHORT) {
        memcpy(entry.text, words, sizeof words);
        entry.size = SHMF_FORMAT_LONG;
    } else {
        memcpy(entry.text, key->bytes, key->size);
        entry.size = (uint8_t)key->size;
    }
    return entry;
}

/* ---- building ---------------------------------------------------------------------------------
 */

struct table {
    struct shmf_format_entry *entries;
    struct shmf_format_group *groups;
    uint64_t n_groups;
};

/* The entry that holds the key; or NULL, and it was given one. There is one free, because there are
 * more entries than labels and this process writes them. */
static struct shmf_format_entry *entry_for(const struct table *table,
                                           const struct shmfi_labels *labels,
                                           const struct shmfi_key *key, uint64_t begin,
                                           uint64_t position)
{
    uint64_t wanted = EACH_BYTE(tag_of(key));
    for (uint64_t group = shmfi_home(key->hash, table->n_groups);;) {
        struct shmf_format_entry *entries = &table->entries[group * SHMFI_GROUP_SIZE];
        uint64_t tags = tags_of(&table->groups[group]);
        for (uint64_t same = zero_bytes(tags ^ wanted); same; same &= same - 1) {
            struct shmf_format_entry *entry = &entries[first_byte(same)];
            if (has_key(labels, entry, entry->first - 1, key))
                return entry;
        }
        for (unsigned k = 0; zero_bytes(tags) && k < SHMFI_GROUP_SIZE; k++) {
            unsigned place = preferred(key) ^ k;
            if (table->groups[group].tag[place])
                continue;
            table->groups[group].tag[place] = tag_of(key);
            entries[place] = entry_of(key, begin, position, 1);
            return NULL;
        }
        group = group + 1 == table->n_groups ? 0 : group + 1;
    }
}

/* Keys of as many positions as are fetched together; returns how many there are. */
static unsigned next_keys(const struct table *table, const struct shmfi_labels *labels,
                          uint64_t position, struct shmfi_key keys[SHMFI_FETCHED],
                          uint64_t begins[SHMFI_FETCHED], bool fine[SHMFI_FETCHED])
{
    unsigned n = 0;
    for (; n < SHMFI_FETCHED && position + n < labels->n; n++) {
        fine[n] = shmfi_key_of(labels, position + n, &keys[n], &begins[n]);
        if (!fine[n])
            continue;
        uint64_t group = shmfi_home(keys[n].hash, table->n_groups);
        __builtin_prefetch(&table->groups[group], 1);
        __builtin_prefetch(&table->entries[group * SHMFI_GROUP_SIZE + preferred(&keys[n])], 1);
    }
    return n;
}

static void build(const struct table *table, const struct shmfi_labels *labels)
{
    struct shmfi_key keys[SHMFI_FETCHED];
    uint64_t begins[SHMFI_FETCHED];
    bool fine[SHMFI_FETCHED];
    memset(table->entries, 0, table->n_groups * SHMFI_GROUP_SIZE * sizeof *table->entries);
    memset(table->groups, 0, table->n_groups * sizeof *table->groups);
    for (uint64_t i = 0; i < labels->n; i += SHMFI_FETCHED) {
        unsigned n = next_keys(table, labels, i, keys, begins, fine);
        for (unsigned k = 0; k < n; k++) {
            if (!fine[k])
                continue;
            struct shmf_format_entry *entry = entry_for(table, labels, &keys[k], begins[k], i + k);
            if (entry)
                entry->count += entry->count != UINT32_MAX;
        }
    }
}

void shmfi_index_build(void *at, uint64_t capacity, bool tagged, const struct shmfi_labels *labels)
{
    struct shmf_format_entry *entries = at;
    if (tagged)
        build(&(struct table){entries, (void *)(entries + capacity), capacity / SHMFI_GROUP_SIZE},
              labels);
    else
        shmfi_slots_build(at, capacity, labels);
}

/* ---- looking up -------------------------------------------------------------------------------
 */

int64_t shmfi_index_find(const struct shmfi_index *index, const struct shmfi_labels *labels,
                         const struct shmfi_key *key, int64_t *count)
{
    return index->entries ? find(index, labels, key, count)
                          : shmfi_slots_find(index, labels, key, count);
}

/* Both are apart from shmfi_index_find_text() so that it saves few registers. */
static __attribute__((noinline)) int64_t find_hashed(const struct shmfi_index *index,
                                                     const struct shmfi_labels *labels,
                                                     const char *text, uint64_t size, uint64_t hash,
                                                     int64_t *count)
{
    const struct shmfi_key key = {text, size, hash};
    return find(index, labels, &key, count);
}

static __attribute__((noinline)) int64_t find_any(const struct shmfi_index *index,
                                                  const struct shmfi_labels *labels,
                                                  const char *text, uint64_t size, int64_t *count)
{
    struct shmfi_key key;
    shmfi_key_set(&key, text, size);
    return shmfi_index_find(index, labels, &key, count);
}

/* What nearly all lookups are: a short label that lies in its own group, in the first entry with
 * its tag, or in no group at all; everything else is begun anew elsewhere. How many lookups of a
 * loop wait for memory at the same time depends on how many instructions lie between them, so
 * these are few, without calls or loops. */
__attribute__((flatten)) int64_t shmfi_index_find_text(const struct shmfi_index *index,
                                                       const struct shmfi_labels *labels,
                                                       const char *text, uint64_t size,
                                                       int64_t *count)
{
    if (size > SHORT || !index->entries)
        return find_any(index, labels, text, size, count);
    const struct shmfi_key key = {text, size, XXH3_64bits(text, size)};
    uint64_t group = shmfi_home(key.hash, index->capacity / SHMFI_GROUP_SIZE);
    const struct shmf_format_entry *entries = &index->entries[group * SHMFI_GROUP_SIZE];
    __builtin_prefetch(&entries[preferred(&key)]);
    uint64_t tags = tags_of(&index->groups[group]);
    uint64_t same = zero_bytes(tags ^ EACH_BYTE(tag_of(&key)));
    if (same) {
        const struct shmf_format_entry *entry = &entries[first_byte(same)];
        uint64_t first = __atomic_load_n(&entry->first, __ATOMIC_RELAXED);
        if (first - 1 < labels->n && entry->size == size &&
            shmfi_same_bytes((const char *)entry->text, text, size)) {
            if (count)
                *count = entry->count;
            return (int64_t)(first - 1);
        }
    } else if (zero_bytes(tags)) {
        return SHMF_E_NOTFOUND;
    }
    return find_hashed(index, labels, text, size, key.hash, count);
}

int64_t shmfi_index_find_number(const struct shmfi_index *index, const struct shmfi_labels *labels,
                                int64_t number, int64_t *count)
{
    struct shmfi_key key;
    shmfi_key_set(&key, &number, sizeof number);
    return shmfi_index_find(index, labels, &key, count);
}

/* The first entry of its group that a probe will compare with the key. */
static void fetch_candidate(const struct shmfi_index *index, const struct shmfi_key *key)
{
    uint64_t group = shmfi_home(key->hash, index->capacity / SHMFI_GROUP_SIZE);
    uint64_t same = zero_bytes(tags_of(&index->groups[group]) ^ EACH_BYTE(tag_of(key)));
    if (same)
        __builtin_prefetch(&index->entries[group * SHMFI_GROUP_SIZE + first_byte(same)]);
}

/* Tags and likely entries first, then those that the tags name: what one key waits for the others
 * do not wait for. Nothing is concluded from what is seen here, so that it may change. */
void shmfi_index_fetch(const struct shmfi_index *index, const struct shmfi_labels *labels,
                       const struct shmfi_key *keys, unsigned n)
{
    if (!index->entries) {
        shmfi_slots_fetch(index, labels, keys, n);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        uint64_t group = shmfi_home(keys[i].hash, index->capacity / SHMFI_GROUP_SIZE);
        __builtin_prefetch(&index->groups[group]);
    }
    for (unsigned i = 0; i < n; i++)
        fetch_candidate(index, &keys[i]);
}

/* ---- validation -------------------------------------------------------------------------------
 */

static bool entry_is_good(const struct shmfi_index *index, const struct shmfi_labels *labels,
                          uint64_t place, const uint32_t *counts, uint64_t *taken)
{
    static const struct shmf_format_entry empty;
    struct shmf_format_entry entry, expected;
    struct shmfi_key key;
    uint64_t begin;
    shmfi_format_snapshot(&entry, &index->entries[place], sizeof entry);
    if (!index->groups[place / SHMFI_GROUP_SIZE].tag[place % SHMFI_GROUP_SIZE])
        return memcmp(&entry, &empty, sizeof entry) == 0;
    ++*taken;
    if (entry.first - 1 >= labels->n || !shmfi_key_of(labels, entry.first - 1, &key, &begin))
        return false;
    expected = entry_of(&key, begin, entry.first - 1, counts[entry.first - 1]);
    return memcmp(&entry, &expected, sizeof entry) == 0;
}

bool shmfi_index_place_is_good(const struct shmfi_index *index, const struct shmfi_labels *labels,
                               uint64_t place, const uint32_t *counts, uint64_t *taken)
{
    return index->entries ? entry_is_good(index, labels, place, counts, taken)
                          : shmfi_slot_is_good(index, labels, place, counts, taken);
}
