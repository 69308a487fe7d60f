/* The header of classic files (CDF-1, CDF-2, CDF-5): "NetCDF Classic Format Specification",
 * appendix B of the netCDF user's guide. */
#include "classic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_DIMENSIONS = 10, TAG_VARIABLES = 11, TAG_ATTRIBUTES = 12 };

typedef unsigned long long number_t;

struct header {
    FILE *in;
    int version;
    bool bad;
    number_t size; /* of the file */
    number_t records;
    bool streaming;    /* how many records there are is not said */
    number_t *lengths; /* of dimensions; 0: of records */
    number_t n_dimensions;
};

/* Where a variable's values lie. */
struct extent {
    number_t begin, bytes; /* of one record, or of all there is */
    bool record;
};

static const unsigned char widths[] = {0, 1, 1, 2, 4, 4, 8, 1, 2, 4, 8, 8}; /* of types */

/* Numbers are big-endian. */
static number_t number(struct header *header, int bytes)
{
    number_t value = 0;
    for (int i = 0; i < bytes; i++) {
        int byte = fgetc(header->in);
        header->bad |= byte == EOF;
        value = value << 8 | (unsigned char)byte;
    }
    return value;
}

static number_t count(struct header *header)
{
    return number(header, header->version == 5 ? 8 : 4);
}

/* Up to a multiple of four. */
static void skip(struct header *header, number_t bytes)
{
    header->bad |= bytes > header->size;
    if (!header->bad && fseeko(header->in, (off_t)((bytes + 3) / 4 * 4), SEEK_CUR))
        header->bad = true;
}

/* How many entries follow, each of at least so many bytes. */
static number_t list(struct header *header, unsigned tag, unsigned least)
{
    const number_t found = number(header, 4), n = count(header);
    header->bad |= (found != tag && (found || n)) || n > header->size / least;
    return header->bad ? 0 : n;
}

static unsigned width_of(struct header *header, number_t type)
{
    const bool known = type > 0 && type < sizeof widths && (type <= 6 || header->version == 5);
    header->bad |= !known;
    return known ? widths[type] : 0;
}

static void skip_attributes(struct header *header)
{
    for (number_t n = list(header, TAG_ATTRIBUTES, 12); n > 0 && !header->bad; n--) {
        skip(header, count(header));
        const unsigned width = width_of(header, number(header, 4));
        const number_t values = count(header);
        header->bad |= values > header->size;
        skip(header, header->bad ? 0 : values * width);
    }
}

static void read_dimensions(struct header *header)
{
    header->n_dimensions = list(header, TAG_DIMENSIONS, 8);
    header->lengths = calloc((size_t)header->n_dimensions + 1, sizeof *header->lengths);
    header->bad |= !header->lengths;
    for (number_t i = 0; i < header->n_dimensions && !header->bad; i++) {
        skip(header, count(header));
        header->lengths[i] = count(header);
    }
}

static struct extent read_variable(struct header *header)
{
    struct extent extent = {.bytes = 1};
    skip(header, count(header));
    const number_t n = count(header);
    header->bad |= n > header->size / 4;
    for (number_t d = 0; d < n && !header->bad; d++) {
        const number_t dimension = count(header);
        header->bad |= dimension >= header->n_dimensions;
        const number_t length = header->bad ? 0 : header->lengths[dimension];
        if (d == 0 && length == 0)
            extent.record = true;
        else
            header->bad |= __builtin_mul_overflow(extent.bytes, length, &extent.bytes);
    }
    skip_attributes(header);
    header->bad |=
        __builtin_mul_overflow(extent.bytes, width_of(header, number(header, 4)), &extent.bytes);
    count(header);
    extent.begin = number(header, header->version == 1 ? 4 : 8);
    return extent;
}

/* Where the values of the last variable end. Records stand one behind the other, each with the
 * record of every variable, padded to four bytes unless there is one such variable only. */
static number_t find_end(struct header *header)
{
    number_t end = 0, record = 0, last = 0, last_begin = 0, last_bytes = 0, n_records = 0;
    for (number_t n = list(header, TAG_VARIABLES, 28); n > 0 && !header->bad; n--) {
        const struct extent extent = read_variable(header);
        number_t behind = 0;
        header->bad |= __builtin_add_overflow(extent.begin, extent.bytes, &behind);
        if (!extent.record) {
            end = behind > end ? behind : end;
        } else {
            header->bad |= __builtin_add_overflow(record, (extent.bytes + 3) / 4 * 4, &record);
            n_records++;
            if (extent.begin >= last_begin) {
                last_begin = extent.begin;
                last_bytes = extent.bytes;
            }
        }
    }
    if (n_records == 1)
        record = last_bytes;
    if (n_records == 0 || header->records == 0 || header->streaming)
        return end;
    header->bad |= __builtin_mul_overflow(record, header->records - 1, &last) ||
                   __builtin_add_overflow(last, last_begin, &last) ||
                   __builtin_add_overflow(last, last_bytes, &last);
    return last > end ? last : end;
}

static int judge(const struct shmfi_nc *nc, struct header *header)
{
    header->records = count(header);
    header->streaming = header->records == (header->version == 5 ? UINT64_MAX : UINT32_MAX);
    read_dimensions(header);
    skip_attributes(header);
    const number_t end = find_end(header);
    if (header->bad)
        return shmf_error_set(nc->err, SHMF_E_CORRUPT,
                              "%.120s: its header makes no sense, or is cut off", nc->path);
    return end <= header->size
               ? SHMF_OK
               : shmf_error_set(nc->err, SHMF_E_CORRUPT,
                                "%.120s: it is cut off at byte %llu; its values end at byte %llu",
                                nc->path, header->size, end);
}

int shmfi_nc_check_classic(const struct shmfi_nc *nc, unsigned long long size)
{
    struct header header = {.in = fopen(nc->path, "re"), .size = size};
    unsigned char magic[4] = {0};
    int rc = SHMF_OK;
    if (!header.in)
        return SHMF_OK; /* libnetcdf says why */
    if (fread(magic, 1, sizeof magic, header.in) == sizeof magic && memcmp(magic, "CDF", 3) == 0 &&
        (magic[3] == 1 || magic[3] == 2 || magic[3] == 5)) {
        header.version = magic[3];
        rc = judge(nc, &header);
    }
    free(header.lengths);
    fclose(header.in);
    return rc;
}
