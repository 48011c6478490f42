/* Instants, dates and durations as text. Nothing here depends on TZ: main sets an odd one. */
#include "test.h"

#include "base/clock.h"

#include <time.h>

#define SECOND INT64_C(1000000)

static bool iso(const char *text, int64_t *us)
{
    return lp_time_parse_iso(text, strlen(text), us);
}

static void iso_8601_is_read_in_all_its_spellings(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } known[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00Z", 0},
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01 00:00:00", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:00.5Z", 500000},
        {"1970-01-01T00:00:00,25Z", 250000},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1970-01-01T00:00:00.1234569Z", 123456},
        {"1970-01-01T00:00:00.123456789012345678Z", 123456},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T19:00:00-0500", 0},
        {"1970-01-01T05:30+0530", 0},
        {"2012-10-01T18:00:00Z", INT64_C(1349114400) * SECOND},
        {"2012-10-01T18:00:00+00:00", INT64_C(1349114400) * SECOND},
        {"2012-10-01T13:00:00-05:00", INT64_C(1349114400) * SECOND},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2000-02-29", INT64_C(951782400) * SECOND},
        {"2024-02-29T23:59:59Z", INT64_C(1709251199) * SECOND},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800) * SECOND},
        {"9999-12-31T23:59:59.999999Z", INT64_C(253402300799999999)},
        {"2038-01-19T03:14:08Z", INT64_C(2147483648) * SECOND},
        {"1969-12-31T00:00:00-23:59", INT64_C(-60) * SECOND},
    };
    int64_t us;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        if (!iso(known[i].text, &us)) fail_msg("%s is refused", known[i].text);
        if (us != known[i].us) fail_msg("%s is %lld", known[i].text, (long long)us);
    }
}

static void what_is_not_iso_8601_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "2012",
                                      "2012-10",
                                      "2012-10-1",
                                      "12-10-01",
                                      "2012/10/01",
                                      "20121001",
                                      "2012-10-01T",
                                      "2012-10-01T18",
                                      "2012-10-01T18Z",
                                      "2012-10-01T1:00Z",
                                      "2012-10-01T18:0Z",
                                      "2012-10-01T18:00:0Z",
                                      "2012-10-01T18:00:00.Z",
                                      "2012-10-01T18:00:00Zjunk",
                                      "2012-10-01T18:00:00+1",
                                      "2012-10-01T18:00:00+24:00",
                                      "2012-10-01T18:00:00+01:60",
                                      "2012-10-01T18:00:00+01:",
                                      "2012-10-01T18:00:00 Z",
                                      "2012-10-01T18:00:00+01:00:00",
                                      "2012-10-01T24:00:00Z",
                                      "2012-10-01T18:60:00Z",
                                      "2012-10-01T18:00:60Z",
                                      "2012-13-01",
                                      "2012-00-01",
                                      "2012-10-00",
                                      "2012-10-32",
                                      "2012-04-31",
                                      "2011-02-29",
                                      "1900-02-29",
                                      "2100-02-29",
                                      "0000-01-01",
                                      "10000-01-01",
                                      "-2012-10-01",
                                      "+2012-10-01",
                                      " 2012-10-01",
                                      "2012-10-01 ",
                                      "2012-10-01Z",
                                      "2012-10-01T18:00:00EST",
                                      "2012-10-01T18:00:00.1234567890123456789Z",
                                      "2012-10-0１",
                                      "1349114400",
                                      "now"};
    int64_t us;
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (iso(bad[i], &us)) fail_msg("\"%s\" is read", bad[i]);
    assert_false(lp_time_parse_iso("2012-10-01\0", 11, &us));
    assert_false(lp_time_parse_iso("2012-10-01T18:00:00Z", 9, &us));
    assert_true(lp_time_parse_iso("2012-10-01T18:00:00Z", 10, &us));
}

static void every_day_from_year_1_to_9999_goes_there_and_back(void **state)
{
    static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days = -719162, parsed;
    char text[LP_TIME_TEXT_BYTES], wanted[40];
    for (unsigned year = 1; year <= 9999; year++)
        for (unsigned month = 1; month <= 12; month++) {
            bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
            unsigned last = lengths[month - 1] + (month == 2 && leap);
            for (unsigned day = 1; day <= last; day++, days++) {
                if (lp_days_from_civil(year, month, day) != days) fail_msg("%u-%u-%u", year, month, day);
                struct lp_civil c = lp_civil_of(days * LP_DAY_US + LP_DAY_US - 1);
                if (c.year != year || c.month != month || c.day != day) fail_msg("%u-%u-%u and back", year, month, day);
                if (day != 1 && day != last) continue;
                size_t len = lp_date_format(days, text);
                snprintf(wanted, sizeof wanted, "%04u-%02u-%02u", year, month, day);
                assert_string_equal(text, wanted);
                assert_true(lp_date_parse_iso(text, len, &parsed) && parsed == days);
            }
            snprintf(wanted, sizeof wanted, "%04u-%02u-%02u", year, month, last + 1);
            assert_false(lp_date_parse_iso(wanted, 10, &parsed));
        }
    assert_int_equal(days, 2932897);
}

static void an_instant_goes_to_text_and_back(void **state)
{
    uint64_t random = 5;
    char text[LP_TIME_TEXT_BYTES], slot[LP_TIME_TEXT_BYTES];
    for (int i = 0; i < 50000; i++) {
        int64_t us = (int64_t)(next_random(&random) % UINT64_C(315537897600000000)) - INT64_C(62135596800000000), back;
        if (i % 3 == 0) us -= us % SECOND;
        if (i % 3 == 1) us -= us % 1000;
        size_t len = lp_time_format_iso(us, text);
        assert_int_equal(len, strlen(text));
        assert_true(lp_time_parse_iso(text, len, &back));
        assert_int_equal(back, us);
        struct lp_civil c = lp_civil_of(us);
        assert_int_equal(lp_civil_to_us(&c), us);
        assert_int_equal(lp_time_format_slot(us, slot), 16);
        assert_true(!strncmp(slot, text, 4) && !strncmp(slot + 4, text + 5, 2) && slot[8] == 'T' && slot[15] == 'Z');
    }
}

static void instants_are_written_without_what_says_nothing(void **state)
{
    static const struct {
        int64_t us;
        const char *iso, *slot;
    } known[] = {
        {0, "1970-01-01T00:00:00Z", "19700101T000000Z"},
        {INT64_C(1349114400) * SECOND, "2012-10-01T18:00:00Z", "20121001T180000Z"},
        {500000, "1970-01-01T00:00:00.5Z", "19700101T000000Z"},
        {123456, "1970-01-01T00:00:00.123456Z", "19700101T000000Z"},
        {1000, "1970-01-01T00:00:00.001Z", "19700101T000000Z"},
        {10, "1970-01-01T00:00:00.00001Z", "19700101T000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z", "19691231T235959Z"},
        {INT64_C(-62135596800) * SECOND, "0001-01-01T00:00:00Z", "00010101T000000Z"},
        {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z", "99991231T235959Z"},
    };
    char text[LP_TIME_TEXT_BYTES];
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        lp_time_format_iso(known[i].us, text);
        assert_string_equal(text, known[i].iso);
        lp_time_format_slot(known[i].us, text);
        assert_string_equal(text, known[i].slot);
    }
}

static void http_dates_are_read_in_their_three_forms(void **state)
{
    static const char *const same[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                       "Sun Nov  6 08:49:37 1994"};
    static const char *const bad[] = {"",
                                      "0",
                                      "120",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "06 Nov 1994 08:49:37 GMT",
                                      "Sun, 31 Feb 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:49:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:37 GMT x",
                                      "1994-11-06T08:49:37Z",
                                      "tomorrow",
                                      "Sun, 06 Nov 1994"};
    int64_t us;
    for (size_t i = 0; i < LP_COUNT(same); i++) {
        if (!lp_time_parse_http(same[i], &us)) fail_msg("%s is refused", same[i]);
        assert_int_equal(us, INT64_C(784111777) * SECOND);
    }
    assert_true(lp_time_parse_http("Thu, 29 Feb 2024 00:00:00 GMT", &us));
    assert_int_equal(us, INT64_C(1709164800) * SECOND);
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (lp_time_parse_http(bad[i], &us)) fail_msg("\"%s\" is read", bad[i]);
}

static void strptime_formats_are_read_as_utc(void **state)
{
    static const struct {
        const char *text, *format;
        int64_t seconds;
    } known[] = {{"01.10.2012 18:00", "%d.%m.%Y %H:%M", 1349114400},
                 {"10/01/12", "%m/%d/%y", 1349049600},
                 {"2012-10-01", "%F", 1349049600},
                 {"01 Oct 2012 06:00:00 PM", "%d %b %Y %I:%M:%S %p", 1349114400},
                 {"2012-10-01T18:00:00 +0200", "%FT%T %z", 1349107200},
                 {"2012-10-01T18:00:00-05:00", "%FT%T%z", 1349132400},
                 {"2012 275", "%Y %j", 1349049600},
                 {"1349114400", "%s", 1349114400},
                 {"2012", "%Y", 1325376000},
                 {"100% 2012-10-01", "100%% %F", 1349049600}};
    static const char *const bad[][2] = {
        {"31.02.2012", "%d.%m.%Y"}, {"01.10.2012 x", "%d.%m.%Y"}, {"01.10.2012", "%d.%m.%Y %H"}, {"", "%F"},
        {"01-10-2012", "%d.%m.%Y"}, {"2012-10-01", "%d.%m.%Y"},   {"32.01.2012", "%d.%m.%Y"}};
    int64_t us;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        if (!lp_time_parse_format(known[i].text, known[i].format, &us)) fail_msg("%s is refused", known[i].text);
        if (us != known[i].seconds * SECOND) fail_msg("%s is %lld", known[i].text, (long long)us);
    }
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (lp_time_parse_format(bad[i][0], bad[i][1], &us)) fail_msg("\"%s\" is read by %s", bad[i][0], bad[i][1]);
}

static void strftime_formats_are_written_in_utc_and_fit_or_are_nothing(void **state)
{
    char text[64];
    int64_t us = INT64_C(1349114400) * SECOND + 999999;
    assert_int_equal(lp_time_format(us, "%Y/%m/%d %H:%M:%S %j %a %Z", text, sizeof text), 31);
    assert_string_equal(text, "2012/10/01 18:00:00 275 Mon UTC");
    assert_int_equal(lp_time_format(-1, "%F %a", text, sizeof text), 14);
    assert_string_equal(text, "1969-12-31 Wed");
    assert_int_equal(lp_time_format(us, "%Y-%m-%d", text, 11), 10);
    assert_int_equal(lp_time_format(us, "%Y-%m-%d", text, 10), 0);
    for (int64_t day = 0; day < 800; day++) {
        char wanted[16];
        time_t t = day * 86400;
        struct tm tm;
        strftime(wanted, sizeof wanted, "%j %w %V %G", gmtime_r(&t, &tm));
        lp_time_format(day * LP_DAY_US, "%j %w %V %G", text, sizeof text);
        assert_string_equal(text, wanted);
    }
}

static void durations_are_read_with_their_unit(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } known[] = {{"0", 0},
                 {"0s", 0},
                 {"500ms", 500},
                 {"30s", 30000},
                 {"2m", 120000},
                 {"2min", 120000},
                 {"1h", 3600000},
                 {"1d", 86400000},
                 {"1.5h", 5400000},
                 {"0.25s", 250},
                 {"365d", INT64_C(31536000000)},
                 {"0.4ms", 0},
                 {"0.5ms", 1},
                 {"36500d", INT64_C(3153600000000)}};
    static const char *const bad[] = {"",
                                      " ",
                                      "5",
                                      "1",
                                      "00",
                                      "s",
                                      "-1s",
                                      "+1s",
                                      "1 s",
                                      " 1s",
                                      "1s ",
                                      "1S",
                                      "1H",
                                      "1sec",
                                      "1w",
                                      "1h30m",
                                      "1e3s",
                                      ".5s",
                                      "1.s",
                                      "1..5s",
                                      "1,5s",
                                      "0x1s",
                                      "01s",
                                      "1234567890123s",
                                      "999999999999d",
                                      "∞",
                                      "1µs",
                                      "PT1H"};
    int64_t ms;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        if (!lp_duration_parse(known[i].text, &ms)) fail_msg("%s is refused", known[i].text);
        assert_int_equal(ms, known[i].ms);
    }
    for (size_t i = 0; i < LP_COUNT(bad); i++)
        if (lp_duration_parse(bad[i], &ms)) fail_msg("\"%s\" is read as %lld", bad[i], (long long)ms);
}

static void durations_are_written_for_people(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {{0, "0 ms"},
                 {12, "12 ms"},
                 {999, "999 ms"},
                 {1000, "1 s"},
                 {1049, "1 s"},
                 {1200, "1.2 s"},
                 {30000, "30 s"},
                 {59900, "59.9 s"},
                 {59949, "59.9 s"},
                 {59960, "1 min"},
                 {60000, "1 min"},
                 {185000, "3 min 05 s"},
                 {120000, "2 min"},
                 {3599999, "1 h"},
                 {3600000, "1 h"},
                 {7380000, "2 h 03 min"},
                 {86400000, "24 h"},
                 {INT64_C(172800000), "2 days"},
                 {INT64_C(345600000), "4 days"},
                 {INT64_C(389000000), "5 days"}};
    char text[LP_TIME_TEXT_BYTES];
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        lp_duration_format(known[i].ms, text);
        assert_string_equal(text, known[i].text);
    }
}

static void the_monotonic_clock_does_not_go_back(void **state)
{
    int64_t before = lp_clock_monotonic_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = lp_clock_monotonic_us();
        assert_true(now >= before);
        before = now;
    }
    assert_true(llabs(lp_clock_now_us() / SECOND - (int64_t)time(NULL)) <= 2);
}

int main(void)
{
    setenv("TZ", "America/St_Johns", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iso_8601_is_read_in_all_its_spellings),
        cmocka_unit_test(what_is_not_iso_8601_is_refused),
        cmocka_unit_test(every_day_from_year_1_to_9999_goes_there_and_back),
        cmocka_unit_test(an_instant_goes_to_text_and_back),
        cmocka_unit_test(instants_are_written_without_what_says_nothing),
        cmocka_unit_test(http_dates_are_read_in_their_three_forms),
        cmocka_unit_test(strptime_formats_are_read_as_utc),
        cmocka_unit_test(strftime_formats_are_written_in_utc_and_fit_or_are_nothing),
        cmocka_unit_test(durations_are_read_with_their_unit),
        cmocka_unit_test(durations_are_written_for_people),
        cmocka_unit_test(the_monotonic_clock_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
