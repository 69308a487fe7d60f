#include "pool/code.h"

#include "base/error.h"
#include "base/sys.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

/* The part of a line of /proc/self/maps that matters: "START-END rwxp ...". */
struct line {
    uint64_t numbers[2];
    int field;  /* 0, 1: the numbers; 2: permissions; 3: the rest */
    int column; /* in the permissions */
    bool executable;
};

static int add(struct shmfi_code *code, const struct line *line)
{
    struct shmfi_span *last = code->count ? &code->spans[code->count - 1] : NULL;
    if (last && last->end == line->numbers[0]) {
        last->end = line->numbers[1];
        return SHMF_OK;
    }
    if (code->count == code->capacity) {
        size_t capacity = code->capacity ? 2 * code->capacity : 32;
        void *grown = shmfi_sys.realloc(code->spans, capacity * sizeof *code->spans);
        if (!grown)
            return SHMF_E_NOMEM;
        code->spans = grown;
        code->capacity = capacity;
    }
    code->spans[code->count++] = (struct shmfi_span){line->numbers[0], line->numbers[1]};
    return SHMF_OK;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' ? c - 'a' + 10 : -1; /* the kernel writes no other letters there */
}

static int take_character(struct shmfi_code *code, struct line *line, char c)
{
    if (c == '\n') {
        int rc = line->executable ? add(code, line) : SHMF_OK;
        *line = (struct line){0};
        return rc;
    }
    if (line->field < 2) {
        int digit = digit_of(c);
        if (digit >= 0)
            line->numbers[line->field] = line->numbers[line->field] * 16 + (uint64_t)digit;
        else
            line->field++; /* the dash, the blank */
    } else if (line->field == 2) {
        if (c == ' ')
            line->field = 3;
        else if (line->column++ == 2)
            line->executable = c == 'x';
    }
    return SHMF_OK;
}

int shmfi_code_take(struct shmfi_code *code, struct shmf_error *err)
{
    *code = (struct shmfi_code){0};
    int fd = shmfi_sys.open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return SHMF_OK; /* then nothing is known, and nothing refused */
    char text[4096];
    struct line line = {0};
    ssize_t got;
    int rc = SHMF_OK;
    while (!rc && (got = shmfi_sys.read(fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < got && !rc; i++)
            rc = take_character(code, &line, text[i]);
    shmfi_sys.close(fd);
    if (rc) {
        shmfi_code_clear(code);
        return shmfi_error(err, rc, "no memory for a list of executable mappings");
    }
    return SHMF_OK;
}

static bool is_in(const struct shmfi_span *span, uint64_t address)
{
    return span->start <= address && address < span->end;
}

bool shmfi_code_has(struct shmfi_code *code, uint64_t address)
{
    size_t last = atomic_load_explicit(&code->last, memory_order_relaxed);
    if (last < code->count && is_in(&code->spans[last], address))
        return true;
    size_t low = 0, high = code->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code->spans[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    atomic_store_explicit(&code->last, low, memory_order_relaxed);
    return !code->count || (low < code->count && is_in(&code->spans[low], address));
}

int shmfi_code_copy(struct shmfi_code *code, const struct shmfi_code *from, struct shmf_error *err)
{
    *code = (struct shmfi_code){0};
    if (!from->count)
        return SHMF_OK;
    code->spans = shmfi_sys.malloc(from->count * sizeof *code->spans);
    if (!code->spans)
        return shmfi_error(err, SHMF_E_NOMEM, "no memory for a list of executable mappings");
    memcpy(code->spans, from->spans, from->count * sizeof *code->spans);
    code->count = code->capacity = from->count;
    return SHMF_OK;
}

void shmfi_code_clear(struct shmfi_code *code)
{
    shmfi_sys.free(code->spans);
    *code = (struct shmfi_code){0};
}
