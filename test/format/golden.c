#include "format/golden.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static void must(int condition, const char *what, const char *name)
{
    if (condition)
        return;
    fprintf(stderr, "golden %s: %s\n", name, what);
    abort();
}

FILE *open_golden(const char *name, const char *mode)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", TEST_GOLDEN_DIR, name);
    FILE *file = fopen(path, mode);
    must(file != NULL, "cannot be opened", path);
    return file;
}

void write_golden(FILE *out, const struct segment_copy *copy)
{
    static const unsigned char zero[16];
    fprintf(out, "size %zu\n", copy->size);
    for (size_t at = 0; at < copy->size; at += 16) {
        size_t n = copy->size - at < 16 ? copy->size - at : 16;
        if (memcmp(copy->base + at, zero, n) == 0)
            continue;
        fprintf(out, "%06zx:", at);
        for (size_t i = 0; i < n; i++)
            fprintf(out, " %02x", copy->base[at + i]);
        fputc('\n', out);
    }
}

struct segment_copy read_golden(const char *name)
{
    char file_name[64], line[128];
    snprintf(file_name, sizeof file_name, "%s.hex", name);
    FILE *in = open_golden(file_name, "r");
    struct segment_copy copy = {0};
    must(fscanf(in, "size %zu\n", &copy.size) == 1, "no size", name);
    copy.base = aligned_alloc(64, copy.size);
    must(copy.base != NULL, "no memory", name);
    memset(copy.base, 0, copy.size);
    while (fgets(line, sizeof line, in)) {
        char *at = line;
        size_t offset = strtoul(at, &at, 16);
        must(*at == ':', "a line without a colon", name);
        for (at++; isspace((unsigned char)*at) && isxdigit((unsigned char)at[1]); offset++) {
            must(offset < copy.size, "bytes behind the end", name);
            copy.base[offset] = (unsigned char)strtoul(at, &at, 16);
        }
    }
    fclose(in);
    return copy;
}
