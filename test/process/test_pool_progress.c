/* How far an iteration is: the callback, and the bar on a terminal. */
#include "pool_calls.h"

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
    static const unsigned short widths[] = {10, 20, 40, 79, 80, 200};
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
        test_case(test_the_bar_fits_the_terminal),
    };
    return cmocka_run_group_tests_name("pool: progress", tests, NULL, NULL);
}
