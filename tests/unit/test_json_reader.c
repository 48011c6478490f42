/* The JSON reader beside jansson's own: what one takes, the other takes, and makes the same of it. */
#include "base/json.h"
#include "base/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct lp_arena arena;

/* jansson's words for the same text; *overflow when it refuses a number for its size, where we keep its text. */
static char *theirs(const char *text, size_t len, bool *overflow)
{
    json_error_t error;
    lp_json_build_in(NULL);
    json_t *root = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    *overflow = !root && json_error_code(&error) == json_error_numeric_overflow;
    char *dump = root ? json_dumps(root, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return dump;
}

static char *ours(const char *text, size_t len)
{
    json_t *root;
    struct lp_err err;
    lp_arena_reset(&arena);
    if (lp_json_parse(&arena, text, len, &root, &err)) {
        assert_int_equal(err.code, LP_DATA);
        assert_true(strlen(err.text) > 10);
        return NULL;
    }
    return json_dumps(root, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17));
}

static int compare(const char *text, size_t len)
{
    bool overflow;
    char *copy = malloc(len + 1); /* of its exact size, so that a step too far is seen */
    memcpy(copy, text, len);
    char *a = ours(copy, len), *b = theirs(copy, len, &overflow);
    bool same = overflow || (a && b ? !strcmp(a, b) : !a && !b);
    if (!same)
        fail_msg("%.*s\nours:   %.300s\ntheirs: %.300s", (int)len, copy, a ? a : "(refused)", b ? b : "(refused)");
    int taken = a != NULL;
    free(a);
    free(b);
    free(copy);
    return taken;
}

static const char *const samples[] = {
    "{\"coord\":{\"lon\":-74.006,\"lat\":40.7143},\"weather\":[{\"id\":801,\"main\":\"Clouds\",\"description\":\"few clouds\"}],"
    "\"main\":{\"temp\":15.41,\"pressure\":1012,\"humidity\":56},\"dt\":1349114400,\"name\":\"New York\",\"cod\":200}",
    " [ 1 , -0 , 0.5e-3 , 1E5 , -12.25e+2 , true , false , null , \"a\\u00e9\\ud83c\\udf27\\n\\\"\\\\\\/\" ] ",
    "{\"a\":{\"b\":[[],{},[{}]]},\"a\":2,\"\":\"\",\"\\u0041\":\"x\\u0000y\"}",
    "[9223372036854775807,-9223372036854775808,9007199254740993,1e308,5e-324,2.2250738585072014e-308,0.1,123456789.123456]",
    "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\xA7 \x7F\"",
};

static void it_takes_what_jansson_takes(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "0",
                                        "-0",
                                        "-",
                                        "+1",
                                        "01",
                                        "-01",
                                        "1.",
                                        ".5",
                                        "1.e5",
                                        "1e",
                                        "1e+",
                                        "1E-2",
                                        "0x10",
                                        "1_000",
                                        "NaN",
                                        "Infinity",
                                        "true",
                                        "tru",
                                        "truee",
                                        "TRUE",
                                        "null",
                                        "nul",
                                        "\"",
                                        "\"a",
                                        "\"a\\\"",
                                        "\"\\",
                                        "\"\\x41\"",
                                        "\"\\u12\"",
                                        "\"\\u12g4\"",
                                        "\"\\ud800\"",
                                        "\"\\udc00\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"\\ud800x\"",
                                        "\"\\uD83D\\uDE00\"",
                                        "\"\t\"",
                                        "\"\n\"",
                                        "\"\x1f\"",
                                        "[",
                                        "]",
                                        "[1",
                                        "[1,",
                                        "[1,]",
                                        "[,1]",
                                        "[1 2]",
                                        "[1}",
                                        "{",
                                        "}",
                                        "{\"a\"",
                                        "{\"a\":",
                                        "{\"a\":1",
                                        "{\"a\":1,",
                                        "{\"a\":1,}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{\"a\" 1}",
                                        "{\"a\":1 \"b\":2}",
                                        "{1:2}",
                                        "{\"a\":1]",
                                        "{\"a\\u0000b\":1}",
                                        "1 2",
                                        "{} {}",
                                        "[] x",
                                        "// x\n1",
                                        "/* x */ 1",
                                        "\f1",
                                        "\xA0 1",
                                        "\xEF\xBB\xBF",
                                        "[1]\n\n",
                                        "\r\n\t 7 ",
                                        "\"\\b\\f\\n\\r\\t\\/\\\\\\\"\"",
                                        "\"\xC0\x80\"",
                                        "\"\xED\xA0\x80\"",
                                        "\"\xF4\x90\x80\x80\"",
                                        "\"\xE2\x82\"",
                                        "\xFF",
                                        "1e309",
                                        "-1e400",
                                        "18446744073709551616",
                                        "9223372036854775808",
                                        "-9223372036854775809",
                                        "0e0",
                                        "0.0e-999",
                                        "1e-999",
                                        "123456789012345678901234567890.5"};
    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++) compare(texts[i], strlen(texts[i]));
    assert_null(ours("1\0", 2)); /* jansson sees an end there */
    assert_false(compare("[1,\0]", 5));
    for (size_t i = 0; i < LP_COUNT(samples); i++) assert_true(compare(samples[i], strlen(samples[i])));
}

static void every_beginning_of_a_text_is_judged_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < LP_COUNT(samples); i++)
        for (size_t len = 0; len < strlen(samples[i]); len++) compare(samples[i], len);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static void a_hundred_thousand_damaged_texts_are_judged_alike(void **state)
{
    static const char pieces[] = "{}[]:,\"\\0123456789.eE+-tfnu\xC3\xA9\xED\xA0 \n\x01/abcd";
    (void)state;
    uint64_t random = 20121001;
    int taken = 0, count = 100000;
    for (int i = 0; i < count; i++) {
        char text[600];
        const char *sample = samples[next_random(&random) % LP_COUNT(samples)];
        size_t len = strlen(sample);
        memcpy(text, sample, len);
        for (size_t changes = 1 + next_random(&random) % 3; changes; changes--) {
            size_t at = next_random(&random) % len;
            char piece = pieces[next_random(&random) % (sizeof pieces - 1)];
            switch (next_random(&random) % 3) {
            case 0: text[at] = piece; break;
            case 1: memmove(text + at, text + at + 1, --len - at); break;
            default: memmove(text + at + 1, text + at, len++ - at), text[at] = piece;
            }
        }
        taken += compare(text, len);
    }
    assert_in_range(taken, count / 50, count - count / 50); /* both kinds are among them */
}

static void reals_are_the_nearest_doubles(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 100000; i++) {
        char text[64];
        uint64_t digits = next_random(&random) >> next_random(&random) % 50;
        int decimals = (int)(next_random(&random) % 20);
        if (i % 3)
            snprintf(text, sizeof text, "%llu.%0*llu", (unsigned long long)(digits % 100000), decimals % 12 + 1,
                     (unsigned long long)(digits % 997));
        else snprintf(text, sizeof text, "%llu.5e%d", (unsigned long long)digits, decimals - 10);
        json_t *root;
        struct lp_err err;
        lp_arena_reset(&arena);
        assert_int_equal(lp_json_parse(&arena, text, strlen(text), &root, &err), LP_OK);
        assert_true(json_is_real(root));
        double got = json_real_value(root), wanted = strtod(text, NULL);
        if (memcmp(&got, &wanted, sizeof got)) fail_msg("%s: %.17g, not %.17g", text, got, wanted);
    }
}

static void numbers_too_large_for_anything_stay_as_they_were_written(void **state)
{
    static const char *const texts[] = {"1e400", "-1e400", "18446744073709551615", "-9223372036854775809",
                                        "9223372036854775808"};
    (void)state;
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        json_t *root;
        struct lp_err err;
        lp_arena_reset(&arena);
        assert_int_equal(lp_json_parse(&arena, texts[i], strlen(texts[i]), &root, &err), LP_OK);
        assert_string_equal(json_string_value(root), texts[i]);
    }
}

static void depth_ends_where_janssons_does(void **state)
{
    (void)state;
    for (size_t depth = 2046; depth < 2051; depth++) {
        char *text = malloc(depth * 2);
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        compare(text, depth * 2);
        free(text);
    }
}

static void errors_name_line_and_column(void **state)
{
    struct lp_err err;
    json_t *root;
    (void)state;
    assert_int_equal(lp_json_parse(&arena, "{\n  \"\xC3\xA9\": 1,\n  \"b\": x\n}", 22, &root, &err), LP_DATA);
    assert_string_equal(err.text, "it is not JSON: line 3, column 8: a value was expected");
}

static void a_cap_on_memory_is_a_limit_not_a_fault_of_the_text(void **state)
{
    struct lp_arena small = {.max_bytes = 20000};
    struct lp_err err;
    json_t *root;
    char text[8000];
    (void)state;
    for (size_t i = 0; i < sizeof text; i++) text[i] = i ? i % 2 ? '1' : ',' : '[';
    text[sizeof text - 1] = ']';
    text[sizeof text - 2] = '1';
    assert_int_equal(lp_json_parse(&small, text, sizeof text, &root, &err), LP_LIMIT);
    lp_arena_release(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_takes_what_jansson_takes),
        cmocka_unit_test(every_beginning_of_a_text_is_judged_alike),
        cmocka_unit_test(a_hundred_thousand_damaged_texts_are_judged_alike),
        cmocka_unit_test(reals_are_the_nearest_doubles),
        cmocka_unit_test(numbers_too_large_for_anything_stay_as_they_were_written),
        cmocka_unit_test(depth_ends_where_janssons_does),
        cmocka_unit_test(errors_name_line_and_column),
        cmocka_unit_test(a_cap_on_memory_is_a_limit_not_a_fault_of_the_text),
    };
    lp_arena_init(&arena, (size_t)64 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lp_arena_release(&arena);
    return failed;
}
