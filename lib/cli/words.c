/* Values as words. */
#include "cli.h"

#include <pwd.h>
#include <time.h>

const char *cli_kind(enum shmf_kind kind)
{
    return kind == SHMF_KIND_FRAME ? "frame" : kind == SHMF_KIND_ARRAY ? "array" : "unknown";
}

const char *cli_state(enum shmf_name_state state)
{
    static const char *const words[] = {"unknown", "alive", "persistent", "leftover", "unknown"};
    return (unsigned)state < sizeof words / sizeof words[0] ? words[state] : words[0];
}

const char *cli_row_labels(enum shmf_row_labels labels)
{
    return labels == SHMF_ROWS_UTF8 ? "text" : labels == SHMF_ROWS_INT64 ? "int64" : "range";
}

void cli_size(char to[CLI_WORD], int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024 && unit < 4; unit++)
        size /= 1024;
    snprintf(to, CLI_WORD, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

void cli_shape(char to[CLI_WORD], const int64_t *shape, int n)
{
    int used = 0;
    to[0] = 0;
    for (int i = 0; i < n && used < CLI_WORD; i++)
        used += snprintf(to + used, (size_t)(CLI_WORD - used), "%s%lld", i ? " x " : "",
                         (long long)shape[i]);
}

void cli_user(char to[CLI_WORD], int64_t uid)
{
    const struct passwd *entry = getpwuid((uid_t)uid);
    if (entry)
        snprintf(to, CLI_WORD, "%s", entry->pw_name);
    else
        snprintf(to, CLI_WORD, "%lld", (long long)uid);
}

void cli_time(char to[CLI_WORD], int64_t seconds)
{
    struct tm parts;
    time_t at = (time_t)seconds;
    if (!localtime_r(&at, &parts) || !strftime(to, CLI_WORD, "%Y-%m-%d %H:%M:%S", &parts))
        snprintf(to, CLI_WORD, "%lld", (long long)seconds);
}

void cli_type(char to[CLI_WORD], const struct shmf_frame *frame, int64_t column)
{
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    struct shmf_type type = {0};
    shmf_frame_type(frame, column, &type);
    const char *name = shmf_dtype_name(type.dtype);
    if (type.zone.size > 0)
        snprintf(to, CLI_WORD, "%s[%s, %.*s]", name, units[type.unit], (int)type.zone.size,
                 type.zone.data);
    else if (type.unit)
        snprintf(to, CLI_WORD, "%s[%s]", name, units[type.unit]);
    else if (type.dtype == SHMF_DICTIONARY)
        snprintf(to, CLI_WORD, "%s[%s%s]", name, shmf_dtype_name(type.index_dtype),
                 type.ordered ? ", ordered" : "");
    else if (type.dtype == SHMF_DECIMAL128)
        snprintf(to, CLI_WORD, "%s[%d, %d]", name, type.precision, type.scale);
    else if (type.width)
        snprintf(to, CLI_WORD, "%s[%u]", name, type.width);
    else
        snprintf(to, CLI_WORD, "%s", name);
}
