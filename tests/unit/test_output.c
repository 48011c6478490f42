/* A run's files over a store: unseen until published, one per partition, and what an earlier run left goes. */
#include "test.h"

#include "memory_store.c"

#include "lake/output.h"

static struct lp_err err;

struct lake {
    struct lp_store *store;
    struct lp_column columns_list[2];
    struct lp_columns columns;
    struct lp_sink sink;
    struct lp_layout layout;
    struct lp_bindings bindings;
    struct lp_output output;
    struct lp_batch batch;
};

static void begin(struct lake *l)
{
    lp_output_release(&l->output);
    assert_ok(lp_output_begin(&l->output, l->store, &l->layout, &l->columns, NULL, &l->bindings, &err));
}

static int open_lake(void **state)
{
    struct lake *l = calloc(1, sizeof *l);
    if (!l) return -1;
    l->store = memory_store_new();
    l->columns_list[0] = (struct lp_column){.name = "city", .type = LP_TYPE_STRING, .description = "Where"};
    l->columns_list[1] = (struct lp_column){.name = "n", .type = LP_TYPE_BIGINT, .nullable = true, .unit = "1"};
    l->columns = (struct lp_columns){l->columns_list, 2};
    l->sink = (struct lp_sink){.catalog = {"lake", "weather"}, .partitions = {{{.name = "city", .column = 0}}, 1}};
    l->layout = (struct lp_layout){.sink = &l->sink, .pipeline = "p", .slot_us = INT64_C(1349114400000000)};
    begin(l);
    *state = l;
    return 0;
}

static int close_lake(void **state)
{
    struct lake *l = *state;
    lp_output_release(&l->output);
    lp_batch_release(&l->batch);
    lp_store_free(l->store);
    free(l);
    return 0;
}

/* A batch with these cities, counted from `first`; a city that begins with '!' is a bad row. */
static enum lp_code write_cities(struct lake *l, const char *const *cities, size_t count, int64_t first)
{
    struct lp_item item = {0};
    lp_batch_release(&l->batch);
    assert_ok(lp_batch_init(&l->batch, &l->columns, count, &err));
    l->batch.row_count = count;
    for (size_t row = 0; row < count; row++) {
        l->batch.cells[0].null[row] = l->batch.cells[1].null[row] = false;
        l->batch.cells[0].of.text[row] = lp_slice_of(cities[row]);
        l->batch.cells[1].of.i64[row] = first + (int64_t)row;
        if (*cities[row] == '!') assert_ok(lp_batch_fail(&l->batch, row, "city", "isin(['a'])", "\"!\"", &err));
    }
    return lp_output_write(&l->output, &l->batch, &item, &l->bindings, &err);
}

static void assert_holds(struct lake *l, const char *key, const char *text)
{
    LP_AUTO(lp_buf) out = {0};
    assert_ok(l->store->ops->read(l->store, key, &out, &err));
    assert_string_equal(lp_buf_text(&out), text);
}

static const struct lp_earlier nothing; /* no run of the slot has left anything */

static void rows_lie_in_the_files_of_their_partitions(void **state)
{
    struct lake *l = *state;
    static const char *const first[] = {"Dallas", "Chicago", "Dallas"}, *const second[] = {"Chicago", "a/b"};
    assert_ok(write_cities(l, first, 3, 1));
    assert_ok(write_cities(l, second, 2, 4));
    assert_int_equal(memory_store_count(l->store), 0);
    assert_ok(lp_output_publish(&l->output, &nothing, &err));
    assert_int_equal(memory_store_count(l->store), 3);
    assert_holds(l, "weather/city=Dallas/20121001T180000Z.csv", "city,n\nDallas,1\nDallas,3\n");
    assert_holds(l, "weather/city=Chicago/20121001T180000Z.csv", "city,n\nChicago,2\nChicago,4\n");
    assert_holds(l, "weather/city=a%2Fb/20121001T180000Z.csv", "city,n\na/b,5\n");
    assert_int_equal(l->output.files[0].rows, 2);
    assert_true(l->output.files[0].published);
}

static void bad_rows_lie_in_quarantine_with_their_reasons(void **state)
{
    struct lake *l = *state;
    static const char *const cities[] = {"!", "Dallas", "!!"};
    assert_ok(write_cities(l, cities, 3, 1));
    assert_ok(lp_output_publish(&l->output, &nothing, &err));
    assert_holds(l, "weather/city=Dallas/20121001T180000Z.csv", "city,n\nDallas,2\n");
    assert_holds(l, "_quarantine/weather/20121001T180000Z.jsonl",
                 "{\"item\":{},\"failures\":[{\"column\":\"city\",\"check\":\"isin(['a'])\",\"failure_case\":\"!\"}],"
                 "\"row\":{\"city\":\"!\",\"n\":1},\"source\":null}\n"
                 "{\"item\":{},\"failures\":[{\"column\":\"city\",\"check\":\"isin(['a'])\",\"failure_case\":\"!\"}],"
                 "\"row\":{\"city\":\"!!\",\"n\":3},\"source\":null}\n");
    assert_int_equal(l->output.quarantine.rows, 2);
}

static void what_is_not_published_leaves_nothing(void **state)
{
    struct lake *l = *state;
    static const char *const cities[] = {"Dallas", "!"};
    assert_ok(write_cities(l, cities, 2, 1));
    lp_output_release(&l->output);
    assert_int_equal(memory_store_count(l->store), 0);
}

static void a_refused_run_publishes_its_quarantine_alone(void **state)
{
    struct lake *l = *state;
    static const char *const cities[] = {"Dallas", "!"};
    assert_ok(write_cities(l, cities, 2, 1));
    assert_ok(lp_output_publish_quarantine(&l->output, &nothing, &err));
    lp_output_release(&l->output);
    assert_int_equal(memory_store_count(l->store), 1);
}

static void a_later_run_of_the_slot_takes_the_place_of_the_earlier(void **state)
{
    struct lake *l = *state;
    static const char *const before[] = {"Dallas", "Chicago", "!"}, *const after[] = {"Dallas", "Denver"};
    assert_ok(lp_store_put(l->store, "weather/city=Chicago/20121001T190000Z.csv", "of another slot", 15, &err));
    assert_ok(write_cities(l, before, 3, 1));
    assert_ok(lp_output_publish(&l->output, &nothing, &err));
    assert_int_equal(memory_store_count(l->store), 4);
    begin(l);
    assert_ok(write_cities(l, after, 2, 7));
    LP_AUTO(lp_buf) keys = {0};
    lp_buf_puts(&keys, "weather/city=Dallas/20121001T180000Z.csv\nweather/city=Chicago/20121001T180000Z.csv\n");
    assert_ok(lp_output_publish(&l->output, &(struct lp_earlier){keys, .any = true}, &err));
    assert_int_equal(memory_store_count(l->store), 3);
    assert_holds(l, "weather/city=Dallas/20121001T180000Z.csv", "city,n\nDallas,7\n");
    assert_holds(l, "weather/city=Denver/20121001T180000Z.csv", "city,n\nDenver,8\n");
    assert_holds(l, "weather/city=Chicago/20121001T190000Z.csv", "of another slot");
}

static void many_partitions_are_written_with_few_open_files(void **state)
{
    struct lake *l = *state;
    char names[200][16], key[100], text[100];
    const char *cities[200];
    for (size_t i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "city-%zu", i);
        cities[i] = names[i];
    }
    for (int64_t round = 0; round < 3; round++) assert_ok(write_cities(l, cities, 200, round * 1000));
    size_t open = 0;
    for (size_t i = 0; i < l->output.file_count; i++) open += !l->output.files[i].parked;
    assert_in_range(open, 1, LP_OUTPUT_OPEN);
    assert_ok(lp_output_publish(&l->output, &nothing, &err));
    for (size_t i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "weather/city=city-%zu/20121001T180000Z.csv", i);
        snprintf(text, sizeof text, "city,n\ncity-%zu,%zu\ncity-%zu,%zu\ncity-%zu,%zu\n", i, i, i, 1000 + i, i,
                 2000 + i);
        assert_holds(l, key, text);
    }
}

/* A lake of Parquet whose rows each have a partition of their own, `n` NULL and `text` as it is. */
static enum lp_code write_row_each(struct lake *l, size_t first, size_t count, const char *text)
{
    struct lp_item item = {0};
    lp_batch_release(&l->batch);
    assert_ok(lp_batch_init(&l->batch, &l->columns, count, &err));
    l->batch.row_count = count;
    for (size_t row = 0; row < count; row++) {
        for (size_t i = 0; i < l->columns.count; i++) l->batch.cells[i].null[row] = i > 0;
        l->batch.cells[0].of.text[row] = lp_slice_of(lp_arena_printf(&l->batch.arena, "%zu", first + row));
        l->batch.cells[2].null[row] = !text;
        if (text) l->batch.cells[2].of.text[row] = lp_slice_of(text);
    }
    return lp_output_write(&l->output, &l->batch, &item, &l->bindings, &err);
}

#define MORE 20

static void begin_parquet(struct lake *l, struct lp_column list[2 + MORE])
{
    if (lp_format_info(LP_FORMAT_PARQUET)->missing) skip();
    memcpy(list, l->columns_list, sizeof l->columns_list);
    for (size_t i = 2; i < 2 + MORE; i++)
        list[i] = (struct lp_column){.name = "more", .type = LP_TYPE_STRING, .nullable = true};
    l->columns = (struct lp_columns){list, 2 + MORE};
    l->sink.format = LP_FORMAT_PARQUET;
    begin(l);
}

static void few_rows_of_many_partitions_are_held_until_their_files_are_made(void **state)
{
    struct lake *l = *state;
    struct lp_column list[2 + MORE];
    begin_parquet(l, list);
    for (size_t round = 0; round < 4; round++)
        for (size_t i = 0; i < 2; i++) assert_ok(write_row_each(l, i * 1000, 1000, NULL));
    assert_int_equal(l->output.file_count, 2000);
    for (size_t i = 0; i < l->output.file_count; i++) assert_int_equal(l->output.files[i].bytes, 0); /* not shed */
}

static void what_must_be_remembered_of_many_files_is_bounded(void **state)
{
    struct lake *l = *state;
    struct lp_column list[2 + MORE];
    enum lp_code code = LP_OK;
    const size_t row_bytes = 3 << 20, about_bytes = 16 << 20;
    char *text = malloc(row_bytes + 1), *about = malloc(about_bytes + 1);
    assert_true(text && about);
    memset(text, 'x', row_bytes);
    memset(about, 'y', about_bytes);
    text[row_bytes] = about[about_bytes] = '\0';
    begin_parquet(l, list);
    list[1].description = about; /* which stands in every file */
    for (size_t i = 0; !code && i < 100; i++) code = write_row_each(l, i, 1, text);
    assert_int_equal(code, LP_LIMIT);
    assert_non_null(strstr(err.text, "partition by something coarser"));
    assert_in_range(l->output.lasting_bytes, LP_OUTPUT_LASTING_BYTES, LP_OUTPUT_LASTING_BYTES + 2 * about_bytes);
    lp_output_release(&l->output);
    free(text);
    free(about);
}

static void a_store_that_fails_is_told_and_nothing_is_seen(void **state)
{
    struct lake *l = *state;
    static const char *const cities[] = {"Dallas"};
    memory_store_limit(l->store, 30);
    assert_ok(write_cities(l, cities, 1, 1));
    assert_int_equal(write_cities(l, cities, 1, INT64_C(1000000000000)), LP_LIMIT);
    assert_code(lp_output_publish(&l->output, &nothing, &err), LP_LIMIT);
    assert_memory_equal(err.text, "publish weather/city=Dallas/", 28);
    assert_int_equal(memory_store_count(l->store), 0);
}

static void a_name_past_a_thousand_and_twenty_four_bytes_is_a_limit(void **state)
{
    struct lake *l = *state;
    char city[1001];
    const char *cities[] = {city};
    memset(city, 'x', sizeof city);
    city[1000] = '\0';
    assert_int_equal(write_cities(l, cities, 1, 1), LP_LIMIT);
    assert_non_null(strstr(err.text, "1024 bytes"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_lake, close_lake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_lie_in_the_files_of_their_partitions),
        TEST(bad_rows_lie_in_quarantine_with_their_reasons),
        TEST(what_is_not_published_leaves_nothing),
        TEST(a_refused_run_publishes_its_quarantine_alone),
        TEST(a_later_run_of_the_slot_takes_the_place_of_the_earlier),
        TEST(many_partitions_are_written_with_few_open_files),
        TEST(few_rows_of_many_partitions_are_held_until_their_files_are_made),
        TEST(what_must_be_remembered_of_many_files_is_bounded),
        TEST(a_store_that_fails_is_told_and_nothing_is_seen),
        TEST(a_name_past_a_thousand_and_twenty_four_bytes_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
