#include "adapter.h"

#include <stdio.h>
#include <string.h>

int shmfi_arrow_no_memory(struct shmf_error *err)
{
    return shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
}

int shmfi_arrow_check_reserved(const uint64_t *words, size_t count, struct shmf_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (words[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
    return SHMF_OK;
}

/* ---- metadata: int32 n, and of each pair the size of the key, key, size of the value, value -- */

static struct shmf_text next_text(struct shmfi_arrow_pairs *pairs)
{
    int32_t size;
    memcpy(&size, pairs->at, sizeof size);
    struct shmf_text text = {pairs->at + sizeof size, size > 0 ? size : 0};
    pairs->at = text.data + text.size;
    return text;
}

struct shmfi_arrow_pairs shmfi_arrow_pairs_begin(const char *metadata)
{
    struct shmfi_arrow_pairs pairs = {metadata, 0};
    if (!metadata)
        return pairs;
    memcpy(&pairs.left, metadata, sizeof pairs.left);
    pairs.at += sizeof pairs.left;
    return pairs;
}

bool shmfi_arrow_pairs_next(struct shmfi_arrow_pairs *pairs, struct shmf_pair *pair)
{
    if (pairs->left <= 0)
        return false;
    pairs->left--;
    pair->key = next_text(pairs);
    pair->value = next_text(pairs);
    return true;
}

struct shmf_text shmfi_arrow_metadata(const char *metadata, const char *key)
{
    struct shmfi_arrow_pairs pairs = shmfi_arrow_pairs_begin(metadata);
    struct shmf_pair pair;
    while (shmfi_arrow_pairs_next(&pairs, &pair))
        if (shmfi_arrow_text_is(pair.key, key))
            return pair.value;
    return (struct shmf_text){NULL, 0};
}

static char *write_text(char *to, struct shmf_text text)
{
    int32_t size = (int32_t)text.size;
    memcpy(to, &size, sizeof size);
    if (size > 0)
        memcpy(to + sizeof size, text.data, (size_t)size);
    return to + sizeof size + size;
}

size_t shmfi_arrow_pairs_write(const struct shmf_pair *pairs, int64_t n, char *to)
{
    size_t size = sizeof(int32_t);
    int32_t count = (int32_t)n;
    for (int64_t i = 0; i < n; i++)
        size += 2 * sizeof(int32_t) + (size_t)pairs[i].key.size + (size_t)pairs[i].value.size;
    if (!to)
        return size;
    memcpy(to, &count, sizeof count);
    to += sizeof count;
    for (int64_t i = 0; i < n; i++)
        to = write_text(write_text(to, pairs[i].key), pairs[i].value);
    return size;
}
