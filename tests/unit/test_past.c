/* The past of a pipeline, read from its records in a store. */
#include "test.h"

#include "memory_store.c"

#include "base/clock.h"
#include "pipeline/past.h"

#define HOUR_US INT64_C(3600000000)
#define SLOT_US INT64_C(1349114400000000) /* 2012-10-01T18:00:00Z */

static struct lp_err err;
static const struct lp_past_wanted all = {.from_us = INT64_MIN, .until_us = INT64_MAX};

static void put(struct lp_store *s, const char *name, const char *text)
{
    char key[300];
    snprintf(key, sizeof key, "_runs/weather/%s", name);
    assert_ok(lp_store_put(s, key, text, strlen(text), &err));
}

static void put_status(struct lp_store *s, const char *name, const char *status)
{
    char text[100];
    snprintf(text, sizeof text, "{\"status\":\"%s\"}", status);
    put(s, name, text);
}

/* A record each hour: o(k), p(artial), f(ailed), u(nreadable), '.': none. */
static struct lp_store *store_of(const char *story)
{
    struct lp_store *s = memory_store_new();
    for (size_t i = 0; story[i]; i++) {
        char name[LP_TIME_TEXT_BYTES + 5];
        lp_time_format_slot(SLOT_US + (int64_t)i * HOUR_US, name);
        strcat(name, ".json");
        if (story[i] == '.') continue;
        put_status(s, name, story[i] == 'o' ? "ok" : story[i] == 'p' ? "partial" : story[i] == 'f' ? "failed" : "odd");
    }
    return s;
}

/* The statuses by their first letters, the oldest first. */
static void assert_story(const struct lp_past *p, const char *story)
{
    char got[1000] = "";
    assert_in_range(p->count, 0, sizeof got - 1);
    for (size_t i = 0; i < p->count; i++) {
        got[i] = lp_past_status_name(p->list[i].status)[0];
        if (i && p->list[i - 1].slot_us > p->list[i].slot_us) fail_msg("the slots are not in order");
    }
    assert_string_equal(got, story);
}

static void a_record_is_read_whole(void **state)
{
    LP_AUTO(lp_past) p = {0};
    struct lp_store *s = memory_store_new();
    put(s, "20121001T180000Z.json",
        "{\"pipeline\":\"weather\",\"slot\":\"2012-10-01T18:00:00Z\",\"status\":\"partial\","
        "\"started_at\":\"2012-10-01T18:00:01.5Z\",\"finished_at\":\"2012-10-01T18:00:03Z\",\"duration_ms\":1500,"
        "\"requests\":{\"total\":5,\"ok\":3,\"failed\":2,\"retried\":7,\"waited_ms\":1},"
        "\"rows\":{\"read\":30,\"written\":29,\"quarantined\":1},\"files\":[],"
        "\"failures\":[{\"item\":{\"name\":\"Portland\"},\"error\":\"404\"},{\"item\":null,\"error\":\"late\"}]}\n");
    assert_ok(lp_past_read(s, "weather", &all, &p, &err));
    assert_int_equal(p.count, 1);
    const struct lp_past_run *r = p.list;
    assert_string_equal(r->key, "_runs/weather/20121001T180000Z.json");
    assert_int_equal(r->slot_us, SLOT_US);
    assert_int_equal(r->shards, 0);
    assert_int_equal(r->status, LP_PAST_PARTIAL);
    assert_int_equal(r->started_us, SLOT_US + 1500000);
    assert_int_equal(r->finished_us, SLOT_US + 3000000);
    assert_int_equal(r->duration_ms, 1500);
    assert_int_equal(r->requests, 5);
    assert_int_equal(r->requests_ok, 3);
    assert_int_equal(r->requests_failed, 2);
    assert_int_equal(r->retries, 7);
    assert_int_equal(r->rows_read, 30);
    assert_int_equal(r->rows_written, 29);
    assert_int_equal(r->rows_quarantined, 1);
    assert_int_equal(r->failures, 2);
    assert_string_equal(r->error, "Portland: 404");
    assert_false(p.more);
    lp_store_free(s);
}

static void the_last_failed_ranges_and_all_of_them(void **state)
{
    static const struct {
        const char *story;
        struct lp_past_wanted wanted; /* from and until in hours behind the first; 0: no limit */
        const char *expected;
        bool more;
    } cases[] = {{"", {.last = 3}, "", false},
                 {"opfo", {0}, "opfo", false},
                 {"opfo", {.last = 2}, "fo", true},
                 {"opfo", {.last = 4}, "opfo", false},
                 {"opfo", {.last = 9}, "opfo", false},
                 {"o.u.f", {0}, "ouf", false},
                 {"opfou", {.failed_only = true}, "pfu", false},
                 {"opfou", {.failed_only = true, .last = 2}, "fu", true},
                 {"oooof", {.failed_only = true, .last = 2}, "f", false},
                 {"opfou", {.from_us = 1}, "pfou", false},
                 {"opfou", {.until_us = 3}, "opf", false},
                 {"opfou", {.from_us = 1, .until_us = 3}, "pf", false},
                 {"opfou", {.from_us = 1, .until_us = 3, .last = 1}, "f", true},
                 {"opfou", {.from_us = 2, .until_us = 2}, "", false}};
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        LP_AUTO(lp_past) p = {0};
        struct lp_store *s = store_of(cases[i].story);
        struct lp_past_wanted w = cases[i].wanted;
        w.from_us = w.from_us ? SLOT_US + w.from_us * HOUR_US : INT64_MIN;
        w.until_us = w.until_us ? SLOT_US + w.until_us * HOUR_US : INT64_MAX;
        assert_ok(lp_past_read(s, "weather", &w, &p, &err));
        assert_story(&p, cases[i].expected);
        if (p.more != cases[i].more) fail_msg("case %zu: more is %d", i, p.more);
        lp_store_free(s);
    }
}

static void the_last_are_found_wherever_they_lie(void **state)
{
    struct lp_store *s = memory_store_new();
    int64_t now = lp_clock_now_us();
    static const int days[] = {-4000, -400, -4, -2, -1, 300};
    for (size_t i = 0; i < LP_COUNT(days); i++) {
        char name[LP_TIME_TEXT_BYTES + 5];
        lp_time_format_slot(now + days[i] * LP_DAY_US, name);
        strcat(name, ".json");
        put_status(s, name, i % 2 ? "ok" : "failed");
    }
    for (size_t last = 1; last <= LP_COUNT(days); last++) {
        LP_AUTO(lp_past) p = {0};
        struct lp_past_wanted w = all;
        w.last = last;
        assert_ok(lp_past_read(s, "weather", &w, &p, &err));
        assert_story(&p, "fofofo" + LP_COUNT(days) - last);
        assert_int_equal(p.more, last < LP_COUNT(days));
    }
    lp_store_free(s);
}

static void shards_come_by_number_and_the_whole_behind_them(void **state)
{
    static const char *const names[] = {"20121001T180000Z.json",       "20121001T180000Z-10of12.json",
                                        "20121001T180000Z-2of12.json", "20121001T180000Z-1of12.json",
                                        "20121001T170000Z.json",       "20121001T180000Z-2of2.json"};
    static const uint64_t shards[][2] = {{0, 0}, {1, 2}, {0, 12}, {1, 12}, {9, 12}, {0, 0}};
    LP_AUTO(lp_past) p = {0}, whole = {0};
    struct lp_past_wanted w = all;
    struct lp_store *s = memory_store_new();
    for (size_t i = 0; i < LP_COUNT(names); i++) put_status(s, names[i], "ok");
    assert_ok(lp_past_read(s, "weather", &w, &p, &err));
    assert_int_equal(p.count, LP_COUNT(names));
    for (size_t i = 0; i < p.count; i++) {
        assert_int_equal(p.list[i].shard, shards[i][0]);
        assert_int_equal(p.list[i].shards, shards[i][1]);
    }
    w.whole_only = true;
    assert_ok(lp_past_read(s, "weather", &w, &whole, &err));
    assert_int_equal(whole.count, 2);
    assert_int_equal(whole.list[1].shards, 0);
    lp_store_free(s);
}

static void names_that_no_run_writes_are_passed_over(void **state)
{
    static const char *const names[] = {"notes.txt",
                                        "20121001T180000Z",
                                        "20121001T180000Z.json.bak",
                                        "20121001T180000Z-1of1.json",
                                        "20121001T180000Z-0of2.json",
                                        "20121001T180000Z-3of2.json",
                                        "20121001T180000Z-01of2.json",
                                        "20121001T180000Z-1of2",
                                        "20121001T180000Z-1of99999999999999999999.json",
                                        "20121001T180000Z-1of.json",
                                        "20121001T180000Z-.json",
                                        "20121001T180000Z/x.json",
                                        "20121301T180000Z.json",
                                        "20121001T180060Z.json",
                                        "20121001T18:00Z.json",
                                        "2012-10-01T18:00.json",
                                        "20121001 180000Z.json",
                                        ".20121001T180000Z.json",
                                        "x.json"};
    LP_AUTO(lp_past) p = {0};
    struct lp_store *s = store_of("o");
    for (size_t i = 0; i < LP_COUNT(names); i++) put_status(s, names[i], "failed");
    assert_ok(lp_store_put(s, "_runs/weather2/20121001T180000Z.json", "{}", 2, &err));
    assert_ok(lp_past_read(s, "weather", &all, &p, &err));
    for (size_t i = 0; i < p.count; i++)
        if (p.list[i].status != LP_PAST_OK) fail_msg("%s was taken for a record", p.list[i].key);
    assert_int_equal(p.count, 1);
    lp_store_free(s);
}

static void a_record_that_cannot_be_read_is_an_entry_that_says_why(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {{"", "it is empty"},
                 {"{\"status\":\"o", "line 1"},
                 {"[]", "not a JSON object"},
                 {"{}", "does not say how the run ended"},
                 {"{\"status\":3}", "does not say how the run ended"},
                 {"{\"status\":\"strange\"}", "does not say how the run ended"}};
    for (size_t i = 0; i < LP_COUNT(cases); i++) {
        LP_AUTO(lp_past) p = {0};
        struct lp_store *s = store_of("o");
        put(s, "20121001T190000Z.json", cases[i].text);
        assert_ok(lp_past_read(s, "weather", &all, &p, &err));
        assert_story(&p, "ou");
        if (!strstr(p.list[1].error, cases[i].why)) fail_msg("%s: %s", cases[i].text, p.list[1].error);
        lp_store_free(s);
    }
}

static void members_of_another_type_count_as_nothing(void **state)
{
    LP_AUTO(lp_past) p = {0};
    struct lp_store *s = memory_store_new();
    put(s, "20121001T180000Z.json",
        "{\"status\":\"ok\",\"started_at\":7,\"finished_at\":\"soon\",\"duration_ms\":-1,\"requests\":[1],"
        "\"rows\":{\"read\":\"many\",\"written\":-3,\"quarantined\":1.5},\"failures\":{\"error\":\"x\"}}");
    assert_ok(lp_past_read(s, "weather", &all, &p, &err));
    const struct lp_past_run *r = p.list;
    assert_int_equal(r->status, LP_PAST_OK);
    assert_int_equal(r->started_us | r->finished_us | r->duration_ms, 0);
    assert_int_equal(r->requests | r->rows_read | r->rows_written | r->rows_quarantined | r->failures, 0);
    assert_string_equal(r->error, "");
    lp_store_free(s);
}

static void a_huge_record_is_unreadable_and_a_long_error_is_cut_between_characters(void **state)
{
    LP_AUTO(lp_past) p = {0};
    LP_AUTO(lp_buf) text = {0}, huge = {.max_bytes = (size_t)80 << 20};
    struct lp_store *s = memory_store_new();
    memory_store_limit(s, (size_t)80 << 20);
    lp_buf_puts(&text, "{\"status\":\"failed\",\"failures\":[{\"error\":\"x");
    for (int i = 0; i < 2000; i++) lp_buf_puts(&text, "é");
    lp_buf_puts(&text, "\"}]}");
    put(s, "20121001T180000Z.json", lp_buf_text(&text));
    lp_buf_puts(&huge, "{\"status\":\"ok\",\"failures\":[\"");
    assert_true(lp_buf_reserve(&huge, (size_t)33 << 20));
    memset(huge.data + huge.len, 'x', (size_t)33 << 20);
    huge.data[huge.len += (size_t)33 << 20] = '\0';
    lp_buf_puts(&huge, "\"]}");
    put(s, "20121001T190000Z.json", lp_buf_text(&huge));
    assert_ok(lp_past_read(s, "weather", &all, &p, &err));
    assert_story(&p, "fu");
    assert_int_equal(strlen(p.list[0].error), LP_PAST_ERROR_BYTES - 1);
    assert_true(*p.list[1].error);
    lp_store_free(s);
}

/* Whoever reads fails, as if each record had been removed since it was listed, or as if the store were away. */
static enum lp_code read_as;
static int reads;
static enum lp_code read_nothing(struct lp_store *s, const char *key, struct lp_buf *out, struct lp_err *e)
{
    (void)s, (void)out;
    reads++;
    return lp_fail(e, read_as, "%s: no", key);
}

static void names_only_reads_nothing_and_what_is_gone_is_left_out(void **state)
{
    LP_AUTO(lp_past) names = {0}, gone = {0}, away = {0};
    struct lp_store *s = store_of("opf");
    const struct lp_store_ops *ops = s->ops;
    struct lp_store_ops without = *ops;
    struct lp_past_wanted w = all;
    without.read = read_nothing;
    s->ops = &without;
    w.names_only = true;
    reads = 0;
    assert_ok(lp_past_read(s, "weather", &w, &names, &err));
    assert_int_equal(reads, 0);
    assert_int_equal(names.count, 3);
    assert_int_equal(names.list[2].slot_us, SLOT_US + 2 * HOUR_US);
    assert_string_equal(names.list[2].key, "_runs/weather/20121001T200000Z.json");
    read_as = LP_NOTFOUND;
    assert_ok(lp_past_read(s, "weather", &all, &gone, &err));
    assert_int_equal(gone.count, 0);
    assert_int_equal(reads, 3);
    read_as = LP_BUSY;
    assert_code(lp_past_read(s, "weather", &all, &away, &err), LP_BUSY);
    s->ops = ops;
    lp_store_free(s);
}

static void only_as_many_are_read_as_will_do(void **state)
{
    LP_AUTO(lp_past) p = {0};
    struct lp_store *s = store_of("oooooooooof");
    const struct lp_store_ops *ops = s->ops;
    struct lp_store_ops without = *ops;
    struct lp_past_wanted w = all;
    w.last = 1;
    without.read = read_nothing;
    read_as = LP_DATA;
    reads = 0;
    s->ops = &without;
    assert_ok(lp_past_read(s, "weather", &w, &p, &err));
    assert_story(&p, "u");
    assert_int_equal(reads, 1);
    s->ops = ops;
    lp_store_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_read_whole),
        cmocka_unit_test(the_last_failed_ranges_and_all_of_them),
        cmocka_unit_test(the_last_are_found_wherever_they_lie),
        cmocka_unit_test(shards_come_by_number_and_the_whole_behind_them),
        cmocka_unit_test(names_that_no_run_writes_are_passed_over),
        cmocka_unit_test(a_record_that_cannot_be_read_is_an_entry_that_says_why),
        cmocka_unit_test(members_of_another_type_count_as_nothing),
        cmocka_unit_test(a_huge_record_is_unreadable_and_a_long_error_is_cut_between_characters),
        cmocka_unit_test(names_only_reads_nothing_and_what_is_gone_is_left_out),
        cmocka_unit_test(only_as_many_are_read_as_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
