/* The text that is parsed. */
#ifndef SHMFI_CSV_SOURCE_H
#define SHMFI_CSV_SOURCE_H

#include "plan.h"

struct shmfi_csv_source {
    struct shmf_array *array;
    const char *text; /* `size` bytes; ends with a line end unless it is empty */
    int64_t size;
    bool crlf; /* its first line ends so */
};

/* Zeroed before; freed afterwards in any case. */
int shmfi_csv_source_read(struct shmfi_csv_source *source, const char *path,
                          struct shmf_error *err);
int shmfi_csv_source_copy(struct shmfi_csv_source *source, const void *bytes, size_t size,
                          struct shmf_error *err);
void shmfi_csv_source_free(struct shmfi_csv_source *source);

#endif
