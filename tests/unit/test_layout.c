/* The names of all a run leaves behind. */
#include "test.h"

#include "lake/layout.h"

static struct lp_err err;
static const int64_t slot_us = INT64_C(1349114400000000);

typedef void put_key(const struct lp_layout *l, struct lp_buf *out);

static const char *key(const struct lp_layout *l, put_key *put)
{
    static char copy[4][300];
    static unsigned turn;
    char *shown = copy[turn++ % 4];
    LP_AUTO(lp_buf) out = {0};
    put(l, &out);
    snprintf(shown, sizeof copy[0], "%s", lp_buf_text(&out));
    return shown;
}

static void put_data(const struct lp_layout *l, struct lp_buf *out)
{
    lp_layout_put_data_key(l, "dt=2012-10-01/", out);
}

static void put_quarantine(const struct lp_layout *l, struct lp_buf *out)
{
    lp_layout_put_quarantine_key(l, "", out);
}

static void names_come_from_pipeline_slot_and_partition_alone(void **state)
{
    struct lp_sink sink = {.catalog = {"lake", "weather"}};
    struct lp_layout l = {.sink = &sink, .pipeline = "us-weather", .slot_us = slot_us};
    assert_string_equal(key(&l, put_data), "weather/dt=2012-10-01/20121001T180000Z.csv");
    assert_string_equal(key(&l, put_quarantine), "_quarantine/weather/20121001T180000Z.jsonl");
    assert_string_equal(key(&l, lp_layout_put_record_key), "_runs/us-weather/20121001T180000Z.json");
    assert_string_equal(key(&l, lp_layout_put_lock_key), "_runs/us-weather/.20121001T180000Z.lock");
    assert_string_equal(key(&l, lp_layout_put_catalog_key), "_catalog/lake/weather.json");
    l.shard = 0, l.shards = 1;
    assert_string_equal(key(&l, lp_layout_put_record_key), "_runs/us-weather/20121001T180000Z.json");
    l.shard = 2, l.shards = 16;
    assert_string_equal(key(&l, put_data), "weather/dt=2012-10-01/20121001T180000Z-3of16.csv");
    assert_string_equal(key(&l, lp_layout_put_lock_key), "_runs/us-weather/.20121001T180000Z-3of16.lock");
    sink.file_name = "weather.csv";
    assert_string_equal(key(&l, put_data), "weather.csv");
}

/* The partition of one row whose string column holds the value; NULL: the cell is NULL. */
static const char *partition_of(const char *value)
{
    static char copy[600];
    struct lp_column column = {.name = "city", .type = LP_TYPE_STRING};
    const struct lp_columns columns = {&column, 1};
    struct lp_sink sink = {.catalog = {"lake", "weather"}, .partitions = {{{.name = "city", .column = 0}}, 1}};
    struct lp_layout l = {.sink = &sink, .slot_us = slot_us};
    struct lp_bindings bindings = {0};
    LP_AUTO(lp_batch) b = {0};
    LP_AUTO(lp_buf) out = {0};
    assert_ok(lp_batch_init(&b, &columns, 1, &err));
    b.row_count = 1;
    b.cells[0].null[0] = !value;
    if (value) b.cells[0].of.text[0] = lp_slice_of(value);
    lp_layout_put_partition(&l, &bindings, &b, 0, &out);
    snprintf(copy, sizeof copy, "%s", lp_buf_text(&out));
    return copy;
}

static void a_row_s_value_is_written_as_hive_writes_it(void **state)
{
    static const char *const known[][2] = {{"Dallas", "city=Dallas/"},
                                           {"New York", "city=New York/"},
                                           {"Zürich 日本", "city=Zürich 日本/"},
                                           {"a/b", "city=a%2Fb/"},
                                           {"a=b", "city=a%3Db/"},
                                           {"50%", "city=50%25/"},
                                           {"a:b?c#d", "city=a%3Ab%3Fc%23d/"},
                                           {"it's", "city=it%27s/"},
                                           {"\"*\\", "city=%22%2A%5C/"},
                                           {".", "city=%2E/"},
                                           {"..", "city=%2E%2E/"},
                                           {"...", "city=.../"},
                                           {"a.b", "city=a.b/"},
                                           {"../x", "city=..%2Fx/"},
                                           {"a\nb\x7F", "city=a%0Ab%7F/"},
                                           {"", "city=__HIVE_DEFAULT_PARTITION__/"},
                                           {"+ ,;", "city=+ ,;/"}};
    for (size_t i = 0; i < LP_COUNT(known); i++) assert_string_equal(partition_of(known[i][0]), known[i][1]);
    assert_string_equal(partition_of(NULL), "city=__HIVE_DEFAULT_PARTITION__/");
}

static void different_values_are_different_folders(void **state)
{
    static const char *const pairs[][2] = {{"a/b", "a%2Fb"}, {"%", "%25"}, {".", "%2E"}, {"a\tb", "a%09b"}, {"A", "a"}};
    for (size_t i = 0; i < LP_COUNT(pairs); i++) {
        char first[600];
        snprintf(first, sizeof first, "%s", partition_of(pairs[i][0]));
        assert_string_not_equal(first, partition_of(pairs[i][1]));
    }
}

static void times_make_folders_in_their_own_format(void **state)
{
    struct lp_column list[] = {{.name = "t", .type = LP_TYPE_TIMESTAMP},
                               {.name = "day", .type = LP_TYPE_DATE},
                               {.name = "n", .type = LP_TYPE_BIGINT}};
    const struct lp_columns columns = {list, 3};
    struct lp_sink sink = {.partitions = {{{.name = "dt", .column = 0, .format = "%Y-%m-%d"},
                                           {.name = "month", .column = 1, .format = "%Y-%m"},
                                           {.name = "t", .column = 0},
                                           {.name = "n", .column = 2}},
                                          4}};
    struct lp_layout l = {.sink = &sink, .slot_us = slot_us};
    struct lp_bindings bindings = {0};
    LP_AUTO(lp_batch) b = {0};
    LP_AUTO(lp_buf) out = {0};
    assert_ok(lp_batch_init(&b, &columns, 1, &err));
    b.row_count = 1;
    for (size_t i = 0; i < 3; i++) b.cells[i].null[0] = false;
    b.cells[0].of.i64[0] = -1;
    b.cells[1].of.i64[0] = 15614;
    b.cells[2].of.i64[0] = -7;
    lp_layout_put_partition(&l, &bindings, &b, 0, &out);
    assert_string_equal(lp_buf_text(&out), "dt=1969-12-31/month=2012-10/t=1969-12-31T23%3A59%3A59.999999Z/n=-7/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_from_pipeline_slot_and_partition_alone),
        cmocka_unit_test(a_row_s_value_is_written_as_hive_writes_it),
        cmocka_unit_test(different_values_are_different_folders),
        cmocka_unit_test(times_make_folders_in_their_own_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
