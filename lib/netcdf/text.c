#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 }; /* texts that are fetched together */

void shmfi_nc_free_texts(struct shmfi_nc_texts *texts)
{
    free(texts->bytes);
    free(texts->begins);
    *texts = (struct shmfi_nc_texts){0};
}

static bool add(struct shmfi_nc_texts *texts, const char *text, size_t size)
{
    if (size + 1 > texts->room - texts->size) {
        const size_t room = texts->size + size + 1 + texts->room / 2 + BLOCK;
        char *grown = realloc(texts->bytes, room);
        if (!grown)
            return false;
        texts->bytes = grown;
        texts->room = room;
    }
    memcpy(texts->bytes + texts->size, text, size);
    texts->bytes[texts->size + size] = 0;
    texts->begins[texts->n++] = (int64_t)texts->size;
    texts->size += size + 1;
    return true;
}

static int begin(struct shmfi_nc_texts *texts, size_t n)
{
    *texts = (struct shmfi_nc_texts){.begins = malloc((n + 1) * sizeof *texts->begins), .most = n};
    return texts->begins ? NC_NOERR : NC_ENOMEM;
}

/* ---- strings ------------------------------------------------------------------------------ */

static int add_strings(struct shmfi_nc_texts *texts, char **strings, size_t n, const char *missing)
{
    for (size_t i = 0; i < n; i++) {
        const char *text = strings[i] ? strings[i] : "";
        if (!add(texts, text, strlen(text)))
            return NC_ENOMEM;
        if (missing && strcmp(text, missing) == 0)
            texts->begins[texts->n - 1] = -1;
    }
    return NC_NOERR;
}

static int read_strings(const struct shmfi_nc_variable *variable, struct shmfi_nc_texts *texts)
{
    char *strings[BLOCK],
        *missing = shmfi_nc_attribute(variable->group, variable->id, "missing_value");
    int rc = NC_NOERR;
    for (size_t at = 0, n; !rc && at < variable->shape[0]; at += n) {
        n = variable->shape[0] - at < BLOCK ? variable->shape[0] - at : BLOCK;
        memset(strings, 0, sizeof strings);
        rc = nc_get_vara_string(variable->group, variable->id, &at, &n, strings);
        if (!rc)
            rc = add_strings(texts, strings, n, missing);
        nc_free_string(n, strings);
    }
    free(missing);
    return rc;
}

/* ---- characters --------------------------------------------------------------------------- */

static int read_characters(const struct shmfi_nc_variable *variable, struct shmfi_nc_texts *texts)
{
    const size_t width = variable->shape[1];
    char *block = malloc(width * BLOCK + 1);
    int rc = block ? NC_NOERR : NC_ENOMEM;
    for (size_t at = 0, n; !rc && at < variable->shape[0]; at += n) {
        n = variable->shape[0] - at < BLOCK ? variable->shape[0] - at : BLOCK;
        if (width)
            rc = nc_get_vara_text(variable->group, variable->id, (size_t[]){at, 0},
                                  (size_t[]){n, width}, block);
        for (size_t i = 0; !rc && i < n; i++) {
            const char *text = block + i * width;
            size_t size = width;
            while (size > 0 && (text[size - 1] == 0 || text[size - 1] == ' '))
                size--;
            rc = add(texts, text, size) ? NC_NOERR : NC_ENOMEM;
        }
    }
    free(block);
    return rc;
}

int shmfi_nc_read_texts(const struct shmfi_nc *nc, const struct shmfi_nc_variable *variable,
                        struct shmfi_nc_texts *texts)
{
    int rc = begin(texts, variable->shape[0]);
    if (!rc)
        rc = variable->type == NC_STRING ? read_strings(variable, texts)
                                         : read_characters(variable, texts);
    return shmfi_nc_said(nc, rc, variable->name);
}

int shmfi_nc_read_numbers_as_texts(const struct shmfi_nc *nc,
                                   const struct shmfi_nc_variable *variable,
                                   struct shmfi_nc_texts *texts)
{
    const size_t n = variable->shape[0];
    double *values = malloc((n + 1) * sizeof *values);
    int rc = values ? begin(texts, n) : NC_ENOMEM;
    if (!rc)
        rc = nc_get_var_double(variable->group, variable->id, values);
    for (size_t i = 0; !rc && i < n; i++) {
        char text[32];
        shmfi_nc_number(text, values[i], variable->type == NC_FLOAT);
        rc = add(texts, text, strlen(text)) ? NC_NOERR : NC_ENOMEM;
    }
    free(values);
    return shmfi_nc_said(nc, rc, variable->name);
}

const char **shmfi_nc_pointers(const struct shmfi_nc_texts *texts)
{
    const char **pointers = malloc((texts->n + 1) * sizeof *pointers);
    for (size_t i = 0; pointers && i < texts->n; i++)
        pointers[i] = texts->begins[i] < 0 ? "" : texts->bytes + texts->begins[i];
    return pointers;
}
