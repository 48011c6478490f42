/* The contract of lake/catalog.h, held against every catalogue. A new one is a line in `homes`. */
#include "test.h"

#include "memory_catalog.c"
#include "memory_glue.c"
#include "memory_store.c"
#include "tables.h"

static struct lp_err err;

struct fixture;
struct home {
    void (*open)(struct fixture *f);
    struct lp_catalog *(*look)(struct fixture *f); /* a new catalogue over what is there */
    size_t (*writes)(struct fixture *f);
    void (*close)(struct fixture *f);
};
struct fixture {
    void *folder;
    const struct home *home;
    struct lp_store *store;
    struct memory_tables tables;
    struct memory_glue glue;
    size_t writes, before;
};

/* ---- the homes ---- */

static struct lp_catalog *look_in_file(struct fixture *f)
{
    struct lp_catalog *c;
    assert_ok(lp_catalog_file_new(f->store, &c, &err));
    return c;
}

/* Every write puts a new file in the place of the old. */
static size_t file_writes(struct fixture *f)
{
    struct stat s;
    if (lstat(path_in(f->folder, "lake/_catalog/lake/weather.json"), &s)) return 0;
    if (s.st_ino != f->before) f->writes++;
    f->before = s.st_ino;
    return f->writes;
}

static void open_directory(struct fixture *f)
{
    assert_ok(lp_store_dir_new(path_in(f->folder, "lake"), &f->store, &err));
}

static void close_store(struct fixture *f)
{
    lp_store_free(f->store);
}

static struct lp_catalog *look_in_memory(struct fixture *f)
{
    return memory_catalog_new(&f->tables);
}

static size_t memory_writes(struct fixture *f)
{
    return f->tables.writes;
}

static void open_memory(struct fixture *f)
{
}

static void close_memory(struct fixture *f)
{
    lp_arena_release(&f->tables.arena);
}

static struct lp_catalog *look_in_glue(struct fixture *f)
{
    struct lp_catalog *c;
    struct lp_glue caller = memory_glue_caller(&f->glue);
    assert_ok(lp_catalog_glue_new(&caller, "s3://bucket/lake", &c, &err));
    return c;
}

/* The table over the files; CSV has a view beside it. */
static size_t glue_writes(struct fixture *f)
{
    return memory_glue_writes(&f->glue, "weather_text") +
           (memory_glue_text(&f->glue, "weather_text") ? 0 : memory_glue_writes(&f->glue, "weather"));
}

static void close_glue(struct fixture *f)
{
    memory_glue_release(&f->glue);
}

static const struct home directory = {open_directory, look_in_file, file_writes, close_store},
                         memory = {open_memory, look_in_memory, memory_writes, close_memory},
                         glue = {open_memory, look_in_glue, glue_writes, close_glue};

static int open_home(void **state, const struct home *home)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f || folder_new(&f->folder)) return -1;
    f->home = home;
    home->open(f);
    *state = f;
    return 0;
}

static int in_directory(void **state)
{
    return open_home(state, &directory);
}

static int in_memory(void **state)
{
    return open_home(state, &memory);
}

static int in_glue(void **state)
{
    return open_home(state, &glue);
}

static int close_home(void **state)
{
    struct fixture *f = *state;
    f->home->close(f);
    int result = folder_free(&f->folder);
    free(f);
    return result;
}

/* ---- what is done with them; each forgets the definition ---- */

static void publish(void **state, struct definition *d)
{
    struct fixture *f = *state;
    static const char *const partitions[] = {"dt=2012-10-01/"};
    struct lp_catalog *c = f->home->look(f);
    assert_ok(c->ops->inspect(c, &d->table, &err));
    assert_ok(c->ops->publish(c, &d->table, partitions, d->sink.partitions.count ? 1 : 0, &err));
    c->ops->free(c);
    forget(d);
    f->home->writes(f);
}

static void assert_writes(void **state, size_t count)
{
    struct fixture *f = *state;
    assert_int_equal(f->home->writes(f), count);
}

static void assert_fits(void **state, struct definition *d)
{
    struct fixture *f = *state;
    struct lp_catalog *c = f->home->look(f);
    assert_ok(c->ops->inspect(c, &d->table, &err));
    c->ops->free(c);
    forget(d);
}

/* The words must all be in the sentence, whether it is inspected first or published at once. */
static void assert_refused(void **state, struct definition *d, const char *words)
{
    struct fixture *f = *state;
    size_t before = f->home->writes(f);
    for (int at_once = 0; at_once < 2; at_once++) {
        char *copy = strdup(words), *rest = copy;
        struct lp_catalog *c = f->home->look(f);
        if (at_once) assert_code(c->ops->publish(c, &d->table, NULL, 0, &err), LP_CONFIG);
        else assert_code(c->ops->inspect(c, &d->table, &err), LP_CONFIG);
        for (char *word; (word = strsep(&rest, "|"));)
            if (!strstr(err.text, word)) fail_msg("\"%s\" is not in \"%s\"", word, err.text);
        c->ops->free(c);
        free(copy);
    }
    assert_int_equal(f->home->writes(f), before);
    forget(d);
}

/* ---- the contract ---- */

static void a_table_that_is_not_there_takes_any_columns(void **state)
{
    assert_fits(state, define("city:string n:bigint"));
    assert_fits(state, define_parquet("n:double"));
    assert_writes(state, 0);
}

static void a_table_is_made_once_and_then_left_alone(void **state)
{
    for (int i = 0; i < 3; i++) {
        publish(state, define("city:string n:bigint? at:timestamp on:date ok:boolean t:double"));
        assert_writes(state, 1);
    }
}

static void a_new_column_that_may_be_null_is_added(void **state)
{
    publish(state, define("city:string n:bigint"));
    assert_fits(state, define("city:string n:bigint rain:double?"));
    assert_writes(state, 1);
    publish(state, define("city:string n:bigint rain:double?"));
    assert_writes(state, 2);
    publish(state, define("city:string n:bigint rain:double?"));
    assert_writes(state, 2);
    assert_refused(state, define("city:string n:bigint"), "\"rain\"|double|lake.weather|weather_2");
}

static void a_new_column_that_needs_a_value_is_refused(void **state)
{
    publish(state, define("city:string n:bigint"));
    assert_refused(state, define("city:string n:bigint rain:double"), "\"rain\"|double|nullable: true|weather_2");
}

static void in_csv_a_new_column_comes_last(void **state)
{
    publish(state, define("city:string n:bigint"));
    assert_refused(state, define("city:string rain:double? n:bigint"), "\"rain\"|before \"n\"|end of columns");
    assert_refused(state, define("rain:double? city:string n:bigint"), "\"rain\"|before \"city\"|end of columns");
}

static void in_csv_the_columns_keep_their_order(void **state)
{
    publish(state, define("city:string n:bigint"));
    assert_refused(state, define("n:bigint city:string"), "\"city\"|\"n\"|order of columns");
}

static void in_parquet_columns_may_stand_anywhere(void **state)
{
    publish(state, define_parquet("city:string n:bigint"));
    publish(state, define_parquet("n:bigint city:string"));
    assert_writes(state, 1);
    publish(state, define_parquet("rain:double? n:bigint city:string"));
    assert_writes(state, 2);
    publish(state, define_parquet("city:string n:bigint rain:double?"));
    assert_writes(state, 2);
}

static void a_column_that_is_gone_is_refused_and_a_new_name_for_it_too(void **state)
{
    publish(state, define("city:string n:bigint"));
    assert_refused(state, define("city:string"), "\"n\"|bigint|lake.weather|keep it");
    assert_refused(state, define("city:string m:bigint?"), "\"n\"|\"m\"|keep their names");
}

static void a_type_that_changed_is_refused(void **state)
{
    static const char *const types[] = {"string", "bigint", "double", "boolean", "timestamp", "date"};
    char words[64], said[64];
    publish(state, define("city:string n:bigint"));
    for (size_t i = 0; i < LP_COUNT(types); i++) {
        if (i == LP_TYPE_BIGINT) continue;
        snprintf(words, sizeof words, "city:string n:%s", types[i]);
        snprintf(said, sizeof said, "\"n\"|is bigint|%s|keep type: bigint|weather_2", types[i]);
        assert_refused(state, define(words), said);
    }
}

static void what_may_be_null_once_may_be_null_for_ever(void **state)
{
    publish(state, define("city:string n:bigint"));
    publish(state, define("city:string n:bigint?"));
    publish(state, define("city:string n:bigint"));
    publish(state, define("city:string n:bigint?"));
    size_t writes = ((struct fixture *)*state)->home->writes(*state);
    assert_in_range(writes, 1, 2);
}

static void partitions_that_changed_are_refused(void **state)
{
    struct definition *d = define("city:string");
    add_partition(d, "dt", "%Y-%m-%d");
    publish(state, d);
    assert_refused(state, define("city:string"), "partitioned by dt|by nothing|sink.partition");
    d = define("city:string");
    add_partition(d, "day", "%Y-%m-%d");
    assert_refused(state, d, "partitioned by dt|by day|weather_2");
    d = define("city:string");
    add_partition(d, "dt", "%Y-%m-%d");
    add_partition(d, "place", NULL);
    assert_refused(state, d, "partitioned by dt|by dt, place");
    d = define("city:string");
    add_partition(d, "dt", "%Y-%m");
    assert_refused(state, d, "partition dt|%Y-%m-%d|%Y-%m");
    d = define("city:string");
    add_partition(d, "dt", "%Y-%m-%d");
    assert_fits(state, d);
}

static void partitions_made_of_text_may_take_other_text(void **state)
{
    struct definition *d = define("city:string");
    add_partition(d, "source", NULL);
    publish(state, d);
    d = define("city:string");
    add_partition(d, "source", NULL);
    d->sink.partitions.list[0].value.parts[0].text = "y";
    publish(state, d);
    assert_writes(state, 1);
}

static void a_format_that_changed_is_refused(void **state)
{
    publish(state, define("city:string"));
    assert_refused(state, define_parquet("city:string"), "csv|parquet|keep format: csv|weather_2");
}

static void columns_may_be_written_in_capitals_later(void **state)
{
    publish(state, define("city:string n:bigint"));
    assert_fits(state, define("City:string N:bigint"));
}

static void a_unit_that_changed_is_refused(void **state)
{
    publish(state, define("city:string t:double/celsius>fahrenheit"));
    assert_fits(state, define("city:string t:double/kelvin>fahrenheit"));
    assert_fits(state, define("city:string t:double/degF"));
    assert_refused(state, define("city:string t:double/celsius"), "\"t\"|fahrenheit|celsius|mixed|weather_2");
    assert_refused(state, define("city:string t:double"), "\"t\"|fahrenheit|no unit");
}

static void a_unit_may_be_told_later_but_not_converted_to(void **state)
{
    publish(state, define("city:string t:double"));
    assert_refused(state, define("city:string t:double/celsius>fahrenheit"), "\"t\"|no unit|fahrenheit");
    publish(state, define("city:string t:double/fahrenheit"));
    assert_writes(state, 2);
    assert_refused(state, define("city:string t:double/kelvin"), "fahrenheit|kelvin");
}

static void one_file_may_become_anything(void **state)
{
    struct definition *d = define("city:string n:bigint");
    d->sink.file_name = "weather.csv";
    publish(state, d);
    d = define("n:double");
    d->sink.file_name = "weather.csv";
    publish(state, d);
    assert_writes(state, 2);
    assert_refused(state, define("n:double"), "weather.csv|keep the place");
}

/* ---- what only the file has ---- */

static void an_entry_that_is_none_is_told_and_kept(void **state)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "null",
        "{\"columns\":[]}",
        "{\"format\":\"csv\",\"location\":\"weather\",\"partitions\":[],\"columns\":[{}]}"};
    struct fixture *f = *state;
    struct definition *d = define("city:string");
    for (size_t i = 0; i < LP_COUNT(bad); i++) {
        struct lp_catalog *c = f->home->look(f);
        assert_ok(lp_store_put(f->store, "_catalog/lake/weather.json", bad[i], strlen(bad[i]), &err));
        assert_code(c->ops->inspect(c, &d->table, &err), LP_DATA);
        assert_non_null(strstr(err.text, "_catalog/lake/weather.json"));
        assert_non_null(strstr(err.text, "remove it"));
        assert_code(c->ops->publish(c, &d->table, NULL, 0, &err), LP_DATA);
        c->ops->free(c);
    }
    forget(d);
}

static void the_entry_says_what_the_table_is(void **state)
{
    struct fixture *f = *state;
    struct definition *d = define_parquet("city:string t:double?/celsius>fahrenheit");
    add_partition(d, "dt", "%Y-%m-%d");
    add_partition(d, "source", NULL);
    d->columns.list[0].description = "Where";
    publish(state, d);
    LP_AUTO(lp_buf) text = {0};
    assert_ok(f->store->ops->read(f->store, "_catalog/lake/weather.json", &text, &err));
    assert_string_equal(
        lp_buf_text(&text),
        "{\"database\":\"lake\",\"table\":\"weather\",\"description\":\"Weather\",\"pipeline\":\"us-weather\",\"format\":\"parquet\","
        "\"location\":\"weather\",\"columns\":[{\"name\":\"city\",\"type\":\"string\",\"nullable\":false,\"description\":\"Where\"},"
        "{\"name\":\"t\",\"type\":\"double\",\"nullable\":true,\"unit\":\"fahrenheit\"}],\"partitions\":[{\"name\":\"dt\","
        "\"type\":\"string\",\"format\":\"%Y-%m-%d\"},{\"name\":\"source\",\"type\":\"string\"}]}\n");
}

/* Two runs look at the same table; the second to publish sees what the first added. */
static void what_another_run_added_meanwhile_stays(void **state)
{
    struct fixture *f = *state;
    publish(state, define("city:string"));
    struct definition *mine = define("city:string a:bigint?");
    struct lp_catalog *c = f->home->look(f);
    assert_ok(c->ops->inspect(c, &mine->table, &err));
    publish(state, define("city:string b:bigint?"));
    assert_code(c->ops->publish(c, &mine->table, NULL, 0, &err), LP_CONFIG);
    c->ops->free(c);
    forget(mine);
    assert_fits(state, define("city:string b:bigint?"));
}

#define IN(home, test)                                          \
    {                                                           \
#test " [" #home "]", test, in_##home, close_home, NULL \
    }
#define EVERYWHERE(test)  IN(directory, test), IN(memory, test), IN(glue, test)
#define IN_THE_LAKE(test) IN(directory, test), IN(memory, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_table_that_is_not_there_takes_any_columns),
        EVERYWHERE(a_table_is_made_once_and_then_left_alone),
        EVERYWHERE(a_new_column_that_may_be_null_is_added),
        EVERYWHERE(a_new_column_that_needs_a_value_is_refused),
        EVERYWHERE(in_csv_a_new_column_comes_last),
        EVERYWHERE(in_csv_the_columns_keep_their_order),
        EVERYWHERE(in_parquet_columns_may_stand_anywhere),
        EVERYWHERE(a_column_that_is_gone_is_refused_and_a_new_name_for_it_too),
        EVERYWHERE(a_type_that_changed_is_refused),
        EVERYWHERE(what_may_be_null_once_may_be_null_for_ever),
        EVERYWHERE(partitions_that_changed_are_refused),
        EVERYWHERE(partitions_made_of_text_may_take_other_text),
        EVERYWHERE(a_format_that_changed_is_refused),
        EVERYWHERE(columns_may_be_written_in_capitals_later),
        EVERYWHERE(what_another_run_added_meanwhile_stays),
        EVERYWHERE(a_unit_that_changed_is_refused),
        EVERYWHERE(a_unit_may_be_told_later_but_not_converted_to),
        IN_THE_LAKE(one_file_may_become_anything),
        IN(directory, an_entry_that_is_none_is_told_and_kept),
        IN(directory, the_entry_says_what_the_table_is),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    lp_unit_forget();
    return failed;
}
