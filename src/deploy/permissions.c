/* Each function below is one part of the program, seen from IAM: what it calls is what is listed, and a test compares the
 * list with the calls that whole runs make. */
#include "deploy/permissions.h"

#include "lake/catalog.h"
#include "lake/catalog_glue.h"

#define LIST_MAX 64
#define ARN      "arn:${AWS::Partition}:"
#define HERE     ":${AWS::Region}:${AWS::AccountId}:"

struct making {
    const struct lp_pipeline *p;
    struct lp_arena *a;
    struct lp_permissions *out;
    bool starved, full;
};

static const char *kept(struct making *m, const char *made)
{
    if (!made) m->starved = true;
    return made ? made : "";
}

#define TEXT(m, ...) kept(m, lp_arena_printf((m)->a, __VA_ARGS__))

static struct lp_permission *add(struct making *m, const char *service, const char *action, const char *why)
{
    static struct lp_permission spare;
    if (m->out->count == LIST_MAX) {
        m->full = true;
        return &spare;
    }
    struct lp_permission *x = &m->out->list[m->out->count++];
    *x = (struct lp_permission){.service = service, .action = action, .why = why};
    return x;
}

static void add_resource(struct lp_permission *x, const char *arn)
{
    if (x->resource_count < LP_PERMISSION_RESOURCES) x->resources[x->resource_count++] = arn;
}

static void set_condition(struct lp_permission *x, const char *operator, const char * key, const char *value)
{
    if (!x->condition.value_count) x->condition = (struct lp_condition){.operator= operator, .key = key };
    if (x->condition.value_count < LP_PERMISSION_RESOURCES) x->condition.values[x->condition.value_count++] = value;
}

/* ---- S3 ---- */

/* What a pipeline leaves behind (lake/layout.h), below the bucket. */
struct lake {
    const char *bucket;                             /* its ARN */
    const char *data, *quarantine, *runs, *catalog; /* patterns of keys */
};

/* IAM's own wildcards within a name stand for themselves. */
static const char *literal(struct making *m, const char *name)
{
    LP_AUTO(lp_buf) out = {0};
    for (; *name; name++) {
        if (strchr("*?$", *name)) lp_buf_printf(&out, "${%c}", *name);
        else lp_buf_putc(&out, *name);
    }
    m->starved |= out.failed;
    return TEXT(m, "%s", lp_buf_text(&out));
}

static struct lake lake_of(struct making *m)
{
    const struct lp_sink *s = &m->p->sink;
    const char *bucket = s->root + strlen("s3://"), *slash = strchrnul(bucket, '/');
    size_t len = strlen(slash);
    while (len && slash[len - 1] == '/') len--;
    const char *prefix = len > 1 ? TEXT(m, "%.*s/", (int)len - 1, slash + 1) : "";
    prefix = literal(m, prefix);
    const char *table = literal(m, s->catalog.table);
    return (struct lake){.bucket = TEXT(m, ARN "s3:::%.*s", (int)(slash - bucket), bucket),
                         .data = s->file_name ? TEXT(m, "%s%s", prefix, literal(m, s->file_name))
                                              : TEXT(m, "%s%s/*", prefix, table),
                         .quarantine = TEXT(m, "%s_quarantine/%s/*", prefix, table),
                         .runs = TEXT(m, "%s_runs/%s/*", prefix, m->p->name),
                         .catalog = TEXT(m, "%s_catalog/%s/%s.json", prefix, literal(m, s->catalog.database), table)};
}

static void add_objects(struct making *m, struct lp_permission *x, const struct lake *l, const char *keys)
{
    add_resource(x, TEXT(m, "%s/%s", l->bucket, keys));
}

static void add_lake(struct making *m)
{
    struct lake l = lake_of(m);
    /* Without the right to list a key's place S3 answers 403, not 404, where there is no object yet; it looks at the key as
     * if that were the prefix of a listing. */
    struct lp_permission *x =
        add(m, "s3", "s3:ListBucket", "finds the records of earlier runs, and what is not there yet");
    add_resource(x, l.bucket);
    set_condition(x, "StringLike", "s3:prefix", l.runs);
    set_condition(x, "StringLike", "s3:prefix", l.catalog);
    x = add(m, "s3", "s3:ListBucketMultipartUploads", "finds the uploads that a killed run left unfinished");
    add_resource(x, l.bucket);
    x = add(m, "s3", "s3:GetObject", "reads run records, the run's lock, the table's entry");
    add_objects(m, x, &l, l.runs);
    add_objects(m, x, &l, l.catalog);
    const char *const *writes[] = {&l.data, &l.quarantine, &l.runs, &l.catalog};
    x = add(m, "s3", "s3:PutObject", "writes rows, quarantined rows, run records, the run's lock, the table's entry");
    for (size_t i = 0; i < LP_COUNT(writes); i++) add_objects(m, x, &l, *writes[i]);
    x = add(m, "s3", "s3:DeleteObject", "takes away the run's lock, and files that a slot no longer has");
    if (!m->p->sink.file_name) add_objects(m, x, &l, l.data);
    add_objects(m, x, &l, l.quarantine);
    add_objects(m, x, &l, l.runs);
    x = add(m, "s3", "s3:AbortMultipartUpload", "gives up an upload that failed");
    for (size_t i = 0; i < LP_COUNT(writes); i++) add_objects(m, x, &l, *writes[i]);
}

/* S3's own key (aws/s3) allows everybody who may use the bucket; only a named key has to be allowed. An alias is allowed
 * through the key that it names. */
static void add_key(struct making *m)
{
    static const struct {
        const char *action, *why;
    } uses[] = {{"kms:GenerateDataKey", "encrypts what is written"},
                {"kms:Decrypt", "puts uploads of several parts together, and reads records again"}};
    const struct lp_s3_options *o = &m->p->sink.s3;
    const char *key = o->kms_key, *alias = NULL, *arn;
    if (!key) return;
    const char *of_arn = strncmp(key, "arn:", 4) ? NULL : strstr(key, ":alias/");
    if (of_arn) alias = of_arn + 1;
    else if (!strncmp(key, "alias/", 6)) alias = key;
    if (of_arn) arn = TEXT(m, "%.*s:key/*", (int)(of_arn - key), key);
    else if (!strncmp(key, "arn:", 4)) arn = key;
    else
        arn =
            TEXT(m, ARN "kms:%s:${AWS::AccountId}:key/%s", o->region ? o->region : "${AWS::Region}", alias ? "*" : key);
    for (size_t i = 0; i < LP_COUNT(uses); i++) {
        struct lp_permission *x = add(m, "kms", uses[i].action, uses[i].why);
        add_resource(x, arn);
        if (alias) set_condition(x, "ForAnyValue:StringEquals", "kms:ResourceAliases", alias);
    }
}

/* ---- Glue ---- */

static struct lp_permission *add_glue(struct making *m, const char *action, const char *why)
{
    struct lp_permission *x = add(m, "glue", action, why);
    char database[LP_GLUE_NAME_BYTES];
    lp_glue_put_name(m->p->sink.catalog.database, "", database);
    add_resource(x, ARN "glue" HERE "catalog");
    add_resource(x, TEXT(m, ARN "glue" HERE "database/%s", database));
    return x;
}

static void add_tables(struct making *m, struct lp_permission *x, bool of_files_alone)
{
    const struct lp_sink *s = &m->p->sink;
    bool csv = s->format == LP_FORMAT_CSV;
    char database[LP_GLUE_NAME_BYTES], name[LP_GLUE_NAME_BYTES], files[LP_GLUE_NAME_BYTES];
    lp_glue_put_name(s->catalog.database, "", database);
    lp_glue_put_name(s->catalog.table, "", name);
    lp_glue_put_name(s->catalog.table, csv ? "_text" : "", files);
    add_resource(x, TEXT(m, ARN "glue" HERE "table/%s/%s", database, files));
    if (csv && !of_files_alone) add_resource(x, TEXT(m, ARN "glue" HERE "table/%s/%s", database, name));
}

static void add_catalog(struct making *m)
{
    const struct lp_sink *s = &m->p->sink;
    struct lp_glue_projection projection;
    add_tables(m, add_glue(m, "glue:GetTable", "compares the table with the columns, before anything is fetched"),
               false);
    add_tables(m, add_glue(m, "glue:CreateTable", "makes the table, once"), false);
    add_tables(m, add_glue(m, "glue:UpdateTable", "adds a new column, changes a description"), false);
    (void)add_glue(m, "glue:CreateDatabase", "makes the database, once");
    if (!s->partitions.count || lp_glue_project(s, &projection)) return;
    add_tables(m, add_glue(m, "glue:BatchCreatePartition", "names the folders of new rows"), true);
    add_tables(m, add_glue(m, "glue:BatchGetPartition", "compares folders that are named already with the table"), true);
    add_tables(m, add_glue(m, "glue:BatchUpdatePartition", "adds a new column to them"), true);
}

/* ---- who is told, and secrets ---- */

static void add_topics(struct making *m)
{
    const struct lp_addresses *to = &m->p->notify.to;
    for (size_t i = 0; i < to->count; i++) {
        if (to->list[i].kind != LP_TO_TOPIC) continue;
        struct lp_permission *x = add(m, "sns", "sns:Publish", "tells of runs");
        x->of = to->list[i].text;
        add_resource(x, x->of);
    }
}

/* Keys lie where the secret does. */
static const char *keys_beside(struct making *m, const char *arn)
{
    if (!strncmp(arn, ARN, strlen(ARN))) return ARN "kms" HERE "key/*";
    const char *service = strchr(arn + strlen("arn:"), ':'), *region = service ? strchr(service + 1, ':') : NULL;
    const char *account = region ? strchr(region + 1, ':') : NULL, *rest = account ? strchr(account + 1, ':') : NULL;
    if (!rest) return ARN "kms" HERE "key/*";
    return TEXT(m, "%.*s:kms%.*s:key/*", (int)(service - arn), arn, (int)(rest - region), region);
}

static void add_decrypt(struct making *m, const char *place, const char *context, const char *arn)
{
    struct lp_permission *x = add(m, "kms", "kms:Decrypt", "decrypts the secret, which has a key of its own");
    x->of = place;
    x->own_key = true;
    add_resource(x, keys_beside(m, arn));
    set_condition(x, "StringLike", TEXT(m, "kms:EncryptionContext:%s", context), arn);
}

static void add_parameter(struct making *m, const char *place)
{
    const char *name = place + strlen("ssm:"), *arn = name;
    if (strncmp(name, "arn:", 4))
        arn = TEXT(m, ARN "ssm" HERE "parameter%s%.*s", *name == '/' ? "" : "/", (int)strcspn(name, ":"), name);
    struct lp_permission *x = add(m, "ssm", "ssm:GetParameter", "reads the secret");
    x->of = place;
    add_resource(x, arn);
    add_decrypt(m, place, "PARAMETER_ARN", arn);
}

/* A secret's ARN ends in six characters of Secrets Manager's own. */
static void add_managed_secret(struct making *m, const char *place)
{
    const char *name = place + strlen("secretsmanager:"), *arn;
    int len = (int)strcspn(name, "#");
    if (strncmp(name, "arn:", 4)) arn = TEXT(m, ARN "secretsmanager" HERE "secret:%.*s-??????", len, name);
    else arn = TEXT(m, "%.*s", len, name);
    struct lp_permission *x = add(m, "secretsmanager", "secretsmanager:GetSecretValue", "reads the secret");
    x->of = place;
    add_resource(x, arn);
    add_decrypt(m, place, "SecretARN", arn);
}

static void add_secret(struct making *m, const char *place)
{
    if (!place) return;
    for (size_t i = 0; i < m->out->count; i++)
        if (m->out->list[i].of && !strcmp(m->out->list[i].of, place)) return;
    if (!strncmp(place, "ssm:", 4)) add_parameter(m, place);
    else if (!strncmp(place, "secretsmanager:", 15)) add_managed_secret(m, place);
}

enum lp_code lp_permissions_of(const struct lp_pipeline *p, struct lp_arena *a, struct lp_permissions *out,
                               struct lp_err *err)
{
    struct making m = {.p = p, .a = a, .out = out};
    *out = (struct lp_permissions){.list = lp_arena_zalloc(a, LIST_MAX * sizeof *out->list)};
    if (!out->list) return lp_arena_code(a, err);
    if (lp_store_is_s3(p->sink.root)) {
        add_lake(&m);
        add_key(&m);
        if (lp_catalog_in_glue(&p->sink)) add_catalog(&m);
    }
    add_topics(&m);
    add_secret(&m, p->source.auth.secret);
    for (size_t i = 0; i < p->notify.to.count; i++) add_secret(&m, p->notify.to.list[i].secret);
    if (m.starved) return lp_arena_code(a, err);
    return m.full ? lp_fail(err, LP_LIMIT, "%s: needs more permissions than can be told", p->name) : LP_OK;
}

/* ---- what is known by now ---- */

static const char *fill(const char *text, const struct lp_account *k, struct lp_arena *a)
{
    const struct {
        const char *name, *value;
    } places[] = {{"${AWS::Partition}", k->partition}, {"${AWS::Region}", k->region}, {"${AWS::AccountId}", k->number}};
    LP_AUTO(lp_buf) out = {0};
    while (*text) {
        size_t i = 0, n = 1;
        while (i < LP_COUNT(places) && strncmp(text, places[i].name, strlen(places[i].name))) i++;
        const char *value = i < LP_COUNT(places) ? places[i].value : NULL;
        if (value) n = strlen(places[i].name);
        if (value) lp_buf_puts(&out, value);
        else lp_buf_putc(&out, *text);
        text += n;
    }
    return out.failed ? NULL : lp_arena_strdup(a, lp_buf_text(&out));
}

enum lp_code lp_permissions_fill(struct lp_permissions *list, const struct lp_account *account, struct lp_arena *a,
                                 struct lp_err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        struct lp_permission *x = &list->list[i];
        for (size_t r = 0; r < x->resource_count; r++)
            if (!(x->resources[r] = fill(x->resources[r], account, a))) return lp_arena_code(a, err);
        for (size_t v = 0; v < x->condition.value_count; v++)
            if (!(x->condition.values[v] = fill(x->condition.values[v], account, a))) return lp_arena_code(a, err);
    }
    return LP_OK;
}
