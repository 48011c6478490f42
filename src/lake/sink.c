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
     .help = "The database the table belongs to; the pipeline's name when left out."},
    {.name = "table",
     .kind = LP_FIELD_NAME,
     .offset = offsetof(struct lp_catalog_name, table),
     .example = "weather",
     .help = "The table's name, which is also its folder; the pipeline's name when left out."},
};
static const struct lp_fields catalog_fields = {"sink.catalog", "The table's name in the catalogue.", catalog_list,
                                                LP_COUNT(catalog_list)};

static const struct lp_field fields[] = {
    {.name = "to",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_sink, to),
     .required = true,
     .example = "./lake",
     .help =
         "A directory (relative to where the program runs), or one file (`out/weather.csv`), which each run replaces."},
    {.name = "format",
     .kind = LP_FIELD_WORD,
     .offset = offsetof(struct lp_sink, format),
     .fallback = "csv",
     .words = formats,
     .word_count = LP_COUNT(formats),
     .example = "csv",
     .help = "The form of the files. This version writes csv."},
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
     .help = "The table's name in the catalogue."},
};
const struct lp_fields lp_sink_fields = {"sink", "Where the rows go, in what form, in which folders.", fields,
                                         LP_COUNT(fields)};

/* Why an address cannot be written to by this version; NULL when it can. */
static const char *objection(const char *to, const char **remedy)
{
    *remedy = "name a directory";
    if (!*to) return "it is empty";
    if (!strncmp(to, "s3://", 5)) {
        *remedy = "name a directory for now";
        return "S3 is not built into this version";
    }
    size_t len = strlen(to);
    if (len > 8 && !strcmp(to + len - 8, ".parquet")) {
        *remedy = "name a directory or a .csv file for now";
        return "Parquet is not built into this version";
    }
    if (strstr(to, "://") && strncmp(to, "file://", 7)) return "it is neither a directory nor s3://bucket/prefix";
    return NULL;
}

static bool names_file(const char *to)
{
    size_t len = strlen(to);
    return (len > 4 && !strcmp(to + len - 4, ".csv")) || (len > 8 && !strcmp(to + len - 8, ".parquet"));
}

static bool split_address(struct lp_sink *s, struct lp_arena *a)
{
    const char *slash = strrchr(s->to, '/');
    s->root = s->to;
    s->file_name = NULL;
    if (!names_file(s->to)) return true;
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

void lp_sink_bind(struct lp_reading *r, struct lp_sink *s, const char *pipeline, const struct lp_columns *columns,
                  const struct lp_variables *v)
{
    const struct lp_node *to = lp_node_get(s->node, "to"), *format = lp_node_get(s->node, "format");
    const char *remedy, *what = s->to ? objection(s->to, &remedy) : NULL;
    if (what) lp_node_fault(r, to, remedy, "sink.to: \"%.100s\": %s", s->to, what);
    if (s->to && !what && !split_address(s, r->arena)) r->faults->out_of_memory = true;
    if (s->format == LP_FORMAT_PARQUET)
        lp_node_fault(r, format, "write format: csv for now", "Parquet is not built into this version");
    if (s->file_name && s->partitions.count)
        lp_node_fault(r, lp_node_get(s->node, "partition")->key, "leave partition out, or name a directory",
                      "one file cannot be partitioned");
    for (size_t i = 0; i < s->partitions.count; i++) bind_partition(r, &s->partitions.list[i], columns, v);
    if (!s->catalog.database) s->catalog.database = pipeline;
    if (!s->catalog.table) s->catalog.table = pipeline;
}

enum lp_code lp_sink_redirect(struct lp_sink *s, struct lp_arena *a, const char *to, struct lp_err *err)
{
    const char *remedy, *what = objection(to, &remedy);
    if (what) return lp_fail(err, LP_USAGE, "--to \"%.100s\": %s; %s", to, what, remedy);
    s->to = to;
    if (!split_address(s, a)) return lp_nomem(err);
    if (s->file_name && s->partitions.count)
        return lp_fail(err, LP_USAGE, "--to %.100s: one file cannot be partitioned; name a directory", to);
    return LP_OK;
}

bool lp_sink_one_partition(const struct lp_sink *s)
{
    for (size_t i = 0; i < s->partitions.count; i++)
        if (s->partitions.list[i].column >= 0 || lp_template_per_item(&s->partitions.list[i].value)) return false;
    return true;
}
