#include "zip.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- CRC-32, eight bytes at a time ----------------------------------------------------------- */

static uint32_t tables[8][256];

static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
        tables[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++)
            tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xff];
}

uint32_t shmfi_crc32(uint32_t crc, const void *bytes, size_t size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const unsigned char *at = bytes;
    uint64_t word;
    pthread_once(&once, make_tables);
    crc = ~crc;
    for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        word ^= crc;
        crc = 0;
        for (int t = 0; t < 8; t++)
            crc ^= tables[7 - t][word >> 8 * t & 0xff];
    }
    for (; size > 0; size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xff];
    return ~crc;
}

/* ---- reading ------------------------------------------------------------------------------ */

static uint64_t number(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static int wrong(const char *path, int64_t at, const char *what, struct shmf_error *err)
{
    return shmf_error_set(err, SHMF_E_CORRUPT, "%s: byte %lld: %s", path, (long long)at, what);
}

static int read_at(int fd, const char *path, int64_t size, void *to, int64_t n, int64_t at,
                   struct shmf_error *err)
{
    if (at < 0 || n > size || at > size - n)
        return wrong(path, at, "there is nothing", err);
    for (int64_t done = 0; done < n;) {
        ssize_t got = pread(fd, (char *)to + done, (size_t)(n - done), at + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return shmfi_npy_error_sys(err, path);
        if (got == 0)
            return wrong(path, at + done, "the file ends too early", err);
        done += got;
    }
    return SHMF_OK;
}

struct directory {
    int64_t at, size;
};

/* With sizes of 64 bits it is told of at another place. */
static int find_end64(int fd, const char *path, int64_t size, int64_t end,
                      struct directory *directory, struct shmf_error *err)
{
    unsigned char locator[SHMFI_ZIP_LOCATOR_SIZE], record[SHMFI_ZIP_END64_SIZE];
    int rc = read_at(fd, path, size, locator, sizeof locator, end - (int64_t)sizeof locator, err);
    if (!rc && number(locator, 4) != SHMFI_ZIP_LOCATOR)
        rc = wrong(path, end, "the directory's place is not told", err);
    if (!rc)
        rc = read_at(fd, path, size, record, sizeof record, (int64_t)number(locator + 8, 8), err);
    if (!rc && number(record, 4) != SHMFI_ZIP_END64)
        rc = wrong(path, end, "the directory's place is not told", err);
    if (!rc)
        *directory =
            (struct directory){(int64_t)number(record + 48, 8), (int64_t)number(record + 40, 8)};
    return rc;
}

static int find_directory(int fd, const char *path, int64_t size, struct directory *directory,
                          struct shmf_error *err)
{
    enum { MOST = SHMFI_ZIP_END_SIZE + 0xffff }; /* a comment may follow */
    const int64_t n = size < MOST ? size : MOST;
    unsigned char *tail = malloc((size_t)n + 1);
    if (!tail)
        return shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
    int rc = read_at(fd, path, size, tail, n, size - n, err);
    int64_t at = n - SHMFI_ZIP_END_SIZE;
    while (!rc && at >= 0 && number(tail + at, 4) != SHMFI_ZIP_END)
        at--;
    if (!rc && at < 0)
        rc = wrong(path, size, "it does not end as zip files do (is it cut off?)", err);
    if (!rc)
        *directory = (struct directory){(int64_t)number(tail + at + 16, 4),
                                        (int64_t)number(tail + at + 12, 4)};
    if (!rc && (directory->at == UINT32_MAX || directory->size == UINT32_MAX))
        rc = find_end64(fd, path, size, size - n + at, directory, err);
    free(tail);
    return rc;
}

/* Numbers that did not fit stand in an extra field, in this order. */
static void read_extra(const unsigned char *extra, int64_t n, uint64_t *full, uint64_t *packed,
                       uint64_t *local)
{
    uint64_t *const numbers[] = {full, packed, local};
    while (n >= 4) {
        int64_t length = (int64_t)number(extra + 2, 2);
        const unsigned char *at = extra + 4;
        const bool is_sizes = number(extra, 2) == 1;
        if (length > n - 4)
            return;
        n -= 4 + length;
        extra += 4 + length;
        for (size_t i = 0; is_sizes && i < 3; i++)
            if (*numbers[i] == UINT32_MAX && length >= 8) {
                *numbers[i] = number(at, 8);
                at += 8;
                length -= 8;
            }
    }
}

/* One entry of `n` bytes at most; returns how many it takes, or an error. */
static int64_t read_member(const unsigned char *at, int64_t n, const char *path, int64_t offset,
                           struct shmfi_zip_member *member, struct shmf_error *err)
{
    if (n < SHMFI_ZIP_MEMBER_SIZE || number(at, 4) != SHMFI_ZIP_MEMBER)
        return wrong(path, offset, "no entry of a directory", err);
    const int64_t name = (int64_t)number(at + 28, 2), extra = (int64_t)number(at + 30, 2);
    const int64_t all = SHMFI_ZIP_MEMBER_SIZE + name + extra + (int64_t)number(at + 32, 2);
    uint64_t packed = number(at + 20, 4), full = number(at + 24, 4), local = number(at + 42, 4);
    if (all > n || name >= (int64_t)sizeof member->name)
        return wrong(path, offset, "an entry that is too long", err);
    read_extra(at + SHMFI_ZIP_MEMBER_SIZE + name, extra, &full, &packed, &local);
    *member = (struct shmfi_zip_member){.local = (int64_t)local,
                                        .size = (int64_t)full,
                                        .crc = (uint32_t)number(at + 16, 4),
                                        .compressed = number(at + 10, 2) != 0};
    memcpy(member->name, at + SHMFI_ZIP_MEMBER_SIZE, (size_t)name);
    if (name > 4 && strcmp(member->name + name - 4, ".npy") == 0)
        member->name[name - 4] = 0;
    if ((!member->compressed && packed != full) || member->size < 0 || member->local < 0)
        return wrong(path, offset, "sizes that make no sense", err);
    return all;
}

int shmfi_zip_each(int fd, const char *path, int64_t size,
                   int (*visit)(const struct shmfi_zip_member *member, void *context),
                   void *context, struct shmf_error *err)
{
    struct directory directory = {0, 0};
    int rc = find_directory(fd, path, size, &directory, err);
    if (rc)
        return rc;
    if (directory.size < 0 || directory.size > size)
        return wrong(path, size, "the directory is larger than the file", err);
    unsigned char *all = malloc((size_t)directory.size + 1);
    rc = all ? read_at(fd, path, size, all, directory.size, directory.at, err)
             : shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
    for (int64_t at = 0; !rc && at < directory.size;) {
        struct shmfi_zip_member member;
        const int64_t step =
            read_member(all + at, directory.size - at, path, directory.at + at, &member, err);
        rc = step < 0 ? (int)step : visit(&member, context);
        at += step;
    }
    free(all);
    return rc;
}

int64_t shmfi_zip_data(int fd, const char *path, int64_t size,
                       const struct shmfi_zip_member *member, struct shmf_error *err)
{
    unsigned char header[SHMFI_ZIP_LOCAL_SIZE];
    int rc = read_at(fd, path, size, header, sizeof header, member->local, err);
    if (!rc && number(header, 4) != SHMFI_ZIP_LOCAL)
        rc = wrong(path, member->local, "no member begins here", err);
    if (rc)
        return rc;
    const int64_t at = member->local + SHMFI_ZIP_LOCAL_SIZE + (int64_t)number(header + 26, 2) +
                       (int64_t)number(header + 28, 2);
    return at > size || member->size > size - at
               ? wrong(path, size, "the file ends before the member does", err)
               : at;
}
