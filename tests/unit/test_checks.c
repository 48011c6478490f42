/* Every check under its name and alias, for every type: Pandera's rules (quality/checks.h). */
#include "test.h"

#include "quality/checks.h"
#include "quality/pattern.h"

struct schema {
    struct lp_arena arena;
    struct lp_faults faults;
    struct lp_columns columns;
    struct lp_checks checks;
};

static struct lp_err err;

/* Reads "c: { type: TYPE, from: x, CHECK }". */
static void read_schema(struct schema *s, const char *type, const char *check)
{
    char text[600];
    struct lp_column_extras extras;
    int len = snprintf(text, sizeof text, "c: { type: %s, from: x, %s }", type, check);
    assert_in_range(len, 1, sizeof text - 1);
    *s = (struct schema){0};
    lp_faults_init(&s->faults, "p.yaml");
    struct lp_reading r = {.arena = &s->arena, .faults = &s->faults};
    const struct lp_node *root = lp_yaml_parse(text, (size_t)len, &s->arena, &s->faults);
    assert_non_null(root);
    lp_checks_extras(&s->checks, &s->columns, &extras);
    lp_columns_read(&r, root, &extras, &s->columns);
}

static void release(struct schema *s)
{
    lp_checks_release(&s->checks);
    lp_columns_release(&s->columns);
    lp_faults_release(&s->faults);
    lp_arena_release(&s->arena);
}

static bool passes(const char *type, const char *check, const char *json)
{
    struct schema s;
    LP_AUTO(lp_batch) b = {0};
    json_t *value;
    read_schema(&s, type, check);
    if (s.faults.count || s.checks.count != 1)
        fail_msg("%s %s: %s", type, check, s.faults.count ? s.faults.list[0].what : "no check");
    assert_ok(lp_json_parse(&s.arena, json, strlen(json), &value, &err));
    assert_ok(lp_batch_init(&b, &s.columns, 1, &err));
    assert_ok(lp_convert_json(&b, 0, 0, value, &err));
    assert_null(b.failures[0]);
    bool null = b.cells[0].null[0];
    bool result = null ? lp_check_passes_null(s.checks.first)
                       : lp_check_passes(s.checks.first, &b.cells[0], s.columns.list[0].type, 0);
    release(&s);
    return result;
}

struct verdict {
    const char *type, *check, *good, *bad; /* values as JSON, several apart by a bar; NULL: none */
};

static void assert_all(const struct verdict *v, const char *values, bool wanted)
{
    char copy[300];
    snprintf(copy, sizeof copy, "%s", values);
    for (char *rest = copy, *value; (value = strsep(&rest, "|"));)
        if (passes(v->type, v->check, value) != wanted)
            fail_msg("%s, %s: %s %s", v->type, v->check, value, wanted ? "fails" : "passes");
}

static void assert_verdicts(const struct verdict *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].good) assert_all(&list[i], list[i].good, true);
        if (list[i].bad) assert_all(&list[i], list[i].bad, false);
    }
}

static void comparisons_are_made_as_the_column_s_type(void **state)
{
    static const struct verdict known[] = {
        {"bigint", "equal_to: 5", "5|5.0|\"5\"", "4|6|-5"},
        {"bigint", "eq: 5", "5", "6"},
        {"bigint", "not_equal_to: 5", "4|6", "5"},
        {"bigint", "ne: 5", "4", "5"},
        {"bigint", "greater_than: 5", "6", "5|4|-6"},
        {"bigint", "gt: 5", "6", "5"},
        {"bigint", "greater_than_or_equal_to: 5", "5|6", "4"},
        {"bigint", "ge: 5", "5", "4"},
        {"bigint", "less_than: 5", "4|-9", "5|6"},
        {"bigint", "lt: 5", "4", "5"},
        {"bigint", "less_than_or_equal_to: 5", "5|4", "6"},
        {"bigint", "le: 5", "5", "6"},
        {"bigint", "greater_than: 9007199254740992", "9007199254740993", "9007199254740992"},
        {"bigint", "equal_to: 9223372036854775807", "9223372036854775807", "9223372036854775806"},
        {"double", "equal_to: 0.1", "0.1|1e-1", "0.1000001"},
        {"double", "equal_to: 0", "0|-0.0", "5e-324"},
        {"double", "greater_than: -0.5", "-0.49|0", "-0.5|-1"},
        {"double", "le: 1.5", "1.5|-1e300", "1.5000000000000002"},
        {"string", "equal_to: rain", "\"rain\"", "\"Rain\"|\"rain \"|\"\""},
        {"string", "ne: rain", "\"\"", "\"rain\""},
        {"string", "greater_than: b", "\"ba\"|\"c\"|\"é\"", "\"b\"|\"a\"|\"\"|\"B\""},
        {"string", "eq: 5", "\"5\"|5", "\"5.0\""},
        {"boolean", "equal_to: true", "true|1", "false"},
        {"boolean", "ne: 1", "false", "true"},
        {"boolean", "gt: false", "true", "false"},
        {"timestamp", "ge: 2012-10-01T18:00:00Z", "\"2012-10-01T13:00:00-05:00\"", "\"2012-10-01T17:59:59.999999Z\""},
        {"timestamp", "eq: 2012-10-01", "\"2012-10-01T00:00:00Z\"", "\"2012-10-01T00:00:01Z\""},
        {"date", "lt: 2012-10-01", "\"2012-09-30\"|\"0001-01-01\"", "\"2012-10-01\""},
        {"timestamp, parse: unix", "ge: 2012-10-01T18:00:00Z", "1349114400", "1349114399"}};
    assert_verdicts(known, LP_COUNT(known));
}

static void a_range_has_both_ends_unless_one_is_left_out(void **state)
{
    static const struct verdict known[] = {
        {"bigint", "in_range: [0, 10]", "0|5|10", "-1|11"},
        {"bigint", "between: [0, 10]", "0|10", "-1|11"},
        {"double", "in_range: [-0.5, 0.5]", "-0.5|0.5", "-0.51|0.6"},
        {"bigint", "in_range: { min_value: 0, max_value: 10 }", "0|10", "-1|11"},
        {"bigint", "in_range: { min_value: 0, max_value: 10, include_min: false }", "1|10", "0|11"},
        {"bigint", "between: { max_value: 10, min_value: 0, include_max: false }", "0|9", "10|-1"},
        {"bigint", "in_range: { min_value: 0, max_value: 10, include_min: false, include_max: false }", "1|9", "0|10"},
        {"bigint", "in_range: [7, 7]", "7", "6|8"},
        {"string", "in_range: [b, d]", "\"b\"|\"cz\"|\"d\"", "\"a\"|\"da\""},
        {"date", "in_range: [2012-10-01, 2012-10-31]", "\"2012-10-01\"|\"2012-10-31\"",
         "\"2012-11-01\"|\"2012-09-30\""}};
    assert_verdicts(known, LP_COUNT(known));
}

static void sets_hold_values_of_the_column_s_type(void **state)
{
    static const struct verdict known[] = {
        {"string", "isin: [rain, snow]", "\"rain\"|\"snow\"", "\"Rain\"|\"rai\"|\"\""},
        {"string", "isin: rain", "\"rain\"", "\"r\""},
        {"string", "notin: [rain, snow]", "\"sun\"|\"\"", "\"rain\"|\"snow\""},
        {"string", "isin: [\"\"]", "\"\"", "\" \""},
        {"bigint", "isin: [1, 5.0]", "1|5|\"5\"", "2"},
        {"double", "isin: [0.1, 2]", "0.1|2", "0.2"},
        {"boolean", "isin: [true]", "true", "false"},
        {"date", "notin: [2012-10-01]", "\"2012-10-02\"", "\"2012-10-01\""},
        {"string", "isin: { allowed_values: [a, b] }", "\"a\"", "\"c\""},
        {"string", "notin: { forbidden_values: [a] }", "\"b\"", "\"a\""},
        {"string", "unique_values_eq: [Chicago, Dallas]", "\"Dallas\"", "\"Denver\""},
        {"string", "isin: [No, \"null\", true, 5]", "\"No\"|\"null\"|\"true\"|\"5\"", "\"yes\"|\"\""}};
    assert_verdicts(known, LP_COUNT(known));
}

static void texts_are_matched_found_begun_and_ended(void **state)
{
    static const struct verdict known[] = {
        {"string", "str_matches: \"[A-Z]\"", "\"Abc\"|\"A\"", "\"abc\"|\"aBC\"|\"\""},
        {"string", "str_matches: \"a\"", "\"a\"|\"ab\"", "\"ba\""},
        {"string", "str_matches: \"a|b\"", "\"ax\"|\"bx\"", "\"xa\"|\"xb\""},
        {"string", "str_matches: \"^a$\"", "\"a\"|\"a\\n\"", "\"ab\"|\"b\\na\""},
        {"string", "str_matches: \".b\"", "\"ab\"|\"éb\"|\"🌧b\"", "\"b\"|\"\\nb\""},
        {"string", "str_matches: \"\"", "\"\"|\"x\"", NULL},
        {"string", "str_contains: \"rain|snow\"", "\"light rain\"|\"snow!\"", "\"sun\"|\"Rain\""},
        {"string", "str_contains: \"(?i)rain\"", "\"RAIN\"", "\"r ain\""},
        {"string", "str_contains: '\\d{2}$'", "\"a12\"", "\"a1\"|\"12a\""},
        {"string", "str_startswith: New", "\"New York\"|\"New\"", "\"new\"|\"Ne\"|\" New\""},
        {"string", "str_startswith: \"a.\"", "\"a.b\"", "\"abc\""},
        {"string", "str_endswith: sky", "\"clear sky\"|\"sky\"", "\"sky \"|\"ky\"|\"\""},
        {"string", "str_matches: { pattern: \"a+b\" }", "\"aab\"", "\"caab\""},
        {"string", "str_endswith: { string: sky }", "\"sky\"", "\"s\""}};
    assert_verdicts(known, LP_COUNT(known));
}

static void lengths_are_counted_in_characters(void **state)
{
    static const struct verdict known[] = {
        {"string", "str_length: 2", "\"ab\"|\"éé\"|\"🌧🌧\"", "\"a\"|\"abc\"|\"\""},
        {"string", "str_length: [1, 3]", "\"a\"|\"日本語\"", "\"\"|\"abcd\""},
        {"string", "str_length: [2, ~]", "\"ab\"|\"abcdefgh\"", "\"a\""},
        {"string", "str_length: [~, 2]", "\"\"|\"ab\"", "\"abc\""},
        {"string", "str_length: { min_value: 2 }", "\"ab\"", "\"a\""},
        {"string", "str_length: { max_value: 2 }", "\"\"|\"ab\"", "\"abc\""},
        {"string", "str_length: { exact_value: 2 }", "\"ab\"", "\"a\"|\"abc\""},
        {"string", "str_length: { min_value: 1, max_value: 2 }", "\"a\"", "\"\"|\"abc\""},
        {"string", "str_length: 0", "\"\"", "\"a\""}};
    assert_verdicts(known, LP_COUNT(known));
}

static void nulls_are_passed_over_unless_they_are_looked_at(void **state)
{
    static const char *const checks[][2] = {
        {"equal_to: 5", "equal_to: { value: 5, ignore_na: false }"},
        {"gt: 5", "greater_than: { min_value: 5, ignore_na: false }"},
        {"ge: 5", "ge: { min_value: 5, ignore_na: false }"},
        {"lt: 5", "less_than: { max_value: 5, ignore_na: false }"},
        {"le: 5", "le: { max_value: 5, ignore_na: false }"},
        {"isin: [5]", "isin: { allowed_values: [5], ignore_na: false }"},
        {"between: [0, 5]", "in_range: { min_value: 0, max_value: 5, ignore_na: false }"}};
    static const char *const texts[] = {
        "str_matches: { pattern: a, ignore_na: false }", "str_contains: { pattern: a, ignore_na: false }",
        "str_startswith: { string: a, ignore_na: false }", "str_endswith: { string: a, ignore_na: false }",
        "str_length: { min_value: 1, ignore_na: false }"};
    for (size_t i = 0; i < LP_COUNT(checks); i++) {
        assert_true(passes("bigint", checks[i][0], "null"));
        if (passes("bigint", checks[i][1], "null")) fail_msg("%s takes null", checks[i][1]);
    }
    for (size_t i = 0; i < LP_COUNT(texts); i++)
        if (passes("string", texts[i], "null")) fail_msg("%s takes null", texts[i]);
    assert_true(passes("bigint", "ne: { value: 5, ignore_na: false }", "null"));
    assert_true(passes("bigint", "notin: { forbidden_values: [5], ignore_na: false }", "null"));
    assert_true(passes("bigint", "ne: { value: 5, ignore_na: true }", "null"));
}

static void a_check_is_named_as_pandera_names_it(void **state)
{
    static const char *const known[][3] = {
        {"bigint", "greater_than: 0", "greater_than(0)"},
        {"bigint", "gt: 0", "greater_than(0)"},
        {"bigint", "between: [0, 10]", "in_range(0, 10)"},
        {"double", "le: 1.50", "less_than_or_equal_to(1.50)"},
        {"string", "isin: [a, b]", "isin(['a', 'b'])"},
        {"bigint", "isin: [1, 2]", "isin([1, 2])"},
        {"string", "eq: it's", "equal_to(\"it's\")"},
        {"string", "str_matches: \"^a\"", "str_matches('^a')"},
        {"string", "str_length: [1, 3]", "str_length(1, 3)"},
        {"string", "str_length: [~, 3]", "str_length(None, 3)"},
        {"string", "str_length: 5", "str_length(5)"},
        {"string", "str_length: [2, ~]", "str_length(2, None)"},
        {"boolean", "eq: true", "equal_to(True)"},
        {"boolean", "ne: 0", "not_equal_to(False)"},
        {"date", "ge: 2012-10-01", "greater_than_or_equal_to('2012-10-01')"},
        {"string", "unique: true", "field_uniqueness"},
        {"bigint", "in_range: { min_value: 0, max_value: 9, include_max: false }", "in_range(0, 9)"},
        {"string", "notin: x", "notin(['x'])"},
        {"string", "str_startswith: New", "str_startswith('New')"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        struct schema s;
        read_schema(&s, known[i][0], known[i][1]);
        assert_int_equal(s.faults.count, 0);
        assert_string_equal(s.checks.first->text, known[i][2]);
        release(&s);
    }
}

static void a_check_that_makes_no_sense_is_a_fault_with_its_place(void **state)
{
    static const char *const known[][3] = {
        {"bigint", "greater_than: five", "greater_than: \"five\" is not of type bigint"},
        {"bigint", "gt: 5.5", "greater_than: \"5.5\" is not of type bigint"},
        {"bigint", "in_range: [10, 0]", "in_range: nothing lies between 10 and 0"},
        {"bigint", "in_range: { min_value: 5, max_value: 5, include_min: false }",
         "in_range: nothing lies between 5 and 5"},
        {"bigint", "in_range: 5", "in_range wants two values"},
        {"bigint", "in_range: [1, 2, 3]", "in_range wants two values"},
        {"bigint", "in_range: { min_value: 5 }", "in_range says no value"},
        {"string", "isin: []", "isin: the list is empty"},
        {"bigint", "str_matches: a", "str_matches has no meaning for type bigint"},
        {"date", "str_length: 5", "str_length has no meaning for type date"},
        {"string", "str_matches: \"(\"", "str_matches: the pattern does not compile"},
        {"string", "str_length: -1", "str_length: \"-1\" is not a length"},
        {"string", "str_length: [3, 1]", "str_length: no length lies between the two"},
        {"string", "str_length: [1, 2, 3]", "str_length wants a length or two"},
        {"string", "str_length: {}", "str_length says no value"},
        {"string", "equal_to: [a, b]", "text was expected here, not a list"},
        {"string", "eq:", "there is no value"},
        {"bigint", "gt: { value: 5 }", "unknown key \"value\" under greater_than"},
        {"bigint", "gt: { min_value: 5, ignore_na: perhaps }", "ignore_na: \"perhaps\" is not true or false"},
        {"string", "unique: yes", "unique: \"yes\" is not true or false"},
        {"bigint", "greater: 5", "unknown key \"greater\" under columns.c"},
        {"boolean", "eq: maybe", "equal_to: \"maybe\" is not of type boolean"},
        {"date", "ge: 01.10.2012", "greater_than_or_equal_to: \"01.10.2012\" is not of type date"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        struct schema s;
        read_schema(&s, known[i][0], known[i][1]);
        if (!s.faults.count) fail_msg("%s, %s: no fault", known[i][0], known[i][1]);
        if (strncmp(s.faults.list[0].what, known[i][2], strlen(known[i][2])))
            fail_msg("%s: %s", known[i][1], s.faults.list[0].what);
        assert_int_equal(s.faults.list[0].line, 1);
        assert_in_range(s.faults.list[0].column, 5 + strlen(known[i][0]) + 10, 200);
        release(&s);
    }
}

/* ---- patterns ---- */

static void a_pattern_that_does_not_compile_is_told_with_its_offset(void **state)
{
    struct lp_pattern *p = (struct lp_pattern *)&err;
    size_t offset;
    assert_code(lp_pattern_new("ab(c", false, &p, &offset, &err), LP_CONFIG);
    assert_null(p);
    assert_int_equal(offset, 4);
    assert_true(*err.text);
    assert_code(lp_pattern_new("[z-a]", true, &p, &offset, &err), LP_CONFIG);
    assert_int_equal(offset, 3);
    lp_pattern_free(p);
}

static void a_pattern_cannot_hang_neither_at_first_nor_compiled_to_machine_code(void **state)
{
    struct lp_pattern *p;
    size_t offset;
    char text[3001];
    memset(text, 'a', sizeof text);
    text[3000] = '!';
    assert_ok(lp_pattern_new("^(a+)+$", false, &p, &offset, &err));
    assert_false(lp_pattern_matches(p, text, sizeof text));
    for (int i = 0; i < 1500; i++) assert_true(lp_pattern_matches(p, "aaaa", 4));
    assert_false(lp_pattern_matches(p, text, sizeof text));
    assert_true(lp_pattern_matches(p, text, 3000));
    assert_true(lp_pattern_matches(p, "aa!", 2));
    lp_pattern_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_are_made_as_the_column_s_type),
        cmocka_unit_test(a_range_has_both_ends_unless_one_is_left_out),
        cmocka_unit_test(sets_hold_values_of_the_column_s_type),
        cmocka_unit_test(texts_are_matched_found_begun_and_ended),
        cmocka_unit_test(lengths_are_counted_in_characters),
        cmocka_unit_test(nulls_are_passed_over_unless_they_are_looked_at),
        cmocka_unit_test(a_check_is_named_as_pandera_names_it),
        cmocka_unit_test(a_check_that_makes_no_sense_is_a_fault_with_its_place),
        cmocka_unit_test(a_pattern_that_does_not_compile_is_told_with_its_offset),
        cmocka_unit_test(a_pattern_cannot_hang_neither_at_first_nor_compiled_to_machine_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
