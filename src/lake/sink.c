#include "lake/sink.h"

#include "base/clock.h"

/* "observed_at:%Y-%m-%d" names a column; a text with braces is made of variables. */
static void read_partition(struct lp_reading *r, const struct lp_node *n, struct lp_partition *p)
{
    *p = (struct lp_partition){.name = n->key->text, .node = n, .column = -1};
    if (!lp_name_is_valid(p->name))
        lp_node_fault(r, n->key, "use letters, digits and _", "\"%.60s\" cannot be a partition's name", p->name);
    if (strchr(n->text, '{')) {
        lp_template_read(r, n, &p->value);
        return;
    }
    const char *text = lp_node_text(r, n);
    if (!text) return;
    size_t len = strcspn(text, ":");
    p->column_name = lp_arena_strndup(r->arena, text, len);
    if (text[len]) p->format = text + len + 1;
    if (!p->column_name) r->faults->out_of_memory = true;
}

static void read_partitions(struct lp_reading *r, const struct lp_node *map, void *member)
{
    struct lp_partitions *out = member;
    if (!lp_node_expect(r, map, LP_NODE_MAP, "partition: { dt: \"{slot:%Y-%m-%d}\" }")) return;
    for (const struct lp_node *c = map->first; c; c = c->next) {
        if (out->count == LP_PARTITIONS_MAX) {
            lp_node_fault(r, c->key, "leave some out", "more than %d partitions", LP_PARTITIONS_MAX);
            return;
        }
        if (lp_node_expect(r, c, LP_NODE_SCALAR, "dt: \"{slot:%Y-%m-%d}\""))
            read_partition(r, c, &out->list[out->count++]);
    }
}

static const char *const formats[] = {"csv", "parquet"};

static const struct lp_field catalog_list[] = {
    {.name = "database",
     .kind = LP_FIELD_NAME,
     .offset = offsetof(struct lp_catalog_name, database),
     .example = "weather",
     .help =
         "The database the table belongs to; the pipeline's name when left out. Glue keeps it in lower case, with `_` "
         "for `-`."},
    {.name = "table",
     .kind = LP_FIELD_NAME,
     .offset = offsetof(struct lp_catalog_name, table),
     .example = "weather",
     .help = "The table's name, which is also its folder; the pipeline's name when left out. A table may gain nullable "
             "columns (in csv at the end); what its readers could not read beside it is refused."},
};
static const struct lp_fields catalog_fields = {
    "sink.catalog",
    "The table's name in the catalogue. Where `to` is s3://… and this section is "
    "written, the table stands in AWS Glue too, for Athena.",
    catalog_list, LP_COUNT(catalog_list)};

static const char *const encryptions[] = {"none", "AES256", "aws:kms", "aws:kms:dsse"};

static const struct lp_field s3_list[] = {
    {.name = "region",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_s3_options, region),
     .example = "us-west-2",
     .help = "The bucket's region; found out when left out."},
    {.name = "encryption",
     .kind = LP_FIELD_WORD,
     .offset = offsetof(struct lp_s3_options, encryption),
     .fallback = "none",
     .words = encryptions,
     .word_count = LP_COUNT(encryptions),
     .example = "aws:kms",
     .help = "Server-side encryption that is asked for; `none` leaves it to the bucket's own rule."},
    {.name = "kms_key",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_s3_options, kms_key),
     .example = "alias/lake",
     .help = "The key for `aws:kms`: its id, ARN or alias."},
    {.name = "expected_bucket_owner",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_s3_options, expected_bucket_owner),
     .example = "\"123456789012\"",
     .help = "The account the bucket must belong to; S3 refuses every request if it does not."},
};
static const struct lp_fields s3_fields = {"sink.s3", "What is asked of S3, where `to` is s3://….", s3_list,
                                           LP_COUNT(s3_list)};

static const struct lp_field fields[] = {
    {.name = "to",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_sink, to),
     .required = true,
     .example = "./lake",
     .help =
         "A directory (relative to where the program runs) or `s3://bucket/prefix`; or one file there "
         "(`out/weather.parquet`, `s3://bucket/weather.csv`), which each run replaces."},
    {.name = "format",
     .kind = LP_FIELD_WORD,
     .offset = offsetof(struct lp_sink, format),
     .words = formats,
     .word_count = LP_COUNT(formats),
     .example = "parquet",
     .help = "The form of the files; when left out, what the ending of a file in `to` says, else csv. CSV is for people and "
             "every reader. Parquet keeps types, NULL apart from an empty text, units and descriptions, is small (zstd), "
             "and is what SQL reads fastest."},
    {.name = "partition",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_sink, partitions),
     .read = read_partitions,
     .schema = "{\"type\":\"object\",\"maxProperties\":8,\"additionalProperties\":{\"type\":\"string\"}}",
     .example = "{ dt: \"{slot:%Y-%m-%d}\" }",
     .help = "Folders between the table and its files: a text with variables, or a column's value "
             "(`\"observed_at:%Y-%m-%d\"`)."},
    {.name = "catalog",
     .kind = LP_FIELD_SECTION,
     .offset = offsetof(struct lp_sink, catalog),
     .section = &catalog_fields,
     .example = "{ database: weather, table: weather }",
     .help = "The table's name in the catalogue; with s3://… it stands in AWS Glue too."},
    {.name = "s3",
     .kind = LP_FIELD_SECTION,
     .offset = offsetof(struct lp_sink, s3),
     .section = &s3_fields,
     .example = "{ encryption: aws:kms, kms_key: alias/lake }",
     .help = "What is asked of S3, where `to` is s3://…."},
};
const struct lp_fields lp_sink_fields = {"sink", "Where the rows go, in what form, in which folders.", fields,
                                         LP_COUNT(fields)};

static const char *s3_objection(const char *bucket, const char **remedy)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    size_t len = strcspn(bucket, "/");
    *remedy = "write it like s3://bucket/prefix";
    if (!len) return "it names no bucket";
    if (len < 3 || len > 63 || strspn(bucket, letters) < len)
        return "a bucket's name has 3 to 63 letters, digits, dots and hyphens";
    for (const char *at = bucket + len; *at; at += len) {
        len = strcspn(++at, "/");
        if (!len && *at) return "its prefix holds an empty name";
        if ((len == 1 && *at == '.') || (len == 2 && at[0] == '.' && at[1] == '.')) return "its prefix holds . or ..";
        if (len > LP_STORE_NAME_BYTES) return "its prefix holds a name of more than 240 bytes";
    }
    return NULL;
}

/* Why an address cannot be written to by this version; NULL when it can. */
static const char *objection(const char *to, const char **remedy)
{
    *remedy = "name a directory or s3://bucket/prefix";
    if (!*to) return "it is empty";
    if (lp_store_is_s3(to)) return s3_objection(to + 5, remedy);
    if (strstr(to, "://") && strncmp(to, "file://", 7)) return "it is neither a directory nor s3://bucket/prefix";
    return NULL;
}

static bool split_address(struct lp_sink *s, struct lp_arena *a)
{
    const char *slash = strrchr(s->to, '/');
    enum lp_format said;
    s->root = s->to;
    s->file_name = NULL;
    bool bucket_alone = lp_store_is_s3(s->to) && slash < s->to + 5;
    if (bucket_alone || !lp_format_of_name(s->to, &said)) return true;
    if (!s->format_given) s->format = (int)said;
    s->file_name = slash ? slash + 1 : s->to;
    s->root = slash ? lp_arena_strndup(a, s->to, (size_t)(slash - s->to)) : ".";
    return s->root;
}

static void bind_partition(struct lp_reading *r, struct lp_partition *p, const struct lp_columns *columns,
                           const struct lp_variables *v)
{
    char shown[256];
    if (lp_columns_find(columns, p->name, strlen(p->name)) >= 0)
        lp_node_fault(r, p->node, "give the partition another name",
                      "partition %s: a column has this name already, and readers would see two", p->name);
    if (!p->column_name) {
        lp_template_bind(r, &p->value, v);
        return;
    }
    p->column = lp_columns_find(columns, p->column_name, strlen(p->column_name));
    if (p->column < 0) {
        const char *names[256], *near;
        size_t count = 0;
        for (; count < columns->count && count < LP_COUNT(names); count++) names[count] = columns->list[count].name;
        near = lp_text_nearest(p->column_name, strlen(p->column_name), names, count);
        lp_node_fault(r, p->node,
                      near ? lp_faults_text(r->faults, "did you mean \"%s\"?", near)
                           : "write a column's name, or a text with {variables}",
                      "partition %s: there is no column \"%.60s\"", p->name, p->column_name);
        return;
    }
    enum lp_type type = columns->list[p->column].type;
    if (p->format && type != LP_TYPE_TIMESTAMP && type != LP_TYPE_DATE)
        lp_node_fault(r, p->node, "leave it out", "partition %s: a format belongs to a timestamp or date, not %s",
                      p->name, lp_type_name(type));
    else if (p->format && (!lp_time_format_known(p->format) || !lp_time_format(0, p->format, shown, sizeof shown)))
        lp_node_fault(r, p->node, "write it as strftime does: observed_at:%Y-%m-%d",
                      "partition %s: the format gives no text", p->name);
    else if (!p->format && type == LP_TYPE_TIMESTAMP)
        lp_node_fault(r, p->node, lp_faults_text(r->faults, "write \"%s:%%Y-%%m-%%d\"", p->column_name),
                      "partition %s: every instant would get a folder of its own", p->name);
}

static void bind_s3(struct lp_reading *r, const struct lp_sink *s)
{
    const struct lp_node *map = lp_node_get(s->node, "s3");
    const char *owner = s->s3.expected_bucket_owner;
    bool kms = s->s3.encryption == LP_S3_KMS || s->s3.encryption == LP_S3_KMS_DSSE;
    if (!map || map->kind != LP_NODE_MAP) return;
    if (s->s3.kms_key && !kms)
        lp_node_fault(r, lp_node_get(map, "kms_key"), "add encryption: aws:kms",
                      "a key without the encryption it is for");
    if (s->s3.kms_key && strpbrk(s->s3.kms_key, " \r\n"))
        lp_node_fault(r, lp_node_get(map, "kms_key"), "write the key's id, ARN or alias", "this is no key");
    if (owner && (strlen(owner) != 12 || strspn(owner, "0123456789") != 12))
        lp_node_fault(r, lp_node_get(map, "expected_bucket_owner"), "write it in quotes: \"123456789012\"",
                      "an account's number has twelve digits");
}

/* Why the format cannot be written; NULL when it can. */
static const char *objection_to_format(const struct lp_sink *s, const char **remedy)
{
    const struct lp_format_info *f = lp_format_info((enum lp_format)s->format);
    enum lp_format said;
    if (s->file_name && lp_format_of_name(s->file_name, &said) && (int)said != s->format) {
        *remedy = "leave format out, or give the file the ending of its format";
        return "the file's name says another format";
    }
    *remedy = "run scripts/deps and build again, or write format: csv";
    return f->missing;
}

void lp_sink_bind(struct lp_reading *r, struct lp_sink *s, const char *pipeline, const struct lp_columns *columns,
                  const struct lp_variables *v)
{
    const struct lp_node *to = lp_node_get(s->node, "to"), *format = lp_node_get(s->node, "format");
    const char *remedy, *what = s->to ? objection(s->to, &remedy) : NULL;
    if (what) lp_node_fault(r, to, remedy, "sink.to: \"%.100s\": %s", s->to, what);
    s->format_given = format;
    if (s->to && !what && !split_address(s, r->arena)) r->faults->out_of_memory = true;
    const char *no_format = objection_to_format(s, &remedy);
    if (no_format)
        lp_node_fault(r, format ? format : to, remedy, "format: %s: %s", lp_format_info((enum lp_format)s->format)->name,
                      no_format);
    if (s->file_name && s->partitions.count)
        lp_node_fault(r, lp_node_get(s->node, "partition")->key, "leave partition out, or name a directory",
                      "one file cannot be partitioned");
    for (size_t i = 0; i < s->partitions.count; i++) bind_partition(r, &s->partitions.list[i], columns, v);
    bind_s3(r, s);
    if (!s->catalog.database) s->catalog.database = pipeline;
    if (!s->catalog.table) s->catalog.table = pipeline;
}

enum lp_code lp_sink_redirect(struct lp_sink *s, struct lp_arena *a, const char *to, struct lp_err *err)
{
    const char *remedy, *what = objection(to, &remedy);
    if (what) return lp_fail(err, LP_USAGE, "the lake \"%.100s\": %s; %s", to, what, remedy);
    s->to = to;
    if (!split_address(s, a)) return lp_nomem(err);
    what = objection_to_format(s, &remedy);
    if (what)
        return lp_fail(err, LP_USAGE, "the lake %.100s: format %s: %s; %s", to,
                       lp_format_info((enum lp_format)s->format)->name, what, remedy);
    if (s->file_name && s->partitions.count)
        return lp_fail(err, LP_USAGE, "the lake %.100s: one file cannot be partitioned; name a directory", to);
    return LP_OK;
}

bool lp_sink_one_partition(const struct lp_sink *s)
{
    for (size_t i = 0; i < s->partitions.count; i++)
        if (s->partitions.list[i].column >= 0 || lp_template_per_item(&s->partitions.list[i].value)) return false;
    return true;
}
