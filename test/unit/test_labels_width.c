/* labels/: how much room text takes on a terminal. */
#include "labels/labels.h"
#include "labels/utf8.h"
#include "support/test.h"

#include <string.h>

static void test_characters_take_the_columns_that_unicode_gives_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned width;
    } cases[] = {
        {"\u00e9", 1},
        {"e\u0301", 1},                  /* combining acute accent */
        {"\u05e9\u05bc\u05c1", 1},       /* Hebrew points */
        {"\u0628\u0651\u064e", 1},       /* Arabic marks */
        {"\u0915\u094d\u0937\u093f", 3}, /* Devanagari: the last vowel sign has room of its own */
        {"\u0e01\u0e34\u0e4c", 1},       /* Thai */
        {"\ud55c", 2},                   /* a Hangul syllable, */
        {"\u1112\u1161\u11ab", 2},       /* and the same in three parts */
        {"\uff21\uff71", 3},             /* fullwidth, halfwidth */
        {"\u2018x\u2019", 3},            /* ambiguous: narrow */
        {"\u231a", 2},                   /* watch */
        {"\u2764\ufe0f", 1},             /* heart, and a selector that takes no room */
        {"\U0001f600", 2},               /* a face */
        {"\U0001f44d\U0001f3fd", 2},     /* thumb with skin */
        {"\U0001f1e9\U0001f1ea", 2},     /* a flag of two letters */
        {"\U00020000", 2},
        {"a\u200db", 2}, /* joiner */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char shown[SHMFI_SHOWN_TEXT_SIZE];
        assert_int_equal(shmfi_text_show(shown, cases[i].text, strlen(cases[i].text)),
                         cases[i].width);
        assert_string_equal(shown, cases[i].text);
    }
}

/* Both tables of ranges ascend, or the search in them would miss some. */
static void test_no_character_is_missed_by_the_search(void **state)
{
    (void)state;
    unsigned counts[3] = {0};
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        unsigned width = shmfi_character_width(code);
        assert_in_range(width, 0, 2);
        counts[width]++;
    }
    assert_int_equal(counts[0], 7323); /* as many as the ranges have together */
    assert_int_equal(counts[2], 191834);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters_take_the_columns_that_unicode_gives_them),
        cmocka_unit_test(test_no_character_is_missed_by_the_search),
    };
    return cmocka_run_group_tests_name("labels width", tests, NULL, NULL);
}
