#include "format/check.h"

#include "base/error.h"

#include <shmframe/handle.h>

#include <inttypes.h>
#include <string.h>

static int corrupt(struct shmf_error *err, const char *field, uint64_t value)
{
    return shmfi_error(err, SHMF_E_CORRUPT, "header: %s is %" PRIu64, field, value);
}

static int check_kind(const struct shmf_format_header *header, uint32_t kind,
                      struct shmf_error *err)
{
    static const char *const names[] = {"nothing", "a frame", "an array", "bytes"};
    if (header->kind == kind)
        return SHMF_OK;
    if (header->kind < SHMF_KIND_FRAME || header->kind > SHMF_KIND_BYTES)
        return corrupt(err, "kind", header->kind);
    return shmfi_error(err, SHMF_E_INVAL, "the segment holds %s, not %s", names[header->kind],
                       names[kind]);
}

static int check_version(const struct shmf_format_header *header, uint32_t kind,
                         struct shmf_error *err)
{
    uint64_t unknown = header->incompatible;
    if (kind == SHMF_KIND_FRAME)
        unknown &= ~(uint64_t)SHMF_FORMAT_TAGGED_ROWS;
    if (memcmp(header->magic, SHMF_FORMAT_MAGIC, sizeof header->magic) != 0)
        return shmfi_error(err, SHMF_E_CORRUPT, "header: magic is not that of a segment");
    if (header->version != SHMF_FORMAT_VERSION)
        return shmfi_error(err, SHMF_E_VERSION, "header: version is %" PRIu32 ", not %u",
                           header->version, SHMF_FORMAT_VERSION);
    if (unknown)
        return shmfi_error(err, SHMF_E_VERSION, "header: incompatible has unknown bits 0x%" PRIx64,
                           unknown);
    return SHMF_OK;
}

int shmfi_format_check_header(const struct shmf_format_header *header, uint32_t kind,
                              uint64_t known_size, uint64_t size, struct shmf_error *err)
{
    int rc = check_version(header, kind, err);
    if (rc == SHMF_OK)
        rc = check_kind(header, kind, err);
    if (rc)
        return rc;
    if (header->state == SHMF_FORMAT_BUILDING)
        return shmfi_error(err, SHMF_E_ACCESS, "header: state says that it is not finished");
    if (header->state != SHMF_FORMAT_READY)
        return corrupt(err, "state", header->state);
    if (header->total_size > size || header->total_size > INT64_MAX ||
        header->total_size < known_size)
        return corrupt(err, "total_size", header->total_size);
    if (header->header_size < known_size || header->header_size % 8 != 0 ||
        header->header_size > header->total_size)
        return corrupt(err, "header_size", header->header_size);
    return SHMF_OK;
}
