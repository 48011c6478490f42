/* Paths into a reply: how they are read, what they find, where a mistake in them lies. */
#include "test.h"

#include "base/json.h"
#include "table/path.h"

static struct lp_err err;

static const char reply[] =
    "{\"city\":{\"name\":\"Dallas\",\"\":\"nameless\"},\"rain\":{\"1h\":0.5},\"a.b\":{\"c[0]\":1,\"say \\\"hi\\\"\":2,\"back\\\\slash\":3},"
    "\"weather\":[{\"description\":\"sky\"},[10,[20,21]],null],\"none\":null,\"$\":4,\"$x\":5,\"Zürich\":6,\"two words\":7,\"0\":8,\"a]b\":9}";

/* The value as JSON text; "absent" where there is none. */
static const char *found(const char *path, bool *whole)
{
    static char copy[200];
    LP_AUTO(lp_arena) a = {0};
    LP_AUTO(lp_buf) out = {0};
    struct lp_path p;
    size_t at;
    json_t *root;
    assert_ok(lp_json_parse(&a, reply, sizeof reply - 1, &root, &err));
    if (lp_path_parse(&a, path, &p, &at, &err)) fail_msg("%s: %s", path, err.text);
    json_t *value = lp_path_find(&p, root);
    if (whole) *whole = p.whole_reply;
    if (value) lp_json_put_value(&out, value);
    snprintf(copy, sizeof copy, "%s", value ? lp_buf_text(&out) : "absent");
    return copy;
}

static void a_path_finds_the_value_it_names(void **state)
{
    static const char *const known[][2] = {{"city.name", "\"Dallas\""},
                                           {"rain.1h", "0.5"},
                                           {"weather[0].description", "\"sky\""},
                                           {"weather[1][1][0]", "20"},
                                           {"weather[1][0]", "10"},
                                           {"\"a.b\".\"c[0]\"", "1"},
                                           {"\"a.b\".\"say \\\"hi\\\"\"", "2"},
                                           {"\"a.b\".\"back\\\\slash\"", "3"},
                                           {"none", "null"},
                                           {"weather[2]", "null"},
                                           {"city.\"\"", "\"nameless\""},
                                           {"Zürich", "6"},
                                           {"two words", "7"},
                                           {"0", "8"},
                                           {"$x", "5"},
                                           {"a]b", "9"},
                                           {"\"$\"", "4"},
                                           {"$.\"$\"", "4"},
                                           {"\"city\".\"name\"", "\"Dallas\""},
                                           {"city", "{\"name\":\"Dallas\",\"\":\"nameless\"}"},
                                           {"$.city.name", "\"Dallas\""},
                                           {"\"weather\"[1][0]", "10"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        const char *value = found(known[i][0], NULL);
        if (strcmp(value, known[i][1])) fail_msg("%s is %s", known[i][0], value);
    }
}

static void what_is_not_there_is_absent(void **state)
{
    static const char *const absent[] = {"nothing",
                                         "city.Name",
                                         "city.name.length",
                                         "weather[3]",
                                         "weather[999999999]",
                                         "city[0]",
                                         "weather.description",
                                         "none.x",
                                         "none[0]",
                                         "rain.1",
                                         "weather[0][0]",
                                         "a.b",
                                         "city.name[0]",
                                         "weather.0"};
    for (size_t i = 0; i < LP_COUNT(absent); i++) assert_string_equal(found(absent[i], NULL), "absent");
    struct lp_path whole = {0};
    assert_null(lp_path_find(&whole, NULL));
}

static void a_dot_is_the_row_and_a_dollar_the_whole_reply(void **state)
{
    bool whole;
    assert_memory_equal(found(".", &whole), "{\"city\"", 7);
    assert_false(whole);
    assert_memory_equal(found("$", &whole), "{\"city\"", 7);
    assert_true(whole);
    found("$.city", &whole);
    assert_true(whole);
    found("$[0].city", &whole);
    assert_true(whole);
    found("$x", &whole);
    assert_false(whole);
    found("city", &whole);
    assert_false(whole);
}

static void a_mistake_in_a_path_is_told_with_its_place(void **state)
{
    static const struct {
        const char *path;
        size_t at;
        const char *why;
    } known[] = {{"", 0, "empty"},
                 {"a.", 1, "missing after the dot"},
                 {"a..b", 2, "missing between"},
                 {".a", 0, "missing between"},
                 {"..", 0, "missing between"},
                 {"a[", 1, "an index is a number"},
                 {"a[]", 1, "an index is a number"},
                 {"a[x]", 1, "an index is a number"},
                 {"a[-1]", 1, "an index is a number"},
                 {"a[1", 1, "an index is a number"},
                 {"a[1.5]", 1, "an index is a number"},
                 {"a[ 1]", 1, "an index is a number"},
                 {"a[*]", 1, "an index is a number"},
                 {"a[1234567890]", 1, "an index is a number"},
                 {"a[0]b", 4, "a dot is missing"},
                 {"\"a\"b", 3, "a dot is missing"},
                 {"ab\"c\"", 2, "a dot is missing"},
                 {"a.\"b", 2, "quote is not closed"},
                 {"\"", 0, "quote is not closed"},
                 {"\"a\\\"", 0, "quote is not closed"},
                 {"a[0].", 4, "missing after the dot"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        LP_AUTO(lp_arena) a = {0};
        struct lp_path p;
        size_t at = 99;
        assert_code(lp_path_parse(&a, known[i].path, &p, &at, &err), LP_CONFIG);
        if (!strstr(err.text, known[i].why)) fail_msg("%s: %s", known[i].path, err.text);
        if (at != known[i].at) fail_msg("%s: at %zu", known[i].path, at);
    }
}

static void any_text_is_a_path_or_told_with_a_place_in_it(void **state)
{
    static const char letters[] = "ab.[]0\"\\$ ";
    uint64_t random = 41;
    size_t good = 0;
    for (int i = 0; i < 30000; i++) {
        char text[12];
        size_t len = next_random(&random) % sizeof text, at;
        for (size_t k = 0; k < len; k++) text[k] = letters[next_random(&random) % (sizeof letters - 1)];
        text[len < sizeof text ? len : len - 1] = '\0';
        LP_AUTO(lp_arena) a = {0};
        struct lp_path p;
        enum lp_code code = lp_path_parse(&a, text, &p, &at, &err);
        good += !code;
        if (code) assert_in_range(at, 0, strlen(text));
    }
    assert_in_range(good, 1000, 29000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_finds_the_value_it_names),
        cmocka_unit_test(what_is_not_there_is_absent),
        cmocka_unit_test(a_dot_is_the_row_and_a_dollar_the_whole_reply),
        cmocka_unit_test(a_mistake_in_a_path_is_told_with_its_place),
        cmocka_unit_test(any_text_is_a_path_or_told_with_a_place_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
