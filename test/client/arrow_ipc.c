/* arrow_ipc write FOLDER: files that other readers of Arrow IPC are given, and what they must find
 * there. arrow_ipc publish PREFIX: the same frames as names that are Arrow files, until standard
 * input ends. arrow_ipc check FOLDER NAME...: what they wrote is what they were given.
 *
 * The frames are random, but the same each time. */
#include "unit/every_frame.h"

#include <shmframe/ipc.h>

enum { ROWS = 1500, FIRST = 13, COUNT = 1001 };

/* The frame of a file, by the beginning of its name. */
static struct shmf_frame *frame_of(const char *name)
{
    every_state = 7;
    every_sensible = true;
    if (strncmp(name, "plain", 5) == 0)
        return every_frame(ROWS, 0, SHMF_ROWS_UTF8);
    struct shmf_frame *frame = every_frame(ROWS, 4, SHMF_ROWS_UTF8);
    int64_t n = strncmp(name, "empty", 5) == 0 ? 0 : strncmp(name, "one", 3) == 0 ? 1 : COUNT;
    if (strncmp(name, "nulls", 5) == 0)
        return frame;
    struct shmf_frame *slice = shmf_frame_slice(frame, FIRST, n, NULL);
    shmf_frame_free(frame);
    return slice;
}

static const char *const names[] = {"plain", "nulls", "slice", "one", "empty"};
enum { N_NAMES = sizeof names / sizeof names[0] };

/* ---- writing ------------------------------------------------------------------------------ */

static void print_text(FILE *out, struct shmf_text text)
{
    fputc('"', out);
    for (int64_t i = 0; i < text.size; i++)
        fputc(text.data[i], out); /* neither quotes nor control characters are there */
    fputc('"', out);
}

static void print_cell(FILE *out, const struct shmf_frame *frame, int64_t r, int64_t c)
{
    char text[64];
    double number;
    enum shmf_dtype dtype = (enum shmf_dtype)(c + 1);
    if (shmf_frame_is_null(frame, r, c)) {
        fputs("null", out);
    } else if (dtype == SHMF_UTF8 || dtype == SHMF_LARGE_UTF8 || dtype == SHMF_DICTIONARY) {
        print_text(out, shmf_frame_text(frame, r, c));
    } else if (dtype >= SHMF_FLOAT16 && dtype <= SHMF_FLOAT64) {
        shmf_frame_cell(frame, r, c, &number);
        fprintf(out, "\"%.17g\"", number);
    } else {
        shmf_frame_cell_text(frame, r, c, text, sizeof text);
        fprintf(out, "\"%s\"", text);
    }
}

/* Of those dtypes whose text is the same everywhere. */
static void print_expected(FILE *out, const struct shmf_frame *frame)
{
    fputs("{", out);
    for (int64_t c = 0; c < EVERY_N; c++) {
        enum shmf_dtype dtype = (enum shmf_dtype)(c + 1);
        if (dtype > SHMF_FLOAT64 && dtype != SHMF_UTF8 && dtype != SHMF_LARGE_UTF8 &&
            dtype != SHMF_DICTIONARY)
            continue;
        fprintf(out, "%s\n\"%s\": [", c ? "," : "", shmf_dtype_name(dtype));
        for (int64_t r = 0; r < shmf_frame_rows(frame); r++) {
            fputs(r ? "," : "", out);
            print_cell(out, frame, r, c);
        }
        fputs("]", out);
    }
    fputs("}", out);
}

static int write_all(const char *folder)
{
    char path[4096];
    for (int i = 0; i < N_NAMES; i++) {
        struct shmf_frame *frame = frame_of(names[i]);
        struct shmf_ipc_options options = {.row_labels = "row", .batch_rows = 512};
        struct shmf_error err = {0};
        int rc = 0;
        for (int stream = 0; stream < 2 && !rc; stream++) {
            snprintf(path, sizeof path, "%s/%s.%s", folder, names[i], stream ? "arrows" : "arrow");
            options.format = stream ? SHMF_IPC_STREAM : SHMF_IPC_FILE;
            rc = shmf_ipc_save(frame, path, &options, &err);
        }
        snprintf(path, sizeof path, "%s/%s.json", folder, names[i]);
        FILE *out = rc ? NULL : fopen(path, "w");
        if (out) {
            print_expected(out, frame);
            fclose(out);
        }
        shmf_frame_free(frame);
        if (!out) {
            printf("%s: %s\n", path, err.message);
            return 1;
        }
    }
    return 0;
}

/* ---- publishing --------------------------------------------------------------------------- */

/* Says so when all names are there. */
static int publish_all(const char *prefix)
{
    char name[256];
    struct shmf_share *shares[N_NAMES];
    for (int i = 0; i < N_NAMES; i++) {
        struct shmf_frame *frame = frame_of(names[i]);
        const struct shmf_ipc_options options = {.row_labels = "row"};
        struct shmf_error err = {0};
        snprintf(name, sizeof name, "%s-%s", prefix, names[i]);
        shares[i] = shmf_ipc_publish(frame, name, &options, NULL, &err);
        shmf_frame_free(frame);
        if (!shares[i]) {
            printf("%s: %s\n", name, err.message);
            return 1;
        }
    }
    puts("published");
    fflush(stdout);
    while (getchar() != EOF)
        ;
    for (int i = 0; i < N_NAMES; i++)
        shmf_share_free(shares[i]);
    return 0;
}

/* ---- checking ----------------------------------------------------------------------------- */

/* Bits of fixed widths, text of the others: clients have one type of string, and indexes of their
 * own. */
static bool same_cell(const struct shmf_frame *a, const struct shmf_frame *b, int64_t r, int64_t ca,
                      int64_t cb)
{
    char s[256], t[256];
    struct shmf_column p, q;
    struct shmf_type type;
    if (shmf_frame_is_null(a, r, ca) || shmf_frame_is_null(b, r, cb))
        return shmf_frame_is_null(a, r, ca) == shmf_frame_is_null(b, r, cb);
    shmf_frame_column(a, ca, &p);
    shmf_frame_column(b, cb, &q);
    shmf_frame_type(a, ca, &type);
    size_t width = p.dtype == SHMF_FIXED_BINARY ? type.width : shmf_dtype_size(p.dtype);
    if (p.dtype == q.dtype && p.dtype != SHMF_BOOL && width)
        return memcmp((const char *)p.data + (size_t)r * width,
                      (const char *)q.data + (size_t)r * width, width) == 0;
    shmf_frame_cell_text(a, r, ca, s, sizeof s);
    shmf_frame_cell_text(b, r, cb, t, sizeof t);
    return strcmp(s, t) == 0;
}

static const struct {
    enum shmf_dtype from, to;
} changes[] = {{SHMF_UTF8, SHMF_LARGE_UTF8},
               {SHMF_LARGE_UTF8, SHMF_UTF8},
               {SHMF_DICTIONARY, SHMF_UTF8},
               {SHMF_DICTIONARY, SHMF_LARGE_UTF8},
               {SHMF_FIXED_BINARY, SHMF_BINARY}};

static bool may_become(enum shmf_dtype from, enum shmf_dtype to)
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (changes[i].from == from && changes[i].to == to)
            return true;
    return from == to;
}

static int check_column(const struct shmf_frame *frame, const struct shmf_frame *back, int64_t c,
                        const char *path)
{
    struct shmf_text label = shmf_frame_column_label(back, c);
    char name[64];
    struct shmf_type own, other;
    snprintf(name, sizeof name, "%.*s", (int)label.size, label.data);
    int64_t from = shmf_frame_column_loc(frame, name);
    if (from < 0 || shmf_frame_type(frame, from, &own) || shmf_frame_type(back, c, &other)) {
        printf("%s: a column \"%s\"\n", path, name);
        return 1;
    }
    if (!may_become(own.dtype, other.dtype) ||
        (own.dtype == other.dtype && (own.unit != other.unit || own.scale != other.scale ||
                                      own.zone.size != other.zone.size))) {
        printf("%s: column \"%s\" became %s\n", path, name, shmf_dtype_name(other.dtype));
        return 1;
    }
    for (int64_t r = 0; r < shmf_frame_rows(frame); r++)
        if (!same_cell(frame, back, r, from, c)) {
            printf("%s: column \"%s\", row %lld\n", path, name, (long long)r);
            return 1;
        }
    return 0;
}

static int check(const char *folder, const char *name)
{
    char path[4096];
    struct shmf_error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct shmf_frame *frame = frame_of(name);
    struct shmf_frame *back =
        shmf_ipc_load(path, &(struct shmf_arrow_import_options){.row_labels = "row"}, &err);
    int wrong = 0;
    if (!back) {
        printf("%s: %s\n", path, err.message);
        wrong = 1;
    } else if (shmf_frame_rows(back) != shmf_frame_rows(frame) ||
               shmf_frame_validate(back, SHMF_VALIDATE_FULL, NULL)) {
        printf("%s: %lld rows\n", path, (long long)shmf_frame_rows(back));
        wrong = 1;
    }
    for (int64_t c = 0; !wrong && c < shmf_frame_columns(back); c++)
        wrong = check_column(frame, back, c, path);
    if (!wrong)
        printf("%s: %lld x %lld as given\n", name, (long long)shmf_frame_rows(back),
               (long long)shmf_frame_columns(back));
    shmf_frame_free(back);
    shmf_frame_free(frame);
    return wrong;
}

int main(int argc, char **argv)
{
    int wrong = argc < 3;
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_all(argv[2]);
    if (argc == 3 && strcmp(argv[1], "publish") == 0)
        return publish_all(argv[2]);
    for (int i = 3; i < argc; i++)
        wrong += check(argv[2], argv[i]);
    return wrong ? 1 : 0;
}
