/* JSON (RFC 8259) on stdout. */
#include "cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where we are in what is printed. Deeper levels stand on one line. */
enum { INDENTED = 2 };
static int depth;
static bool begun; /* the level that is open has a value already */
static bool after_key;

static void new_line(void)
{
    if (depth <= INDENTED)
        printf("\n%*s", 2 * depth, "");
}

static void before_value(void)
{
    if (!after_key && depth > 0) {
        if (begun)
            fputs(depth <= INDENTED ? "," : ", ", stdout);
        new_line();
    }
    after_key = false;
    begun = true;
}

void cli_json_open(char bracket)
{
    before_value();
    putchar(bracket);
    depth++;
    begun = false;
}

void cli_json_close(char bracket)
{
    depth--;
    if (begun && depth + 1 <= INDENTED)
        printf("\n%*s", 2 * depth, "");
    putchar(bracket);
    begun = true;
    if (depth == 0)
        putchar('\n');
}

/* How many bytes the first character of UTF-8 has; 0: it is none. */
static size_t utf8_length(const unsigned char *at, size_t size)
{
    size_t length = *at < 0x80   ? 1
                    : *at < 0xc2 ? 0
                    : *at < 0xe0 ? 2
                    : *at < 0xf0 ? 3
                    : *at < 0xf5 ? 4
                                 : 0;
    if (length > size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool wrong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
                 (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f);
    return length > 1 && wrong ? 0 : length;
}

static void put_quoted(const char *text, int64_t size)
{
    const unsigned char *at = (const unsigned char *)text, *end = at + size;
    putchar('"');
    while (at < end) {
        size_t length = utf8_length(at, (size_t)(end - at));
        if (length == 0)
            fputs("\xef\xbf\xbd", stdout);
        else if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < ' ' || *at == 0x7f)
            printf("\\u%04x", *at);
        else
            fwrite(at, 1, length, stdout);
        at += length ? length : 1;
    }
    putchar('"');
}

void cli_json_key(const char *key)
{
    before_value();
    put_quoted(key, (int64_t)strlen(key));
    fputs(": ", stdout);
    after_key = true;
}

void cli_json_text(struct shmf_text text)
{
    if (!text.data) {
        cli_json_null();
        return;
    }
    before_value();
    put_quoted(text.data, text.size);
}

void cli_json_string(const char *text)
{
    cli_json_text((struct shmf_text){text, (int64_t)strlen(text)});
}

void cli_json_literal(const char *number)
{
    before_value();
    fputs(number, stdout);
}

void cli_json_int(int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    cli_json_literal(text);
}

void cli_json_bool(bool value)
{
    cli_json_literal(value ? "true" : "false");
}

void cli_json_null(void)
{
    cli_json_literal("null");
}

void cli_json_double(double number)
{
    char text[40];
    if (!isfinite(number)) {
        cli_json_string(isnan(number) ? "nan" : number < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    cli_json_literal(text);
}

/* Numbers keep all their digits: text is made of them by the library, not by way of a double. */
void cli_json_cell(const struct shmf_frame *frame, int64_t row, int64_t column)
{
    char few[64], *text = few;
    struct shmf_column values;
    double number;
    if (shmf_frame_column(frame, column, &values) || shmf_frame_is_null(frame, row, column)) {
        cli_json_null();
        return;
    }
    if (values.dtype == SHMF_UTF8 || values.dtype == SHMF_LARGE_UTF8 ||
        values.dtype == SHMF_DICTIONARY) {
        cli_json_text(shmf_frame_text(frame, row, column));
        return;
    }
    bool real = values.dtype >= SHMF_FLOAT16 && values.dtype <= SHMF_FLOAT64;
    if (real && !shmf_frame_cell(frame, row, column, &number)) {
        cli_json_double(number);
        return;
    }
    int64_t size = shmf_frame_cell_text(frame, row, column, few, sizeof few);
    if (size >= (int64_t)sizeof few && (text = malloc((size_t)size + 1)) != NULL)
        shmf_frame_cell_text(frame, row, column, text, (size_t)size + 1);
    if (size < 0 || !text)
        cli_json_null();
    else if (values.dtype <= SHMF_UINT64) /* booleans too: true and false */
        cli_json_literal(text);
    else
        cli_json_string(text);
    if (text != few)
        free(text);
}

void cli_json_info(const struct shmf_name_info *info)
{
    cli_json_key("name");
    cli_json_string(info->name);
    cli_json_key("kind");
    cli_json_string(cli_kind(info->kind));
    cli_json_key("state");
    cli_json_string(cli_state(info->state));
    cli_json_key("shape");
    cli_json_open('[');
    for (int i = 0; i < info->n_dims; i++)
        cli_json_int(info->shape[i]);
    cli_json_close(']');
    cli_json_key("dtype");
    if (info->dtype)
        cli_json_string(shmf_dtype_name(info->dtype));
    else
        cli_json_null();
    cli_json_key("size");
    cli_json_int(info->size);
    cli_json_key("pid");
    if (info->pid)
        cli_json_int(info->pid);
    else
        cli_json_null();
    cli_json_key("uid");
    cli_json_int(info->uid);
    cli_json_key("mode");
    char mode[CLI_WORD];
    snprintf(mode, sizeof mode, "%04o", info->mode & 07777);
    cli_json_string(mode);
    cli_json_key("modified");
    cli_json_int(info->modified);
}
