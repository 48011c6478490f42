/* Numbers as text: the shortest form that reads back, and strict reading. */
#include "test.h"

#include "base/number.h"

#include <math.h>

static void doubles_are_written_in_their_shortest_form(void **state)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-1, "-1.0"},
        {77, "77.0"},
        {0.1, "0.1"},
        {0.2, "0.2"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {58.9, "58.9"},
        {-58.90, "-58.9"},
        {0.5, "0.5"},
        {1e-4, "0.0001"},
        {1.5e-4, "0.00015"},
        {1e-5, "1e-05"},
        {1.25e-7, "1.25e-07"},
        {123456789.125, "123456789.125"},
        {99999999999999.0, "99999999999999.0"},
        {999999999999999.0, "999999999999999.0"},
        {1e15, "1000000000000000.0"},
        {1234567890123456.0, "1234567890123456.0"},
        {9007199254740991.0, "9007199254740991.0"},
        {9007199254740993.0, "9007199254740992.0"},
        {1e16, "1e+16"},
        {1.2345678901234568e16, "1.2345678901234568e+16"},
        {1e21, "1e+21"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {1e100, "1e+100"},
        {1e300, "1e+300"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {5e-324, "5e-324"},
        {1.5e-323, "1.5e-323"},
        {3.141592653589793, "3.141592653589793"},
        {100, "100.0"},
        {273.15, "273.15"},
        {300 - 273.15, "26.850000000000023"},
        {1013.25, "1013.25"},
        {4.35, "4.35"},
        {0.000123456789, "0.000123456789"},
        {9.5367431640625e-7, "9.5367431640625e-07"},
        {2e-3, "0.002"},
        {8.41, "8.41"},
        {5e-5, "5e-05"},
        {123456.7890625, "123456.7890625"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    char text[LP_NUMBER_TEXT_BYTES];
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        size_t len = lp_double_format(known[i].value, text);
        assert_string_equal(text, known[i].text);
        assert_int_equal(len, strlen(text));
    }
}

/* The shortest %.*e that reads back has as many digits as ours. */
static void assert_shortest(double value, const char *text)
{
    char reference[64];
    int precision = 0;
    size_t digits = 0, zeros = 0;
    do snprintf(reference, sizeof reference, "%.*e", precision, value);
    while (strtod(reference, NULL) != value && ++precision < 17);
    for (const char *c = text; *c && *c != 'e'; c++) {
        if (*c < '0' || *c > '9' || (!digits && *c == '0')) continue;
        digits++;
        zeros = *c == '0' ? zeros + 1 : 0;
    }
    if (digits - zeros > (size_t)precision + 1) fail_msg("%s is longer than %s", text, reference);
}

static void any_double_reads_back_as_itself_and_no_form_is_shorter(void **state)
{
    uint64_t random = 1;
    char text[LP_NUMBER_TEXT_BYTES];
    size_t tried = 0;
    while (tried < 100000) {
        uint64_t bits = next_random(&random);
        double value, back, parsed;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        size_t len = lp_double_format(value, text);
        back = strtod(text, NULL);
        assert_memory_equal(&back, &value, sizeof value);
        assert_true(lp_double_parse(text, len, &parsed));
        assert_memory_equal(&parsed, &value, sizeof value);
        if (tried++ % 10 == 0) assert_shortest(value, text);
    }
}

static void measured_values_read_back_as_themselves(void **state)
{
    char text[LP_NUMBER_TEXT_BYTES], wanted[64];
    for (int i = -100000; i <= 100000; i++) {
        double value = i / 100.0;
        lp_double_format(value, text);
        assert_true(strtod(text, NULL) == value);
        snprintf(wanted, sizeof wanted, i % 10 ? "%.2f" : "%.1f", value);
        if (i) assert_string_equal(text, wanted);
    }
}

static void integers_are_written_to_both_ends(void **state)
{
    char text[LP_NUMBER_TEXT_BYTES], wanted[32];
    uint64_t random = 7;
    assert_int_equal(lp_int64_format(INT64_MAX, text), 19);
    assert_string_equal(text, "9223372036854775807");
    assert_int_equal(lp_int64_format(INT64_MIN, text), 20);
    assert_string_equal(text, "-9223372036854775808");
    for (int i = 0; i < 100000; i++) {
        int64_t value = (int64_t)(next_random(&random) >> (i % 64)) * (i % 2 ? 1 : -1), back;
        size_t len = lp_int64_format(value, text);
        snprintf(wanted, sizeof wanted, "%lld", (long long)value);
        assert_string_equal(text, wanted);
        assert_true(lp_int64_parse(text, len, &back) && back == value);
    }
}

static bool parses_int(const char *text, int64_t *value)
{
    return lp_int64_parse(text, strlen(text), value);
}

static void whole_numbers_are_read_however_they_are_written(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"5", 5},
        {"-5", -5},
        {"0", 0},
        {"-0", 0},
        {"5.0", 5},
        {"5.000", 5},
        {"5e0", 5},
        {"5E+0", 5},
        {"50e-1", 5},
        {"0.5e1", 5},
        {"1e18", INT64_C(1000000000000000000)},
        {" 5 ", 5},
        {"0e99999", 0},
        {"0.0", 0},
        {"-0.000e5", 0},
        {"12.34e2", 1234},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"9223372036854775807.0", INT64_MAX},
        {"-9.223372036854775808e18", INT64_MIN},
        {"92233720368547758070e-1", INT64_MAX},
        {"9007199254740993", INT64_C(9007199254740993)},
    };
    int64_t value;
    for (size_t i = 0; i < LP_COUNT(good); i++) {
        if (!parses_int(good[i].text, &value)) fail_msg("%s is refused", good[i].text);
        assert_int_equal(value, good[i].value);
    }
}

static void what_is_no_whole_number_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "-",
                                      "+5",
                                      "05",
                                      "-05",
                                      "5.",
                                      ".5",
                                      "5.5",
                                      "1e-1",
                                      "5e",
                                      "5e+",
                                      "e5",
                                      "0x10",
                                      "1_000",
                                      "1,000",
                                      "5 5",
                                      "5a",
                                      "NaN",
                                      "inf",
                                      "null",
                                      "true",
                                      "--5",
                                      "5.0.0",
                                      "\t5",
                                      "5\n",
                                      "5\r",
                                      "٥",
                                      "1e19",
                                      "1e99999999999999999999",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "18446744073709551616",
                                      "99999999999999999999999",
                                      "9223372036854775807.5",
                                      "1e-99999"};
    int64_t value;
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (parses_int(bad[i], &value)) fail_msg("\"%s\" is read as %lld", bad[i], (long long)value);
    assert_false(lp_int64_parse("5\0", 2, &value));
}

static void doubles_are_read_by_the_grammar_of_json(void **state)
{
    static const char *const bad[] = {"",      " ",      "-",     "+1",  "01",   "1.",       ".5",  "1e",
                                      "1e+",   "0x1p3",  "nan",   "inf", "-inf", "Infinity", "1,5", "1 2",
                                      "1e400", "-1e400", "1e5.0", "1d5", "\t1",  "1\n",      "--1", "½"};
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},
                {"1.5", 1.5},
                {"-1.5e3", -1500},
                {" 2.25 ", 2.25},
                {"1E5", 1e5},
                {"1e-400", 0},
                {"1.7976931348623157e308", 1.7976931348623157e308},
                {"5e-324", 5e-324},
                {"9007199254740993", 9007199254740992.0},
                {"0.1", 0.1}};
    double value;
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (lp_double_parse(bad[i], strlen(bad[i]), &value)) fail_msg("\"%s\" is read as %g", bad[i], value);
    for (size_t i = 0; i < LP_COUNT(good); i++) {
        assert_true(lp_double_parse(good[i].text, strlen(good[i].text), &value));
        assert_memory_equal(&value, &good[i].value, sizeof value);
    }
    assert_true(lp_double_parse("-0.0", 4, &value) && signbit(value));
    assert_false(lp_double_parse("1\0", 2, &value));
}

static void long_numbers_are_read_whole(void **state)
{
    char text[3002];
    double value;
    int64_t whole;
    memset(text, '0', sizeof text);
    text[0] = '0', text[1] = '.', text[3000] = '1';
    assert_true(lp_double_parse(text, 3001, &value) && value == 0);
    memset(text, '0', sizeof text);
    text[0] = '7', text[1] = '.';
    assert_true(lp_double_parse(text, 3001, &value) && value == 7);
    assert_true(lp_int64_parse(text, 3001, &whole) && whole == 7);
    memset(text, '9', sizeof text);
    assert_false(lp_double_parse(text, 3001, &value));
    assert_false(lp_int64_parse(text, 3001, &whole));
}

static void counts_and_sizes_are_written_for_people(void **state)
{
    static const struct {
        uint64_t value;
        const char *count, *bytes;
    } known[] = {{0, "0", "0 B"},
                 {7, "7", "7 B"},
                 {999, "999", "999 B"},
                 {1000, "1,000", "1.0 kB"},
                 {12403, "12,403", "12.4 kB"},
                 {999949, "999,949", "999.9 kB"},
                 {999950, "999,950", "1.0 MB"},
                 {1234567, "1,234,567", "1.2 MB"},
                 {UINT64_C(5000000000), "5,000,000,000", "5.0 GB"},
                 {UINT64_C(2500000000000), "2,500,000,000,000", "2.5 TB"},
                 {UINT64_MAX, "18,446,744,073,709,551,615", "18446744.1 TB"}};
    char text[LP_NUMBER_TEXT_BYTES];
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        assert_int_equal(lp_count_format(known[i].value, text), strlen(known[i].count));
        assert_string_equal(text, known[i].count);
        assert_int_equal(lp_bytes_format(known[i].value, text), strlen(known[i].bytes));
        assert_string_equal(text, known[i].bytes);
    }
}

static void doubles_are_short_where_two_decimals_say_enough(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } known[] = {{66.24759460453788, "66.25"}, {-0.005, "-0.005"}, {0, "0.00"}, {74, "74.00"}, {1.5e12, "1500000000000.0"}, {1e-7, "1e-07"}};
    char text[LP_NUMBER_TEXT_BYTES];
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        lp_double_format_short(known[i].value, text);
        assert_string_equal(text, known[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_written_in_their_shortest_form),
        cmocka_unit_test(any_double_reads_back_as_itself_and_no_form_is_shorter),
        cmocka_unit_test(measured_values_read_back_as_themselves),
        cmocka_unit_test(integers_are_written_to_both_ends),
        cmocka_unit_test(whole_numbers_are_read_however_they_are_written),
        cmocka_unit_test(what_is_no_whole_number_is_refused),
        cmocka_unit_test(doubles_are_read_by_the_grammar_of_json),
        cmocka_unit_test(long_numbers_are_read_whole),
        cmocka_unit_test(doubles_are_short_where_two_decimals_say_enough),
        cmocka_unit_test(counts_and_sizes_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
