/* The fuzzers' target without a fuzzer: runs it over the corpus, which is made of the golden
 * segments, good and with each of the changes of golden/bad.txt, and over the files that are named.
 *
 *     replay [FILE...]         runs
 *     replay --write FOLDER    writes the corpus there, for a fuzzer to begin with */
#include "format/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { MAX_FILE = 1 << 20 };

/* Where the corpus goes, or NULL: through the target. */
static const char *folder;
static int inputs;

static void take_input(const unsigned char *bytes, size_t size, const char *name)
{
    char path[4096];
    FILE *out;
    inputs++;
    if (!folder) {
        LLVMFuzzerTestOneInput(bytes, size);
        return;
    }
    snprintf(path, sizeof path, "%s/%s-%03d", folder, name, inputs);
    out = fopen(path, "w");
    if (!out || fwrite(bytes, 1, size, out) != size || fclose(out)) {
        perror(path);
        exit(1);
    }
}

static void take_bad_ones(void)
{
    FILE *list = open_golden("bad.txt", "r");
    char line[256], name[32];
    size_t offset, size;
    unsigned long long value;
    while (fgets(line, sizeof line, list)) {
        if (line[0] == '#' || sscanf(line, "%31s %zu %zu %llx", name, &offset, &size, &value) != 4)
            continue;
        struct segment_copy copy = read_golden(name);
        memcpy(copy.base + offset, &value, size);
        take_input(copy.base, copy.size, name);
        free(copy.base);
    }
    fclose(list);
}

static int take_file(const char *path)
{
    static unsigned char bytes[MAX_FILE];
    FILE *in = fopen(path, "r");
    if (!in) {
        perror(path);
        return 1;
    }
    size_t size = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    take_input(bytes, size, path);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = 0;
    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        folder = argv[2];
    for (int i = 1; !folder && i < argc; i++)
        failed |= take_file(argv[i]);
    for (int i = 0; i < N_GOLDEN; i++) {
        struct segment_copy copy = read_golden(golden_names[i]);
        take_input(copy.base, copy.size, golden_names[i]);
        for (size_t size = 0; size < copy.size; size += 64 + size / 4)
            take_input(copy.base, size, golden_names[i]);
        free(copy.base);
    }
    take_bad_ones();
    printf("%d inputs\n", inputs);
    return failed;
}
