/* What an invocation asks for, and how much time there is for it. */
#include "test.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "lambda/event.h"

#include <signal.h>

#define SECOND_US INT64_C(1000000)

static struct lp_err err;
static struct lp_event event;
static const int64_t slot = INT64_C(1349114400) * SECOND_US, now = slot + 59 * SECOND_US; /* 2012-10-01T18:00:00Z */

static enum lp_code read_event(const char *text)
{
    return lp_event_read(text, strlen(text), now, &event, &err);
}

static void nothing_means_now_cut_to_the_minute(void **state)
{
    static const char *const texts[] = {"",   " ",      "null",
                                        "{}", " {\n} ", "{\"slot\":null,\"shard\":null,\"attempt\":null}"};
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        assert_ok(read_event(texts[i]));
        assert_int_equal(event.slot_us, slot);
        assert_int_equal(event.shards, 0);
    }
}

static void a_slot_is_a_whole_second_in_any_of_its_forms(void **state)
{
    static const char *const texts[] = {"{\"slot\":\"2012-10-01T18:00:00Z\"}", "{\"slot\":\"20121001T180000Z\"}",
                                        "{\"slot\":\"2012-10-01T18:00:00.000Z\"}",
                                        "{\"scheduled\":\"2012-10-01T18:00:00.999Z\"}",
                                        "{\"detail-type\":\"Scheduled Event\",\"time\":\"2012-10-01T18:00:00Z\"}"};
    for (size_t i = 0; i < LP_COUNT(texts); i++) {
        event.slot_us = 0;
        assert_ok(read_event(texts[i]));
        assert_int_equal(event.slot_us, slot);
    }
    assert_ok(read_event("{\"scheduled\":\"1969-12-31T23:59:58.5Z\"}")); /* cut downwards before 1970 as well */
    assert_int_equal(event.slot_us, -2 * SECOND_US);
    assert_code(read_event("{\"slot\":\"2012-10-01T18:00:00.5Z\"}"), LP_DATA);
}

static void a_slot_may_be_five_minutes_ahead_and_no_more(void **state)
{
    assert_ok(read_event("{\"slot\":\"2012-10-01T18:05:59Z\"}"));
    assert_code(read_event("{\"slot\":\"2012-10-01T18:06:00Z\"}"), LP_DATA);
    assert_string_equal(err.text, "event: the slot 2012-10-01T18:06:00Z has not come yet; name one that has");
    assert_code(read_event("{\"detail-type\":\"Scheduled Event\",\"time\":\"2013-01-01T00:00:00Z\"}"), LP_DATA);
}

static void merging_is_of_all_shares(void **state)
{
    assert_ok(read_event("{\"merge\":16}"));
    assert_int_equal(event.merge, 16);
    assert_int_equal(event.slot_us, slot);
    static const char *const texts[] = {"{\"merge\":1}", "{\"merge\":10001}", "{\"merge\":\"16\"}", "{\"merge\":-2}",
                                        "{\"merge\":2.5}", "{\"merge\":16,\"shard\":\"1/16\"}"};
    for (size_t i = 0; i < LP_COUNT(texts); i++) assert_code(read_event(texts[i]), LP_DATA);
}

static void a_share_counts_from_one(void **state)
{
    assert_ok(read_event("{\"shard\":\"3/16\"}"));
    assert_int_equal(event.shard, 2);
    assert_int_equal(event.shards, 16);
    static const char *const bad[] = {"17/16", "0/16",  "3",     "3/",  "/16",     "-1/16",
                                      "+1/16", " 1/16", "1/16 ", "1/0", "1/10001", "1/99999999999999999999",
                                      "1.0/2", "",      "a/b"};
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"shard\":\"%s\"}", bad[i]);
        assert_code(read_event(text), LP_DATA);
        assert_non_null(strstr(err.text, "event: shard"));
    }
}

/* Of two the last would count, and nobody said which was meant. */
static void a_key_that_is_given_twice_is_an_error_with_its_place(void **state)
{
    assert_code(read_event("{\"slot\":\"2012-10-01T17:00:00Z\",\n \"sl\\u006ft\":\"2012-10-01T18:00:00Z\"}"), LP_DATA);
    assert_string_equal(err.text, "event: line 2, column 2: \"slot\" is given twice");
    assert_code(read_event("{\"shard\":\"1/2\",\"shard\":\"1/2\"}"), LP_DATA);
    assert_code(read_event("{\"detail-type\":\"Scheduled Event\",\"time\":\"2012-10-01T18:00:00Z\","
                           "\"detail\":{\"a\":1,\"b\":{},\"a\":2}}"),
                LP_DATA);
    assert_string_equal(err.text, "event: line 1, column 87: \"a\" is given twice");
    assert_ok(read_event("{\"detail-type\":\"Scheduled Event\",\"time\":\"2012-10-01T18:00:00Z\","
                         "\"detail\":{\"a\":{\"a\":1}},\"a\":2}"));
    char text[4200] = "{\"";
    memset(text + 2, 'x', 2000);
    strcpy(text + 2002, "\x7f\":1,\"");
    memcpy(text + strlen(text), text + 2, 2001);
    strcat(text, "\":1}");
    assert_code(read_event(text), LP_DATA);
    assert_non_null(strstr(err.text, "xxx\u2026\" is given twice"));
}

/* What Scheduler says of one try means nothing without the time that it is a try of: now would be another slot at each. */
static void what_scheduler_says_of_a_try_needs_the_time_it_was_due(void **state)
{
    static const char *const keys[] = {"attempt", "execution", "schedule"};
    for (size_t i = 0; i < LP_COUNT(keys); i++) {
        char text[200], told[300];
        snprintf(text, sizeof text, "{\"%s\":\"3\"}", keys[i]);
        assert_code(read_event(text), LP_DATA);
        snprintf(told, sizeof told,
                 "event: %s without scheduled, so it does not say for when; write \"scheduled\": "
                 "\"<aws.scheduler.scheduled-time>\" beside it",
                 keys[i]);
        assert_string_equal(err.text, told);
        snprintf(text, sizeof text, "{\"scheduled\":null,\"%s\":3}", keys[i]);
        assert_code(read_event(text), LP_DATA);
        snprintf(text, sizeof text, "{\"%s\":\"3\",\"scheduled\":\"2012-10-01T18:00:00Z\"}", keys[i]);
        assert_ok(read_event(text));
        assert_int_equal(event.slot_us, slot);
        snprintf(text, sizeof text, "{\"%s\":\"3\",\"slot\":\"2012-10-01T18:00:00Z\"}", keys[i]);
        assert_ok(read_event(text));
    }
}

static void an_event_that_is_too_large_is_not_even_read(void **state)
{
    char *text = calloc(1, LP_EVENT_BYTES + 2);
    memset(text, ' ', LP_EVENT_BYTES + 1);
    assert_ok(lp_event_read(text, LP_EVENT_BYTES, now, &event, &err));
    assert_code(lp_event_read(text, LP_EVENT_BYTES + 1, now, &event, &err), LP_DATA);
    free(text);
}

static void without_a_deadline_nothing_is_bounded(void **state)
{
    lp_cancel_at(0, 0);
    assert_ok(lp_cancel_check(&err));
    assert_int_equal(lp_cancel_bound(-1), -1);
    assert_int_equal(lp_cancel_bound(12345), 12345);
}

static void past_the_soft_deadline_only_tidying_up_goes_on_and_past_the_hard_one_nothing(void **state)
{
    int64_t t = lp_clock_monotonic_us();
    lp_cancel_at(t + 60 * SECOND_US, t + 90 * SECOND_US);
    assert_ok(lp_cancel_check(&err));
    assert_in_range(lp_cancel_bound(-1), 59 * SECOND_US, 60 * SECOND_US);
    assert_int_equal(lp_cancel_bound(1000), 1000);
    lp_cancel_wind_up();
    assert_in_range(lp_cancel_bound(-1), 89 * SECOND_US, 90 * SECOND_US);
    lp_cancel_at(t, t + 60 * SECOND_US);
    assert_int_equal(lp_cancel_bound(-1), 0);
    assert_code(lp_cancel_check(&err), LP_LIMIT);
    lp_cancel_wind_up();
    assert_ok(lp_cancel_check(&err));
    lp_cancel_at(t - 2, t - 1);
    lp_cancel_wind_up();
    assert_code(lp_cancel_check(&err), LP_LIMIT);
    lp_cancel_at(0, 0);
}

static void after_a_signal_the_hard_deadline_is_near(void **state)
{
    int64_t t = lp_clock_monotonic_us();
    lp_cancel_install();
    lp_cancel_at(t + 60 * SECOND_US, t + 90 * SECOND_US);
    raise(SIGTERM);
    assert_code(lp_cancel_check(&err), LP_CANCELLED);
    lp_cancel_wind_up();
    assert_ok(lp_cancel_check(&err));
    assert_in_range(lp_cancel_bound(-1), 1, SECOND_US / 2);
    lp_cancel_at(0, 0); /* the next call is not begun */
    assert_code(lp_cancel_check(&err), LP_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_means_now_cut_to_the_minute),
        cmocka_unit_test(a_slot_is_a_whole_second_in_any_of_its_forms),
        cmocka_unit_test(a_slot_may_be_five_minutes_ahead_and_no_more),
        cmocka_unit_test(merging_is_of_all_shares),
        cmocka_unit_test(a_share_counts_from_one),
        cmocka_unit_test(a_key_that_is_given_twice_is_an_error_with_its_place),
        cmocka_unit_test(what_scheduler_says_of_a_try_needs_the_time_it_was_due),
        cmocka_unit_test(an_event_that_is_too_large_is_not_even_read),
        cmocka_unit_test(without_a_deadline_nothing_is_bounded),
        cmocka_unit_test(past_the_soft_deadline_only_tidying_up_goes_on_and_past_the_hard_one_nothing),
        cmocka_unit_test(after_a_signal_the_hard_deadline_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
