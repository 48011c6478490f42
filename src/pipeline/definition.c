#include "pipeline/definition.h"

#include "base/file.h"
#include "lake/catalog.h"

/* The top of the file is a section like any other; each of its sections has its own table. */
static void read_source(struct lp_reading *r, const struct lp_node *n, void *member)
{
    if (lp_node_expect(r, n, LP_NODE_MAP, "source: { get: https://… }"))
        lp_fields_read(r, &lp_source_fields, n, n, member);
}

static void read_columns(struct lp_reading *r, const struct lp_node *n, void *member)
{
    struct lp_pipeline *p = (struct lp_pipeline *)((char *)member - offsetof(struct lp_pipeline, columns));
    struct lp_column_extras extras;
    lp_checks_extras(&p->checks, &p->columns, &extras);
    lp_columns_read(r, n, &extras, &p->columns);
}

static void read_quality(struct lp_reading *r, const struct lp_node *n, void *member)
{
    if (lp_node_expect(r, n, LP_NODE_MAP, "quality: { min_rows: 1 }"))
        lp_fields_read(r, &lp_quality_fields, n, n, member);
}

static void read_sink(struct lp_reading *r, const struct lp_node *n, void *member)
{
    ((struct lp_sink *)member)->node = n;
    if (lp_node_expect(r, n, LP_NODE_MAP, "sink: { to: ./lake }")) lp_fields_read(r, &lp_sink_fields, n, n, member);
}

static void read_schedule(struct lp_reading *r, const struct lp_node *n, void *member)
{
    if (lp_node_expect(r, n, LP_NODE_MAP, "schedule: { expression: \"cron(0 18 * * ? *)\" }"))
        lp_schedule_read(r, n, member);
}

static void read_notify(struct lp_reading *r, const struct lp_node *n, void *member)
{
    if (lp_node_expect(r, n, LP_NODE_MAP, "notify: { to: [stderr] }"))
        lp_fields_read(r, &lp_notify_fields, n, n, member);
}

static void read_function(struct lp_reading *r, const struct lp_node *n, void *member)
{
    if (lp_node_expect(r, n, LP_NODE_MAP, "function: { memory: 128 }"))
        lp_fields_read(r, &lp_function_size_fields, n, n, member);
}

static const struct lp_field fields[] = {
    {.name = "pipeline",
     .kind = LP_FIELD_NAME,
     .offset = offsetof(struct lp_pipeline, name),
     .required = true,
     .example = "weather",
     .help = "The pipeline's name: letters, digits, `_` and `-`."},
    {.name = "description",
     .kind = LP_FIELD_TEXT,
     .offset = offsetof(struct lp_pipeline, description),
     .example = "Current weather in five cities",
     .help = "What it collects, for people and for the catalogue."},
    {.name = "source",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_pipeline, source),
     .required = true,
     .read = read_source,
     .example = "{ get: https://api.example.com/weather }",
     .help = "What is asked, of whom, how often, and what counts as an answer."},
    {.name = "columns",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_pipeline, columns),
     .required = true,
     .read = read_columns,
     .example = "{ temperature: { from: main.temp, type: double } }",
     .help = "The columns of the table, each with its type and checks."},
    {.name = "quality",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_pipeline, quality),
     .read = read_quality,
     .example = "{ unique: [city, observed_at], max_bad: 20% }",
     .help = "Rules for the rows together."},
    {.name = "sink",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_pipeline, sink),
     .required = true,
     .read = read_sink,
     .example = "{ to: ./lake }",
     .help = "Where the rows go, in what form, in which folders."},
    {.name = "schedule",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_pipeline, schedule),
     .read = read_schedule,
     .example = "{ expression: \"cron(0 18 * * ? *)\" }",
     .help = "When the pipeline runs."},
    {.name = "notify",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_pipeline, notify),
     .read = read_notify,
     .example = "{ when: [failure], to: [stderr] }",
     .help = "Who is told of a run, and when."},
    {.name = "function",
     .kind = LP_FIELD_CUSTOM,
     .offset = offsetof(struct lp_pipeline, function),
     .read = read_function,
     .example = "{ memory: 256, timeout: 5m }",
     .help = "How large its Lambda function is, for `lambda-pipeline template`."},
};
static const struct lp_fields pipeline_fields = {"", "The sections, in the order the data flows.", fields,
                                                 LP_COUNT(fields)};

static void set_defaults(struct lp_reading *r, struct lp_pipeline *p)
{
    lp_fields_defaults(r, &lp_source_fields, &p->source);
    lp_fields_defaults(r, &lp_quality_fields, &p->quality);
    lp_fields_defaults(r, &lp_sink_fields, &p->sink);
    lp_fields_defaults(r, &lp_schedule_fields, &p->schedule);
    lp_fields_defaults(r, &lp_notify_fields, &p->notify);
    lp_fields_defaults(r, &lp_function_size_fields, &p->function);
}

/* What one section says of another. */
static void bind(struct lp_reading *r, struct lp_pipeline *p)
{
    lp_source_variables(r, &p->source, &p->variables);
    lp_source_bind(r, &p->source, &p->variables);
    for (size_t i = 0; i < p->columns.count; i++)
        if (p->columns.list[i].value.part_count) lp_template_bind(r, &p->columns.list[i].value, &p->variables);
    lp_quality_bind(r, &p->quality, &p->checks, &p->columns);
    if (!p->sink.node || !p->name) return;
    lp_sink_bind(r, &p->sink, p->name, &p->columns, &p->variables);
    lp_catalog_bind(r, &p->sink, &p->columns);
}

static void read_definition(struct lp_pipeline *p, struct lp_environment *e, struct lp_faults *faults)
{
    struct lp_reading r = {.arena = &p->arena, .faults = faults, .folder = p->folder, .environment = e};
    struct lp_node *root = lp_yaml_parse(lp_buf_text(&p->text), p->text.len, &p->arena, faults);
    set_defaults(&r, p);
    if (!root || !lp_node_expect(&r, root, LP_NODE_MAP, "pipeline: weather")) return;
    lp_fields_read(&r, &pipeline_fields, root, root, p);
    bind(&r, p);
    const struct lp_column *only = p->columns.count == 1 ? p->columns.list : NULL;
    if (only && only->nullable)
        lp_node_fault(&r, only->node->key, "add another column, for instance the item's",
                      "a table of one column cannot hold NULL: its line in the file would be empty");
}

static enum lp_code read_text(struct lp_pipeline *p, const char *path, const struct lp_buf *text, struct lp_faults *faults,
                              struct lp_err *err)
{
    const char *slash = strrchr(path, '/');
    lp_faults_init(faults, path);
    lp_arena_init(&p->arena, (size_t)256 << 20);
    p->path = lp_arena_strdup(&p->arena, path);
    p->folder = slash ? lp_arena_strndup(&p->arena, path, slash == path ? 1 : (size_t)(slash - path)) : ".";
    if (!p->path || !p->folder) return lp_nomem(err);
    p->text.max_bytes = LP_YAML_MAX_BYTES;
    if (text) {
        lp_buf_put(&p->text, lp_buf_text(text), text->len);
        return lp_buf_code(&p->text, path, err);
    }
    enum lp_code code = lp_file_read(path, &p->text, err);
    if (code == LP_LIMIT) {
        lp_faults_add(faults, 1, 1, 1, "put long lists into a file of their own: each: { file: items.csv }",
                      "the file is larger than 1 MiB");
        return LP_OK;
    }
    if (code == LP_NOTFOUND) return lp_fail(err, LP_CONFIG, "%s: there is no such file", path);
    if (code == LP_IO && err) err->code = LP_CONFIG;
    return code == LP_IO ? LP_CONFIG : code;
}

enum lp_code lp_pipeline_load(struct lp_pipeline *p, const char *path, struct lp_faults *faults, struct lp_err *err)
{
    return lp_pipeline_load_for(p, path, NULL, faults, err);
}

enum lp_code lp_pipeline_load_for(struct lp_pipeline *p, const char *path, struct lp_environment *e,
                                  struct lp_faults *faults, struct lp_err *err)
{
    return lp_pipeline_load_text(p, path, NULL, e, faults, err);
}

enum lp_code lp_pipeline_load_text(struct lp_pipeline *p, const char *path, const struct lp_buf *text,
                                   struct lp_environment *e, struct lp_faults *faults, struct lp_err *err)
{
    *p = (struct lp_pipeline){0};
    LP_TRY(read_text(p, path, text, faults, err));
    faults->text = lp_buf_text(&p->text);
    faults->text_len = p->text.len;
    if (!faults->count) read_definition(p, e, faults);
    if (faults->out_of_memory) return lp_nomem(err);
    lp_faults_sort(faults);
    size_t count = faults->count + faults->dropped;
    if (count) return lp_fail(err, LP_CONFIG, "%s has %zu fault%s", path, count, count == 1 ? "" : "s");
    return LP_OK;
}

void lp_pipeline_release(struct lp_pipeline *p)
{
    if (!p) return;
    lp_source_release(&p->source);
    lp_checks_release(&p->checks);
    lp_columns_release(&p->columns);
    lp_buf_release(&p->text);
    lp_arena_release(&p->arena);
}
