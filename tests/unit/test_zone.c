/* Clocks of places: held to libc's, which reads the same files by code of its own. */
#include "test.h"

#include "base/file.h"
#include "schedule/zone.h"

#include <time.h>

static struct lp_err err;

static const char *const places[] = {"America/New_York", "Europe/Berlin",     "Australia/Lord_Howe", "Africa/Cairo",  "Pacific/Chatham",
                                     "Pacific/Apia",     "Africa/Casablanca", "America/St_Johns",    "Asia/Kathmandu", "Europe/Dublin",
                                     "America/Nuuk",     "Asia/Gaza",         "Antarctica/Troll",    "Asia/Tokyo",     "Etc/GMT+12"};

static int64_t libc_offset(int64_t utc)
{
    time_t t = (time_t)utc;
    struct tm local;
    assert_non_null(localtime_r(&t, &local));
    return local.tm_gmtoff;
}

static void its_clock_is_libcs(void **state)
{
    uint64_t random = 6;
    for (size_t i = 0; i < LP_COUNT(places); i++) {
        struct lp_zone z;
        assert_ok(lp_zone_open(&z, places[i], &err));
        setenv("TZ", places[i], 1);
        tzset();
        for (int n = 0; n < 3000; n++) {
            int64_t utc = (int64_t)(next_random(&random) % UINT64_C(7200000000)) - 100000000; /* 1966 to 2194 */
            if (lp_zone_offset(&z, utc) != libc_offset(utc)) fail_msg("%s at %lld", places[i], (long long)utc);
        }
        for (size_t s = 1; s < z.count && z.list[s].from < INT64_C(7100000000); s++)
            for (int64_t d = -1; d <= 0; d++)
                if (lp_zone_offset(&z, z.list[s].from + d) != libc_offset(z.list[s].from + d))
                    fail_msg("%s at its change %lld", places[i], (long long)z.list[s].from);
        lp_zone_release(&z);
    }
    setenv("TZ", "Pacific/Chatham", 1);
    tzset();
}

/* The first instant of each local time near each change, by trying every quarter of an hour. */
static void a_local_time_is_its_first_instant_or_none(void **state)
{
    size_t gaps = 0, repeats = 0;
    for (size_t i = 0; i < LP_COUNT(places); i++) {
        struct lp_zone z;
        assert_ok(lp_zone_open(&z, places[i], &err));
        for (size_t s = 1; s < z.count && z.list[s].from < INT64_C(2000000000); s++) {
            if (z.list[s].from < 0) continue;
            for (int64_t d = -30 * 3600; d <= 30 * 3600; d += 900) {
                int64_t local = z.list[s].from + z.list[s].offset + d, utc, resumes, first = INT64_MAX, count = 0;
                for (size_t k = 0; k < z.count; k++) {
                    int64_t at = local - z.list[k].offset;
                    bool seen = at + lp_zone_offset(&z, at) == local;
                    count += seen && at != first;
                    if (seen && at < first) first = at;
                }
                bool there = lp_zone_resolve(&z, local, &utc, &resumes);
                assert_int_equal(there, first != INT64_MAX);
                if (there) assert_int_equal(utc, first);
                else assert_true(resumes > local && lp_zone_resolve(&z, resumes, &utc, &first) && utc + lp_zone_offset(&z, utc) == resumes);
                gaps += !there;
                repeats += count > 1;
            }
        }
        lp_zone_release(&z);
    }
    assert_true(gaps > 1000 && repeats > 1000);
}

static void utc_needs_no_file(void **state)
{
    struct lp_zone z;
    int64_t utc, resumes;
    assert_ok(lp_zone_open(&z, "UTC", &err));
    assert_int_equal(z.count, 0);
    assert_int_equal(lp_zone_offset(&z, INT64_C(1800000000)), 0);
    assert_true(lp_zone_resolve(&z, 7, &utc, &resumes) && utc == 7);
    lp_zone_release(&z);
}

static void what_is_no_zone_is_refused(void **state)
{
    static const char *const bad[] = {"",      "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "America", "America/", "posixrules ",
                                      "a\nb", "zone.tab",     "Europe/Berlin\x7f", "EST5EDT,M3.2.0,M11.1.0",
                                      "Averylongnameofazone/thatnobodyhaseverseen/anywhereatall"};
    struct lp_zone z;
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        assert_code(lp_zone_open(&z, bad[i], &err), LP_CONFIG);
        assert_null(z.list);
    }
    lp_zone_release(&z);
    lp_zone_release(NULL);
}

static void read_changed(const struct lp_buf *file, size_t len, size_t at, char with)
{
    struct lp_zone z;
    LP_AUTO(lp_buf) copy = {0};
    lp_buf_put(&copy, file->data, len);
    if (at < len) copy.data[at] = with;
    enum lp_code code = lp_zone_read(&z, &copy, "file", &err);
    assert_true(code == LP_OK || code == LP_CONFIG);
    assert_true(code == LP_OK || !z.list);
    lp_zone_release(&z);
}

/* Cut anywhere, or with any byte changed, it is a clock or refused; ASan looks on. */
static void a_damaged_file_is_read_or_refused(void **state)
{
    static const char bytes[] = {0, 1, 2, 127, -128, -1, '\n', ',', '9', 'M'};
    LP_AUTO(lp_buf) file = {0};
    assert_ok(lp_file_read("/usr/share/zoneinfo/Africa/Cairo", &file, &err));
    for (size_t len = 0; len <= file.len; len++) read_changed(&file, len, SIZE_MAX, 0);
    for (size_t at = 0; at < file.len; at++) read_changed(&file, file.len, at, bytes[at % sizeof bytes]);
}

/* A file of version 2 that holds no changes but the rule. */
static void rule_file(struct lp_buf *out, const char *rule)
{
    static const char one_type[] = "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\2", utc[] = "\0\0\0\0\0\0A";
    for (int i = 0; i < 2; i++) {
        lp_buf_puts(out, "TZif2");
        lp_buf_put(out, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15);
        lp_buf_put(out, one_type, 24);
        lp_buf_put(out, utc, 8);
    }
    lp_buf_printf(out, "\n%s\n", rule);
}

static void the_rule_at_its_end_is_libcs(void **state)
{
    static const char *const rules[] = {"EST5EDT,M3.2.0,M11.1.0",         "AEST-10AEDT,M10.1.0,M4.1.0/3",   "IST-1GMT0,M10.5.0,M3.5.0/1",
                                        "<+0330>-3:30<+0430>,J79/24,J263/24", "XXX3YYY,59/2,300/1:30:15",   "XXX3YYY2:30,J60,J300",
                                        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "EET-2EEST,M4.5.5/0,M10.5.4/24", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
                                        "XXX11",                          "<+14>-14"};
    uint64_t random = 7;
    for (size_t i = 0; i < LP_COUNT(rules); i++) {
        struct lp_zone z;
        LP_AUTO(lp_buf) file = {0};
        rule_file(&file, rules[i]);
        assert_ok(lp_zone_read(&z, &file, "file", &err));
        setenv("TZ", rules[i], 1);
        tzset();
        for (int n = 0; n < 5000; n++) {
            int64_t utc = (int64_t)(next_random(&random) % UINT64_C(7000000000)) + 40000000;
            if (lp_zone_offset(&z, utc) != libc_offset(utc)) fail_msg("%s at %lld", rules[i], (long long)utc);
        }
        lp_zone_release(&z);
    }
    setenv("TZ", "Pacific/Chatham", 1);
    tzset();
}

static void a_rule_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"E5", "EST", "EST5EDT", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0",
                                      "EST5EDT,M0.2.0,M11.1.0", "EST5EDT,366,1", "EST5EDT,M3.2.0,M11.1.0x", "EST168", "EST5:60", "<+0", "EST27",
                                      "EST5EDT27,M3.2.0,M11.1.0", "EST5EDT,M3.2.0/168,M11.1.0"};
    struct lp_zone z;
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        LP_AUTO(lp_buf) file = {0};
        rule_file(&file, bad[i]);
        if (lp_zone_read(&z, &file, "file", &err) != LP_CONFIG) fail_msg("%s is read", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_clock_is_libcs),
        cmocka_unit_test(a_local_time_is_its_first_instant_or_none),
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(what_is_no_zone_is_refused),
        cmocka_unit_test(a_damaged_file_is_read_or_refused),
        cmocka_unit_test(the_rule_at_its_end_is_libcs),
        cmocka_unit_test(a_rule_that_is_none_is_refused),
    };
    setenv("TZ", "Pacific/Chatham", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
