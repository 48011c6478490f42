/* A view that Athena takes for its own: no query has to be run to make it. */
#include "lake/catalog_glue.h"

static const char *const view_types[LP_TYPE_COUNT] = {
    [LP_TYPE_STRING] = "varchar",  [LP_TYPE_BIGINT] = "bigint",          [LP_TYPE_DOUBLE] = "double",
    [LP_TYPE_BOOLEAN] = "boolean", [LP_TYPE_TIMESTAMP] = "timestamp(3)", [LP_TYPE_DATE] = "date"};

/* An empty field is NULL, unless the column is a text that is never NULL. */
static void put_expression(const struct lp_glue_shape *s, const struct lp_column *c, const char *name,
                           struct lp_buf *out)
{
    if (c->type == LP_TYPE_STRING && !lp_schema_nullable(s->known, c)) {
        lp_buf_printf(out, "\"%s\"", name);
        return;
    }
    const char *before = "CAST(", *behind = "";
    if (c->type == LP_TYPE_STRING) before = "";
    if (c->type == LP_TYPE_TIMESTAMP) before = "CAST(from_iso8601_timestamp(", behind = ") AT TIME ZONE 'UTC'";
    lp_buf_printf(out, "%sNULLIF(\"%s\", '')%s", before, name, behind);
    if (c->type != LP_TYPE_STRING) lp_buf_printf(out, " AS %s)", view_types[c->type]);
    lp_buf_printf(out, " \"%s\"", name);
}

void lp_glue_put_view_sql(const struct lp_glue_shape *s, struct lp_buf *out)
{
    const struct lp_partitions *p = &s->table->layout->sink->partitions;
    const struct lp_column *c;
    char name[LP_GLUE_NAME_BYTES];
    lp_buf_puts(out, "SELECT\n  ");
    for (size_t i = 0; (c = lp_schema_column(s->table, s->known, i)); i++) {
        lp_glue_put_name(c->name, "", name);
        if (i) lp_buf_puts(out, ", ");
        put_expression(s, c, name, out);
        lp_buf_putc(out, '\n');
    }
    for (size_t i = 0; i < p->count; i++) {
        lp_glue_put_name(p->list[i].name, "", name);
        lp_buf_printf(out, ", \"%s\"\n", name);
    }
    lp_buf_printf(out, "FROM\n  \"%s\".\"%s\"", s->database, s->files_name);
}

/* Each column and partition, for the view's own words or for Glue's. */
static void put_columns(struct lp_json_writer *w, const struct lp_glue_shape *s, bool of_view)
{
    const struct lp_partitions *p = &s->table->layout->sink->partitions;
    const struct lp_column *c;
    char name[LP_GLUE_NAME_BYTES];
    lp_json_open(w, of_view ? "columns" : "Columns", '[');
    for (size_t i = 0; (c = lp_schema_column(s->table, s->known, i)); i++) {
        LP_AUTO(lp_buf) comment = {0};
        lp_glue_put_name(c->name, "", name);
        lp_glue_put_comment(c, &comment);
        lp_json_open(w, NULL, '{');
        lp_json_text(w, of_view ? "name" : "Name", name);
        lp_json_text(w, of_view ? "type" : "Type", of_view ? view_types[c->type] : lp_type_name(c->type));
        if (!of_view) lp_json_text(w, "Comment", lp_buf_text(&comment));
        lp_json_close(w, '}');
        if (comment.failed) w->out->failed = comment.failed;
    }
    for (size_t i = 0; i < p->count; i++) {
        lp_glue_put_name(p->list[i].name, "", name);
        lp_json_open(w, NULL, '{');
        lp_json_text(w, of_view ? "name" : "Name", name);
        lp_json_text(w, of_view ? "type" : "Type", of_view ? "varchar" : "string");
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

/* The marks around it are how Athena, like Presto and Trino, knows a view of its own. */
static void put_original_text(struct lp_json_writer *w, const struct lp_glue_shape *s)
{
    LP_AUTO(lp_buf) sql = {0}, json = {0}, text = {0};
    struct lp_json_writer view = {.out = &json};
    lp_glue_put_view_sql(s, &sql);
    lp_json_open(&view, NULL, '{');
    lp_json_text(&view, "originalSql", lp_buf_text(&sql));
    lp_json_text(&view, "catalog", "awsdatacatalog");
    lp_json_text(&view, "schema", s->database);
    put_columns(&view, s, true);
    lp_json_bool(&view, "runAsInvoker", true); /* with no owner there is nobody else */
    lp_json_close(&view, '}');
    lp_buf_puts(&text, "/* Presto View: ");
    lp_base64_put(&text, lp_buf_text(&json), json.len);
    lp_buf_puts(&text, " */");
    lp_json_text(w, "ViewOriginalText", lp_buf_text(&text));
    if (sql.failed || json.failed || text.failed) w->out->failed = LP_NOMEM;
}

/* No Description: readers take it for the comment below, which has to be as it is. */
void lp_glue_put_view(const struct lp_glue_shape *s, struct lp_buf *out)
{
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "Name", s->name);
    lp_json_text(&w, "TableType", "VIRTUAL_VIEW");
    lp_json_open(&w, "Parameters", '{');
    lp_json_text(&w, LP_GLUE_MARK, s->mark ? s->mark : s->table->layout->pipeline);
    lp_json_text(&w, "presto_view", "true");
    lp_json_text(&w, "comment", "Presto View");
    lp_json_close(&w, '}');
    put_original_text(&w, s);
    lp_json_text(&w, "ViewExpandedText", "/* Presto View */");
    lp_json_open(&w, "PartitionKeys", '[');
    lp_json_close(&w, ']');
    lp_json_open(&w, "StorageDescriptor", '{');
    put_columns(&w, s, false);
    lp_json_text(&w, "Location", "");
    lp_json_bool(&w, "Compressed", false);
    lp_json_int(&w, "NumberOfBuckets", 0);
    lp_json_open(&w, "SerdeInfo", '{');
    lp_json_close(&w, '}');
    lp_json_bool(&w, "StoredAsSubDirectories", false);
    lp_json_close(&w, '}');
    lp_json_close(&w, '}');
}
