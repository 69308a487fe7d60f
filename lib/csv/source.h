/* The text that is parsed: in memory, or in a file that whoever parses a piece of it reads himself,
 * so that nothing but the pieces in work is ever in memory. */
#ifndef SHMFI_CSV_SOURCE_H
#define SHMFI_CSV_SOURCE_H

#include "plan.h"
#include "stops.h"

/* What tasks are told, in shared memory. */
struct shmfi_csv_origin {
    int64_t size;   /* of the text; it ends with a line end unless it is empty */
    int64_t stored; /* bytes that are there; what is missing is the end of the last line */
    uint64_t device, inode;
    int64_t changed[4]; /* last modification and change: seconds, nanoseconds */
    int64_t pid;        /* of the application, which has the file open as `fd` */
    int32_t fd;
    uint8_t is_file;
    uint8_t crlf; /* its first line ends so */
    uint8_t reserved[2];
    char text[]; /* of a file: its path */
};

struct shmfi_csv_source {
    const struct shmfi_csv_origin *origin;
    int fd;                   /* -1: the text is in memory */
    struct shmf_array *array; /* the application's: the origin */
    char *head; /* the application's: first line of a file, and what was read with it */
    int64_t head_size;
};

/* In the application. Zeroed before, but `fd` -1; freed afterwards in any case. */
int shmfi_csv_source_read(struct shmfi_csv_source *source, const char *path,
                          struct shmf_error *err);
int shmfi_csv_source_copy(struct shmfi_csv_source *source, const void *bytes, size_t size,
                          struct shmf_error *err);
void shmfi_csv_source_free(struct shmfi_csv_source *source);

/* Is the file what it was when it was opened? SHMF_E_CORRUPT. */
int shmfi_csv_source_check(const struct shmfi_csv_source *source, struct shmf_error *err);

/* In a task. */
int shmfi_csv_source_open(struct shmfi_csv_source *source, const struct shmfi_csv_origin *origin,
                          struct shmfi_csv_failure *failure);
void shmfi_csv_source_close(struct shmfi_csv_source *source);

/* Bytes `begin` to `end` of the text, readable up to SHMFI_CSV_PAD behind; where it is a file they
 * are read to `room`, which has room for these too. NULL: there is a failure. */
const char *shmfi_csv_window(const struct shmfi_csv_source *source, int64_t begin, int64_t end,
                             char *room, struct shmfi_csv_failure *failure);

#endif
