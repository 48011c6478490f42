/* Expressions: where they are refused, when they are due, what they are called. tests/e2e/test_schedule.py has the known answers. */
#include "test.h"

#include "base/clock.h"
#include "schedule/expression.h"
#include "schedule/range.h"

static struct lp_err err;
static size_t column, width;

static struct lp_expression parsed(const char *text)
{
    struct lp_expression e;
    if (lp_expression_parse(&e, text, &column, &width, &err)) fail_msg("%s: %s", text, err.text);
    return e;
}

static int64_t time_of(const char *text)
{
    int64_t us;
    if (!lp_time_parse_slot(text, &us)) fail_msg("%s is no time", text);
    return us;
}

static void a_fault_is_told_at_its_place(void **state)
{
    static const struct {
        const char *text, *at;
    } known[] = {
        {"cron(0 24 * * ? *)", "24"},
        {"cron(*/60 * * * ? *)", "60"},
        {"cron( 0  18\t*  *  ?  2300 )", "2300"},
        {"cron(0 0 L,15 * ? *)", ","},
        {"cron(0 0 15W,2 * ? *)", ","},
        {"cron(0 0 ? * 3#6 *)", "6"},
        {"cron(0 0 ? * FRIX *)", "X"},
        {"cron(0 0 1-2-3 * ? *)", "-"},
        {"cron(0 0 1//2 * ? *)", "/"},
        {"cron(0 0 L-31 * ? *)", "31"},
        {"cron(0 0 1, * ? *)", " "},
        {"cron(0 0 99999999999999999999 * ? *)", "99999999999999999999"},
        {"rate(1 minutes)", "minutes"},
        {"rate(99999999999999999999 minutes)", "99999999999999999999 minutes"},
        {"at(2026-02-29T18:00:00)", "2026-02-29T18:00:00"},
        {"unix(\"60 * * * *\")", "60"},
        {"unix(\"* * * * 8\")", "8"},
        {"unix(\"5-1 * * * *\")", "5-1"},
    };
    struct lp_expression e;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        const char *text = known[i].text;
        assert_code(lp_expression_parse(&e, text, &column, &width, &err), LP_CONFIG);
        if (column + width > strlen(text) || width != strlen(known[i].at) || strncmp(text + column, known[i].at, width) != 0)
            fail_msg("%s: %zu, %zu: %s", text, column, width, err.text);
    }
}

static void no_text_is_too_long_or_too_odd(void **state)
{
    struct lp_expression e;
    LP_AUTO(lp_buf) text = {0};
    lp_buf_puts(&text, "cron(");
    for (int i = 0; i < 20000; i++) lp_buf_puts(&text, "0,");
    lp_buf_puts(&text, "0 * * * ? *)");
    assert_code(lp_expression_parse(&e, lp_buf_text(&text), &column, &width, &err), LP_CONFIG);
    assert_true(column + width <= text.len);
    for (unsigned c = 1; c < 256; c++) {
        const char odd[] = {'c', 'r', 'o', 'n', '(', (char)c, ' ', '*', ' ', '*', ' ', '*', ' ', '?', ' ', '*', ')', '\0'};
        enum lp_code code = lp_expression_parse(&e, odd, &column, &width, &err);
        assert_int_equal(code == LP_OK, c == '*' || (c >= '0' && c <= '9'));
    }
}

static void names_are_numbers_in_any_case(void **state)
{
    struct lp_expression a = parsed("cron(0 0 ? Jan,feB-MAR Mon-fri *)"), b = parsed("cron(0 0 ? 1-3 2-6 *)");
    assert_memory_equal(&a, &b, sizeof a);
}

static void what_others_read_differently_is_odd(void **state)
{
    assert_null(parsed("cron(0/15 0-20/4 * 1/3 ? *)").odd);
    assert_non_null(parsed("cron(0 20-2/3 * * ? *)").odd);
    assert_non_null(parsed("cron(0 0 ? * 2/2 *)").odd);
    assert_non_null(strstr(parsed("cron(0 0 1 MAR-SEP/2 ? *)").odd, "numbers"));
}

/* Strictly later each time, to the very end, and before the beginning. */
static void the_next_one_is_always_later_and_ends_in_2199(void **state)
{
    static const char *const all[] = {"cron(0 0 29 2 ? *)", "cron(59 23 31 12 ? 2199)", "rate(400000 days)", "unix(\"0 0 1 1 *\")"};
    const struct lp_zone utc = {0};
    for (size_t i = 0; i < LP_COUNT(all); i++) {
        struct lp_expression e = parsed(all[i]);
        int64_t at = INT64_MIN / 2, next, count = 0;
        while (lp_expression_next(&e, &utc, at, &next) && count++ < 10000) {
            assert_true(next > at);
            at = next;
        }
        assert_true(count > 0 && count < 1000);
        assert_false(lp_expression_next(&e, &utc, INT64_MAX, &next));
    }
}

static void a_slot_is_later_than_any_part_of_the_second_before(void **state)
{
    const struct lp_zone utc = {0};
    struct lp_expression e = parsed("cron(0 18 * * ? *)");
    int64_t slot = time_of("2026-11-22T18:00:00Z"), next;
    assert_true(lp_expression_next(&e, &utc, slot - 1, &next) && next == slot);
    assert_true(lp_expression_next(&e, &utc, slot, &next) && next == slot + LP_DAY_US);
    assert_true(lp_expression_next(&e, &utc, slot + 1, &next) && next == slot + LP_DAY_US);
}

static void an_interval_counts_from_1970_on_both_sides(void **state)
{
    const struct lp_zone utc = {0};
    struct lp_expression e = parsed("rate(7 hours)");
    int64_t next;
    assert_true(lp_expression_next(&e, &utc, -1, &next) && next == 0);
    assert_true(lp_expression_next(&e, &utc, 0, &next) && next == INT64_C(25200000000));
    assert_true(lp_expression_next(&e, &utc, INT64_C(-25200000001), &next) && next == INT64_C(-25200000000));
}

static void eventbridge_is_told_plain_cron_in_its_own_words(void **state)
{
    static const struct {
        const char *text, *aws;
    } known[] = {
        {"unix(\"*/20 9-11 * * 1-5\")", "cron(0,20,40 9,10,11 ? * 2,3,4,5,6 *)"},
        {"unix(\"0 0 1,15 * *\")", "cron(0 0 1,15 * ? *)"},
        {"unix(\"5 4 * */6 7\")", "cron(5 4 ? 1,7 1 *)"},
        {"unix(\"* * * * *\")", "cron(* * * * ? *)"},
        {"cron(0 18 L * ? *)", "cron(0 18 L * ? *)"},
        {"unix(\"0 0 13 * 5\")", NULL},
    };
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        LP_AUTO(lp_buf) out = {0};
        struct lp_expression e = parsed(known[i].text);
        assert_int_equal(lp_expression_put_aws(&e, known[i].text, &out), known[i].aws != NULL);
        assert_string_equal(lp_buf_text(&out), known[i].aws ? known[i].aws : "");
    }
}

static void a_range_holds_both_its_ends(void **state)
{
    static const struct lp_schedule daily = {.expression = "cron(0 18 * * ? *)", .timezone = "America/New_York"};
    static const struct {
        const char *from, *to;
        uint64_t count;
    } known[] = {
        {"2026-10-01", "2026-10-31", 31},
        {"2026-10-31", "2026-11-02", 3}, /* a day of 25 hours among them */
        {"2026-10-01T22:00:00Z", "2026-10-02T22:00:00Z", 2},
        {"2026-10-01T22:00:00.000001Z", "2026-10-02T21:59:59Z", 0},
        {"2026-10-01", "2026-10-01T22:00:00Z", 1},
        {"2026-11-01", "2030-01-01", 10}, /* it is the tenth of November */
    };
    struct lp_range r;
    int64_t now = time_of("2026-11-10T23:00:00Z"), slot, last;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        assert_ok(lp_range_open(&r, &daily, known[i].from, known[i].to, now, &err));
        uint64_t count = 0, counted = lp_range_count(&r, 1000, &last);
        assert_int_equal(r.cut, known[i].to[0] == '2' && known[i].to[2] == '3');
        while (lp_range_next(&r, &slot)) count++;
        if (count != known[i].count || counted != count || (count && last != slot))
            fail_msg("%s to %s: %llu slots", known[i].from, known[i].to, (unsigned long long)count);
        lp_range_release(&r);
    }
    assert_code(lp_range_open(&r, &daily, "2026-11-11", "2026-12-01", now, &err), LP_USAGE);
    lp_range_release(&r);
    assert_code(lp_range_open(&r, &daily, "2026-10-02", "2026-10-01", now, &err), LP_USAGE);
    lp_range_release(&r);
    assert_code(lp_range_open(&r, &daily, "2026-10-02", "soon", now, &err), LP_USAGE);
    lp_range_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_is_told_at_its_place),
        cmocka_unit_test(no_text_is_too_long_or_too_odd),
        cmocka_unit_test(names_are_numbers_in_any_case),
        cmocka_unit_test(what_others_read_differently_is_odd),
        cmocka_unit_test(the_next_one_is_always_later_and_ends_in_2199),
        cmocka_unit_test(a_slot_is_later_than_any_part_of_the_second_before),
        cmocka_unit_test(an_interval_counts_from_1970_on_both_sides),
        cmocka_unit_test(eventbridge_is_told_plain_cron_in_its_own_words),
        cmocka_unit_test(a_range_holds_both_its_ends),
    };
    setenv("TZ", "Pacific/Chatham", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
