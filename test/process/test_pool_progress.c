/* How far an iteration is: the callback, and the bar on a terminal. */
#include "pool_calls.h"

#include "base/sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* ---- the callback ------------------------------------------------------------------------- */

struct seen {
    int calls, finished;
    struct shmf_progress last;
    char title[40];
    bool wrong;
};

static void look(const struct shmf_progress *now, void *user)
{
    struct seen *seen = user;
    seen->wrong = seen->wrong || seen->finished || now->done < seen->last.done ||
                  now->failed < seen->last.failed || now->failed > now->done ||
                  now->elapsed_seconds < seen->last.elapsed_seconds || now->per_second < 0 ||
                  (now->done > 0 && now->total >= 0 && now->remaining_seconds < 0) ||
                  (now->total < 0 && now->remaining_seconds >= 0);
    snprintf(seen->title, sizeof seen->title, "%s", now->title);
    seen->last = *now;
    seen->finished = now->finished;
    seen->calls++;
}

static int third_fails(struct shmf_task *task, void *context)
{
    (void)context;
    usleep(1000);
    return shmf_task_index(task) % 3 == 2 ? shmf_task_fail(task, SHMF_E_TASK, "a third")
                                          : return_index(task, NULL);
}

static void take(struct shmf_iter *iter, int count)
{
    for (int i = 0; i < count; i++)
        shmf_result_free(next_any(iter));
}

static void test_the_callback_counts_up_to_the_last_call_which_says_finished(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct seen seen = {0};
    struct shmf_tasks tasks = {.count = 300};
    struct shmf_imap_options options = {
        .progress = "a title", .progress_fn = look, .progress_user = &seen};
    double start = test_now();
    struct shmf_iter *iter = map(pool, third_fails, &tasks, &options);
    take(iter, 300);
    assert_int_equal(seen.finished, 0);
    assert_ends(iter);
    double seconds = test_now() - start;
    assert_int_equal(seen.finished, 1);
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_false(seen.wrong);
    assert_string_equal(seen.title, "a title");
    assert_int_equal(seen.last.done, 300);
    assert_int_equal(seen.last.failed, 100);
    assert_int_equal(seen.last.total, 300);
    assert_true(seen.last.elapsed_seconds > 0.1 && seen.last.elapsed_seconds <= seconds);
    assert_true(seen.last.per_second > 0);
    assert_true(seen.last.remaining_seconds == 0);
    assert_true(seen.calls >= 2);
    assert_true(seen.calls <= 3 + (int)(10 * seconds)); /* ten a second, first and last */
    shmf_pool_free(pool);
}

static int next_of_20(struct shmf_task_input *input, void *user)
{
    (void)input;
    return (*(int *)user)++ < 20;
}

static void test_without_a_total_there_is_no_estimate(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct seen seen = {0};
    int asked = 0;
    struct shmf_tasks tasks = {.count = -1, .next = next_of_20, .user = &asked};
    struct shmf_imap_options options = {.progress_fn = look, .progress_user = &seen};
    struct shmf_iter *iter = map(pool, third_fails, &tasks, &options);
    take(iter, 20);
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_false(seen.wrong);
    assert_string_equal(seen.title, "");
    assert_int_equal(seen.last.total, -1);
    assert_int_equal(seen.last.done, 20);
    assert_int_equal(seen.finished, 1);
    shmf_pool_free(pool);
}

static void test_an_iteration_that_ends_early_finishes_too(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct seen seen = {0}, other = {0};
    struct shmf_tasks tasks = {.count = 100};
    struct shmf_imap_options options = {.progress_fn = look, .progress_user = &seen};
    struct shmf_iter *iter = map(pool, third_fails, &tasks, &options);
    take(iter, 10);
    shmf_iter_free(iter);
    assert_int_equal(seen.finished, 1);
    assert_true(seen.last.done >= 10 && seen.last.done < 100);
    assert_false(seen.wrong);
    options.progress_user = &other;
    iter = map(pool, third_fails, &tasks, &options);
    take(iter, 10);
    shmf_pool_free(pool);
    assert_int_equal(other.finished, 1);
    shmf_iter_free(iter);
    assert_false(other.wrong);
}

/* ---- the bar ------------------------------------------------------------------------------ */

struct screen {
    int fd; /* becomes stderr */
    const char *title;
    bool always;
    int64_t total;
    const struct shmf_progress *drawn; /* this alone, without a pool */
};

static int show_a_bar(void *context)
{
    const struct screen *screen = context;
    dup2(screen->fd, STDERR_FILENO);
    if (screen->drawn)
        return shmf_progress_draw(screen->drawn);
    struct shmf_pool *pool = pool_of(2);
    int asked = 0;
    struct shmf_tasks tasks = {.count = screen->total};
    if (screen->total < 0) {
        tasks.next = next_of_20;
        tasks.user = &asked;
    }
    struct shmf_imap_options options = {.progress = screen->title,
                                        .progress_always = screen->always};
    struct shmf_iter *iter = map(pool, third_fails, &tasks, &options);
    take(iter, 20);
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    return 0;
}

/* What a child wrote to stderr. */
static char *output_of(struct screen *screen, int from)
{
    static char text[100000];
    size_t size = 0;
    assert_true(test_outcome_ok(test_in_child(show_a_bar, screen, 20)));
    close(screen->fd);
    fcntl(from, F_SETFL, O_NONBLOCK);
    ssize_t got;
    while ((got = read(from, text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    close(from);
    return text;
}

static char *piped(const char *title, bool always, int64_t total)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct screen screen = {ends[1], title, always, total, NULL};
    return output_of(&screen, ends[0]);
}

static void test_without_a_terminal_the_bar_is_silent_unless_it_is_asked_for(void **state)
{
    (void)state;
    assert_string_equal(piped("quiet", false, 20), "");
    assert_string_equal(piped(NULL, true, 20), "");
    const char *text = piped("a title", true, 20);
    assert_int_equal(text[0], '\r');
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    const char *last = strrchr(text, '\r') + 1;
    assert_int_equal(strncmp(last, "a title [########################] 20/20 100%, 6 failed, ", 54),
                     0);
    assert_non_null(strstr(last, "/s, 0:00 elapsed, 0:00 left"));
    text = piped("endless", true, -1);
    last = strrchr(text, '\r') + 1;
    assert_int_equal(strncmp(last, "endless 20 done, 6 failed, ", 27), 0);
    assert_null(strstr(text, "left"));
}

static void test_the_bar_can_be_drawn_for_other_work(void **state)
{
    (void)state;
    int ends[2];
    struct shmf_progress now = {"other work", 3, 0, 6, 2, 1.5, 2, 0};
    assert_int_equal(pipe(ends), 0);
    struct screen screen = {.fd = ends[1], .drawn = &now};
    assert_string_equal(output_of(&screen, ends[0]), "\rother work [############............] 3/6"
                                                     "  50%, 1.5/s, 0:02 elapsed, 0:02 left\033[K");
    assert_int_equal(shmf_progress_draw(NULL), SHMF_E_INVAL);
}

static const char *drawing(const struct shmf_progress *now)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct screen screen = {.fd = ends[1], .drawn = now};
    return output_of(&screen, ends[0]);
}

static void test_the_bar_says_long_times_and_high_rates_shortly(void **state)
{
    (void)state;
    static const struct {
        double elapsed, remaining, per_second;
        const char *text;
    } cases[] = {
        {59.6, 3599.4, 9999.94, ", 9999.9/s, 1:00 elapsed, 59:59 left"},
        {3600, 90061, 10000, ", 10.0k/s, 1:00:00 elapsed, 25:01:01 left"},
        {0, 2e9, 999949, ", 999.9k/s, 0:00 elapsed, ? left"},
        {-1, -1, 2.5e6, ", 2.5M/s, ? elapsed, ? left"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shmf_progress now = {.title = "x",
                                    .done = 1,
                                    .total = 2,
                                    .elapsed_seconds = cases[i].elapsed,
                                    .remaining_seconds = cases[i].remaining,
                                    .per_second = cases[i].per_second};
        const char *text = drawing(&now);
        if (!strstr(text, cases[i].text))
            fail_msg("\"%s\", not \"%s\"", text + 1, cases[i].text);
    }
}

static void test_the_bar_is_neither_less_than_empty_nor_more_than_full(void **state)
{
    (void)state;
    struct shmf_progress now = {.title = "x", .done = 0, .total = 5};
    assert_non_null(strstr(drawing(&now), "x [........................] 0/5   0%, 0.0/s"));
    now.done = -1;
    assert_non_null(strstr(drawing(&now), "x [........................] -1/5 -20%, 0.0/s"));
    now.done = 6;
    assert_non_null(strstr(drawing(&now), "x [########################] 6/5 120%, 0.0/s"));
}

static void test_a_title_is_cut_between_characters(void **state)
{
    (void)state;
    char title[80];
    struct shmf_progress now = {.title = title, .total = -1};
    memset(title, 'a', 79);
    title[79] = '\0';
    memcpy(title + 59, "\xc3\xbc", 2); /* the 60th byte is the first half of a letter */
    const char *text = drawing(&now);
    assert_int_equal(strspn(text + 1, "a"), 59);
    assert_int_equal(text[60], ' ');
    memset(title, 0x80, 79); /* no text at all */
    assert_string_equal(drawing(&now), "\r 0 done, 0.0/s, 0:00 elapsed\033[K");
    now.title = NULL;
    assert_int_equal(shmf_progress_draw(&now), SHMF_E_INVAL);
}

/* ---- where nobody reads it ---------------------------------------------------------------- */

static int lines_written;

static ssize_t count_lines(int fd, const void *bytes, size_t size)
{
    lines_written += fd == STDERR_FILENO;
    return write(fd, bytes, size);
}

static int draw_on_a_full_disk(void *context)
{
    (void)context;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (dup2(full, STDERR_FILENO) < 0)
        return 1;
    struct shmf_progress now = {.title = "x", .total = -1};
    if (shmf_progress_draw(&now) != SHMF_E_SYS)
        return 2;
    shmfi_sys.write = count_lines;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_tasks tasks = {.count = 20};
    struct shmf_imap_options options = {.progress = "x", .progress_always = 1};
    assert_counts_up(map(pool, return_index, &tasks, &options), 20);
    shmf_pool_free(pool);
    return lines_written == 1 ? 0 : 3;
}

static void test_a_bar_that_cannot_be_written_is_not_drawn_again(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(draw_on_a_full_disk, NULL, 20)));
}

/* ---- on a terminal ------------------------------------------------------------------------ */

static char *on_terminal(const char *title, unsigned short columns)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    assert_int_equal(ioctl(terminal, TIOCSWINSZ, &size), 0);
    struct screen screen = {terminal, title, false, 20, NULL};
    /* The terminal keeps what was written while this process holds its other end. */
    int kept = dup(terminal);
    char *text = output_of(&screen, master);
    close(kept);
    return text;
}

/* The longest line on the screen: characters between carriage returns, escapes left out. */
static int width_of(const char *text)
{
    int width = 0, widest = 0;
    for (; *text; text++) {
        if (!strncmp(text, "\033[K", 3))
            text += 2;
        else if (*text == '\r' || *text == '\n')
            width = 0;
        else if ((*text & 0xc0) != 0x80) /* UTF-8: not the rest of a character */
            width++;
        widest = width > widest ? width : widest;
    }
    return widest;
}

/* Of the characters used here each has two bytes at most. */
static bool is_utf8(const char *text)
{
    for (; *text; text++) {
        if ((*text & 0xc0) == 0x80)
            return false;
        if ((*text & 0xe0) == 0xc0 && (*++text & 0xc0) != 0x80)
            return false;
    }
    return true;
}

static void test_the_bar_fits_the_terminal(void **state)
{
    (void)state;
    static const unsigned short widths[] = {1, 10, 20, 40, 79, 80, 200};
    static const char *const titles[] = {
        "", "short",
        "a title that is longer than most terminals are wide, and then some more of it",
        "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"};
    for (size_t t = 0; t < sizeof titles / sizeof *titles; t++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            const char *text = on_terminal(titles[t], widths[w]);
            assert_non_null(strchr(text, '\n'));
            if (width_of(text) >= widths[w])
                fail_msg("title %zu: %d characters on a terminal of %d", t, width_of(text),
                         widths[w]);
            assert_true(is_utf8(text));
            if (widths[w] == 200)
                assert_non_null(strstr(text, "20/20 100%"));
        }
}

static void test_a_terminal_that_does_not_say_how_wide_it_is_is_taken_for_80_columns(void **state)
{
    (void)state;
    const char *text = on_terminal("a title that is longer than most terminals are wide", 0);
    assert_int_equal(width_of(text), 79);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_with_workers(test_the_callback_counts_up_to_the_last_call_which_says_finished),
        test_inline(test_the_callback_counts_up_to_the_last_call_which_says_finished),
        test_with_workers(test_without_a_total_there_is_no_estimate),
        test_inline(test_without_a_total_there_is_no_estimate),
        test_with_workers(test_an_iteration_that_ends_early_finishes_too),
        test_inline(test_an_iteration_that_ends_early_finishes_too),
        test_case(test_without_a_terminal_the_bar_is_silent_unless_it_is_asked_for),
        test_case(test_the_bar_can_be_drawn_for_other_work),
        test_case(test_the_bar_says_long_times_and_high_rates_shortly),
        test_case(test_the_bar_is_neither_less_than_empty_nor_more_than_full),
        test_case(test_a_title_is_cut_between_characters),
        test_case(test_a_bar_that_cannot_be_written_is_not_drawn_again),
        test_case(test_the_bar_fits_the_terminal),
        test_case(test_a_terminal_that_does_not_say_how_wide_it_is_is_taken_for_80_columns),
    };
    return cmocka_run_group_tests_name("pool: progress", tests, NULL, NULL);
}
