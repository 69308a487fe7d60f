#include "labels/labels.h"

#include "base/checked.h"
#include "base/error.h"

#include <shmframe/dtype.h>

#include <inttypes.h>
#include <string.h>

struct shmfi_strings shmfi_strings_resolve(const void *segment,
                                           const struct shmf_format_column *column, uint64_t n)
{
    const char *base = segment;
    return (struct shmfi_strings){
        .offsets = base + column->offsets_offset,
        .bytes = base + column->data_offset,
        .bytes_size = column->data_size,
        .n = n,
        .wide = column->dtype == SHMF_LARGE_UTF8,
    };
}

bool shmfi_strings_at(const struct shmfi_strings *strings, uint64_t position, const char **text,
                      uint64_t *size)
{
    if (position >= strings->n)
        return false;
    uint64_t begin = shmfi_strings_offset(strings, position);
    uint64_t end = shmfi_strings_offset(strings, position + 1);
    if (begin > end || end > strings->bytes_size)
        return false;
    *text = strings->bytes + begin;
    *size = end - begin;
    return true;
}

void shmfi_strings_fetch(const struct shmfi_strings *strings, uint64_t position, uint64_t begin)
{
    __builtin_prefetch((const char *)strings->offsets + position * (strings->wide ? 8 : 4));
    if (begin < strings->bytes_size)
        __builtin_prefetch(strings->bytes + begin);
}

int shmfi_labels_measure(const struct shmfi_label_source *source, uint64_t n, const char *what,
                         uint64_t *bytes, struct shmf_error *err)
{
    char buffer[SHMFI_NUMBER_SIZE];
    uint64_t total = 0;
    for (uint64_t i = 0; i < n; i++) {
        const char *label = source->get(source->context, i, buffer);
        if (!label)
            return shmfi_error(err, SHMF_E_INVAL, "%s: label %" PRIu64 " is NULL", what, i);
        uint64_t size = strlen(label);
        if (!shmfi_utf8_valid(label, size))
            return shmfi_error(err, SHMF_E_INVAL, "%s: label %" PRIu64 " is not valid UTF-8", what,
                               i);
        if (!shmfi_add(total, size, &total))
            return shmfi_error(err, SHMF_E_TOOBIG, "%s: too many bytes", what);
    }
    *bytes = total;
    return SHMF_OK;
}

static void store_offset(void *offsets, bool wide, uint64_t position, uint64_t value)
{
    if (wide)
        ((int64_t *)offsets)[position] = (int64_t)value;
    else
        ((int32_t *)offsets)[position] = (int32_t)value;
}

/* From `end` to the next multiple of the buffers' alignment. */
static void clear_padding(char *base, uint64_t end)
{
    memset(base + end, 0, (size_t)(-end & 63));
}

int shmfi_labels_write(const struct shmfi_label_source *source, uint64_t n, const char *what,
                       void *segment, const struct shmf_format_column *column,
                       struct shmf_error *err)
{
    char buffer[SHMFI_NUMBER_SIZE];
    char *base = segment;
    bool wide = column->dtype == SHMF_LARGE_UTF8;
    void *offsets = base + column->offsets_offset;
    uint64_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        const char *label = source->get(source->context, i, buffer);
        uint64_t size = strlen(label);
        if (!shmfi_inside(at, size, column->data_size))
            return shmfi_error(err, SHMF_E_INVAL, "%s: changed while they were read", what);
        store_offset(offsets, wide, i, at);
        memcpy(base + column->data_offset + at, label, size);
        at += size;
    }
    if (at != column->data_size)
        return shmfi_error(err, SHMF_E_INVAL, "%s: changed while they were read", what);
    store_offset(offsets, wide, n, at);
    clear_padding(base, column->offsets_offset + (n + 1) * (wide ? 8 : 4));
    clear_padding(base, column->data_offset + at);
    return SHMF_OK;
}
