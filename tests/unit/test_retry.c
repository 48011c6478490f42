/* Whether and when to try again, and how often anything may be asked at all. */
#include "test.h"

#include "net/rate.h"
#include "net/retry.h"

#define SECOND_US INT64_C(1000000)

static struct lp_err err;
static const struct lp_retry_policy policy = {.attempts = 4, .deadline_ms = 120000, .base_ms = 500, .cap_ms = 20000};

static void only_what_may_go_better_is_tried_again(void **state)
{
    for (int status = 0; status < 700; status++) {
        bool wanted = status == 408 || status == 425 || status == 429 || (status >= 500 && status < 600);
        if (lp_retry_outcome(LP_HTTP_ANSWERED, status) != wanted) fail_msg("status %d", status);
    }
    static const bool wanted[LP_HTTP_OUTCOME_COUNT] = {[LP_HTTP_CONNECT_FAILED] = true,
                                                       [LP_HTTP_TIMED_OUT] = true,
                                                       [LP_HTTP_CUT_SHORT] = true,
                                                       [LP_HTTP_GARBLED] = true};
    for (int outcome = LP_HTTP_ANSWERED + 1; outcome < LP_HTTP_OUTCOME_COUNT; outcome++)
        for (int status = 0; status < 600; status += 100)
            if (lp_retry_outcome((enum lp_http_outcome)outcome, status) != wanted[outcome])
                fail_msg("%s", lp_http_outcome_name((enum lp_http_outcome)outcome));
    assert_string_equal(lp_http_outcome_name(LP_HTTP_ANSWERED), "answered");
}

static int64_t asked(const char *retry_after, const char *date, int64_t now_us)
{
    struct lp_http_reply reply = {.outcome = LP_HTTP_ANSWERED, .status = 429};
    if (retry_after) reply.retry_after = lp_slice_of(retry_after);
    if (date) reply.date = lp_slice_of(date);
    return lp_retry_after_ms(&reply, now_us);
}

static void retry_after_is_read_as_seconds_or_as_a_date(void **state)
{
    static const char date[] = "Mon, 01 Oct 2012 18:00:00 GMT", later[] = "Mon, 01 Oct 2012 18:02:00 GMT";
    int64_t now = INT64_C(1349114400) * SECOND_US;
    assert_int_equal(asked("0", NULL, now), 0);
    assert_int_equal(asked("5", NULL, now), 5000);
    assert_int_equal(asked("007", NULL, now), 7000);
    assert_int_equal(asked(later, date, 0), 120000);
    assert_int_equal(asked(later, date, INT64_MAX), 120000);
    assert_int_equal(asked(later, NULL, now), 120000);
    assert_int_equal(asked(later, "garbage", now + 1), 120000);
    assert_int_equal(asked(later, NULL, now + 119 * SECOND_US), 1000);
    assert_int_equal(asked(date, later, now), 0);
    assert_int_equal(asked(date, date, now), 0);
    assert_int_equal(asked("Monday, 01-Oct-12 18:02:00 GMT", date, 0), 120000);
    assert_int_equal(asked("Mon Oct  1 18:02:00 2012", date, 0), 120000);
}

static void a_retry_after_that_cannot_be_read_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "soon",
        "-5",
        "+5",
        "5.5",
        "5 s",
        "1e3",
        "0x5",
        " 5",
        "2012-10-01T18:00:00Z",
        "Mon, 01 Oct 2012 18:00:00 CET",
        "a text that is much longer than any date that has ever been sent by a server in its header"};
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (asked(bad[i], NULL, 0) != LP_RETRY_AFTER_NONE) fail_msg("\"%s\" is read", bad[i]);
    assert_int_equal(asked(NULL, NULL, 0), LP_RETRY_AFTER_NONE);
    struct lp_http_reply nul = {.retry_after = {"Mon, 01 Oct 2012 18:02:00 GMT\0", 30}};
    assert_int_equal(lp_retry_after_ms(&nul, 0), LP_RETRY_AFTER_NONE);
}

static void an_absurd_retry_after_is_long_and_no_overflow(void **state)
{
    assert_int_equal(asked("9223372036854775807", NULL, 0), INT64_MAX / 4);
    assert_int_equal(asked("99999999999999999999999999999999999999", NULL, 0), INT64_MAX / 4);
    assert_int_equal(asked("1000000000", NULL, 0), INT64_C(1000000000000));
    assert_true(asked("Fri, 31 Dec 9999 23:59:59 GMT", NULL, INT64_MIN) > 0);
    assert_true(asked("Fri, 31 Dec 9999 23:59:59 GMT", NULL, INT64_MIN) <= INT64_MAX / 4);
    struct lp_retry_verdict v = lp_retry_decide(&policy, 1, 0, true, INT64_MAX / 4, UINT64_MAX);
    assert_false(v.retry);
}

static void what_would_not_help_is_not_done(void **state)
{
    struct lp_retry_policy once = {.attempts = 1, .base_ms = 500, .cap_ms = 20000},
                           none = {.base_ms = 500, .cap_ms = 20000};
    assert_false(lp_retry_decide(&policy, 1, 0, false, LP_RETRY_AFTER_NONE, 0).retry);
    assert_false(lp_retry_decide(&once, 1, 0, true, LP_RETRY_AFTER_NONE, 0).retry);
    assert_false(lp_retry_decide(&none, 1, 0, true, LP_RETRY_AFTER_NONE, 0).retry);
    assert_true(lp_retry_decide(&policy, 3, 0, true, LP_RETRY_AFTER_NONE, 0).retry);
    struct lp_retry_verdict last = lp_retry_decide(&policy, 4, 0, true, LP_RETRY_AFTER_NONE, 0);
    assert_false(last.retry);
    assert_string_equal(last.why, "gave up after 4 attempts");
    assert_string_equal(lp_retry_decide(&once, 1, 0, true, LP_RETRY_AFTER_NONE, 0).why, "gave up after 1 attempt");
}

static void the_wait_is_spread_from_nothing_to_twice_as_much_each_time(void **state)
{
    static const int64_t ceilings[] = {500, 1000, 2000, 4000, 8000, 16000, 20000, 20000};
    struct lp_retry_policy many = {.attempts = 100, .base_ms = 500, .cap_ms = 20000};
    uint64_t random = 1;
    for (unsigned attempt = 1; attempt <= LP_COUNT(ceilings); attempt++) {
        int64_t ceiling = ceilings[attempt - 1], sum = 0;
        assert_int_equal(lp_retry_decide(&many, attempt, 0, true, LP_RETRY_AFTER_NONE, 0).wait_ms, 0);
        assert_int_equal(lp_retry_decide(&many, attempt, 0, true, LP_RETRY_AFTER_NONE, UINT64_MAX).wait_ms, ceiling);
        for (int i = 0; i < 10000; i++) {
            struct lp_retry_verdict v =
                lp_retry_decide(&many, attempt, 0, true, LP_RETRY_AFTER_NONE, next_random(&random));
            assert_true(v.retry && v.wait_ms >= 0 && v.wait_ms <= ceiling);
            sum += v.wait_ms;
        }
        assert_in_range(sum / 10000, ceiling * 45 / 100, ceiling * 55 / 100);
    }
    assert_int_equal(lp_retry_decide(&many, 99, 0, true, LP_RETRY_AFTER_NONE, UINT64_MAX).wait_ms, 20000);
    struct lp_retry_policy huge = {.attempts = UINT32_MAX, .base_ms = INT64_MAX / 2, .cap_ms = INT64_MAX};
    assert_true(lp_retry_decide(&huge, 1000000, 0, true, LP_RETRY_AFTER_NONE, 1).wait_ms >= 0);
}

static void a_server_that_names_a_time_is_given_it_and_a_little_more(void **state)
{
    uint64_t random = 2;
    for (int i = 0; i < 1000; i++) {
        struct lp_retry_verdict v = lp_retry_decide(&policy, 3, 1000, true, 7000, next_random(&random));
        assert_true(v.retry);
        assert_in_range(v.wait_ms, 7000, 7500);
    }
    assert_in_range(lp_retry_decide(&policy, 1, 0, true, 0, UINT64_MAX).wait_ms, 0, 500);
}

static void nobody_waits_past_the_deadline(void **state)
{
    static const int64_t elapsed[] = {0, 100, 60000, 119000, 119999, 120000, 120001, INT64_MAX / 2};
    static const int64_t after[] = {LP_RETRY_AFTER_NONE, 0, 1, 500, 5000, 60000, 119999, 120000, INT64_MAX / 4};
    uint64_t random = 3;
    size_t retried = 0;
    for (size_t e = 0; e < LP_COUNT(elapsed); e++)
        for (size_t a = 0; a < LP_COUNT(after); a++)
            for (int i = 0; i < 100; i++) {
                struct lp_retry_verdict v =
                    lp_retry_decide(&policy, 1, elapsed[e], true, after[a], next_random(&random));
                assert_true(*v.why);
                if (v.retry && elapsed[e] + v.wait_ms >= policy.deadline_ms)
                    fail_msg("%lld + %lld", (long long)elapsed[e], (long long)v.wait_ms);
                if (after[a] > 0 && elapsed[e] + after[a] < policy.deadline_ms)
                    assert_true(v.retry && v.wait_ms >= after[a]);
                if (after[a] > 0 && elapsed[e] + after[a] >= policy.deadline_ms) assert_false(v.retry);
                retried += v.retry;
            }
    assert_true(retried > 1000);
    assert_string_equal(lp_retry_decide(&policy, 1, 0, true, 300000, 0).why,
                        "gave up: the server asks to wait 5 min, past the deadline of 2 min");
    assert_string_equal(lp_retry_decide(&policy, 1, 120000, true, LP_RETRY_AFTER_NONE, 0).why,
                        "gave up: the deadline of 2 min has passed");
}

static void an_attempt_may_take_what_the_deadline_leaves(void **state)
{
    struct lp_retry_policy without = {.attempts = 4};
    assert_int_equal(lp_retry_time_left_ms(&policy, 0), 120000);
    assert_int_equal(lp_retry_time_left_ms(&policy, 119999), 1);
    assert_int_equal(lp_retry_time_left_ms(&policy, 500000), 1);
    assert_int_equal(lp_retry_time_left_ms(&without, 500000), 0);
}

static void random_numbers_differ(void **state)
{
    uint64_t first = 0, second = 0, known = 1, same = 1, bits = 0;
    assert_int_not_equal(lp_retry_random(&first), lp_retry_random(&second));
    assert_int_not_equal(first, 0);
    assert_int_equal(lp_retry_random(&known), lp_retry_random(&same));
    for (int i = 0; i < 64; i++) bits |= lp_retry_random(&first);
    assert_int_equal(bits, UINT64_MAX);
}

/* ---- rates ---- */

static void rates_are_read_with_their_period(void **state)
{
    static const struct {
        const char *text;
        int64_t count, seconds;
    } good[] = {{"60/min", 60, 60},
                {"10/s", 10, 1},
                {"1/sec", 1, 1},
                {"5000/h", 5000, 3600},
                {"1000000/day", 1000000, 86400},
                {" 60 / minute ", 60, 60},
                {"1/d", 1, 86400},
                {"2/m", 2, 60}};
    static const char *const bad[] = {
        "",          "60",      "/min",     "60/",        "0/s",     "-1/s",   "1.5/s",
        "1000001/s", "60/week", "60/min x", "60 per min", "60//min", "60/Min", "99999999999999999999/s",
        "60/minutes"};
    struct lp_rate_spec spec;
    for (size_t i = 0; i < LP_COUNT(good); i++) {
        assert_ok(lp_rate_parse(good[i].text, &spec, &err));
        assert_int_equal(spec.count, good[i].count);
        assert_int_equal(spec.period_us, good[i].seconds * SECOND_US);
    }
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        assert_code(lp_rate_parse(bad[i], &spec, &err), LP_CONFIG);
        assert_int_equal(spec.count, 0);
    }
}

/* How many pass within the time when whoever must wait waits exactly as told. */
static int64_t passed_within(struct lp_rate *rate, int64_t from_us, int64_t duration_us)
{
    int64_t count = 0, now = from_us;
    while (now < from_us + duration_us) {
        int64_t wait = lp_rate_take(rate, now);
        assert_true(wait >= 0);
        count += wait == 0;
        now += wait;
    }
    return count;
}

static void over_a_long_time_the_rate_is_exact(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds, wanted; /* what the bucket begins with included */
    } known[] = {{"10/s", 1000, 10010}, {"60/min", 3600, 3601}, {"7/min", 86400, 10081}, {"5000/h", 36000, 50001},
                 {"1/d", 864000, 11},   {"1000/s", 10, 11000},  {"3/s", 1000, 3003}};
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        struct lp_rate_spec spec;
        struct lp_rate rate;
        assert_ok(lp_rate_parse(known[i].text, &spec, &err));
        lp_rate_init(&rate, spec, 12345);
        int64_t count = passed_within(&rate, 12345, known[i].seconds * SECOND_US);
        if (count < known[i].wanted - 1 || count > known[i].wanted)
            fail_msg("%s: %lld", known[i].text, (long long)count);
    }
}

static void a_bucket_holds_one_second_and_no_more(void **state)
{
    struct lp_rate rate;
    lp_rate_init(&rate, (struct lp_rate_spec){10, SECOND_US}, 0);
    for (int i = 0; i < 10; i++) assert_int_equal(lp_rate_take(&rate, 0), 0);
    assert_int_equal(lp_rate_take(&rate, 0), 100000);
    assert_int_equal(lp_rate_take(&rate, 0), 100000);
    assert_int_equal(lp_rate_take(&rate, 99999), 1);
    assert_int_equal(lp_rate_take(&rate, 100000), 0);
    int64_t later = INT64_C(1000000) * SECOND_US * 3600;
    for (int i = 0; i < 10; i++) assert_int_equal(lp_rate_take(&rate, later), 0);
    assert_true(lp_rate_take(&rate, later) > 0);
    assert_true(lp_rate_take(&rate, later - 50) > 100000);
    lp_rate_init(&rate, (struct lp_rate_spec){1, 3600 * SECOND_US}, 0);
    assert_int_equal(lp_rate_take(&rate, 0), 0);
    assert_int_equal(lp_rate_take(&rate, 0), 3600 * SECOND_US);
}

static void a_bucket_of_zeros_lets_everything_pass(void **state)
{
    struct lp_rate rate = {0};
    for (int i = 0; i < 1000; i++) assert_int_equal(lp_rate_take(&rate, i % 7), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_may_go_better_is_tried_again),
        cmocka_unit_test(retry_after_is_read_as_seconds_or_as_a_date),
        cmocka_unit_test(a_retry_after_that_cannot_be_read_is_none),
        cmocka_unit_test(an_absurd_retry_after_is_long_and_no_overflow),
        cmocka_unit_test(what_would_not_help_is_not_done),
        cmocka_unit_test(the_wait_is_spread_from_nothing_to_twice_as_much_each_time),
        cmocka_unit_test(a_server_that_names_a_time_is_given_it_and_a_little_more),
        cmocka_unit_test(nobody_waits_past_the_deadline),
        cmocka_unit_test(an_attempt_may_take_what_the_deadline_leaves),
        cmocka_unit_test(random_numbers_differ),
        cmocka_unit_test(rates_are_read_with_their_period),
        cmocka_unit_test(over_a_long_time_the_rate_is_exact),
        cmocka_unit_test(a_bucket_holds_one_second_and_no_more),
        cmocka_unit_test(a_bucket_of_zeros_lets_everything_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
