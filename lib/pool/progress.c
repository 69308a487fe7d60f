#include "pool/progress.h"

#include "base/sys.h"
#include "board/wait.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define INTERVAL_NS 100000000u
#define BAR_CELLS   24

bool shmfi_progress_on(const struct shmfi_progress *progress)
{
    return progress->bar || progress->fn;
}

void shmfi_progress_start(struct shmfi_progress *progress, const struct shmf_imap_options *options,
                          int64_t total)
{
    memset(progress, 0, sizeof *progress);
    progress->bar = options->progress && (options->progress_always || isatty(STDERR_FILENO));
    progress->fn = options->progress_fn;
    progress->user = options->progress_user;
    progress->now.title = options->progress ? options->progress : "";
    progress->now.total = total;
    progress->started = shmfi_now();
}

void shmfi_progress_count(struct shmfi_progress *progress, bool failed)
{
    progress->now.done++;
    progress->now.failed += failed;
}

/* "83 s" is harder to read than "1:23". */
static void put_duration(char *text, size_t size, double seconds)
{
    if (seconds < 0 || seconds > 1e9) {
        snprintf(text, size, "?");
        return;
    }
    long whole = (long)(seconds + 0.5);
    if (whole >= 3600)
        snprintf(text, size, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, size, "%ld:%02ld", whole / 60, whole % 60);
}

/* Writes tenths without printf's %f, whose decimal point depends on the locale. */
static void put_rate(char *text, size_t size, double rate)
{
    const char *unit = "";
    if (rate >= 1e6) {
        rate /= 1e6;
        unit = "M";
    } else if (rate >= 1e4) {
        rate /= 1e3;
        unit = "k";
    }
    long tenths = (long)(rate * 10 + 0.5);
    snprintf(text, size, "%ld.%ld%s/s", tenths / 10, tenths % 10, unit);
}

static void put_cells(char *cells, double share)
{
    int full = share <= 0 ? 0 : share >= 1 ? BAR_CELLS : (int)(share * BAR_CELLS);
    memset(cells, '#', (size_t)full);
    memset(cells + full, '.', (size_t)(BAR_CELLS - full));
    cells[BAR_CELLS] = '\0';
}

static int columns(void)
{
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) || !window.ws_col)
        return 80;
    return window.ws_col;
}

/* The first `most` bytes of the text at most, without a part of a UTF-8 character at the end. */
static int cut(const char *text, int length, int most)
{
    if (length <= most)
        return length;
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80)
        most--;
    return most;
}

/* One write a line, so that the application's own output is not cut in two. */
int shmf_progress_draw(const struct shmf_progress *now)
{
    char elapsed[32], remaining[32], rate[32], cells[BAR_CELLS + 1], failed[40] = "", line[400];
    if (!now || !now->title)
        return SHMF_E_INVAL;
    put_duration(elapsed, sizeof elapsed, now->elapsed_seconds);
    put_duration(remaining, sizeof remaining, now->remaining_seconds);
    put_rate(rate, sizeof rate, now->per_second);
    if (now->failed)
        snprintf(failed, sizeof failed, ", %lld failed", (long long)now->failed);
    int title = cut(now->title, (int)strnlen(now->title, 100), 60), length;
    if (now->total > 0) {
        double share = (double)now->done / (double)now->total;
        put_cells(cells, share);
        length = snprintf(line, sizeof line, "%.*s [%s] %lld/%lld %3d%%%s, %s, %s elapsed, %s left",
                          title, now->title, cells, (long long)now->done, (long long)now->total,
                          (int)(share * 100), failed, rate, elapsed, remaining);
    } else {
        length = snprintf(line, sizeof line, "%.*s %lld done%s, %s, %s elapsed", title, now->title,
                          (long long)now->done, failed, rate, elapsed);
    }
    if (isatty(STDERR_FILENO))
        length = cut(line, length, columns() - 1); /* a wrapped line could not be overwritten */
    char out[sizeof line + 16];
    int written =
        snprintf(out, sizeof out, "\r%.*s\033[K%s", length, line, now->finished ? "\n" : "");
    if (shmfi_sys.write(STDERR_FILENO, out, (size_t)written) < 0)
        return SHMF_E_SYS;
    return SHMF_OK;
}

static void show(struct shmfi_progress *progress, uint64_t time)
{
    struct shmf_progress *now = &progress->now;
    now->elapsed_seconds = (double)(time - progress->started + 1) * 1e-9; /* never nothing */
    now->per_second = (double)now->done / now->elapsed_seconds;
    now->remaining_seconds = -1;
    if (now->total >= 0 && now->per_second > 0)
        now->remaining_seconds = (double)(now->total - now->done) / now->per_second;
    progress->shown = time;
    if (progress->bar && shmf_progress_draw(now))
        progress->bar = false; /* nobody reads it */
    if (progress->fn)
        progress->fn(now, progress->user);
}

void shmfi_progress_show(struct shmfi_progress *progress)
{
    if (!shmfi_progress_on(progress) || progress->now.finished)
        return;
    uint64_t time = shmfi_now();
    if (time - progress->shown >= INTERVAL_NS)
        show(progress, time);
}

void shmfi_progress_finish(struct shmfi_progress *progress)
{
    if (!shmfi_progress_on(progress) || progress->now.finished)
        return;
    progress->now.finished = 1;
    show(progress, shmfi_now());
}
