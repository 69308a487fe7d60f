#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int code_of(int why)
{
    return why == ENOENT                    ? SHMF_E_NOTFOUND
           : why == EACCES || why == EPERM  ? SHMF_E_PERM
           : why == EMFILE || why == ENFILE ? SHMF_E_NOFILES
                                            : SHMF_E_SYS;
}

static int system_error(struct shmf_error *err, const char *path)
{
    int why = errno;
    int code = shmf_error_set(err, code_of(why), "%s: %s", path, strerror(why));
    err->sys_errno = why;
    return code;
}

static int fail(struct shmfi_csv_failure *failure, int code, const char *text)
{
    failure->code = code;
    snprintf(failure->message, sizeof failure->message, "%s", text);
    return code;
}

/* ---- how lines end ------------------------------------------------------------------------- */

/* The first line end that is not within quotes; NULL: there is none in these bytes. */
static const char *first_line_end(const char *text, int64_t size)
{
    bool inside = false;
    for (const char *at = text; at < text + size; at++) {
        if (*at == '"')
            inside = !inside;
        else if (*at == '\n' && !inside)
            return at;
    }
    return NULL;
}

/* Does a line that is not empty end in these bytes? */
static bool has_row(const char *text, int64_t size)
{
    const char *at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
    const char *end = first_line_end(at, size - (at - text));
    while (end && (end == at || (end == at + 1 && *at == '\r'))) {
        at = end + 1;
        end = first_line_end(at, size - (at - text));
    }
    return end != NULL;
}

/* Lines must end: a last one that does not is given the end that the first one has. */
static const char *missing_end(char last, bool crlf)
{
    return last == '\n' ? "" : crlf && last != '\r' ? "\r\n" : "\n";
}

static void note_lines(struct shmfi_csv_origin *origin, const char *text, int64_t size, char last)
{
    const char *first = first_line_end(text, size);
    origin->crlf = first && first > text && first[-1] == '\r';
    origin->size =
        origin->stored + (origin->stored ? (int64_t)strlen(missing_end(last, origin->crlf)) : 0);
}

/* What follows the stored bytes, and the padding. */
static void put_end(const struct shmfi_csv_origin *origin, char *to)
{
    const int64_t missing = origin->size - origin->stored;
    memset(to, 0, (size_t)missing + SHMFI_CSV_PAD);
    if (missing > 0)
        memcpy(to, missing == 2 ? "\r\n" : "\n", (size_t)missing);
}

/* ---- in memory ---------------------------------------------------------------------------- */

static struct shmfi_csv_origin *make_origin(struct shmfi_csv_source *source, int64_t size,
                                            struct shmf_error *err)
{
    size += (int64_t)sizeof(struct shmfi_csv_origin);
    source->array = shmf_array_new(SHMF_UINT8, 1, &size, err);
    if (!source->array)
        return NULL;
    struct shmfi_csv_origin *origin = shmf_array_data_mut(source->array);
    *origin = (struct shmfi_csv_origin){0};
    source->origin = origin;
    return origin;
}

int shmfi_csv_source_copy(struct shmfi_csv_source *source, const void *bytes, size_t size,
                          struct shmf_error *err)
{
    struct shmfi_csv_origin *origin = make_origin(source, (int64_t)size + 2 + SHMFI_CSV_PAD, err);
    if (!origin)
        return err->code;
    if (size)
        memcpy(origin->text, bytes, size);
    origin->stored = (int64_t)size;
    note_lines(origin, origin->text, origin->stored, size ? origin->text[size - 1] : 0);
    put_end(origin, origin->text + size);
    return SHMF_OK;
}

/* ---- files -------------------------------------------------------------------------------- */

/* Exactly these bytes; 0, an errno, or -1: the file has become shorter. */
static int read_bytes(int fd, char *to, int64_t at, int64_t size)
{
    for (int64_t done = 0; done < size;) {
        ssize_t got = pread(fd, to + done, (size_t)(size - done), at + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : -1;
        done += got;
    }
    return 0;
}

/* The beginning of the file, until it holds the first row, is kept. */
static int read_head(struct shmfi_csv_source *source, struct shmfi_csv_origin *origin,
                     const char *path, struct shmf_error *err)
{
    char last = 0;
    int why = 0;
    for (int64_t room = 1 << 16;; room *= 4) {
        const int64_t size = room < origin->stored ? room : origin->stored;
        char *grown = realloc(source->head, (size_t)size + 2 + SHMFI_CSV_PAD);
        if (!grown)
            return shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
        source->head = grown;
        why = read_bytes(source->fd, grown, 0, size);
        source->head_size = size;
        if (why || size == origin->stored || has_row(grown, size))
            break;
    }
    if (!why && origin->stored)
        why = read_bytes(source->fd, &last, origin->stored - 1, 1);
    if (why < 0)
        return shmf_error_set(err, SHMF_E_CORRUPT, "%s: it became shorter while it was read", path);
    errno = why;
    if (why)
        return system_error(err, path);
    note_lines(origin, source->head, source->head_size, last);
    if (source->head_size == origin->stored) {
        put_end(origin, source->head + source->head_size);
        source->head_size = origin->size;
    } else {
        memset(source->head + source->head_size, 0, SHMFI_CSV_PAD);
    }
    return SHMF_OK;
}

static void note_file(struct shmfi_csv_origin *origin, const struct stat *status)
{
    origin->stored = status->st_size;
    origin->device = status->st_dev;
    origin->inode = status->st_ino;
    origin->changed[0] = status->st_mtim.tv_sec;
    origin->changed[1] = status->st_mtim.tv_nsec;
    origin->changed[2] = status->st_ctim.tv_sec;
    origin->changed[3] = status->st_ctim.tv_nsec;
}

static bool is_same(const struct shmfi_csv_origin *origin, const struct stat *status)
{
    struct shmfi_csv_origin now;
    note_file(&now, status);
    return now.stored == origin->stored && now.device == origin->device &&
           now.inode == origin->inode &&
           memcmp(now.changed, origin->changed, sizeof now.changed) == 0;
}

static int describe_file(struct shmfi_csv_source *source, int fd, const char *path,
                         struct shmf_error *err)
{
    struct stat status;
    if (fstat(fd, &status))
        return system_error(err, path);
    if (!S_ISREG(status.st_mode))
        return shmf_error_set(err, SHMF_E_INVAL, "%s: not a regular file", path);
    char *whole = realpath(path, NULL);
    const char *name = whole ? whole : "";
    struct shmfi_csv_origin *origin = make_origin(source, (int64_t)strlen(name) + 1, err);
    if (origin) {
        note_file(origin, &status);
        origin->is_file = 1;
        origin->pid = getpid();
        origin->fd = fd;
        memcpy(origin->text, name, strlen(name) + 1);
    }
    free(whole);
    return origin ? read_head(source, origin, path, err) : err->code;
}

int shmfi_csv_source_read(struct shmfi_csv_source *source, const char *path, struct shmf_error *err)
{
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return source->fd < 0 ? system_error(err, path) : describe_file(source, source->fd, path, err);
}

void shmfi_csv_source_free(struct shmfi_csv_source *source)
{
    shmfi_csv_source_close(source);
    shmf_array_free(source->array);
    free(source->head);
}

int shmfi_csv_source_check(const struct shmfi_csv_source *source, struct shmf_error *err)
{
    struct stat status;
    if (source->fd < 0 || (fstat(source->fd, &status) == 0 && is_same(source->origin, &status)))
        return SHMF_OK;
    return shmf_error_set(err, SHMF_E_CORRUPT, "it was changed while it was read");
}

/* ---- pieces ------------------------------------------------------------------------------- */

/* The application's descriptor leads to the file whatever became of its name; where other
 * processes' descriptors are not to be had, the name does. */
int shmfi_csv_source_open(struct shmfi_csv_source *source, const struct shmfi_csv_origin *origin,
                          struct shmfi_csv_failure *failure)
{
    char name[64];
    struct stat status;
    *source = (struct shmfi_csv_source){.origin = origin, .fd = -1};
    if (!origin->is_file)
        return SHMF_OK;
    snprintf(name, sizeof name, "/proc/%lld/fd/%d", (long long)origin->pid, origin->fd);
    source->fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->fd < 0)
        source->fd = open(origin->text, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (source->fd < 0)
        return fail(failure, code_of(errno), strerror(errno));
    if (fstat(source->fd, &status) == 0 && is_same(origin, &status))
        return SHMF_OK;
    shmfi_csv_source_close(source);
    return fail(failure, SHMF_E_CORRUPT, "it was changed while it was read");
}

void shmfi_csv_source_close(struct shmfi_csv_source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}

const char *shmfi_csv_window(const struct shmfi_csv_source *source, int64_t begin, int64_t end,
                             char *room, struct shmfi_csv_failure *failure)
{
    const struct shmfi_csv_origin *origin = source->origin;
    if (!origin->is_file)
        return origin->text + begin;
    if (end <= source->head_size)
        return source->head + begin;
    const int64_t stored = end < origin->stored ? end : origin->stored;
    int why = begin < stored ? read_bytes(source->fd, room, begin, stored - begin) : 0;
    if (why) {
        fail(failure, why < 0 ? SHMF_E_CORRUPT : code_of(why),
             why < 0 ? "it became shorter while it was read" : strerror(why));
        return NULL;
    }
    memset(room + (end - begin), 0, SHMFI_CSV_PAD);
    const int64_t from = begin > stored ? begin : stored;
    if (end > from) /* the line end that is missing */
        memcpy(room + (from - begin),
               (origin->size - origin->stored == 2 ? "\r\n" : "\n") + (from - origin->stored),
               (size_t)(end - from));
    return room;
}
