/* What Glue is told, and what is done when it does not agree. The contract itself is in test_catalog.c. */
#include "test.h"

#include "lake/catalog_glue.h"

#include "memory_glue.c"
#include "tables.h"

static struct lp_err err;

#define WEATHER "city:string n:bigint? t:double/celsius>fahrenheit ok:boolean at:timestamp on:date note:string?"

static int open_glue(void **state)
{
    return (*state = calloc(1, sizeof(struct memory_glue))) ? 0 : -1;
}

static int close_glue(void **state)
{
    memory_glue_release(*state);
    free(*state);
    return 0;
}

static struct lp_catalog *look(void **state)
{
    struct lp_glue caller = memory_glue_caller(*state);
    struct lp_catalog *c;
    assert_ok(lp_catalog_glue_new(&caller, "s3://bucket/lake", &c, &err));
    return c;
}

static enum lp_code try_publish(void **state, struct definition *d, const char *const *partitions, size_t count)
{
    struct lp_catalog *c = look(state);
    enum lp_code code = c->ops->inspect(c, &d->table, &err);
    if (!code) code = c->ops->publish(c, &d->table, partitions, count, &err);
    c->ops->free(c);
    forget(d);
    return code;
}

static void publish(void **state, struct definition *d)
{
    assert_ok(try_publish(state, d, NULL, 0));
}

static struct definition *dated(struct definition *d, const char *format)
{
    add_partition(d, "dt", format);
    return d;
}

static void assert_says(const char *text, const char *words)
{
    char *copy = strdup(words), *rest = copy;
    for (char *word; (word = strsep(&rest, "|"));)
        if (!strstr(text, word)) fail_msg("\"%s\" is not in %s", word, text);
    free(copy);
}

static void assert_calls(void **state, const char *calls)
{
    struct memory_glue *g = *state;
    assert_string_equal(lp_buf_text(&g->calls), calls);
    lp_buf_clear(&g->calls);
}

/* A parameter of a table; "" when it is not there. */
static const char *parameter(void **state, const char *table, const char *name)
{
    static char found[300];
    LP_AUTO(lp_arena) a = {0};
    json_t *root;
    const char *text = memory_glue_text(*state, table);
    assert_non_null(text);
    assert_ok(lp_json_parse(&a, text, strlen(text), &root, &err));
    const char *value = glue_member(json_object_get(root, "Parameters"), name);
    snprintf(found, sizeof found, "%s", value ? value : "");
    return found;
}

static void a_parquet_table_is_one_table_of_glue(void **state)
{
    struct definition *d = dated(define_parquet("city:string t:double?/celsius>fahrenheit"), "%Y-%m-%d");
    d->columns.list[1].description = "Air temperature";
    publish(state, d);
    assert_string_equal(
        memory_glue_text(*state, "weather"),
        "{\"Name\":\"weather\",\"Description\":\"Weather\",\"TableType\":\"EXTERNAL_TABLE\",\"PartitionKeys\":[{\"Name\":\"dt\","
        "\"Type\":\"string\",\"Parameters\":{\"format\":\"%Y-%m-%d\"}}],\"Parameters\":{\"lambda_pipeline\":\"us-weather\","
        "\"classification\":\"parquet\",\"compressionType\":\"zstd\",\"typeOfData\":\"file\",\"projection.enabled\":\"true\","
        "\"projection.dt.type\":\"date\",\"projection.dt.format\":\"yyyy-MM-dd\",\"projection.dt.range\":\"2012-10-01,NOW+1DAY\","
        "\"projection.dt.interval\":\"1\",\"projection.dt.interval.unit\":\"DAYS\","
        "\"storage.location.template\":\"s3://bucket/lake/weather/dt=${dt}/\"},\"StorageDescriptor\":{\"Columns\":["
        "{\"Name\":\"city\",\"Type\":\"string\",\"Comment\":\"\",\"Parameters\":{\"type\":\"string\",\"nullable\":\"false\"}},"
        "{\"Name\":\"t\",\"Type\":\"double\",\"Comment\":\"°F; Air temperature\",\"Parameters\":{\"type\":\"double\","
        "\"nullable\":\"true\",\"unit\":\"fahrenheit\"}}],\"Location\":\"s3://bucket/lake/weather/\","
        "\"InputFormat\":\"org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat\","
        "\"OutputFormat\":\"org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat\",\"Compressed\":true,"
        "\"NumberOfBuckets\":-1,\"SerdeInfo\":{\"SerializationLibrary\":"
        "\"org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe\",\"Parameters\":{\"serialization.format\":\"1\"}},"
        "\"BucketColumns\":[],\"SortColumns\":[],\"StoredAsSubDirectories\":false,\"Parameters\":{"
        "\"classification\":\"parquet\",\"compressionType\":\"zstd\",\"typeOfData\":\"file\"}}}");
    assert_null(memory_glue_text(*state, "weather_text"));
    assert_string_equal(((struct memory_glue *)*state)->database, "lake");
}

static void a_csv_table_is_text_in_glue(void **state)
{
    publish(state, dated(define("city:string n:bigint?"), "%Y-%m-%d"));
    assert_says(
        memory_glue_text(*state, "weather_text"),
        "{\"Name\":\"city\",\"Type\":\"string\"|{\"Name\":\"n\",\"Type\":\"string\",\"Comment\":\"\",\"Parameters\":{"
        "\"type\":\"bigint\",\"nullable\":\"true\"}}|\"skip.header.line.count\":\"1\"|\"classification\":\"csv\"|"
        "org.apache.hadoop.hive.serde2.OpenCSVSerde|{\"separatorChar\":\",\",\"quoteChar\":\"\\\"\",\"escapeChar\":\"\\n\"}|"
        "org.apache.hadoop.mapred.TextInputFormat|HiveIgnoreKeyTextOutputFormat|\"Compressed\":false|"
        "\"compressionType\":\"none\"|\"typeOfData\":\"file\"|\"columnsOrdered\":\"true\"|\"delimiter\":\",\"|"
        "\"Location\":\"s3://bucket/lake/weather/\"|\"projection.dt.type\":\"date\"|ask weather");
}

/* Back from base64, so that a test can read it. */
static void put_decoded(const char *text, struct lp_buf *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned bits = 0, count = 0;
    for (const char *found; *text && *text != '=' && (found = strchr(letters, *text)); text++) {
        bits = bits << 6 | (unsigned)(found - letters);
        if ((count += 6) < 8) continue;
        count -= 8;
        lp_buf_putc(out, (char)(bits >> count & 0xFF));
    }
}

static void a_view_gives_the_columns_of_csv_their_types(void **state)
{
    LP_AUTO(lp_buf) definition = {0};
    publish(state, dated(define(WEATHER), "%Y-%m-%d"));
    const char *view = memory_glue_text(*state, "weather"), *text = strstr(view, "/* Presto View: ");
    assert_says(view, "\"TableType\":\"VIRTUAL_VIEW\"|\"presto_view\":\"true\"|\"comment\":\"Presto View\"|"
                      "\"ViewExpandedText\":\"/* Presto View */\"|\"SerdeInfo\":{}|\"lambda_pipeline\":\"us-weather\"|"
                      "{\"Name\":\"at\",\"Type\":\"timestamp\"|{\"Name\":\"dt\",\"Type\":\"string\"}]|"
                      "{\"Name\":\"t\",\"Type\":\"double\",\"Comment\":\"°F\"}");
    assert_null(strstr(view, "\"Description\"")); /* readers would take it for the comment */
    assert_non_null(text);
    put_decoded(text + 16, &definition);
    assert_string_equal(
        lp_buf_text(&definition),
        "{\"originalSql\":\"SELECT\\n  \\\"city\\\"\\n, CAST(NULLIF(\\\"n\\\", '') AS bigint) \\\"n\\\"\\n"
        ", CAST(NULLIF(\\\"t\\\", '') AS double) \\\"t\\\"\\n, CAST(NULLIF(\\\"ok\\\", '') AS boolean) \\\"ok\\\"\\n"
        ", CAST(from_iso8601_timestamp(NULLIF(\\\"at\\\", '')) AT TIME ZONE 'UTC' AS timestamp(3)) \\\"at\\\"\\n"
        ", CAST(NULLIF(\\\"on\\\", '') AS date) \\\"on\\\"\\n, NULLIF(\\\"note\\\", '') \\\"note\\\"\\n, \\\"dt\\\"\\n"
        "FROM\\n  \\\"lake\\\".\\\"weather_text\\\"\",\"catalog\":\"awsdatacatalog\",\"schema\":\"lake\",\"columns\":["
        "{\"name\":\"city\",\"type\":\"varchar\"},{\"name\":\"n\",\"type\":\"bigint\"},{\"name\":\"t\",\"type\":\"double\"},"
        "{\"name\":\"ok\",\"type\":\"boolean\"},{\"name\":\"at\",\"type\":\"timestamp(3)\"},{\"name\":\"on\",\"type\":\"date\"},"
        "{\"name\":\"note\",\"type\":\"varchar\"},{\"name\":\"dt\",\"type\":\"varchar\"}],\"runAsInvoker\":true}");
}

static void what_is_there_is_asked_once_and_nothing_else_when_nothing_changed(void **state)
{
    publish(state, dated(define(WEATHER), "%Y-%m-%d"));
    assert_calls(state, "GetTable GetTable CreateTable CreateDatabase CreateTable CreateTable ");
    publish(state, dated(define(WEATHER), "%Y-%m-%d"));
    assert_calls(state, "GetTable GetTable ");
    publish(state, dated(define(WEATHER " more:date?"), "%Y-%m-%d"));
    assert_calls(state, "GetTable GetTable UpdateTable UpdateTable ");
    struct definition *d = define_parquet("city:string");
    d->sink.catalog.table = "other";
    publish(state, d);
    assert_calls(state, "GetTable CreateTable ");
}

static void names_are_as_glue_keeps_them_and_the_folder_is_as_it_was(void **state)
{
    struct definition *d = define_parquet("City:string");
    d->sink.catalog = (struct lp_catalog_name){"US-Lake", "My-Weather"};
    add_partition(d, "Dt", "%Y-%m-%d");
    publish(state, d);
    assert_string_equal(((struct memory_glue *)*state)->database, "us_lake");
    assert_says(memory_glue_text(*state, "my_weather"),
                "\"Name\":\"city\"|\"Name\":\"dt\"|s3://bucket/lake/My-Weather/\"|"
                "\"projection.dt.type\"|s3://bucket/lake/My-Weather/Dt=${dt}/");
}

static void what_cannot_stand_in_glue_is_told_before_anything_is_asked(void **state)
{
    assert_int_equal(try_publish(state, define("air-temperature:double"), NULL, 0), LP_CONFIG);
    assert_says(err.text, "\"air-temperature\" cannot be a column|letters, digits and _");
    struct definition *d = define("city:string");
    add_partition(d, "by-day", "%Y-%m-%d");
    assert_int_equal(try_publish(state, d, NULL, 0), LP_CONFIG);
    assert_says(err.text, "\"by-day\" cannot be a partition|letters, digits and _");
    d = define("city:string");
    d->sink.file_name = "weather.csv";
    assert_int_equal(try_publish(state, d, NULL, 0), LP_CONFIG);
    assert_says(err.text, "one file|leave sink.catalog out");
    assert_calls(state, "");
}

/* ---- projection ---- */

static void times_of_the_slot_are_computed_where_that_is_sound(void **state)
{
    static const struct {
        const char *format, *pattern, *unit, *begin;
    } sound[] = {{"%Y-%m-%d", "yyyy-MM-dd", "DAYS", "2012-10-01"},
                 {"%F", "yyyy-MM-dd", "DAYS", "2012-10-01"},
                 {"%Y%m%d", "yyyyMMdd", "DAYS", "20121001"},
                 {"%Y-%m", "yyyy-MM", "MONTHS", "2012-10"},
                 {"%Y-%m-%dT%H", "yyyy-MM-dd'T'HH", "HOURS", "2012-10-01T18"},
                 {"%F-%H", "yyyy-MM-dd-HH", "HOURS", "2012-10-01-18"},
                 {"d%Y.%m.%d", "'d'yyyy.MM.dd", "DAYS", "d2012.10.01"}};
    for (size_t i = 0; i < LP_COUNT(sound); i++) {
        char range[64];
        publish(state, dated(define_parquet("city:string"), sound[i].format));
        assert_string_equal(parameter(state, "weather", "projection.dt.format"), sound[i].pattern);
        assert_string_equal(parameter(state, "weather", "projection.dt.interval.unit"), sound[i].unit);
        snprintf(range, sizeof range, "%s,NOW+1DAY", sound[i].begin);
        assert_string_equal(parameter(state, "weather", "projection.dt.range"), range);
        close_glue(state);
        open_glue(state);
    }
}

static void other_partitions_are_named_one_by_one(void **state)
{
    static const char *const unsound[] = {
        "%Y", "%d-%m-%Y", "%Y/%m/%d",    "%Y-%m-%dT%H:%M", "%Y-%j", "%y-%m-%d", "%b %Y",
        "%m", "%H",       "%Y-%m-%d %H", "%Y-%m-%d-%H-%M", "%%",    "%Y-%d"};
    for (size_t i = 0; i < LP_COUNT(unsound); i++) {
        publish(state, dated(define_parquet("city:string"), unsound[i]));
        assert_string_equal(parameter(state, "weather", "projection.enabled"), "false");
        assert_string_equal(parameter(state, "weather", "projection.dt.type"), "");
        assert_string_equal(parameter(state, "weather", "storage.location.template"), "");
        close_glue(state);
        open_glue(state);
    }
    struct definition *d = dated(define_parquet("city:string"), "%Y-%m-%d");
    add_partition(d, "source", NULL);
    publish(state, d);
    assert_string_equal(parameter(state, "weather", "projection.enabled"), "false");
}

static struct definition *of_slot(int64_t days)
{
    struct definition *d = dated(define_parquet("city:string"), "%Y-%m-%d");
    d->layout.slot_us += days * 86400 * INT64_C(1000000);
    return d;
}

static void the_range_begins_with_the_earliest_slot(void **state)
{
    publish(state, of_slot(0));
    publish(state, of_slot(30));
    assert_string_equal(parameter(state, "weather", "projection.dt.range"), "2012-10-01,NOW+1DAY");
    assert_int_equal(memory_glue_writes(*state, "weather"), 1);
    publish(state, of_slot(-30));
    assert_string_equal(parameter(state, "weather", "projection.dt.range"), "2012-09-01,NOW+1DAY");
    publish(state, of_slot(-10));
    assert_int_equal(memory_glue_writes(*state, "weather"), 2);
}

static void rewrite(void **state, const char *table, const char *from, const char *to)
{
    LP_AUTO(lp_buf) text = {0};
    const char *before = memory_glue_text(*state, table), *at = strstr(before, from);
    assert_non_null(at);
    lp_buf_put(&text, before, (size_t)(at - before));
    lp_buf_puts(&text, to);
    lp_buf_puts(&text, at + strlen(from));
    memory_glue_put(*state, table, lp_buf_text(&text));
}

static void a_range_that_somebody_set_stays_where_it_can(void **state)
{
    publish(state, of_slot(0));
    rewrite(state, "weather", "2012-10-01,NOW+1DAY", "2012-10-01,NOW+2YEARS");
    publish(state, of_slot(-1));
    assert_string_equal(parameter(state, "weather", "projection.dt.range"), "2012-09-30,NOW+2YEARS");
    rewrite(state, "weather", "2012-09-30,NOW+2YEARS", "NOW-3YEARS,NOW");
    publish(state, of_slot(-2));
    assert_string_equal(parameter(state, "weather", "projection.dt.range"), "NOW-3YEARS,NOW");
}

static void projection_that_somebody_switched_off_stays_off(void **state)
{
    static const char *const partitions[] = {"dt=2012-10-01/"};
    publish(state, of_slot(0));
    rewrite(state, "weather", "\"projection.enabled\":\"true\"", "\"projection.enabled\":\"false\"");
    assert_ok(try_publish(state, of_slot(0), partitions, 1));
    assert_string_equal(parameter(state, "weather", "projection.enabled"), "false");
    assert_int_equal(((struct memory_glue *)*state)->partition_count, 1);
}

/* ---- partitions ---- */

static struct definition *by_place(void)
{
    struct definition *d = define_parquet("city:string");
    add_partition(d, "place", NULL);
    add_partition(d, "year", "%Y");
    return d;
}

static void partitions_are_named_in_hundreds_with_their_values_and_folders(void **state)
{
    struct memory_glue *g = *state;
    const char *partitions[250];
    char texts[250][40];
    for (size_t i = 0; i < 250; i++) {
        snprintf(texts[i], sizeof texts[i], "place=p%zu/year=2012/", i);
        partitions[i] = texts[i];
    }
    partitions[7] = "place=a%2Fb 100%25/year=__HIVE_DEFAULT_PARTITION__/";
    assert_ok(try_publish(state, by_place(), partitions, 250));
    assert_calls(
        state,
        "GetTable CreateTable CreateDatabase CreateTable BatchCreatePartition BatchCreatePartition BatchCreatePartition ");
    assert_int_equal(g->partition_count, 250);
    assert_says(g->partitions[7],
                "{\"Values\":[\"a/b 100%\",\"__HIVE_DEFAULT_PARTITION__\"],|\"Columns\":[{\"Name\":\"city\"|"
                "s3://bucket/lake/weather/place=a%2Fb 100%25/year=__HIVE_DEFAULT_PARTITION__/\"|"
                "ParquetHiveSerDe|MapredParquetInputFormat");
    assert_says(g->partitions[249], "\"Values\":[\"p249\",\"2012\"]");
    /* Those that are there are fine. */
    assert_ok(try_publish(state, by_place(), partitions, 250));
    assert_int_equal(g->partition_count, 250);
    assert_int_equal(memory_glue_writes(g, "weather"), 1);
}

static void partitions_that_glue_refuses_within_a_good_answer_are_told(void **state)
{
    static const char *const partitions[] = {"place=ok/year=2012/", "place=bad-1/year=2012/", "place=bad-2/year=2012/"};
    struct memory_glue *g = *state;
    g->partition_fault = "bad";
    assert_int_equal(try_publish(state, by_place(), partitions, 3), LP_REMOTE);
    assert_says(err.text,
                "lake.weather|2 partitions|[\"bad-1\",\"2012\"]|InternalServiceException|as told|run the slot again");
    assert_int_equal(g->partition_count, 1);
    g->partition_fault = NULL;
    assert_ok(try_publish(state, by_place(), partitions, 3));
    assert_int_equal(g->partition_count, 3);
}

/* A partition that does not know a column hides it from its readers, in new files too. */
static void a_partition_that_gets_new_files_gets_the_new_columns(void **state)
{
    static const char *const partitions[] = {"place=a%2Fb/year=2012/", "place=c/year=2012/"};
    struct memory_glue *g = *state;
    assert_ok(try_publish(state, by_place(), partitions, 2));
    lp_buf_clear(&g->calls);
    assert_ok(try_publish(state, by_place(), partitions, 2));
    assert_calls(state, "GetTable BatchCreatePartition BatchGetPartition ");
    struct definition *d = by_place();
    d->columns.list[d->columns.count++] = (struct lp_column){.name = "rain", .type = LP_TYPE_DOUBLE, .nullable = true};
    assert_ok(try_publish(state, d, partitions, 1));
    assert_calls(state, "GetTable UpdateTable BatchCreatePartition BatchGetPartition BatchUpdatePartition ");
    assert_int_equal(g->partition_updates, 1);
    assert_says(g->partitions[0], "\"Values\":[\"a/b\",\"2012\"]|\"Name\":\"rain\"");
    assert_null(strstr(g->partitions[1], "rain")); /* its files hold none */
    d = by_place();
    d->columns.list[d->columns.count++] = (struct lp_column){.name = "rain", .type = LP_TYPE_DOUBLE, .nullable = true};
    g->partition_fault = "nothing";
    assert_int_equal(try_publish(state, d, partitions, 2), LP_REMOTE);
    assert_says(err.text, "1 partition could not be named|InternalServiceException");
}

static void the_text_table_of_csv_has_the_partitions(void **state)
{
    static const char *const partitions[] = {"place=x/year=2012/"};
    struct definition *d = by_place();
    d->sink.format = LP_FORMAT_CSV;
    assert_ok(try_publish(state, d, partitions, 1));
    assert_says(((struct memory_glue *)*state)->partitions[0],
                "OpenCSVSerde|s3://bucket/lake/weather/place=x/year=2012/");
}

static void a_table_without_partitions_names_none(void **state)
{
    static const char *const partitions[] = {""};
    assert_ok(try_publish(state, define_parquet("city:string"), partitions, 1));
    assert_calls(state, "GetTable CreateTable CreateDatabase CreateTable ");
}

/* ---- others at work ---- */

static void what_somebody_else_made_is_left_alone(void **state)
{
    static const char foreign[] =
        "{\"Name\":\"weather\",\"StorageDescriptor\":{\"Columns\":[],\"Location\":\"s3://bucket/lake/weather/\"},\"Parameters\":{}}";
    struct memory_glue *g = *state;
    g->database = strdup("lake");
    memory_glue_put(g, "weather", foreign);
    for (int csv = 0; csv < 2; csv++) {
        struct definition *d = define_parquet("city:string");
        if (csv) d->sink.format = LP_FORMAT_CSV;
        assert_int_equal(try_publish(state, d, NULL, 0), LP_CONFIG);
        assert_says(err.text, "lake.weather |somebody else|another name|weather_2");
    }
    assert_string_equal(memory_glue_text(g, "weather"), foreign);
    assert_null(memory_glue_text(g, "weather_text"));
}

static void a_table_of_another_lake_is_left_alone(void **state)
{
    publish(state, define_parquet("city:string"));
    rewrite(state, "weather", "\"Location\":\"s3://bucket/lake/weather/\"", "\"Location\":\"s3://other/weather\"");
    assert_int_equal(try_publish(state, define_parquet("city:string"), NULL, 0), LP_CONFIG);
    assert_says(err.text, "lake.weather|s3://other/weather|not where this pipeline writes");
}

static void what_others_added_to_the_table_stays(void **state)
{
    struct memory_glue *g = *state;
    publish(state, define_parquet("city:string"));
    rewrite(state, "weather", "\"Parameters\":{\"lambda_pipeline\"",
            "\"Owner\":\"me\",\"Parameters\":{\"team\":\"weather\",\"lambda_pipeline\"");
    publish(state, define_parquet("city:string n:bigint?"));
    assert_says(memory_glue_text(g, "weather"), "\"team\":\"weather\"|\"Owner\":\"me\"|\"Name\":\"n\"");
    assert_says(lp_buf_text(&g->update), "\"SkipArchive\":true|\"VersionId\":\"2\"");
}

static void a_table_that_another_pipeline_made_keeps_its_mark(void **state)
{
    publish(state, define_parquet("city:string"));
    struct definition *d = define_parquet("city:string");
    d->layout.pipeline = "second";
    publish(state, d);
    assert_int_equal(memory_glue_writes(*state, "weather"), 1);
    assert_string_equal(parameter(state, "weather", LP_GLUE_MARK), "us-weather");
}

static void changes_of_others_at_the_same_time_are_looked_at_anew(void **state)
{
    struct memory_glue *g = *state;
    publish(state, define_parquet("city:string"));
    g->fault_operation = "UpdateTable";
    g->fault_code = "ConcurrentModificationException";
    g->faults = 4;
    publish(state, define_parquet("city:string n:bigint?"));
    assert_says(memory_glue_text(g, "weather"), "\"Name\":\"n\"");
    g->faults = 5;
    assert_int_equal(try_publish(state, define_parquet("city:string n:bigint? m:bigint?"), NULL, 0), LP_BUSY);
    assert_says(err.text, "lake.weather|others keep changing it|run the slot again");
}

static void a_table_that_another_run_makes_first_is_taken_as_it_is(void **state)
{
    struct memory_glue *g = *state;
    struct definition *d = define("city:string");
    struct lp_catalog *c = look(state);
    assert_ok(c->ops->inspect(c, &d->table, &err));
    publish(state, define("city:string"));
    assert_ok(c->ops->publish(c, &d->table, NULL, 0, &err));
    c->ops->free(c);
    forget(d);
    assert_int_equal(memory_glue_writes(g, "weather_text"), 1);
    assert_int_equal(memory_glue_writes(g, "weather"), 1);
}

static void a_view_that_was_removed_is_made_again(void **state)
{
    struct memory_glue *g = *state;
    publish(state, define("city:string"));
    assert_string_equal(g->tables[1].name, "weather");
    g->tables[1].name[0] = 'W';
    publish(state, define("city:string"));
    assert_non_null(memory_glue_text(g, "weather"));
    assert_int_equal(memory_glue_writes(g, "weather_text"), 1);
}

static void a_denied_call_is_told_with_the_table(void **state)
{
    static const char *const operations[] = {"GetTable", "CreateTable", "UpdateTable", "BatchCreatePartition"};
    static const char *const partitions[] = {"place=x/year=2012/"};
    struct memory_glue *g = *state;
    g->fault_code = "AccessDeniedException";
    for (size_t i = 0; i < LP_COUNT(operations); i++) {
        struct definition *d = by_place();
        if (i == 2) d->table.description = "Another";
        g->fault_operation = operations[i];
        g->faults = 1;
        assert_int_equal(try_publish(state, d, partitions, 1), LP_AUTH);
        assert_says(err.text, "Glue table lake.weather: AccessDeniedException|(request 1)");
        if (i) assert_ok(try_publish(state, by_place(), partitions, 1));
    }
}

static enum lp_code answer_oddly(void *who, const char *operation, const struct lp_buf *body, struct lp_buf *answer,
                                 char code[LP_GLUE_CODE_BYTES], struct lp_err *e)
{
    lp_buf_puts(answer, *(const char *const *)who);
    return LP_OK;
}

static void an_answer_that_is_none_is_an_error(void **state)
{
    static const char *const odd[] = {"", "{", "<html>", "{}", "[]", "null", "{\"Table\":3}", "{\"Table\":null}"};
    struct definition *d = define("city:string");
    for (size_t i = 0; i < LP_COUNT(odd); i++) {
        struct lp_catalog *c;
        struct lp_glue caller = {answer_oddly, (void *)(uintptr_t)&odd[i]};
        assert_ok(lp_catalog_glue_new(&caller, "s3://bucket", &c, &err));
        enum lp_code code = c->ops->inspect(c, &d->table, &err);
        assert_true(code == LP_REMOTE || code == LP_DATA);
        assert_says(err.text, "Glue table lake.weather_text");
        c->ops->free(c);
    }
    forget(d);
}

/* ---- memory that runs out ---- */

static long left = -1; /* allocations until one fails; -1: none does */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

static bool fails(void)
{
    return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return fails() ? NULL : __real_realloc(at, size);
}

/* Glue itself never runs out. */
static enum lp_code call_with_plenty(void *who, const char *operation, const struct lp_buf *body, struct lp_buf *answer,
                                     char code[LP_GLUE_CODE_BYTES], struct lp_err *e)
{
    long before = left;
    left = -1;
    enum lp_code result = glue_call(who, operation, body, answer, code, e);
    left = before;
    return result;
}

/* Two runs, the second with one more column; the k-th allocation fails. */
static enum lp_code run_twice(struct memory_glue *g, int scenario, long k, bool *reached)
{
    static const char *const partitions[] = {"place=a%2Fb/year=2012/", "place=c/year=2012/"};
    struct lp_glue caller = {call_with_plenty, g};
    enum lp_code code = LP_OK;
    left = -1;
    struct definition *all[2] = {define(WEATHER), define(WEATHER " more:date?")};
    for (int i = 0; i < 2; i++) {
        all[i]->sink.format = scenario == 2 ? LP_FORMAT_PARQUET : LP_FORMAT_CSV;
        if (scenario) add_partition(all[i], "place", NULL), add_partition(all[i], "year", "%Y");
        else dated(all[i], "%Y-%m-%d");
    }
    left = k;
    for (int i = 0; i < 2 && !code; i++) {
        struct lp_catalog *c = NULL;
        code = lp_catalog_glue_new(&caller, "s3://bucket/lake", &c, &err);
        if (!code) code = c->ops->inspect(c, &all[i]->table, &err);
        if (!code) code = c->ops->publish(c, &all[i]->table, partitions, scenario ? 2 : 0, &err);
        if (c) c->ops->free(c);
    }
    *reached = left < 0;
    left = -1;
    forget(all[0]);
    forget(all[1]);
    return code;
}

static void assert_same_glue(const struct memory_glue *g, const struct memory_glue *wanted)
{
    assert_int_equal(g->table_count, wanted->table_count);
    for (size_t i = 0; i < g->table_count; i++) assert_string_equal(g->tables[i].text, wanted->tables[i].text);
    assert_int_equal(g->partition_count, wanted->partition_count);
    for (size_t i = 0; i < g->partition_count; i++) assert_string_equal(g->partitions[i], wanted->partitions[i]);
}

static void memory_that_runs_out_leaves_no_half_of_a_table(void **state)
{
    for (int scenario = 0; scenario < 3; scenario++) {
        struct memory_glue wanted = {0};
        bool reached = true, ignored;
        assert_ok(run_twice(&wanted, scenario, -1, &ignored));
        for (long k = 0; reached; k++) {
            struct memory_glue g = {0};
            enum lp_code code = run_twice(&g, scenario, k, &reached);
            if (code && code != LP_NOMEM) fail_msg("allocation %ld: %s", k, err.text);
            if (!code) assert_same_glue(&g, &wanted);
            assert_true(k < 5000);
            memory_glue_release(&g);
        }
        memory_glue_release(&wanted);
    }
}

/* ---- texts ---- */

static void comments_are_one_line_of_what_glue_takes(void **state)
{
    LP_AUTO(lp_buf) out = {0};
    char text[400];
    struct lp_column c = {.unit = "celsius", .description = "two\nlines\tand \x7F"};
    lp_glue_put_comment(&c, &out);
    assert_string_equal(lp_buf_text(&out), "°C; two lines and  ");
    memset(text, 'x', sizeof text);
    memcpy(text + 253, "é€", 6);
    text[398] = '\0';
    c = (struct lp_column){.description = text};
    lp_buf_clear(&out);
    lp_glue_put_comment(&c, &out);
    assert_int_equal(out.len, 255);
    assert_memory_equal(lp_buf_text(&out) + 253, "é", 2);
    text[252] = 'y', memcpy(text + 253, "€", 3);
    lp_buf_clear(&out);
    lp_glue_put_comment(&c, &out);
    assert_int_equal(out.len, 253); /* no half of a character */
}

static void base64_is_as_everybody_writes_it(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xFF\xFE\xFD", "//79"}};
    for (size_t i = 0; i < LP_COUNT(pairs); i++) {
        LP_AUTO(lp_buf) out = {0};
        lp_base64_put(&out, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(lp_buf_text(&out), pairs[i][1]);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_glue, close_glue)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_parquet_table_is_one_table_of_glue),
        TEST(a_csv_table_is_text_in_glue),
        TEST(a_view_gives_the_columns_of_csv_their_types),
        TEST(what_is_there_is_asked_once_and_nothing_else_when_nothing_changed),
        TEST(names_are_as_glue_keeps_them_and_the_folder_is_as_it_was),
        TEST(what_cannot_stand_in_glue_is_told_before_anything_is_asked),
        TEST(times_of_the_slot_are_computed_where_that_is_sound),
        TEST(other_partitions_are_named_one_by_one),
        TEST(the_range_begins_with_the_earliest_slot),
        TEST(a_range_that_somebody_set_stays_where_it_can),
        TEST(projection_that_somebody_switched_off_stays_off),
        TEST(partitions_are_named_in_hundreds_with_their_values_and_folders),
        TEST(partitions_that_glue_refuses_within_a_good_answer_are_told),
        TEST(a_partition_that_gets_new_files_gets_the_new_columns),
        TEST(the_text_table_of_csv_has_the_partitions),
        TEST(a_table_without_partitions_names_none),
        TEST(what_somebody_else_made_is_left_alone),
        TEST(a_table_of_another_lake_is_left_alone),
        TEST(what_others_added_to_the_table_stays),
        TEST(a_table_that_another_pipeline_made_keeps_its_mark),
        TEST(changes_of_others_at_the_same_time_are_looked_at_anew),
        TEST(a_table_that_another_run_makes_first_is_taken_as_it_is),
        TEST(a_view_that_was_removed_is_made_again),
        TEST(a_denied_call_is_told_with_the_table),
        TEST(an_answer_that_is_none_is_an_error),
        TEST(memory_that_runs_out_leaves_no_half_of_a_table),
        TEST(comments_are_one_line_of_what_glue_takes),
        TEST(base64_is_as_everybody_writes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
