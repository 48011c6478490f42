#include "deploy/template.h"

#include "base/json.h"
#include "deploy/template_parts.h"
#include "lake/catalog.h"
#include "lake/catalog_glue.h"

#include <stdlib.h>

#define NAME_MOST         53 /* a function's name has 64 characters; "-production" is behind it */
#define VARIABLES_BYTES   ((size_t)4096) /* that a function may have */
#define IN_ONE_CALL_BYTES ((size_t)51200) /* of a template that CloudFormation takes without a bucket */

static bool in_stack(const struct lp_pipeline *p)
{
    size_t len = strlen("s3://" LP_STACK_BUCKET);
    return !strncmp(p->sink.root, "s3://" LP_STACK_BUCKET, len) && (!p->sink.root[len] || p->sink.root[len] == '/');
}

/* ---- what cannot be ---- */

static bool is_variable(const char *name)
{
    bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
    return letter && name[1]; /* what else it may hold, ${NAME} may as well */
}

static enum lp_code check_variables(const struct lp_stack_function *f, struct lp_err *err)
{
    const struct lp_stack_environment *e = f->environment;
    size_t bytes = 0;
    for (size_t i = 0; i < e->count; i++) {
        bytes += strlen(e->list[i].name) + strlen(e->list[i].value);
        if (!is_variable(e->list[i].name))
            return lp_fail(err, LP_CONFIG,
                           "%s: a function cannot have a variable %.80s: Lambda wants two characters or more, the first a letter; "
                           "call it otherwise",
                           f->pipeline->path, e->list[i].name);
    }
    if (bytes <= VARIABLES_BYTES) return LP_OK;
    return lp_fail(err, LP_CONFIG,
                   "%s: what it reads of the environment has %zu bytes, and a function may have %zu; write long values into the "
                   "pipeline file",
                   f->pipeline->path, bytes, VARIABLES_BYTES);
}

static enum lp_code check(const struct lp_stack *s, size_t i, struct lp_err *err)
{
    const struct lp_pipeline *p = s->list[i].pipeline;
    if (!lp_store_is_s3(p->sink.root))
        return lp_fail(err, LP_CONFIG,
                       "%s: sink.to is %.200s, and a function keeps nothing on a disk of its own; write to: "
                       "\"${OUTPUT_BUCKET:-./lake}\", and the stack's bucket stands there",
                       p->path, p->sink.to);
    if (strlen(p->name) > NAME_MOST)
        return lp_fail(err, LP_CONFIG, "%s: the name %.80s is too long for a function; it may have %d characters",
                       p->path, p->name, NAME_MOST);
    LP_AUTO(lp_buf) expression = {0};
    if (p->schedule.expression && !lp_schedule_put_aws(&p->schedule, &expression))
        return lp_fail(err, LP_CONFIG,
                       "%s: %.200s names days of the month and days of the week, and EventBridge can be told only one of them; "
                       "write cron(…) with ? for the other",
                       p->path, p->schedule.expression);
    for (size_t b = 0; b < i; b++)
        if (!strcmp(s->list[b].pipeline->name, p->name))
            return lp_fail(err, LP_CONFIG, "%s and %s are both called %s; give each a name of its own",
                           s->list[b].pipeline->path, p->path, p->name);
    return check_variables(&s->list[i], err);
}

static bool is_taken(const struct lp_template_making *m, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(m->ids[i], id)) return true;
    return false;
}

/* "a-b" and "a_b" give the same letters: then the second has a number. */
static enum lp_code name_parts(struct lp_template_making *m, struct lp_err *err)
{
    const struct lp_stack *s = m->stack;
    m->ids = lp_arena_zalloc(&m->arena, s->count * sizeof *m->ids);
    if (!m->ids) return lp_arena_code(&m->arena, err);
    for (size_t i = 0; i < s->count; i++) {
        LP_AUTO(lp_buf) id = {0};
        LP_TRY(check(s, i, err));
        for (size_t n = 1; n == 1 || is_taken(m, i, lp_buf_text(&id)); n++) {
            lp_buf_clear(&id);
            lp_template_put_id(&id, s->list[i].pipeline->name);
            if (!id.len) lp_buf_puts(&id, "Pipeline");
            if (n > 1) lp_buf_printf(&id, "N%zu", n);
        }
        LP_TRY(lp_buf_code(&id, "a name", err));
        if (!(m->ids[i] = lp_arena_strdup(&m->arena, lp_buf_text(&id)))) return lp_arena_code(&m->arena, err);
        m->bucket |= in_stack(s->list[i].pipeline);
    }
    return LP_OK;
}

/* ---- the head ---- */

static void put_head(struct lp_template_making *m)
{
    const struct lp_stack *s = m->stack;
    LP_AUTO(lp_buf) words = {0};
    lp_buf_puts(&words, "lambda-pipeline template");
    if (s->shards > 1) lp_buf_printf(&words, " --shards %llu", (unsigned long long)s->shards);
    for (size_t i = 0; i < s->count; i++) lp_buf_printf(&words, " %s", s->list[i].pipeline->path);
    lp_buf_puts(m->out, "# Made by `");
    lp_text_put_visible(m->out, lp_buf_text(&words), words.len);
    lp_buf_puts(m->out,
                "`; change the pipeline file and make it again.\n"
                "#\n"
                "# All that has to be made on AWS, as one stack for each stage:\n"
                "#   aws cloudformation deploy --template-file deploy/template.yaml --stack-name weather-staging \\\n"
                "#       --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides Stage=staging \\\n"
                "#       AlertEmail=you@example.org ImageUri=ACCOUNT.dkr.ecr.REGION.amazonaws.com/NAME@sha256:…\n"
                "# The same again with Stage=production is a second stack that shares nothing with the first.\n"
                "AWSTemplateFormatVersion: \"2010-09-09\"\n"
                "Transform: AWS::Serverless-2016-10-31\n"
                "Description: \"lambda-pipeline:");
    for (size_t i = 0; i < s->count && i < 8; i++) lp_buf_printf(m->out, " %s", s->list[i].pipeline->name);
    lp_buf_puts(m->out, s->count > 8 ? " and others\"\n\n" : "\"\n\n");
    if (words.failed) m->out->failed = words.failed;
}

static bool asked_before(const struct lp_stack *s, size_t i, size_t k, const char *secret)
{
    for (size_t b = 0; b <= i; b++) {
        const struct lp_stack_environment *e = s->list[b].environment;
        for (size_t n = 0; n < (b == i ? k : e->count); n++)
            if (e->list[n].secret && !strcmp(e->list[n].secret, secret)) return true;
    }
    return false;
}

/* aws ssm put-parameter --type SecureString --name /lambda-pipeline/NAME --value … */
static void put_secrets(struct lp_template_making *m)
{
    for (size_t i = 0; i < m->stack->count; i++) {
        const struct lp_stack_environment *e = m->stack->list[i].environment;
        for (size_t k = 0; k < e->count; k++) {
            const char *name = e->list[k].secret;
            LP_AUTO(lp_buf) reference = {0};
            if (!name || asked_before(m->stack, i, k, name)) continue;
            lp_template_put_value(&reference, e->list[k].value + strlen("ssm:"));
            lp_buf_printf(
                m->out,
                "  # The name of the secret in Parameter Store, not its value. Put it there before the first deployment:\n"
                "  #   aws ssm put-parameter --type SecureString --name /lambda-pipeline/%s --value …\n"
                "  %s:\n"
                "    Type: String\n"
                "    Default: /lambda-pipeline/%s\n"
                "    AllowedPattern: \"/[A-Za-z0-9_./-]+\"\n",
                name, lp_buf_text(&reference) + strlen("!Ref "), name);
            if (reference.failed) m->out->failed = reference.failed;
        }
    }
}

static bool any_schedule(const struct lp_stack *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->list[i].pipeline->schedule.expression) return true;
    return false;
}

static bool any_stale_alarm(const struct lp_stack *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const char *expression = s->list[i].pipeline->schedule.expression;
        if (expression && lp_schedule_gap_hours(expression)) return true;
    }
    return false;
}

static void put_parameters(struct lp_template_making *m)
{
    lp_buf_puts(m->out, "Parameters:\n"
                        "  # The image by its digest: a tag can be moved, and Lambda would not follow.\n"
                        "  ImageUri:\n"
                        "    Type: String\n"
                        "    AllowedPattern: \".+@sha256:[0-9a-f]{64}\"\n"
                        "    ConstraintDescription: \"write repository@sha256:…, as scripts/push prints it\"\n"
                        "  Stage:\n"
                        "    Type: String\n"
                        "    AllowedValues: [staging, production]\n"
                        "  # Who is mailed when something is wrong. SNS asks this address once to confirm.\n"
                        "  AlertEmail:\n"
                        "    Type: String\n"
                        "    AllowedPattern: \"[^@ ]+@[^@ ]+\"\n"
                        "    ConstraintDescription: \"write one address, like you@example.org\"\n"
                        "  # Of the image.\n"
                        "  Architecture:\n"
                        "    Type: String\n"
                        "    Default: x86_64\n"
                        "    AllowedValues: [x86_64, arm64]\n");
    if (any_schedule(m->stack))
        lp_buf_puts(m->out, "  # DISABLED: nothing runs on time; calls by hand still do.\n"
                            "  ScheduleState:\n"
                            "    Type: String\n"
                            "    Default: ENABLED\n"
                            "    AllowedValues: [ENABLED, DISABLED]\n");
    put_secrets(m);
    lp_buf_putc(m->out, '\n');
    if (any_stale_alarm(m->stack))
        lp_buf_puts(m->out, "Conditions:\n  Fires: !Equals [!Ref ScheduleState, ENABLED]\n\n");
}

/* ---- what the pipelines share ---- */

static const char bucket[] =
    "  # The lake. It outlives the stack, keeps what is replaced for three months, and nobody outside can read it.\n"
    "  Bucket:\n"
    "    Type: AWS::S3::Bucket\n"
    "    DeletionPolicy: Retain\n"
    "    UpdateReplacePolicy: Retain\n"
    "    Properties:\n"
    "      VersioningConfiguration: {Status: Enabled}\n"
    "      PublicAccessBlockConfiguration: {BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, "
    "RestrictPublicBuckets: true}\n"
    "      OwnershipControls: {Rules: [{ObjectOwnership: BucketOwnerEnforced}]}\n"
    "      BucketEncryption:\n"
    "        ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]\n"
    "      LifecycleConfiguration:\n"
    "        Rules:\n"
    "          # What a run that was killed had uploaded of a large file is paid for until somebody gives it up.\n"
    "          - {Id: unfinished-uploads, Status: Enabled, AbortIncompleteMultipartUpload: {DaysAfterInitiation: 2}}\n"
    "          - {Id: replaced-files, Status: Enabled, NoncurrentVersionExpiration: {NoncurrentDays: 90}}\n\n";

static const char others[] =
    "  # Where all that somebody should know comes together: alarms, and what the pipelines tell.\n"
    "  Topic:\n"
    "    Type: AWS::SNS::Topic\n"
    "    Properties:\n"
    "      Subscription: [{Protocol: email, Endpoint: !Ref AlertEmail}]\n\n"
    "  # What failed in spite of all retries, kept for two weeks: calls that could not be made, and runs that failed.\n"
    "  Failed:\n"
    "    Type: AWS::SQS::Queue\n"
    "    DeletionPolicy: Delete\n"
    "    UpdateReplacePolicy: Delete\n"
    "    Properties:\n"
    "      MessageRetentionPeriod: 1209600\n"
    "      SqsManagedSseEnabled: true\n\n"
    "  FailedAlarm:\n"
    "    Type: AWS::CloudWatch::Alarm\n"
    "    Properties:\n"
    "      AlarmDescription: \"Something failed for good; the queue says what\"\n"
    "      Namespace: AWS/SQS\n"
    "      MetricName: ApproximateNumberOfMessagesVisible\n"
    "      Dimensions: [{Name: QueueName, Value: !GetAtt Failed.QueueName}]\n"
    "      Statistic: Maximum\n"
    "      Period: 300\n"
    "      EvaluationPeriods: 1\n"
    "      Threshold: 1\n"
    "      ComparisonOperator: GreaterThanOrEqualToThreshold\n"
    "      TreatMissingData: notBreaching\n"
    "      AlarmActions: [!Ref Topic]\n\n";

bool lp_template_own_database(const struct lp_pipeline *p, char name[LP_GLUE_NAME_BYTES])
{
    lp_glue_put_name(p->sink.catalog.database ? p->sink.catalog.database : p->name, "", name);
    return lp_catalog_in_glue(&p->sink) && strstr(name, LP_STACK_STAGE);
}

static void put_databases(struct lp_template_making *m)
{
    const struct lp_stack *s = m->stack;
    char name[LP_GLUE_NAME_BYTES], before[LP_GLUE_NAME_BYTES];
    size_t count = 0;
    for (size_t i = 0; i < s->count; i++) {
        bool said = !lp_template_own_database(s->list[i].pipeline, name);
        for (size_t b = 0; b < i && !said; b++)
            said = lp_template_own_database(s->list[b].pipeline, before) && !strcmp(before, name);
        if (said) continue;
        if (!count)
            lp_buf_puts(m->out, "  # The database in Glue, where Athena looks for tables; the runs make the tables.\n");
        lp_buf_puts(m->out, "  Database");
        if (count++) lp_buf_printf(m->out, "%zu", count);
        lp_buf_puts(m->out, ":\n    Type: AWS::Glue::Database\n    Properties:\n      CatalogId: !Ref AWS::AccountId\n"
                            "      DatabaseInput: {Name: ");
        lp_template_put_value(m->out, name);
        lp_buf_puts(m->out, "}\n\n");
    }
}

static void put_outputs(struct lp_template_making *m)
{
    const struct lp_stack *s = m->stack;
    lp_buf_puts(m->out, "Outputs:\n");
    if (m->bucket) lp_buf_puts(m->out, "  Bucket:\n    Value: !Ref Bucket\n");
    lp_buf_puts(m->out, "  Topic:\n    Value: !Ref Topic\n  FailedQueue:\n    Value: !Ref Failed\n");
    for (size_t i = 0; i < s->count; i++) {
        lp_buf_printf(m->out, "  %sFunction:\n    Value: !Ref %sFunction.Alias\n", m->ids[i], m->ids[i]);
        if (s->shards > 1) lp_buf_printf(m->out, "  %sMachine:\n    Value: !Ref %sMachine\n", m->ids[i], m->ids[i]);
    }
}

static enum lp_code put_all(struct lp_template_making *m, struct lp_err *err)
{
    LP_TRY(name_parts(m, err));
    put_head(m);
    put_parameters(m);
    lp_buf_puts(m->out, "Resources:\n");
    if (m->bucket) lp_buf_puts(m->out, bucket);
    lp_buf_puts(m->out, others);
    put_databases(m);
    for (size_t i = 0; i < m->stack->count; i++) LP_TRY(lp_template_put_function(m, i, err));
    put_outputs(m);
    return lp_buf_code(m->out, "the template", err);
}

enum lp_code lp_template_of(const struct lp_stack *s, struct lp_buf *out, struct lp_err *err)
{
    struct lp_template_making m = {.stack = s, .out = out};
    lp_arena_init(&m.arena, (size_t)64 << 20);
    enum lp_code code = put_all(&m, err);
    lp_arena_release(&m.arena);
    if (!code && out->len > LP_TEMPLATE_BYTES)
        code = lp_fail(err, LP_LIMIT, "the template is larger than CloudFormation takes (1 MiB); name fewer pipelines");
    return code;
}

/* The template does not know what the image holds; what it holds is no secret to whoever may pull it. */
static void put_secret_files(const struct lp_stack_function *f, struct lp_buf *out)
{
    for (size_t i = 0; i < f->environment->file_count; i++) {
        const struct lp_secret_file *s = &f->environment->files[i];
        LP_AUTO(lp_buf) place = {0};
        lp_text_put_visible(&place, s->place, strlen(s->place));
        lp_buf_printf(out,
                      "%s:%zu:%zu: the secret is kept in %.300s, a file that the function does not have, and in the image "
                      "whoever may pull that could read it; write env:NAME, which the stack reads from Parameter Store, "
                      "or ssm:NAME or secretsmanager:NAME\n",
                      f->pipeline->path, s->line, s->column, lp_buf_text(&place));
        if (place.failed) out->failed = place.failed;
    }
}

/* Shards know nothing of each other's rows: only what comes from the item is in one of them alone. */
static void put_uniques(const struct lp_pipeline *p, struct lp_buf *out)
{
    for (size_t i = 0; i < p->quality.unique.count; i++) {
        const struct lp_unique *u = &p->quality.unique.list[i];
        bool per_item = false;
        for (size_t k = 0; k < u->count; k++) {
            const struct lp_column *c = &p->columns.list[u->columns[k]];
            per_item |= !c->from_text && lp_template_per_item(&c->value);
        }
        if (per_item) continue;
        lp_buf_printf(out, "%s: unique: ", p->path);
        for (size_t k = 0; k < u->count; k++) lp_buf_printf(out, "%s%s", k ? ", " : "", u->names[k]);
        lp_buf_puts(out, " is compared within a shard alone; add a column that comes from the item\n");
    }
}

static void put_lambdas_own(const struct lp_stack_function *f, struct lp_buf *out)
{
    for (size_t i = 0; i < f->environment->lambdas_count; i++)
        lp_buf_printf(out,
                      "%s: ${%s} is a variable that Lambda itself sets and no stack may; the template follows what it says here, and "
                      "the function reads what Lambda says\n",
                      f->pipeline->path, f->environment->lambdas[i]);
}

void lp_template_put_warnings(const struct lp_stack *s, size_t template_len, struct lp_buf *out)
{
    char name[LP_GLUE_NAME_BYTES];
    for (size_t i = 0; i < s->count; i++) {
        const struct lp_pipeline *p = s->list[i].pipeline;
        put_secret_files(&s->list[i], out);
        if (s->shards > 1) put_uniques(p, out);
        put_lambdas_own(&s->list[i], out);
        if (!in_stack(p))
            lp_buf_printf(
                out,
                "%s: sink.to names a bucket of its own, %s, so the stack makes none and both stages write there; for "
                "one each write to: \"${OUTPUT_BUCKET:-./lake}\"\n",
                p->path, p->sink.root);
        if (lp_catalog_in_glue(&p->sink) && !lp_template_own_database(p, name))
            lp_buf_printf(
                out,
                "%s: sink.catalog.database is %s in both stages, which would share its tables; for one each write "
                "database: \"${DATABASE:-%s}\"\n",
                p->path, name, name);
        for (size_t k = 0; k < p->notify.to.count; k++)
            if (p->notify.to.list[k].kind == LP_TO_TOPIC && strcmp(p->notify.to.list[k].text, LP_STACK_TOPIC) != 0)
                lp_buf_printf(
                    out, "%s: notify.to names a topic of its own; for the stack's write \"${TOPIC_ARN:-stderr}\"\n",
                    p->path);
    }
    if (template_len > IN_ONE_CALL_BYTES)
        lp_buf_printf(out,
                      "the template has %zu bytes, and CloudFormation takes one of more than %zu through a bucket alone: aws "
                      "cloudformation deploy --s3-bucket NAME, or TEMPLATE_BUCKET=NAME scripts/deploy\n",
                      template_len, IN_ONE_CALL_BYTES);
}
