/* Shared by the checks of this module. */
#ifndef SHMFI_FORMAT_CHECK_H
#define SHMFI_FORMAT_CHECK_H

#include "format/format.h"

/* Checks the header that all kinds share, copied from a segment of `size` bytes. */
int shmfi_format_check_header(const struct shmf_format_header *header, uint32_t kind,
                              uint64_t known_size, uint64_t size, struct shmf_error *err);

/* Where buffers may lie: aligned, at `cursor` or behind it, before `end`. Each one that is accepted
 * moves the cursor, so that no two overlap. */
struct shmfi_span {
    uint64_t cursor;
    uint64_t end;
};

/* These return NULL, or the name of the field that is wrong. */
const char *shmfi_format_check_plain(const struct shmf_format_column *column, uint64_t n,
                                     struct shmfi_span *span);
const char *shmfi_format_check_strings(const struct shmf_format_column *column, uint64_t n,
                                       struct shmfi_span *span);

#endif
