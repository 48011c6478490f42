/* JSON into arenas and out again. */
#include "test.h"

#include "base/json.h"

#include <math.h>

#define TEXT(literal) literal, sizeof literal - 1

static struct lp_err err;

static json_t *parse(struct lp_arena *a, const char *text, size_t len)
{
    json_t *root = NULL;
    assert_ok(lp_json_parse(a, text, len, &root, &err));
    assert_non_null(root);
    return root;
}

static void assert_written(const char *text, size_t len, const char *wanted)
{
    LP_AUTO(lp_arena) a = {0};
    LP_AUTO(lp_buf) out = {0};
    lp_json_put_value(&out, parse(&a, text, len));
    assert_ok(lp_buf_code(&out, "it", &err));
    assert_string_equal(lp_buf_text(&out), wanted);
}

static void json_is_read_and_written_compactly(void **state)
{
    assert_written(TEXT(" { \"b\" : [ 1 , 2.50, -0.0, true, false, null ] , \"a\" : { } } "),
                   "{\"b\":[1,2.5,-0.0,true,false,null],\"a\":{}}");
    assert_written(TEXT("\"text\""), "\"text\"");
    assert_written(TEXT("7"), "7");
    assert_written(TEXT("null"), "null");
    assert_written(TEXT("[]"), "[]");
    assert_written(TEXT("[9223372036854775807,-9223372036854775808]"), "[9223372036854775807,-9223372036854775808]");
    assert_written(TEXT("[1e2,1E-7,100.0,1e400]"), "[100.0,1e-07,100.0,\"1e400\"]");
    assert_written(TEXT("\"\\u00fc\\ud83c\\udf27\\n\\t\\/\\\"\\\\\\u0001\""), "\"ü🌧\\n\\t/\\\"\\\\\\u0001\"");
    assert_written(TEXT("\"a\\u0000b\""), "\"a\\u0000b\"");
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    assert_written(TEXT("\xEF\xBB\xBF{\"a\":1}"), "{\"a\":1}");
}

static void the_last_of_duplicate_keys_counts(void **state)
{
    assert_written(TEXT("{\"a\":1,\"a\":2}"), "{\"a\":2}");
}

static void what_is_not_json_is_told_with_its_place(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *told;
    } known[] = {{TEXT(""), "is empty"},
                 {TEXT("\xEF\xBB\xBF"), "is empty"},
                 {TEXT("  "), "line 1, column 3"},
                 {TEXT("{\n  \"a\": }"), "line 2, column 8"},
                 {TEXT("<html>"), "line 1, column 1"},
                 {TEXT("{\"a\":1"), "line 1, column 7"},
                 {TEXT("{\"a\":1}x"), "line 1, column 8"},
                 {TEXT("[\"日本\",x]"), "line 1, column 7"},
                 {TEXT("[1,]"), "column 4"},
                 {TEXT("[1 2]"), "column 4"},
                 {TEXT("{'a':1}"), "column 2"},
                 {TEXT("{a:1}"), "column 2"},
                 {TEXT("{\"a\" 1}"), "column 6"},
                 {TEXT("{\"a\":1,}"), "column 8"},
                 {TEXT("[01]"), "column"},
                 {TEXT("[.5]"), "column 2"},
                 {TEXT("[5.]"), "column"},
                 {TEXT("[5e]"), "column"},
                 {TEXT("[-]"), "column"},
                 {TEXT("[+1]"), "column 2"},
                 {TEXT("[NaN]"), "column 2"},
                 {TEXT("[Infinity]"), "column 2"},
                 {TEXT("[True]"), "column 2"},
                 {TEXT("[nul]"), "column 2"},
                 {TEXT("\"open"), "column"},
                 {TEXT("\"open\\"), "column"},
                 {TEXT("[\"\x01\"]"), "control character"},
                 {TEXT("[\"\\n\x01\"]"), "control character"},
                 {TEXT("[\"\\x\"]"), "column"},
                 {TEXT("[\"\\u12g4\"]"), "column"},
                 {TEXT("[\"\\u12\"]"), "column"},
                 {TEXT("{} {}"), "column 4"},
                 {TEXT("[1\0]"), "column 3"},
                 {TEXT("\0"), "column 1"},
                 {TEXT("[\"\\ud83c\"]"), "column"},
                 {TEXT("[\"\\udf27\"]"), "column"},
                 {TEXT("[\"\\ud83c\\u0041\"]"), "column"},
                 {TEXT("// c\n1"), "column 1"},
                 {TEXT("{\"\\u0000\":1}"), "NUL"},
                 {TEXT("\"Z\xFCrich\""), "not UTF-8 (byte 2)"},
                 {TEXT("[\"\xED\xA0\x80\"]"), "not UTF-8"},
                 {TEXT("[1e400,]"), "not JSON"},
                 {TEXT("[1e400"), "not JSON"},
                 {TEXT("\xA0"
                       "1"),
                  "not UTF-8"},
                 {TEXT("\f1"), "column 1"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        LP_AUTO(lp_arena) a = {0};
        json_t *root;
        assert_code(lp_json_parse(&a, known[i].text, known[i].len, &root, &err), LP_DATA);
        if (!strstr(err.text, known[i].told)) fail_msg("%s: %s", known[i].text, err.text);
    }
}

static void numbers_that_are_too_large_arrive_as_their_text(void **state)
{
    assert_written(TEXT("[1e400,-1e400,18446744073709551615,-9223372036854775809,9223372036854775808]"),
                   "[\"1e400\",\"-1e400\",\"18446744073709551615\",\"-9223372036854775809\",\"9223372036854775808\"]");
    assert_written(TEXT("1e999"), "\"1e999\"");
    assert_written(
        TEXT("{\"n\":1e400,\"s\":\"1e400 \\\" 99999999999999999999\",\"9e999\":1.5,\"ok\":9223372036854775807}"),
        "{\"n\":\"1e400\",\"s\":\"1e400 \\\" 99999999999999999999\",\"9e999\":1.5,\"ok\":9223372036854775807}");
    assert_written(TEXT("{\"a\\\\\":1e400}"), "{\"a\\\\\":\"1e400\"}");
    char digits[1003];
    memset(digits, '7', sizeof digits);
    digits[0] = '[', digits[1001] = ']', digits[1002] = '\0';
    LP_AUTO(lp_arena) a = {0};
    json_t *text = json_array_get(parse(&a, digits, 1002), 0);
    assert_int_equal(json_string_length(text), 1000);
}

static void nesting_has_an_end_and_is_no_crash(void **state)
{
    size_t depth = 200000;
    char *deep = malloc(depth);
    assert_non_null(deep);
    memset(deep, '[', depth);
    LP_AUTO(lp_arena) a = {0};
    json_t *root;
    assert_code(lp_json_parse(&a, deep, depth, &root, &err), LP_DATA);
    assert_non_null(strstr(err.text, "nested too deeply"));
    for (size_t i = 0; i < 1000; i++) deep[1999 - i] = ']';
    LP_AUTO(lp_buf) out = {0};
    lp_json_put_value(&out, parse(&a, deep, 2000));
    assert_int_equal(out.len, 2000);
    free(deep);
}

static void any_cap_of_the_arena_is_a_limit_and_nothing_else(void **state)
{
    static const char text[] =
        "{\"list\":[{\"name\":\"Dallas\",\"main\":{\"temp\":77.5,\"id\":18446744073709551615}},{\"name\":\"Z\\u00fcrich\"},1e400]}";
    size_t limited = 0, cap = 16;
    for (;; cap += 16) {
        struct lp_arena a;
        json_t *root = NULL;
        lp_arena_init(&a, cap);
        err = (struct lp_err){0};
        enum lp_code code = lp_json_parse(&a, text, sizeof text - 1, &root, &err);
        if (code && code != LP_LIMIT) fail_msg("%zu bytes: %s", cap, err.text);
        limited += code != LP_OK;
        if (!code)
            assert_string_equal(
                json_string_value(json_object_get(json_array_get(json_object_get(root, "list"), 0), "name")), "Dallas");
        lp_arena_release(&a);
        if (!code) break;
        assert_true(cap < 100000);
    }
    assert_true(limited > 20);
}

/* json_equal, but for a whole number past 2^53: written as 9007199254740993.0 it may be kept exactly, as an integer. */
static bool same(const json_t *ours, const json_t *theirs)
{
    if (json_is_integer(ours) && json_is_real(theirs))
        return (double)json_integer_value(ours) == json_real_value(theirs) && fabs(json_real_value(theirs)) >= 0x1p53;
    if (json_typeof(ours) != json_typeof(theirs)) return false;
    if (json_is_array(ours)) {
        bool all = json_array_size(ours) == json_array_size(theirs);
        for (size_t i = 0; all && i < json_array_size(ours); i++)
            all = same(json_array_get(ours, i), json_array_get(theirs, i));
        return all;
    }
    if (json_is_object(ours)) {
        const char *key;
        json_t *value;
        bool all = json_object_size(ours) == json_object_size(theirs);
        json_object_foreach ((json_t *)(uintptr_t)ours, key, value)
            all = all && same(value, json_object_get(theirs, key));
        return all;
    }
    return json_equal(ours, theirs);
}

/* jansson's own reader is the judge of texts with a byte changed, taken out, put in or cut off. */
static void assert_judged_alike(const char *text, size_t len, size_t *accepted)
{
    LP_AUTO(lp_arena) a = {0};
    json_error_t theirs_error;
    json_t *ours = NULL;
    enum lp_code code = lp_json_parse(&a, text, len, &ours, &err);
    json_t *theirs = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &theirs_error);
    bool overflow = !theirs && json_error_code(&theirs_error) == json_error_numeric_overflow;
    bool alike = !code == !!theirs && (code || same(ours, theirs));
    json_decref(theirs);
    if (!alike && !overflow) fail_msg("%.*s: %s", (int)len, text, code ? err.text : "accepted, or with other values");
    *accepted += !code;
}

static void a_text_is_json_when_jansson_says_so(void **state)
{
    static const char *const seeds[] = {
        "{\"list\":[{\"name\":\"Dallas\",\"temp\":77.5,\"n\":-12e+3},{\"name\":\"Z\\u00fcrich \\ud83c\\udf27\"},[true,false,null]]}",
        "[0,-0,1.5,-1.25e-7,100000000000000000,0.1234567890123456789,12345678901234.5,9007199254740993.0,5e-324,2.2250738585072011e-308]",
        "{\"\":\"\",\"a\\\"b\":{\"\\\\\":[]},\"日本\":\"\\b\\f\\n\\r\\t\\/\"}", " [ 1 , { } , \"x\" ] \n"};
    static const char letters[] = "{}[]\",:\\0123456789.eE+-u dabfnrtls\n\t\x01\xC3\xBC\xE6";
    uint64_t random = 77;
    char text[256];
    size_t accepted = 0;
    for (int i = 0; i < 60000; i++) {
        const char *seed = seeds[(size_t)i % LP_COUNT(seeds)];
        size_t len = strlen(seed);
        memcpy(text, seed, len);
        for (uint64_t changes = next_random(&random) % 3 + 1; changes; changes--) {
            size_t at = next_random(&random) % len;
            char letter = letters[next_random(&random) % (sizeof letters - 1)];
            uint64_t kind = next_random(&random) % 8;
            if (kind == 0) len = at + 1;
            else if (kind < 3) memmove(text + at, text + at + 1, --len - at);
            else if (kind < 5) memmove(text + at + 1, text + at, len++ - at), text[at] = letter;
            else text[at] = letter;
            if (!len) text[len++] = '1';
        }
        assert_judged_alike(text, len, &accepted);
    }
    assert_in_range(accepted, 5000, 50000);
}

static void many_replies_take_the_memory_of_one(void **state)
{
    LP_AUTO(lp_arena) a = {.max_bytes = 8 << 10};
    for (int i = 0; i < 1000; i++) {
        lp_arena_reset(&a);
        json_t *root = parse(&a, TEXT("{\"a\":[1,2,3,{\"b\":\"text\"}],\"c\":{\"d\":null}}"));
        assert_int_equal(json_integer_value(json_array_get(json_object_get(root, "a"), 2)), 3);
    }
}

static void text_that_is_not_utf_8_is_written_with_replacement_characters(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    lp_json_put_text(&out, TEXT("Z\xFCr\xC3\xBC\xE2\x82\xEF\xBF\xBD\x7F\x1F\0\r\n\t\"\\/"));
    assert_string_equal(
        lp_buf_text(&out),
        "\"Z\xEF\xBF\xBDrü\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\\u007f\\u001f\\u0000\\r\\n\\t\\\"\\\\/\"");
}

static void what_is_written_reads_back(void **state)
{
    uint64_t random = 21;
    for (int i = 0; i < 5000; i++) {
        char text[24];
        size_t len = next_random(&random) % sizeof text;
        for (size_t k = 0; k < len; k++) text[k] = (char)(next_random(&random) % 0x80);
        LP_AUTO(lp_buf) out = {0};
        LP_AUTO(lp_arena) a = {0};
        lp_json_put_text(&out, text, len);
        json_t *back = parse(&a, lp_buf_text(&out), out.len);
        assert_int_equal(json_string_length(back), len);
        assert_memory_equal(json_string_value(back), text, len);
    }
}

static void the_writer_puts_commas_where_they_belong(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    struct lp_json_writer w = {.out = &out};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "te\"xt", "a\nb");
    lp_json_text(&w, "none", NULL);
    lp_json_int(&w, "n", INT64_MIN);
    lp_json_open(&w, "list", '[');
    lp_json_close(&w, ']');
    lp_json_open(&w, "more", '[');
    lp_json_bool(&w, NULL, true);
    lp_json_null(&w, NULL);
    lp_json_open(&w, NULL, '{');
    lp_json_close(&w, '}');
    lp_json_close(&w, ']');
    lp_json_key(&w, "keyed!", 5);
    lp_json_open(&w, NULL, '{');
    lp_json_bool(&w, "b", false);
    lp_json_close(&w, '}');
    lp_json_null(&w, "end");
    lp_json_close(&w, '}');
    assert_string_equal(
        lp_buf_text(&out),
        "{\"te\\\"xt\":\"a\\nb\",\"none\":null,\"n\":-9223372036854775808,\"list\":[],\"more\":[true,null,{}],"
        "\"keyed\":{\"b\":false},\"end\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_read_and_written_compactly),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(the_last_of_duplicate_keys_counts),
        cmocka_unit_test(what_is_not_json_is_told_with_its_place),
        cmocka_unit_test(numbers_that_are_too_large_arrive_as_their_text),
        cmocka_unit_test(nesting_has_an_end_and_is_no_crash),
        cmocka_unit_test(any_cap_of_the_arena_is_a_limit_and_nothing_else),
        cmocka_unit_test(a_text_is_json_when_jansson_says_so),
        cmocka_unit_test(many_replies_take_the_memory_of_one),
        cmocka_unit_test(text_that_is_not_utf_8_is_written_with_replacement_characters),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(the_writer_puts_commas_where_they_belong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
