/* Texts of the caller on their way into a segment. */
#include "frame/frame_internal.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"

#include <string.h>

int shmfi_texts_measure(const struct shmf_text *texts, int64_t n, const char *what, int64_t column,
                        uint64_t *bytes, int64_t *absent, struct shmf_error *err)
{
    *bytes = 0;
    *absent = 0;
    for (int64_t i = 0; i < n; i++) {
        *absent += !texts[i].data;
        if (texts[i].size < 0 || (texts[i].size > 0 && !texts[i].data))
            return shmfi_error(err, SHMF_E_INVAL, "%s[%lld]: no text of %lld bytes in place %lld",
                               what, (long long)column, (long long)texts[i].size, (long long)i);
        if (!shmfi_add(*bytes, (uint64_t)texts[i].size, bytes))
            return shmfi_error(err, SHMF_E_TOOBIG, "%s[%lld]: too many bytes", what,
                               (long long)column);
    }
    return SHMF_OK;
}

bool shmfi_texts_write(const struct shmf_text *texts, int64_t n, unsigned char *base,
                       const struct shmf_format_column *column)
{
    unsigned char *bytes = base + column->data_offset;
    uint8_t *validity = column->validity_offset ? base + column->validity_offset : NULL;
    int32_t *narrow = (void *)(base + column->offsets_offset);
    int64_t *wide = (void *)narrow;
    bool is_wide = column->dtype == SHMF_LARGE_UTF8;
    uint64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        uint64_t size = (uint64_t)texts[i].size;
        if (!shmfi_inside(at, size, column->data_size) || (!texts[i].data && (size || !validity)))
            return false;
        if (!texts[i].data)
            validity[i / 8] &= (uint8_t) ~(1u << (i % 8));
        else
            memcpy(bytes + at, texts[i].data, size);
        if (is_wide)
            wide[i] = (int64_t)at;
        else
            narrow[i] = (int32_t)at;
        at += size;
    }
    if (is_wide)
        wide[n] = (int64_t)at;
    else
        narrow[n] = (int32_t)at;
    return at == column->data_size;
}
