#include "frame/frame_internal.h"

#include <string.h>

/* False: no such column. */
static bool begin(const struct shmf_frame *frame, int64_t column, struct shmfi_metadata *metadata)
{
    uint64_t offset, size;
    if (!frame || column < -1 || column >= (int64_t)frame->header.n_columns)
        return false;
    if (column == -1) {
        offset = frame->header.metadata_offset;
        size = frame->header.metadata_size;
    } else {
        offset = shmfi_frame_descriptor(frame, column)->metadata_offset;
        size = shmfi_frame_descriptor(frame, column)->metadata_size;
    }
    return shmfi_metadata_begin(metadata, frame->base + offset, size);
}

int64_t shmf_frame_n_metadata(const struct shmf_frame *frame, int64_t column)
{
    struct shmfi_metadata metadata;
    return begin(frame, column, &metadata) ? metadata.pairs : 0;
}

int shmf_frame_metadata_at(const struct shmf_frame *frame, int64_t column, int64_t position,
                           struct shmf_pair *pair)
{
    struct shmfi_metadata metadata;
    struct shmfi_piece key, value;
    if (!frame || !pair)
        return SHMF_E_INVAL;
    if (position < 0 || !begin(frame, column, &metadata) || position >= metadata.pairs)
        return SHMF_E_RANGE;
    for (int64_t i = 0; i <= position; i++)
        if (!shmfi_metadata_next(&metadata, &key, &value))
            return SHMF_E_RANGE;
    *pair = (struct shmf_pair){{key.data, key.size}, {value.data, value.size}};
    return SHMF_OK;
}

struct shmf_text shmf_frame_metadata(const struct shmf_frame *frame, int64_t column,
                                     const char *key)
{
    struct shmfi_metadata metadata;
    struct shmfi_piece found, value;
    size_t size = key ? strlen(key) : 0;
    if (!key || !begin(frame, column, &metadata))
        return (struct shmf_text){NULL, 0};
    while (shmfi_metadata_next(&metadata, &found, &value))
        if (found.size == (int64_t)size && memcmp(found.data, key, size) == 0)
            return (struct shmf_text){value.data, value.size};
    return (struct shmf_text){NULL, 0};
}
