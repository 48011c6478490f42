/* Questions about text: UTF-8, what is near, what fits a terminal; and the two things text is kept in. */
#include "test.h"

#include "base/arena.h"
#include "base/text.h"

#define TEXT(literal) literal, sizeof literal - 1

static struct lp_err err;

static void bad_utf_8_is_found_at_its_first_byte(void **state)
{
    static const struct {
        const char *text;
        size_t len, bad;
    } known[] = {{TEXT(""), 0},
                 {TEXT("plain"), 5},
                 {TEXT("Zürich 日本 🌧"), 19},
                 {TEXT("a\0b"), 3},
                 {TEXT("\xEF\xBF\xBD"), 3},
                 {TEXT("\xF4\x8F\xBF\xBF"), 4},
                 {TEXT("\xED\x9F\xBF"), 3},
                 {TEXT("\xEE\x80\x80"), 3},
                 {TEXT("\xC2\x80"), 2},
                 {TEXT("\xE0\xA0\x80"), 3},
                 {TEXT("\xF0\x90\x80\x80"), 4},
                 {TEXT("\x80"), 0},
                 {TEXT("ab\xBF"), 2},
                 {TEXT("\xC0\x80"), 0},
                 {TEXT("\xC1\xBF"), 0},
                 {TEXT("\xC3"), 0},
                 {TEXT("a\xC3("), 1},
                 {TEXT("\xE0\x9F\xBF"), 0},
                 {TEXT("\xE2\x82"), 0},
                 {TEXT("x\xE2\x28\xA1"), 1},
                 {TEXT("\xE2\x82\x28"), 0},
                 {TEXT("\xED\xA0\x80"), 0},
                 {TEXT("\xED\xBF\xBF"), 0},
                 {TEXT("\xF0\x8F\xBF\xBF"), 0},
                 {TEXT("\xF0\x9F\x8C"), 0},
                 {TEXT("\xF0\x28\x8C\xBC"), 0},
                 {TEXT("\xF0\x90\x28\xBC"), 0},
                 {TEXT("\xF0\x28\x8C\x28"), 0},
                 {TEXT("\xF4\x90\x80\x80"), 0},
                 {TEXT("\xF5\x80\x80\x80"), 0},
                 {TEXT("\xF8\x88\x80\x80\x80"), 0},
                 {TEXT("\xFC\x84\x80\x80\x80\x80"), 0},
                 {TEXT("\xFE"), 0},
                 {TEXT("\xFF"), 0},
                 {TEXT("Z\xFCrich"), 1},
                 {TEXT("ok\xC3\xBC\xC3"), 4}};
    for (size_t i = 0; i < LP_COUNT(known); i++)
        if (lp_utf8_check(known[i].text, known[i].len) != known[i].bad) fail_msg("%zu: \"%s\"", i, known[i].text);
}

static void every_code_point_is_one_character_and_reads_back(void **state)
{
    for (uint32_t code = 0; code <= 0x110000; code += code < 0x3000 ? 1 : 37) {
        char text[4];
        const char *at = text;
        bool valid = code < 0xD800 || (code > 0xDFFF && code < 0x110000);
        size_t len = lp_utf8_put(code, text);
        if (lp_utf8_check(text, len) != (valid ? len : 0)) fail_msg("U+%X", code);
        if (lp_utf8_next(&at, text + len) != (valid ? code : 0xFFFD)) fail_msg("U+%X", code);
        assert_int_equal(at - text, valid ? len : 1);
        if (valid) assert_int_equal(lp_utf8_length(text, len), 1);
    }
}

static void text_is_measured_in_cells(void **state)
{
    assert_int_equal(lp_text_columns(TEXT("")), 0);
    assert_int_equal(lp_text_columns(TEXT("Dallas")), 6);
    assert_int_equal(lp_text_columns(TEXT("Zürich")), 6);
    assert_int_equal(lp_text_columns(TEXT("日本")), 4);
    assert_int_equal(lp_text_columns(TEXT("🌧 ok")), 5);
    assert_int_equal(lp_text_columns(TEXT("e\xCC\x81")), 1);
    assert_int_equal(lp_utf8_length(TEXT("e\xCC\x81")), 2);
}

static const char *cut(const char *text, size_t columns, bool middle)
{
    static struct lp_buf out;
    static char copy[200];
    lp_buf_clear(&out);
    if (middle) lp_text_cut_middle(&out, text, strlen(text), columns);
    else lp_text_cut(&out, text, strlen(text), columns);
    snprintf(copy, sizeof copy, "%s", lp_buf_text(&out));
    lp_buf_release(&out);
    return copy;
}

static void text_is_cut_to_fit_its_cells(void **state)
{
    assert_string_equal(cut("Dallas", 6, false), "Dallas");
    assert_string_equal(cut("Dallas", 5, false), "Dall…");
    assert_string_equal(cut("Dallas", 1, false), "…");
    assert_string_equal(cut("Dallas", 0, false), "");
    assert_string_equal(cut("日本語", 6, false), "日本語");
    assert_string_equal(cut("日本語", 5, false), "日本…");
    assert_string_equal(cut("日本語", 4, false), "日…");
    assert_string_equal(cut("lake/weather/dt=1/x.csv", 11, true), "lake/…x.csv");
    assert_string_equal(cut("lake/weather", 12, true), "lake/weather");
    assert_string_equal(cut("lake/weather", 2, true), "l…");
    for (size_t columns = 0; columns < 30; columns++) {
        const char *shown = cut("Zürich/日本/🌧/e\xCC\x81/plain", columns, false);
        assert_true(lp_text_columns(shown, strlen(shown)) <= columns);
        assert_int_equal(lp_utf8_check(shown, strlen(shown)), strlen(shown));
        shown = cut("Zürich/日本/🌧/e\xCC\x81/plain", columns, true);
        assert_true(lp_text_columns(shown, strlen(shown)) <= columns);
        assert_int_equal(lp_utf8_check(shown, strlen(shown)), strlen(shown));
        shown = cut("lake/Zürich/weather/dt=2012-10-01/e\xCC\x81", columns, true);
        assert_int_equal(lp_text_columns(shown, strlen(shown)), columns);
        assert_int_equal(lp_utf8_check(shown, strlen(shown)), strlen(shown));
    }
}

static void a_mistyped_word_finds_what_was_meant(void **state)
{
    static const char *const words[] = {"nullable",    "from",    "type",  "unit",    "unique",
                                        "description", "default", "parse", "in_range"};
    static const struct {
        const char *word, *meant;
    } known[] = {{"nulable", "nullable"},
                 {"nullabel", "nullable"},
                 {"form", "from"},
                 {"tpye", "type"},
                 {"units", "unit"},
                 {"desc", "description"},
                 {"descripton", "description"},
                 {"defualt", "default"},
                 {"inrange", "in_range"},
                 {"from", "from"},
                 {"banana", NULL},
                 {"", NULL},
                 {"x", NULL},
                 {"description of the column that is far too long to be meant as any of these words", NULL},
                 {"Type", "type"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        const char *near = lp_text_nearest(known[i].word, strlen(known[i].word), words, LP_COUNT(words));
        if (!known[i].meant && near) fail_msg("%s is near %s", known[i].word, near);
        if (known[i].meant) assert_string_equal(near ? near : "(nothing)", known[i].meant);
    }
    assert_null(lp_text_nearest("type", 4, words, 0));
}

static void letters_are_compared_without_case(void **state)
{
    assert_true(lp_text_equal_ignoring_case("Retry-After", "retry-AFTER"));
    assert_false(lp_text_equal_ignoring_case("date", "dates"));
    assert_false(lp_text_equal_ignoring_case("dates", "date"));
    assert_false(lp_text_equal_ignoring_case("@", "`"));
    assert_true(lp_slice_is(lp_slice_of("date"), "date"));
    assert_false(lp_slice_is(lp_slice_of("date"), "dat"));
    assert_false(lp_slice_is((struct lp_slice){"date", 3}, "date"));
}

static void percent_encoding_leaves_only_unreserved_bytes(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    lp_percent_encode(&out, TEXT("AZaz09-_.~ &=+/?#%\"é\0"), "");
    assert_string_equal(lp_buf_text(&out), "AZaz09-_.~%20%26%3D%2B%2F%3F%23%25%22%C3%A9%00");
    lp_buf_clear(&out);
    lp_percent_encode(&out, TEXT("a/b,c\0"), "/,");
    assert_string_equal(lp_buf_text(&out), "a/b,c%00");
}

static void percent_decoding_undoes_it_and_leaves_what_is_no_escape(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    lp_percent_decode(&out, TEXT("a%20b+c%2Bd%2f%C3%A9%"), false);
    assert_string_equal(lp_buf_text(&out), "a b+c+d/é%");
    lp_buf_clear(&out);
    lp_percent_decode(&out, TEXT("a+b%2B%zz%4%1"), true);
    assert_string_equal(lp_buf_text(&out), "a b+%zz%4%1");
}

/* ---- buffers ---- */

static void a_buffer_is_text_at_all_times(void **state)
{
    LP_AUTO(lp_buf) b = {0};
    assert_string_equal(lp_buf_text(&b), "");
    lp_buf_put(&b, "", 0);
    assert_string_equal(lp_buf_text(&b), "");
    for (int i = 0; i < 10000; i++) {
        lp_buf_printf(&b, "%d,", i);
        lp_buf_putc(&b, ' ');
        lp_buf_puts(&b, "x");
        if (strlen(lp_buf_text(&b) + b.len)) fail_msg("not closed after %d", i);
    }
    assert_int_equal(strlen(lp_buf_text(&b)), b.len);
    assert_int_equal(b.len, 48890 + 20000);
    assert_ok(lp_buf_code(&b, "a text", &err));
    lp_buf_clear(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal(lp_buf_text(&b), "");
}

static void a_buffer_holds_its_cap_and_not_a_byte_more(void **state)
{
    for (size_t cap = 1; cap < 600; cap += 13) {
        LP_AUTO(lp_buf) b = {.max_bytes = cap};
        for (size_t i = 0; i < cap; i++) lp_buf_putc(&b, 'x');
        assert_ok(lp_buf_code(&b, "a text", &err));
        assert_int_equal(b.len, cap);
        lp_buf_putc(&b, 'y');
        assert_code(lp_buf_code(&b, "a text", &err), LP_LIMIT);
        assert_int_equal(b.len, cap);
        assert_non_null(strstr(err.text, "a text"));
    }
}

static void a_failed_append_sticks_until_the_buffer_is_cleared(void **state)
{
    LP_AUTO(lp_buf) b = {.max_bytes = 10};
    lp_buf_puts(&b, "12345");
    lp_buf_puts(&b, "too long");
    lp_buf_puts(&b, "6");
    lp_buf_printf(&b, "%d", 7);
    assert_false(lp_buf_reserve(&b, 1));
    assert_string_equal(lp_buf_text(&b), "12345");
    assert_code(lp_buf_code(&b, "it", &err), LP_LIMIT);
    lp_buf_clear(&b);
    lp_buf_puts(&b, "1234567890");
    assert_ok(lp_buf_code(&b, "it", &err));
    assert_false(lp_buf_reserve(&b, SIZE_MAX));
}

static void reserved_room_is_there_and_bounded(void **state)
{
    LP_AUTO(lp_buf) b = {.max_bytes = 1000};
    assert_true(lp_buf_reserve(&b, 1000));
    memset(b.data, 'x', 1000);
    assert_true(b.cap > 1000);
    assert_false(lp_buf_reserve(&b, 1001));
    LP_AUTO(lp_buf) standard = {0};
    assert_false(lp_buf_reserve(&standard, ((size_t)64 << 20) + 1));
    assert_code(lp_buf_code(&standard, "it", &err), LP_LIMIT);
}

/* ---- arenas ---- */

static void an_arena_hands_out_aligned_memory_that_does_not_overlap(void **state)
{
    LP_AUTO(lp_arena) a = {0};
    unsigned char *kept[500];
    size_t sizes[500];
    uint64_t random = 9;
    for (size_t i = 0; i < 500; i++) {
        sizes[i] = next_random(&random) % (i % 50 ? 300 : 100000);
        kept[i] = lp_arena_alloc(&a, sizes[i]);
        assert_non_null(kept[i]);
        assert_int_equal((uintptr_t)kept[i] % 16, 0);
        memset(kept[i], (int)(i & 0xFF), sizes[i]);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (kept[i][k] != (i & 0xFF)) fail_msg("block %zu is overwritten", i);
}

static void an_arena_stops_at_its_cap_and_says_so(void **state)
{
    struct lp_arena a;
    volatile size_t absurd = SIZE_MAX;
    lp_arena_init(&a, 1 << 20);
    size_t count = 0;
    while (lp_arena_alloc(&a, 1000)) count++;
    assert_in_range(count, 1000, 1048);
    assert_code(lp_arena_code(&a, &err), LP_LIMIT);
    assert_non_null(strstr(err.text, "1 MiB"));
    lp_arena_reset(&a);
    assert_int_equal(a.used_bytes, 0);
    assert_non_null(lp_arena_alloc(&a, (1 << 20) - 16));
    assert_null(lp_arena_alloc(&a, 32));
    assert_null(lp_arena_alloc(&a, absurd));
    assert_null(lp_arena_alloc(&a, absurd / 2));
    assert_null(lp_arena_strdup(&a, "a text of more than sixteen bytes"));
    assert_null(lp_arena_printf(&a, "%0100d", 1));
    lp_arena_release(&a);
    lp_arena_release(&a);
}

static void an_arena_that_is_reset_uses_its_memory_again(void **state)
{
    LP_AUTO(lp_arena) a = {0};
    char *first = lp_arena_alloc(&a, 100);
    for (int i = 0; i < 100; i++) {
        memset(lp_arena_alloc(&a, 50000), 'x', 50000);
        lp_arena_reset(&a);
        assert_ptr_equal(lp_arena_alloc(&a, 100), first);
        char *zeros = lp_arena_zalloc(&a, 200);
        for (int k = 0; k < 200; k++) assert_int_equal(zeros[k], 0);
    }
}

static void texts_in_an_arena_are_whole_copies(void **state)
{
    LP_AUTO(lp_arena) a = {0};
    char text[] = "abc";
    char *copy = lp_arena_strdup(&a, text), *part = lp_arena_strndup(&a, text, 2),
         *empty = lp_arena_strndup(&a, NULL, 0);
    text[0] = 'x';
    assert_string_equal(copy, "abc");
    assert_string_equal(part, "ab");
    assert_string_equal(empty, "");
    char *printed = lp_arena_printf(&a, "%05000d|%s", 7, copy);
    assert_int_equal(strlen(printed), 5004);
    assert_string_equal(printed + 4999, "7|abc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_utf_8_is_found_at_its_first_byte),
        cmocka_unit_test(every_code_point_is_one_character_and_reads_back),
        cmocka_unit_test(text_is_measured_in_cells),
        cmocka_unit_test(text_is_cut_to_fit_its_cells),
        cmocka_unit_test(a_mistyped_word_finds_what_was_meant),
        cmocka_unit_test(letters_are_compared_without_case),
        cmocka_unit_test(percent_encoding_leaves_only_unreserved_bytes),
        cmocka_unit_test(percent_decoding_undoes_it_and_leaves_what_is_no_escape),
        cmocka_unit_test(a_buffer_is_text_at_all_times),
        cmocka_unit_test(a_buffer_holds_its_cap_and_not_a_byte_more),
        cmocka_unit_test(a_failed_append_sticks_until_the_buffer_is_cleared),
        cmocka_unit_test(reserved_room_is_there_and_bounded),
        cmocka_unit_test(an_arena_hands_out_aligned_memory_that_does_not_overlap),
        cmocka_unit_test(an_arena_stops_at_its_cap_and_says_so),
        cmocka_unit_test(an_arena_that_is_reset_uses_its_memory_again),
        cmocka_unit_test(texts_in_an_arena_are_whole_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
