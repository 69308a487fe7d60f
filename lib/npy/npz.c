/* Arrays of .npz files, and into them. */
#include "zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const char *path, int64_t *size, struct shmf_error *err)
{
    struct stat status;
    if (!path)
        return shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = SHMF_OK;
    if (fd < 0)
        return shmfi_npy_error_sys(err, path);
    if (fstat(fd, &status))
        rc = shmfi_npy_error_sys(err, path);
    else if (!S_ISREG(status.st_mode))
        rc = shmf_error_set(err, SHMF_E_INVAL, "%s: not a regular file", path);
    else
        *size = status.st_size;
    if (rc)
        close(fd);
    return rc ? rc : fd;
}

struct search {
    const char *name; /* NULL: the only one */
    struct shmfi_zip_member found;
    int64_t n, matches;
};

static int look_at(const struct shmfi_zip_member *member, void *context)
{
    struct search *search = context;
    search->n++;
    if (!search->name || strcmp(member->name, search->name) == 0) {
        search->found = *member; /* of two with one name the last counts, as in Python */
        search->matches++;
    }
    return 0;
}

static struct shmf_array *load(int fd, const char *path, int64_t size, const char *name,
                               struct shmf_error *err)
{
    struct search search = {.name = name};
    if (shmfi_zip_each(fd, path, size, look_at, &search, err))
        return NULL;
    if (search.matches == 0 || (!name && search.n > 1)) {
        shmf_error_set(err, search.matches ? SHMF_E_INVAL : SHMF_E_NOTFOUND,
                       search.matches ? "%s: there are %lld arrays: say which, such as \"%.60s\""
                                      : "%s: of %lld arrays none is called \"%.60s\"",
                       path, (long long)search.n,
                       search.matches ? search.found.name
                       : name         ? name
                                      : "");
        return NULL;
    }
    if (search.found.compressed) {
        shmf_error_set(err, SHMF_E_UNSUPPORTED,
                       "%s: %.60s is compressed: numpy.savez stores, savez_compressed does not",
                       path, search.found.name);
        return NULL;
    }
    const int64_t at = shmfi_zip_data(fd, path, size, &search.found, err);
    return at < 0 ? NULL
                  : shmfi_npy_read(fd, path, at, at + search.found.size, &search.found.crc, err);
}

struct shmf_array *shmf_npz_load(const char *path, const char *name, struct shmf_error *err)
{
    int64_t size = 0;
    int fd = open_file(path, &size, err);
    if (fd < 0)
        return NULL;
    struct shmf_array *array = load(fd, path, size, name, err);
    close(fd);
    return array;
}

struct telling {
    int (*visit)(const char *name, void *context);
    void *context;
    int64_t n;
    int answer;
};

static int tell(const struct shmfi_zip_member *member, void *context)
{
    struct telling *telling = context;
    telling->n++;
    telling->answer = telling->visit(member->name, telling->context);
    return telling->answer ? 1 : 0;
}

int64_t shmf_npz_each(const char *path, int (*visit)(const char *name, void *context),
                      void *context, struct shmf_error *err)
{
    int64_t size = 0;
    struct telling telling = {visit, context, 0, 0};
    if (!visit)
        return shmf_error_set(err, SHMF_E_INVAL, "visit: NULL");
    int fd = open_file(path, &size, err);
    if (fd < 0)
        return fd;
    int rc = shmfi_zip_each(fd, path, size, tell, &telling, err);
    close(fd);
    return rc < 0 ? rc : telling.answer ? telling.answer : telling.n;
}

/* ---- writing ------------------------------------------------------------------------------ */

static unsigned char *put(unsigned char *to, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *to++ = (unsigned char)(value >> 8 * i);
    return to;
}

/* The fields that a member's header and its entry in the directory have in common; sizes of 64 bits
 * always, in an extra field, as NumPy writes them. */
static unsigned char *put_common(unsigned char *to, const struct shmfi_zip_member *member,
                                 size_t name, size_t extra)
{
    to = put(to, 0, 4);          /* flags, stored */
    to = put(to, 0x00210000, 4); /* 1980-01-01 */
    to = put(to, member->crc, 4);
    to = put(to, UINT32_MAX, 4);
    to = put(to, UINT32_MAX, 4);
    to = put(to, name, 2);
    return put(to, extra, 2);
}

static unsigned char *put_sizes(unsigned char *to, const struct shmfi_zip_member *member,
                                bool with_place)
{
    to = put(to, 1, 2);
    to = put(to, with_place ? 24 : 16, 2);
    to = put(to, (uint64_t)member->size, 8);
    to = put(to, (uint64_t)member->size, 8);
    return with_place ? put(to, (uint64_t)member->local, 8) : to;
}

static bool write_bytes(FILE *out, const unsigned char *bytes, const unsigned char *end)
{
    return fwrite(bytes, 1, (size_t)(end - bytes), out) == (size_t)(end - bytes);
}

static bool write_local(FILE *out, const struct shmfi_zip_member *member)
{
    unsigned char header[640], *to = put(header, SHMFI_ZIP_LOCAL, 4);
    const size_t name = strlen(member->name) + 4;
    to = put(to, SHMFI_ZIP_VERSION, 2);
    to = put_common(to, member, name, 20);
    to += sprintf((char *)to, "%s.npy", member->name);
    return write_bytes(out, header, put_sizes(to, member, false));
}

static bool write_entry(FILE *out, const struct shmfi_zip_member *member)
{
    unsigned char entry[640], *to = put(entry, SHMFI_ZIP_MEMBER, 4);
    const size_t name = strlen(member->name) + 4;
    to = put(to, SHMFI_ZIP_VERSION | 3 << 8, 2); /* made on Unix */
    to = put(to, SHMFI_ZIP_VERSION, 2);
    to = put_common(to, member, name, 28);
    to = put(to, 0, 6);                       /* no comment, first disk, no text */
    to = put(to, (uint64_t)0100644 << 16, 4); /* a regular file */
    to = put(to, UINT32_MAX, 4);
    to += sprintf((char *)to, "%s.npy", member->name);
    return write_bytes(out, entry, put_sizes(to, member, true));
}

static bool write_end(FILE *out, int64_t directory, size_t n)
{
    const int64_t end = ftello(out);
    unsigned char tail[128], *to = put(tail, SHMFI_ZIP_END64, 4);
    to = put(to, SHMFI_ZIP_END64_SIZE - 12, 8);
    to = put(to, SHMFI_ZIP_VERSION | SHMFI_ZIP_VERSION << 16, 4);
    to = put(to, 0, 8);
    to = put(to, n, 8);
    to = put(to, n, 8);
    to = put(to, (uint64_t)(end - directory), 8);
    to = put(to, (uint64_t)directory, 8);
    to = put(to, SHMFI_ZIP_LOCATOR, 4);
    to = put(to, 0, 4);
    to = put(to, (uint64_t)end, 8);
    to = put(to, 1, 4);
    to = put(to, SHMFI_ZIP_END, 4);
    to = put(to, 0, 4);
    to = put(to, UINT32_MAX, 4);
    to = put(to, UINT32_MAX, 4);
    to = put(to, UINT32_MAX, 4);
    return write_bytes(out, tail, put(to, 0, 2));
}

struct content {
    const struct shmf_array *const *arrays;
    struct shmfi_zip_member *members;
    size_t n;
};

/* The checksum is known when all is written: the header is written again then. */
static bool write_member(FILE *out, const struct shmf_array *array, struct shmfi_zip_member *member)
{
    member->local = ftello(out);
    if (!write_local(out, member) || !shmfi_npy_write(array, out, &member->crc, &member->size))
        return false;
    const int64_t end = ftello(out);
    return !fseeko(out, member->local, SEEK_SET) && write_local(out, member) &&
           !fseeko(out, end, SEEK_SET);
}

static bool write_all(FILE *out, const void *context)
{
    const struct content *content = context;
    bool fine = true;
    for (size_t i = 0; fine && i < content->n; i++)
        fine = write_member(out, content->arrays[i], &content->members[i]);
    const int64_t directory = ftello(out);
    for (size_t i = 0; fine && i < content->n; i++)
        fine = write_entry(out, &content->members[i]);
    return fine && write_end(out, directory, content->n);
}

int shmf_npz_save(const struct shmf_array *const *arrays, const char *const *names, size_t n,
                  const char *path, struct shmf_error *err)
{
    if (!path || ((!arrays || !names) && n))
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", path ? "arrays, names" : "path");
    struct content content = {arrays, calloc(n + 1, sizeof *content.members), n};
    int rc = content.members ? SHMF_OK
                             : shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
    for (size_t i = 0; !rc && i < n; i++) {
        if (!arrays[i] || !names[i])
            rc = shmf_error_set(err, SHMF_E_INVAL, "%s[%zu]: NULL", arrays[i] ? "names" : "arrays",
                                i);
        else if (!*names[i] || strlen(names[i]) > 500)
            rc =
                shmf_error_set(err, SHMF_E_INVAL, "names[%zu]: empty, or longer than 500 bytes", i);
        else
            strcpy(content.members[i].name, names[i]);
    }
    if (!rc)
        rc = shmfi_npy_write_file(path, write_all, &content, err);
    free(content.members);
    return rc;
}
