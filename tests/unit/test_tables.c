/* The tables of a lake, as who reads it sees them. */
#include "test.h"

#include "query/script.h"
#include "query/tables.h"
#include "memory_store.c"

static struct lp_err err;

static struct lp_lake_table weather(void)
{
    return (struct lp_lake_table){.database = "weather",
                                  .name = "weather",
                                  .location = "weather",
                                  .partitions = {"dt", "h"},
                                  .partition_count = 2};
}

static void files_lie_exactly_one_folder_deep_for_each_partition(void **state)
{
    struct lp_lake_table t = weather();
    assert_true(lp_lake_table_owns(&t, NULL, "weather/dt=1/h=2/x.csv"));
    static const char *const others[] = {"weather/dt=1/x.csv",
                                         "weather/dt=1/h=2/i=3/x.csv",
                                         "weather/h=1/dt=2/x.csv",
                                         "weather/dt=1/h=2/x.jsonl",
                                         "weather/dt=1/h=2/.x.csv",
                                         "weather2/dt=1/h=2/x.csv",
                                         "_quarantine/weather/dt=1/h=2/x.csv",
                                         "weather/dt=1/h=2/.csv",
                                         "weather"};
    for (size_t i = 0; i < LP_COUNT(others); i++) assert_false(lp_lake_table_owns(&t, NULL, others[i]));
}

static void a_table_that_is_one_file_owns_that_one(void **state)
{
    struct lp_lake_table t = {.location = "w.csv", .one_file = true};
    assert_true(lp_lake_table_owns(&t, NULL, "w.csv"));
    assert_false(lp_lake_table_owns(&t, NULL, "w.csv.csv"));
    assert_false(lp_lake_table_owns(&t, NULL, "w.csv/x.csv"));
}

static void where_chooses_partitions_by_value_or_pattern(void **state)
{
    struct lp_lake_table t = weather();
    struct lp_where w = {0};
    assert_ok(lp_where_add(&w, "DT=2012-10-*", &err));
    assert_ok(lp_where_add(&w, "h=a/b*c", &err));
    assert_true(lp_lake_table_owns(&t, &w, "weather/dt=2012-10-01/h=a%2Fbxc/x.csv"));
    assert_true(lp_lake_table_owns(&t, &w, "weather/dt=2012-10-/h=a%2Fbc/x.csv"));
    assert_false(lp_lake_table_owns(&t, &w, "weather/dt=2012-11-01/h=a%2Fbxc/x.csv"));
    assert_false(lp_lake_table_owns(&t, &w, "weather/dt=2012-10-01/h=a%2Fbx/x.csv"));
    static const char *const bad[] = {"", "dt", "dt=", "=x"};
    for (size_t i = 0; i < LP_COUNT(bad); i++) assert_code(lp_where_add(&w, bad[i], &err), LP_USAGE);
    lp_where_release(&w);
}

static size_t named(const char *sql, const char *first)
{
    struct lp_lake_table list[] = {{.name = "t"}, {.name = "weather"}, {.name = "weather_2"}};
    struct lp_tables all = {.list = list, .count = 3}, some;
    assert_ok(lp_tables_named(&all, sql, &some, &err));
    size_t count = some.count;
    if (first) assert_string_equal(some.list[0].name, first);
    lp_tables_release(&some);
    return count;
}

static void tables_are_reached_when_their_names_occur_as_words(void **state)
{
    assert_int_equal(named("select * from Weather", "weather"), 1);
    assert_int_equal(named("from a.\"weather_2\";", "weather_2"), 1);
    assert_int_equal(named("from t join weather", "t"), 2);
    assert_int_equal(named("show tables", NULL), 3);
    assert_int_equal(named(NULL, NULL), 3);
    assert_int_equal(named("from t\xC3\xBC, weather", "weather"), 1);
}

static void entries_that_lead_out_of_the_lake_are_refused(void **state)
{
    static const char *const places[] = {"../x", "/etc", "_runs", "a/../b", ""};
    for (size_t i = 0; i < LP_COUNT(places); i++) {
        struct lp_store *store = memory_store_new();
        struct lp_tables t = {0};
        char *text = NULL;
        assert_true(
            asprintf(
                &text,
                "{\"database\":\"d\",\"table\":\"t\",\"format\":\"csv\",\"location\":\"%s\",\"columns\":[{\"name\":\"a\",\"type\":\"bigint\"}],\"partitions\":[]}",
                places[i]) > 0);
        assert_ok(lp_store_put(store, "_catalog/d/t.json", text, strlen(text), &err));
        assert_code(lp_tables_read(&t, store, &err), LP_DATA);
        assert_non_null(strstr(err.text, "_catalog/d/t.json"));
        free(text);
        lp_tables_release(&t);
        lp_store_free(store);
    }
}

static void names_and_texts_are_quoted(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    lp_sql_put_name("a\"b", &out);
    lp_sql_put_text("it's", &out);
    assert_string_equal(lp_buf_text(&out), "\"a\"\"b\"'it''s'");
}

static void the_script_ends_with_the_lock_and_nothing_behind_it(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    struct lp_lake_column c = {.name = "n", .type = LP_TYPE_BIGINT};
    struct lp_lake_table t = {.database = "d", .name = "t", .location = "t", .columns = &c, .column_count = 1};
    struct lp_tables tables = {.list = &t, .count = 1};
    struct lp_script_table there = {.has_files = true};
    struct lp_script s = {
        .tables = &tables, .states = &there, .base = "", .allowed = "/la'ke", .memory_mib = 64, .threads = 1};
    lp_script_put(&s, &out);
    const char *allowed = strstr(lp_buf_text(&out), "SET allowed_directories=['/la''ke'];\n.safe_mode\n");
    assert_non_null(allowed);
    assert_string_equal(strstr(allowed, ".safe_mode"), ".safe_mode\n");
    assert_true(strstr(lp_buf_text(&out), "CREATE VIEW") < allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_lie_exactly_one_folder_deep_for_each_partition),
        cmocka_unit_test(a_table_that_is_one_file_owns_that_one),
        cmocka_unit_test(where_chooses_partitions_by_value_or_pattern),
        cmocka_unit_test(tables_are_reached_when_their_names_occur_as_words),
        cmocka_unit_test(entries_that_lead_out_of_the_lake_are_refused),
        cmocka_unit_test(names_and_texts_are_quoted),
        cmocka_unit_test(the_script_ends_with_the_lock_and_nothing_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
