#include "format/format.h"

#include <string.h>

/* Nothing here is aligned. */
static bool read_int32(struct shmfi_metadata *metadata, int32_t *number)
{
    if (metadata->left < sizeof *number)
        return false;
    memcpy(number, metadata->at, sizeof *number);
    metadata->at += sizeof *number;
    metadata->left -= sizeof *number;
    return *number >= 0;
}

static bool read_piece(struct shmfi_metadata *metadata, struct shmfi_piece *piece)
{
    int32_t size;
    if (!read_int32(metadata, &size) || metadata->left < (uint32_t)size)
        return false;
    piece->data = (const char *)metadata->at;
    piece->size = size;
    metadata->at += size;
    metadata->left -= (uint32_t)size;
    return true;
}

bool shmfi_metadata_begin(struct shmfi_metadata *metadata, const void *bytes, uint64_t size)
{
    int32_t pairs = 0;
    *metadata = (struct shmfi_metadata){.at = bytes, .left = size};
    if (size > 0 && !read_int32(metadata, &pairs))
        return false;
    if ((uint64_t)pairs > metadata->left / (2 * sizeof pairs)) /* nobody need make room for them */
        return false;
    metadata->pairs = pairs;
    return true;
}

bool shmfi_metadata_next(struct shmfi_metadata *metadata, struct shmfi_piece *key,
                         struct shmfi_piece *value)
{
    if (metadata->pairs <= 0 || !read_piece(metadata, key) || !read_piece(metadata, value)) {
        metadata->pairs = 0;
        return false;
    }
    metadata->pairs--;
    return true;
}
