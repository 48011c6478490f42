/* What a pipeline has to be allowed to do, derived from its file, and the policy that says so. */
#include "test.h"

#include "base/json.h"
#include "deploy/permissions.h"

static struct lp_err err;

struct of_file { /* a pipeline file and what it needs */
    struct lp_pipeline p;
    struct lp_arena arena;
    struct lp_permissions needs;
};

static void of_file_release(struct of_file *f)
{
    lp_pipeline_release(&f->p);
    lp_arena_release(&f->arena);
}

static void load(struct of_file *f, void **state, const char *sink)
{
    const char *path = path_in(*state, "weather.yaml");
    struct lp_faults faults;
    char text[2048];
    snprintf(text, sizeof text,
             "pipeline: weather\n"
             "source: { get: https://api.example.com/weather, auth: { query: appid, secret: \"env:KEY\" } }\n"
             "columns: { city: { from: name, type: string }, temperature: { from: main.temp, type: double } }\n"
             "sink: { %s }\n",
             sink);
    write_text(path, text, strlen(text));
    assert_ok(lp_pipeline_load(&f->p, path, &faults, &err));
    lp_faults_release(&faults);
}

static void derive(struct of_file *f)
{
    assert_ok(lp_permissions_of(&f->p, &f->arena, &f->needs, &err));
}

/* "s3:ListBucket s3:GetObject" */
static const char *actions(const struct of_file *f)
{
    static char text[1024];
    LP_AUTO(lp_buf) out = {0};
    for (size_t i = 0; i < f->needs.count; i++) lp_buf_printf(&out, "%s%s", i ? " " : "", f->needs.list[i].action);
    snprintf(text, sizeof text, "%s", lp_buf_text(&out));
    return text;
}

/* The resources of an action, one per line, then its condition. */
static const char *resources(const struct of_file *f, const char *action)
{
    static char text[4][2048];
    static unsigned turn;
    char *shown = text[turn++ % 4];
    LP_AUTO(lp_buf) out = {0};
    for (size_t i = 0; i < f->needs.count; i++) {
        const struct lp_permission *x = &f->needs.list[i];
        if (strcmp(x->action, action)) continue;
        for (size_t r = 0; r < x->resource_count; r++) lp_buf_printf(&out, "%s\n", x->resources[r]);
        if (x->condition.operator) lp_buf_printf(&out, "%s %s", x->condition.operator, x->condition.key);
        for (size_t v = 0; v < x->condition.value_count; v++) lp_buf_printf(&out, " %s", x->condition.values[v]);
        break;
    }
    snprintf(shown, sizeof text[0], "%s", lp_buf_text(&out));
    return shown;
}

#define S3_ACTIONS                                                                           \
    "s3:ListBucket s3:ListBucketMultipartUploads s3:GetObject s3:PutObject s3:DeleteObject " \
    "s3:AbortMultipartUpload"

static void a_directory_needs_nothing(void **state)
{
    LP_AUTO(of_file) f = {0};
    load(&f, state, "to: ./lake, catalog: { database: weather }");
    derive(&f);
    assert_int_equal(f.needs.count, 0);
}

static void a_bucket_needs_its_own_folders_and_no_others(void **state)
{
    LP_AUTO(of_file) f = {0};
    load(&f, state, "to: \"s3://lake/a/b\"");
    derive(&f);
    assert_string_equal(actions(&f), S3_ACTIONS);
    assert_string_equal(resources(&f, "s3:ListBucket"), "arn:${AWS::Partition}:s3:::lake\nStringLike s3:prefix "
                                                        "a/b/_runs/weather/* a/b/_catalog/weather/weather.json");
    assert_string_equal(resources(&f, "s3:ListBucketMultipartUploads"), "arn:${AWS::Partition}:s3:::lake\n");
    assert_string_equal(resources(&f, "s3:GetObject"),
                        "arn:${AWS::Partition}:s3:::lake/a/b/_runs/weather/*\n"
                        "arn:${AWS::Partition}:s3:::lake/a/b/_catalog/weather/weather.json\n");
    assert_string_equal(resources(&f, "s3:DeleteObject"), "arn:${AWS::Partition}:s3:::lake/a/b/weather/*\n"
                                                          "arn:${AWS::Partition}:s3:::lake/a/b/_quarantine/weather/*\n"
                                                          "arn:${AWS::Partition}:s3:::lake/a/b/_runs/weather/*\n");
    assert_string_equal(resources(&f, "s3:PutObject"),
                        "arn:${AWS::Partition}:s3:::lake/a/b/weather/*\n"
                        "arn:${AWS::Partition}:s3:::lake/a/b/_quarantine/weather/*\n"
                        "arn:${AWS::Partition}:s3:::lake/a/b/_runs/weather/*\n"
                        "arn:${AWS::Partition}:s3:::lake/a/b/_catalog/weather/weather.json\n");
    assert_string_equal(resources(&f, "s3:AbortMultipartUpload"), resources(&f, "s3:PutObject"));
}

static void one_file_may_be_written_and_never_deleted(void **state)
{
    LP_AUTO(of_file) f = {0};
    load(&f, state, "to: \"s3://lake/weather_data.csv\"");
    derive(&f);
    assert_string_equal(actions(&f), S3_ACTIONS);
    assert_non_null(strstr(resources(&f, "s3:PutObject"), "s3:::lake/weather_data.csv\n"));
    assert_null(strstr(resources(&f, "s3:DeleteObject"), "weather_data.csv"));
    assert_non_null(strstr(resources(&f, "s3:DeleteObject"), "s3:::lake/_quarantine/weather/*\n"));
}

static void wildcards_in_a_name_stand_for_themselves(void **state)
{
    LP_AUTO(of_file) f = {0};
    load(&f, state, "to: \"s3://lake/a*b?c\"");
    derive(&f);
    assert_non_null(strstr(resources(&f, "s3:GetObject"), "s3:::lake/a${*}b${?}c/_runs/weather/*\n"));
}

static void the_catalogue_is_glue_only_where_it_is_written(void **state)
{
    LP_AUTO(of_file) f = {0};
    load(&f, state,
         "to: \"s3://lake\", catalog: { database: Raw-Data, table: Weather }, "
         "partition: { dt: \"{slot:%Y-%m-%d}\" }");
    derive(&f);
    assert_string_equal(actions(&f), S3_ACTIONS " glue:GetTable glue:CreateTable glue:UpdateTable glue:CreateDatabase");
    static const char tables[] =
        "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:catalog\n"
        "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:database/raw_data\n"
        "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:table/raw_data/weather_text\n"
        "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:table/raw_data/weather\n";
    assert_string_equal(resources(&f, "glue:GetTable"), tables);
    assert_string_equal(resources(&f, "glue:UpdateTable"), tables);
    assert_string_equal(resources(&f, "glue:CreateDatabase"),
                        "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:catalog\n"
                        "arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:database/raw_data\n");
}

static void partitions_that_readers_cannot_compute_are_named(void **state)
{
    LP_AUTO(of_file) f = {0};
    load(&f, state, "to: \"s3://lake\", catalog: { table: weather }, partition: { town: city }");
    derive(&f);
    assert_non_null(strstr(actions(&f), "glue:BatchCreatePartition"));
    assert_non_null(strstr(resources(&f, "glue:BatchCreatePartition"), "table/weather/weather_text\n"));
    assert_null(strstr(resources(&f, "glue:BatchCreatePartition"), "table/weather/weather\n"));
}

static void a_key_of_one_s_own_is_to_be_allowed_and_s3_s_is_not(void **state)
{
    static const struct {
        const char *key, *resource;
    } keys[] = {
        {"1234abcd-12ab-34cd-56ef-1234567890ab",
         "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/1234abcd-12ab-34cd-56ef-1234567890ab\n"},
        {"arn:aws:kms:us-west-2:111122223333:key/1234", "arn:aws:kms:us-west-2:111122223333:key/1234\n"},
        {"alias/lake", "arn:${AWS::Partition}:kms:${AWS::Region}:${AWS::AccountId}:key/*\n"
                       "ForAnyValue:StringEquals kms:ResourceAliases alias/lake"},
        {"arn:aws:kms:us-west-2:111122223333:alias/lake",
         "arn:aws:kms:us-west-2:111122223333:key/*\nForAnyValue:StringEquals kms:ResourceAliases alias/lake"}};
    for (size_t i = 0; i < LP_COUNT(keys); i++) {
        LP_AUTO(of_file) f = {0};
        char sink[300];
        snprintf(sink, sizeof sink, "to: \"s3://lake\", s3: { encryption: \"aws:kms\", kms_key: \"%s\" }", keys[i].key);
        load(&f, state, sink);
        derive(&f);
        assert_string_equal(actions(&f), S3_ACTIONS " kms:GenerateDataKey kms:Decrypt");
        assert_string_equal(resources(&f, "kms:GenerateDataKey"), keys[i].resource);
        assert_string_equal(resources(&f, "kms:Decrypt"), keys[i].resource);
    }
    LP_AUTO(of_file) f = {0};
    load(&f, state, "to: \"s3://lake\", s3: { encryption: \"aws:kms\" }");
    derive(&f);
    assert_string_equal(actions(&f), S3_ACTIONS);
}

static void a_secret_at_aws_may_be_read_and_its_key_used_for_it_alone(void **state)
{
    static const struct {
        const char *place, *action, *resource, *decrypt;
    } secrets[] = {
        {"ssm:/weather/key", "ssm:GetParameter",
         "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/weather/key\n",
         "kms:EncryptionContext:PARAMETER_ARN arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/weather/key"},
        {"ssm:key:3", "ssm:GetParameter", "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/key\n",
         "parameter/key"},
        {"ssm:arn:aws:ssm:us-east-1:111122223333:parameter/k", "ssm:GetParameter",
         "arn:aws:ssm:us-east-1:111122223333:parameter/k\n", "arn:aws:kms:us-east-1:111122223333:key/*\nStringLike"},
        {"secretsmanager:weather#api_key", "secretsmanager:GetSecretValue",
         "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:weather-??????\n",
         "kms:EncryptionContext:SecretARN arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:weather-??????"},
        {"secretsmanager:arn:aws:secretsmanager:us-east-1:111122223333:secret:weather-AbCdEf#k",
         "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:111122223333:secret:weather-AbCdEf\n",
         "secret:weather-AbCdEf"}};
    for (size_t i = 0; i < LP_COUNT(secrets); i++) {
        LP_AUTO(of_file) f = {0};
        load(&f, state, "to: ./lake");
        f.p.source.auth.secret = secrets[i].place;
        derive(&f);
        assert_int_equal(f.needs.count, 2);
        assert_string_equal(f.needs.list[0].of, secrets[i].place);
        assert_false(f.needs.list[0].own_key);
        assert_string_equal(resources(&f, secrets[i].action), secrets[i].resource);
        assert_true(f.needs.list[1].own_key);
        assert_non_null(strstr(resources(&f, "kms:Decrypt"), secrets[i].decrypt));
    }
}

static const char *policy_of(const struct of_file *f)
{
    static char text[8192];
    const struct lp_permission *list[64];
    LP_AUTO(lp_buf) out = {0};
    for (size_t i = 0; i < f->needs.count; i++) list[i] = &f->needs.list[i];
    lp_policy_put(list, f->needs.count, &out);
    assert_true(out.len < sizeof text);
    snprintf(text, sizeof text, "%s", lp_buf_text(&out));
    return text;
}

static void what_is_known_is_filled_in_and_the_rest_is_left_open(void **state)
{
    static const struct lp_account account = {.partition = "aws-cn", .region = "cn-north-1"};
    LP_AUTO(of_file) f = {0};
    load(&f, state, "to: ./lake");
    f.p.source.auth.secret = "ssm:key";
    derive(&f);
    assert_ok(lp_permissions_fill(&f.needs, &account, &f.arena, &err));
    assert_string_equal(resources(&f, "ssm:GetParameter"),
                        "arn:aws-cn:ssm:cn-north-1:${AWS::AccountId}:parameter/key\n");
    assert_non_null(strstr(policy_of(&f), "\"arn:aws-cn:ssm:cn-north-1:*:parameter/key\""));
}

static void actions_of_the_same_resources_are_one_statement(void **state)
{
    LP_AUTO(of_file) f = {0};
    static const struct lp_account account = {"aws", "us-west-2", "111122223333"};
    load(&f, state,
         "to: \"s3://lake\", catalog: { table: weather }, s3: { encryption: \"aws:kms\", kms_key: alias/lake }");
    derive(&f);
    assert_ok(lp_permissions_fill(&f.needs, &account, &f.arena, &err));
    LP_AUTO(lp_arena) arena = {0};
    json_t *root;
    const char *text = policy_of(&f);
    assert_ok(lp_json_parse(&arena, text, strlen(text), &root, &err));
    assert_string_equal(json_string_value(json_object_get(root, "Version")), "2012-10-17");
    const json_t *statements = json_object_get(root, "Statement");
    /* list; uploads; get; put + abort; delete; key; tables; database */
    assert_int_equal(json_array_size(statements), 8);
    assert_non_null(strstr(text, "\"Action\": [\"s3:PutObject\", \"s3:AbortMultipartUpload\"]"));
    assert_non_null(strstr(text, "\"Action\": [\"kms:GenerateDataKey\", \"kms:Decrypt\"]"));
    assert_non_null(strstr(text, "\"Action\": [\"glue:GetTable\", \"glue:CreateTable\", \"glue:UpdateTable\"]"));
    assert_non_null(strstr(text, "\"Resource\": \"arn:aws:s3:::lake\""));
    assert_non_null(strstr(text, "{ \"StringLike\": { \"s3:prefix\": [\"_runs/weather/*\", "
                                 "\"_catalog/weather/weather.json\"] } }"));
    assert_non_null(strstr(text, "{ \"ForAnyValue:StringEquals\": { \"kms:ResourceAliases\": \"alias/lake\" } }"));
    assert_null(strstr(text, "${"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(a_directory_needs_nothing),
        with_folder(a_bucket_needs_its_own_folders_and_no_others),
        with_folder(one_file_may_be_written_and_never_deleted),
        with_folder(wildcards_in_a_name_stand_for_themselves),
        with_folder(the_catalogue_is_glue_only_where_it_is_written),
        with_folder(partitions_that_readers_cannot_compute_are_named),
        with_folder(a_key_of_one_s_own_is_to_be_allowed_and_s3_s_is_not),
        with_folder(a_secret_at_aws_may_be_read_and_its_key_used_for_it_alone),
        with_folder(what_is_known_is_filled_in_and_the_rest_is_left_open),
        with_folder(actions_of_the_same_resources_are_one_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
