/* From JSON to the value a column wants: every type against every kind of value. */
#include "test.h"

#include "base/json.h"
#include "base/secret.h"
#include "table/convert.h"

#include <math.h>

static struct lp_err err;

/* The cell as JSON, or "bad: CHECK CASE" for a row that became bad. */
static const char *judged(const struct lp_column *column, const char *json, bool as_text)
{
    static char shown[3000];
    LP_AUTO(lp_batch) b = {0};
    LP_AUTO(lp_arena) a = {0};
    LP_AUTO(lp_buf) cell = {0};
    struct lp_column copy = *column;
    struct lp_columns columns = {&copy, 1};
    json_t *value = NULL;
    if (!copy.name) copy.name = "c";
    if (json && !as_text) assert_ok(lp_json_parse(&a, json, strlen(json), &value, &err));
    assert_ok(lp_batch_init(&b, &columns, 1, &err));
    b.row_count = 1;
    if (as_text) assert_ok(lp_convert_text(&b, 0, 0, lp_slice_of(json), &err));
    else assert_ok(lp_convert_json(&b, 0, 0, value, &err));
    assert_int_equal(b.bad_count, b.failures[0] ? 1 : 0);
    lp_batch_put_cell_json(&b, 0, 0, &cell);
    if (b.failures[0]) {
        assert_string_equal(lp_buf_text(&cell), "null");
        assert_string_equal(b.failures[0]->column, copy.name);
        assert_null(b.failures[0]->next);
        snprintf(shown, sizeof shown, "bad: %s %s", b.failures[0]->check, b.failures[0]->failure_case);
    } else {
        snprintf(shown, sizeof shown, "%s", lp_buf_text(&cell));
    }
    return shown;
}

struct expectation {
    const char *json, *cell; /* cell NULL: bad, with the value as its case */
};

static void assert_column(const struct lp_column *column, const struct expectation *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *shown = judged(column, list[i].json, false);
        char bad[300];
        snprintf(bad, sizeof bad, "bad: coerce_dtype('%s') %s", lp_type_dtype(column->type),
                 list[i].json ? list[i].json : "");
        if (strcmp(shown, list[i].cell ? list[i].cell : bad))
            fail_msg("%s %s: %s", lp_type_name(column->type), list[i].json ? list[i].json : "(absent)", shown);
    }
}
#define ASSERT_COLUMN(column, list) assert_column(&(column), list, LP_COUNT(list))

static void a_string_takes_everything_as_its_json(void **state)
{
    static const struct expectation known[] = {{NULL, "null"},
                                               {"null", "null"},
                                               {"\"\"", "\"\""},
                                               {"\"text\"", "\"text\""},
                                               {"\" a \"", "\" a \""},
                                               {"5", "\"5\""},
                                               {"5.0", "\"5.0\""},
                                               {"5.25", "\"5.25\""},
                                               {"true", "\"true\""},
                                               {"[1,2]", "\"[1,2]\""},
                                               {"{\"a\":\"b\"}", "\"{\\\"a\\\":\\\"b\\\"}\""},
                                               {"\"Zürich 🌧\"", "\"Zürich 🌧\""},
                                               {"1e400", "\"1e400\""},
                                               {"\"null\"", "\"null\""},
                                               {"\"a\\u0000b\"", NULL},
                                               {"[]", "\"[]\""}};
    const struct lp_column string = {.type = LP_TYPE_STRING};
    ASSERT_COLUMN(string, known);
}

static void a_bigint_takes_whole_numbers_of_64_bits_however_written(void **state)
{
    static const struct expectation known[] = {
        {NULL, "null"},
        {"null", "null"},
        {"5", "5"},
        {"-5", "-5"},
        {"5.0", "5"},
        {"5e2", "500"},
        {"-0.0", "0"},
        {"\"5\"", "5"},
        {"\"5.0\"", "5"},
        {"\" 5 \"", "5"},
        {"\"-5e0\"", "-5"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"\"9223372036854775807\"", "9223372036854775807"},
        {"9007199254740991.0", "9007199254740991"},
        {"\"9007199254740993.0\"", "9007199254740993"},
        {"5.5", NULL},
        {"1e300", NULL},
        {"1e19", "bad: coerce_dtype('int64') 1e+19"},
        {"9223372036854775808", "bad: coerce_dtype('int64') \"9223372036854775808\""},
        {"-9223372036854775809", "bad: coerce_dtype('int64') \"-9223372036854775809\""},
        {"\"\"", NULL},
        {"\"5.5\"", NULL},
        {"\"five\"", NULL},
        {"\"+5\"", NULL},
        {"\"05\"", NULL},
        {"\"1,000\"", NULL},
        {"\"0x10\"", NULL},
        {"\"5\\n\"", NULL},
        {"true", NULL},
        {"false", NULL},
        {"[5]", NULL},
        {"{}", NULL},
        {"\"NaN\"", NULL}};
    const struct lp_column bigint = {.type = LP_TYPE_BIGINT};
    for (size_t i = 0; i < LP_COUNT(known); i++)
        if (known[i].json && !strcmp(known[i].json, "1e300"))
            assert_string_equal(judged(&bigint, "1e300", false), "bad: coerce_dtype('int64') 1e+300");
        else assert_column(&bigint, &known[i], 1);
}

static void a_whole_number_past_2_to_the_53_is_never_rounded(void **state)
{
    const struct lp_column bigint = {.type = LP_TYPE_BIGINT};
    assert_string_not_equal(judged(&bigint, "9007199254740993.0", false), "9007199254740992");
    assert_string_not_equal(judged(&bigint, "-9007199254740993.0", false), "-9007199254740992");
    assert_string_equal(judged(&bigint, "9007199254740993", false), "9007199254740993");
}

static void a_double_takes_finite_numbers(void **state)
{
    static const struct expectation known[] = {{NULL, "null"},
                                               {"null", "null"},
                                               {"5", "5.0"},
                                               {"5.25", "5.25"},
                                               {"-0.0", "-0.0"},
                                               {"0.1", "0.1"},
                                               {"\"0.1\"", "0.1"},
                                               {"\" 7e2 \"", "700.0"},
                                               {"1.7976931348623157e308", "1.7976931348623157e+308"},
                                               {"9007199254740993", "9007199254740992.0"},
                                               {"18446744073709551615", "1.8446744073709552e+19"},
                                               {"\"\"", NULL},
                                               {"\"1e400\"", NULL},
                                               {"1e400", "bad: coerce_dtype('float64') \"1e400\""},
                                               {"\"inf\"", NULL},
                                               {"\"NaN\"", NULL},
                                               {"\"1,5\"", NULL},
                                               {"\"1.5 m\"", NULL},
                                               {"\".5\"", NULL},
                                               {"\"5.\"", NULL},
                                               {"true", NULL},
                                               {"[1.5]", NULL},
                                               {"{\"a\":1}", NULL}};
    const struct lp_column number = {.type = LP_TYPE_DOUBLE};
    ASSERT_COLUMN(number, known);
}

static void a_boolean_takes_true_false_1_and_0(void **state)
{
    static const struct expectation known[] = {
        {NULL, "null"},    {"null", "null"},     {"true", "true"},       {"false", "false"}, {"1", "true"},
        {"0", "false"},    {"\"true\"", "true"}, {"\"false\"", "false"}, {"\"1\"", "true"},  {"\"0\"", "false"},
        {"2", NULL},       {"-1", NULL},         {"1.0", NULL},          {"0.5", NULL},      {"\"True\"", NULL},
        {"\"yes\"", NULL}, {"\"\"", NULL},       {"\" true\"", NULL},    {"[true]", NULL}};
    const struct lp_column boolean = {.type = LP_TYPE_BOOLEAN};
    ASSERT_COLUMN(boolean, known);
}

static void a_timestamp_is_iso_8601_unless_it_says_otherwise(void **state)
{
    static const struct expectation known[] = {{NULL, "null"},
                                               {"null", "null"},
                                               {"\"2012-10-01T18:00:00Z\"", "\"2012-10-01T18:00:00Z\""},
                                               {"\"2012-10-01T13:00:00-05:00\"", "\"2012-10-01T18:00:00Z\""},
                                               {"\"2012-10-01 18:00\"", "\"2012-10-01T18:00:00Z\""},
                                               {"\"2012-10-01\"", "\"2012-10-01T00:00:00Z\""},
                                               {"\"2012-10-01T18:00:00.123456Z\"", "\"2012-10-01T18:00:00.123456Z\""},
                                               {"\"0001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""},
                                               {"\"9999-12-31T23:59:59.999999Z\"", "\"9999-12-31T23:59:59.999999Z\""},
                                               {"\"0001-01-01T00:00:00+00:01\"", NULL},
                                               {"\"9999-12-31T23:59:59-00:01\"", NULL},
                                               {"\"2012-02-30\"", NULL},
                                               {"\"\"", NULL},
                                               {"\"now\"", NULL},
                                               {"1349114400", NULL},
                                               {"\"01.10.2012 18:00\\u0000x\"", NULL},
                                               {"1349114400.5", NULL},
                                               {"\"1349114400\"", NULL},
                                               {"true", NULL},
                                               {"[\"2012-10-01\"]", NULL},
                                               {"\"2012-10-01\\u0000\"", NULL}};
    const struct lp_column timestamp = {.type = LP_TYPE_TIMESTAMP};
    ASSERT_COLUMN(timestamp, known);
}

static void unix_times_are_read_whole_with_a_fraction_or_as_text(void **state)
{
    static const struct expectation seconds[] = {{"1349114400", "\"2012-10-01T18:00:00Z\""},
                                                 {"\"1349114400\"", "\"2012-10-01T18:00:00Z\""},
                                                 {"1349114400.0", "\"2012-10-01T18:00:00Z\""},
                                                 {"1349114400.25", "\"2012-10-01T18:00:00.25Z\""},
                                                 {"\"1349114400.25\"", "\"2012-10-01T18:00:00.25Z\""},
                                                 {"0", "\"1970-01-01T00:00:00Z\""},
                                                 {"-1", "\"1969-12-31T23:59:59Z\""},
                                                 {"-62135596800", "\"0001-01-01T00:00:00Z\""},
                                                 {"253402300799", "\"9999-12-31T23:59:59Z\""},
                                                 {"-62135596801", NULL},
                                                 {"253402300800", NULL},
                                                 {"9223372036854775807", NULL},
                                                 {"-9223372036854775808", NULL},
                                                 {"1349114400000", NULL},
                                                 {"\"2012-10-01\"", NULL},
                                                 {"\"\"", NULL},
                                                 {"true", NULL},
                                                 {NULL, "null"},
                                                 {"null", "null"}};
    static const struct expectation milliseconds[] = {{"1349114400000", "\"2012-10-01T18:00:00Z\""},
                                                      {"1349114400123", "\"2012-10-01T18:00:00.123Z\""},
                                                      {"\"1349114400123\"", "\"2012-10-01T18:00:00.123Z\""},
                                                      {"-1", "\"1969-12-31T23:59:59.999Z\""},
                                                      {"253402300800000", NULL},
                                                      {"9223372036854775807", NULL}};
    const struct lp_column unix_s = {.type = LP_TYPE_TIMESTAMP, .time_form = LP_TIME_UNIX},
                           unix_ms = {.type = LP_TYPE_TIMESTAMP, .time_form = LP_TIME_UNIX_MS};
    ASSERT_COLUMN(unix_s, seconds);
    ASSERT_COLUMN(unix_ms, milliseconds);
    assert_string_equal(judged(&unix_s, "1e300", false), "bad: coerce_dtype('datetime64[us, UTC]') 1e+300");
}

static void a_date_is_the_day_in_utc(void **state)
{
    static const struct expectation iso[] = {{"\"2012-10-01\"", "\"2012-10-01\""},
                                             {"\"2012-10-01T23:30:00-02:00\"", "\"2012-10-02\""},
                                             {"\"2012-10-01T00:30:00+02:00\"", "\"2012-09-30\""},
                                             {"\"0001-01-01\"", "\"0001-01-01\""},
                                             {"\"9999-12-31\"", "\"9999-12-31\""},
                                             {"\"2012-02-30\"", NULL},
                                             {"\"01.10.2012\"", NULL},
                                             {"20121001", NULL},
                                             {"null", "null"}};
    static const struct expectation days[] = {{"0", "\"1970-01-01\""},      {"86399", "\"1970-01-01\""},
                                              {"86400", "\"1970-01-02\""},  {"-1", "\"1969-12-31\""},
                                              {"-86400", "\"1969-12-31\""}, {"-86401", "\"1969-12-30\""},
                                              {"-0.5", "\"1969-12-31\""}};
    const struct lp_column date = {.type = LP_TYPE_DATE}, unix_date = {.type = LP_TYPE_DATE, .time_form = LP_TIME_UNIX};
    ASSERT_COLUMN(date, iso);
    ASSERT_COLUMN(unix_date, days);
}

static void strptime_formats_are_read_from_text_only(void **state)
{
    static const struct expectation known[] = {{"\"01.10.2012 18:00\"", "\"2012-10-01T18:00:00Z\""},
                                               {"\"31.02.2012 18:00\"", NULL},
                                               {"\"2012-10-01\"", NULL},
                                               {"\"01.10.2012 18:00 \"", NULL},
                                               {"1349114400", NULL},
                                               {"\"\"", NULL},
                                               {"null", "null"}};
    const struct lp_column timestamp = {
        .type = LP_TYPE_TIMESTAMP, .time_form = LP_TIME_STRPTIME, .parse = "%d.%m.%Y %H:%M"};
    ASSERT_COLUMN(timestamp, known);
    char text[300];
    snprintf(text, sizeof text, "\"%0200d\"", 1);
    assert_memory_equal(judged(&timestamp, text, false), "bad: ", 5);
}

static void a_default_stands_in_for_absent_and_null_only(void **state)
{
    static const struct expectation known[] = {
        {NULL, "0.5"}, {"null", "0.5"}, {"7", "7.0"}, {"\"x\"", NULL}, {"\"\"", NULL}};
    const struct lp_column number = {.type = LP_TYPE_DOUBLE, .fallback = "0.5"};
    const struct lp_column date = {.type = LP_TYPE_DATE, .fallback = "2012-10-01"},
                           string = {.type = LP_TYPE_STRING, .fallback = ""};
    ASSERT_COLUMN(number, known);
    assert_string_equal(judged(&date, NULL, false), "\"2012-10-01\"");
    assert_string_equal(judged(&string, NULL, false), "\"\"");
}

static void units_are_converted_but_defaults_are_not(void **state)
{
    struct lp_column column = {.type = LP_TYPE_DOUBLE, .fallback = "-1"};
    assert_ok(lp_unit_new("celsius", "fahrenheit", &column.conversion, NULL, &err));
    assert_string_equal(judged(&column, "25", false), "77.0");
    assert_string_equal(judged(&column, "\"-40.0\"", false), "-40.0");
    assert_string_equal(judged(&column, "null", false), "-1.0");
    assert_string_equal(judged(&column, "1.7e308", false), "bad: coerce_dtype('float64') 1.7e+308");
    assert_string_equal(judged(&column, "\"warm\"", false), "bad: coerce_dtype('float64') \"warm\"");
    assert_string_equal(judged(&column, "20", true), "68.0");
    lp_unit_free(column.conversion);
}

static void texts_of_items_follow_the_same_rule(void **state)
{
    const struct lp_column bigint = {.type = LP_TYPE_BIGINT}, string = {.type = LP_TYPE_STRING, .fallback = "x"},
                           number = {.type = LP_TYPE_DOUBLE, .fallback = "1"};
    assert_string_equal(judged(&bigint, "5.0", true), "5");
    assert_string_equal(judged(&bigint, "5.5", true), "bad: coerce_dtype('int64') \"5.5\"");
    assert_string_equal(judged(&bigint, "", true), "null");
    assert_string_equal(judged(&number, "", true), "1.0");
    assert_string_equal(judged(&string, "", true), "\"\"");
    assert_string_equal(judged(&string, "say \"hi\"", true), "\"say \\\"hi\\\"\"");
}

static void a_long_value_is_shown_by_its_beginning(void **state)
{
    const struct lp_column bigint = {.type = LP_TYPE_BIGINT};
    char text[5003];
    memset(text, 'x', sizeof text);
    text[0] = text[5001] = '"', text[5002] = '\0';
    size_t len = strlen(judged(&bigint, text, false));
    assert_in_range(len, 2000, 2050);
}

static void a_secret_never_becomes_a_value(void **state)
{
    const struct lp_column string = {.type = LP_TYPE_STRING}, bigint = {.type = LP_TYPE_BIGINT};
    assert_ok(lp_secret_add("topsecret", 9, &err));
    assert_string_equal(judged(&string, "\"key topsecret!\"", false), "\"key •••!\"");
    assert_string_equal(judged(&bigint, "\"topsecret\"", false), "bad: coerce_dtype('int64') \"•••\"");
    lp_secret_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_takes_everything_as_its_json),
        cmocka_unit_test(a_bigint_takes_whole_numbers_of_64_bits_however_written),
        cmocka_unit_test(a_whole_number_past_2_to_the_53_is_never_rounded),
        cmocka_unit_test(a_double_takes_finite_numbers),
        cmocka_unit_test(a_boolean_takes_true_false_1_and_0),
        cmocka_unit_test(a_timestamp_is_iso_8601_unless_it_says_otherwise),
        cmocka_unit_test(unix_times_are_read_whole_with_a_fraction_or_as_text),
        cmocka_unit_test(a_date_is_the_day_in_utc),
        cmocka_unit_test(strptime_formats_are_read_from_text_only),
        cmocka_unit_test(a_default_stands_in_for_absent_and_null_only),
        cmocka_unit_test(units_are_converted_but_defaults_are_not),
        cmocka_unit_test(texts_of_items_follow_the_same_rule),
        cmocka_unit_test(a_long_value_is_shown_by_its_beginning),
        cmocka_unit_test(a_secret_never_becomes_a_value),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lp_unit_forget();
    return failed;
}
