/* How the slots before this one went, read from their records in a store. */
#include "test.h"

#include "memory_store.c"

#include "base/clock.h"
#include "pipeline/history.h"

#define HOUR_US INT64_C(3600000000)
#define NOW_US  INT64_C(1349114400000000) /* 2012-10-01T18:00:00Z */

static struct lp_err err;
static const struct lp_sink sink = {.root = "."};

static struct lp_layout layout_at(int64_t slot_us)
{
    return (struct lp_layout){.sink = &sink, .pipeline = "weather", .slot_us = slot_us};
}

static void put_record(struct lp_store *s, struct lp_layout l, const char *text)
{
    LP_AUTO(lp_buf) key = {0};
    lp_layout_put_record_key(&l, &key);
    assert_ok(lp_store_put(s, lp_buf_text(&key), text, strlen(text), &err));
}

static void put_status(struct lp_store *s, int64_t slot_us, const char *status)
{
    char text[100];
    snprintf(text, sizeof text, "{\"pipeline\":\"weather\",\"status\":\"%s\"}\n", status);
    put_record(s, layout_at(slot_us), text);
}

/* One letter for each hour before now, the last one just before: o(k), p(artial), f(ailed), '.': no record. */
static struct lp_store *store_of(const char *story)
{
    struct lp_store *s = memory_store_new();
    for (size_t i = 0, n = strlen(story); i < n; i++) {
        int64_t slot_us = NOW_US - (int64_t)(n - i) * HOUR_US;
        if (story[i] != '.') put_status(s, slot_us, story[i] == 'o' ? "ok" : story[i] == 'p' ? "partial" : "failed");
    }
    return s;
}

static struct lp_history history_of(struct lp_store *s)
{
    struct lp_history h;
    struct lp_layout l = layout_at(NOW_US);
    assert_ok(lp_history_read(s, &l, &h, &err));
    assert_true(h.known);
    return h;
}

static void the_slots_before_decide(void **state)
{
    static const struct {
        const char *story;
        bool recovers;
        uint64_t failed;
        int64_t worked; /* hours ago; 0: never */
    } cases[] = {{"", false, 0, 0},    {"o", false, 0, 1},    {"f", true, 1, 0},     {"of", true, 1, 2},
                 {"offf", true, 3, 4}, {"fffo", false, 0, 1}, {"ofp", true, 0, 1},   {"op", false, 0, 1},
                 {"ofpp", true, 0, 1}, {"pf", true, 1, 2},    {"p", false, 0, 1},    {"of..f..", true, 2, 7},
                 {"o..", false, 0, 3}, {"fpf", true, 1, 2},   {"ofofof", true, 1, 2}};
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_store *s = store_of(cases[i].story);
        struct lp_history h = history_of(s);
        int64_t worked_us = cases[i].worked ? NOW_US - cases[i].worked * HOUR_US : INT64_MIN;
        if (h.recovers != cases[i].recovers || h.failed_in_row != cases[i].failed || h.worked_us != worked_us ||
            h.failed_more)
            fail_msg("%s: recovers %d, failed %d, worked %lld", cases[i].story, h.recovers, (int)h.failed_in_row,
                     (long long)h.worked_us);
        lp_store_free(s);
    }
}

static void the_slots_own_earlier_record_decides_whether_it_recovers(void **state)
{
    static const struct {
        const char *before, *own;
        bool recovers;
    } cases[] = {{"o", "failed", true}, {"f", "ok", false}, {"f", "partial", true}, {"o", "partial", false}};
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        struct lp_store *s = store_of(cases[i].before);
        put_status(s, NOW_US, cases[i].own);
        struct lp_history h = history_of(s);
        assert_int_equal(h.recovers, cases[i].recovers);
        assert_int_equal(h.failed_in_row, cases[i].before[0] == 'f');
        lp_store_free(s);
    }
}

static void what_comes_later_does_not_count(void **state)
{
    struct lp_store *s = store_of("of");
    put_status(s, NOW_US + HOUR_US, "ok");
    put_status(s, NOW_US + 100 * LP_DAY_US, "ok");
    struct lp_history h = history_of(s);
    assert_true(h.recovers);
    assert_int_equal(h.failed_in_row, 1);
    lp_store_free(s);
}

static void it_looks_further_back_than_a_few_days_where_it_must(void **state)
{
    struct lp_store *s = memory_store_new();
    put_status(s, NOW_US - 400 * LP_DAY_US, "ok");
    put_status(s, NOW_US - 3 * LP_DAY_US, "failed"); /* where near ends and far begins */
    put_status(s, NOW_US - 300 * LP_DAY_US, "failed");
    put_status(s, NOW_US - LP_DAY_US, "failed");
    struct lp_history h = history_of(s);
    assert_int_equal(h.failed_in_row, 3);
    assert_int_equal(h.worked_us, NOW_US - 400 * LP_DAY_US);
    lp_store_free(s);
}

static void it_does_not_look_back_for_ever(void **state)
{
    char story[LP_HISTORY_RECORDS + 10];
    memset(story, 'f', sizeof story);
    story[sizeof story - 1] = '\0';
    story[0] = 'o';
    struct lp_store *s = store_of(story);
    struct lp_history h = history_of(s);
    assert_true(h.failed_more);
    assert_true(h.recovers);
    assert_int_equal(h.failed_in_row, LP_HISTORY_RECORDS);
    assert_int_equal(h.worked_us, INT64_MIN);
    lp_store_free(s);
}

static void shards_have_histories_of_their_own(void **state)
{
    struct lp_store *s = memory_store_new();
    struct lp_layout mine = layout_at(NOW_US - HOUR_US), other;
    mine.shard = 1;
    mine.shards = 4;
    put_record(s, mine, "{\"status\":\"failed\"}");
    other = mine;
    other.shard = 2;
    put_record(s, other, "{\"status\":\"ok\"}");
    put_status(s, NOW_US - HOUR_US, "ok");
    mine.slot_us = NOW_US;
    struct lp_history h;
    assert_ok(lp_history_read(s, &mine, &h, &err));
    assert_true(h.recovers);
    assert_int_equal(h.failed_in_row, 1);
    assert_int_equal(h.worked_us, INT64_MIN);
    h = history_of(s);
    assert_false(h.recovers);
    assert_int_equal(h.failed_in_row, 0);
    lp_store_free(s);
}

static void a_record_that_cannot_be_read_counts_as_none(void **state)
{
    struct lp_store *s = store_of("of");
    put_record(s, layout_at(NOW_US - HOUR_US / 2), "{\"status\": \"o");
    put_record(s, layout_at(NOW_US - HOUR_US / 3), "[]");
    put_record(s, layout_at(NOW_US - HOUR_US / 4), "{\"status\":\"strange\"}");
    put_record(s, layout_at(NOW_US), "");
    assert_ok(lp_store_put(s, "_runs/weather/notes.txt", "x", 1, &err));
    struct lp_history h = history_of(s);
    assert_true(h.recovers);
    assert_int_equal(h.failed_in_row, 1);
    assert_int_equal(h.worked_us, NOW_US - 2 * HOUR_US);
    lp_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slots_before_decide),
        cmocka_unit_test(the_slots_own_earlier_record_decides_whether_it_recovers),
        cmocka_unit_test(what_comes_later_does_not_count),
        cmocka_unit_test(it_looks_further_back_than_a_few_days_where_it_must),
        cmocka_unit_test(it_does_not_look_back_for_ever),
        cmocka_unit_test(shards_have_histories_of_their_own),
        cmocka_unit_test(a_record_that_cannot_be_read_counts_as_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
