/* The AWS Glue Data Catalog: what is there is asked once, and only what differs is sent. */
#include "lake/catalog_glue.h"

#include <stdlib.h>

#define TRIES        5 /* while others change the same table */
#define ANSWER_BYTES ((size_t)16 << 20)

struct entry {
    struct lp_buf answer;
    const json_t *table; /* as Glue has it; NULL: not there */
};

struct glue_catalog {
    struct lp_catalog catalog;
    struct lp_glue glue;
    const char *root;
    struct lp_arena arena;
    struct entry files, view; /* the view only for CSV */
    struct lp_known known;
    struct lp_glue_shape shape;
    bool inspected;
    struct lp_buf body, answer;
    char code[LP_GLUE_CODE_BYTES]; /* of the last call's error */
};

/* ---- one call ---- */

static bool said(const struct glue_catalog *g, const char *code)
{
    return !strcmp(g->code, code);
}

/* The body is finished; what it asks for is named when it fails. */
static enum lp_code call(struct glue_catalog *g, const char *operation, const char *name, struct lp_buf *answer,
                         struct lp_err *err)
{
    lp_buf_clear(answer);
    g->code[0] = '\0';
    LP_TRY(lp_buf_code(&g->body, "what is asked of Glue", err));
    enum lp_code code = g->glue.call(g->glue.who, operation, &g->body, answer, g->code, err);
    return code ? lp_wrap(err, code, "Glue table %s.%s", g->shape.database, name) : LP_OK;
}

static void begin_body(struct glue_catalog *g, struct lp_json_writer *w)
{
    lp_buf_clear(&g->body);
    *w = (struct lp_json_writer){.out = &g->body};
    lp_json_open(w, NULL, '{');
    lp_json_text(w, "DatabaseName", g->shape.database);
}

static void put_member(struct lp_json_writer *w, const char *key, const struct lp_buf *json)
{
    lp_json_key(w, key, strlen(key));
    lp_buf_put(w->out, lp_buf_text(json), json->len);
    if (json->failed) w->out->failed = json->failed;
    w->more = true;
}

static void put_value(struct lp_json_writer *w, const char *key, const json_t *value)
{
    lp_json_key(w, key, strlen(key));
    lp_json_put_value(w->out, value);
    w->more = true;
}

/* ---- what is there ---- */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static enum lp_code read_entry(struct glue_catalog *g, struct entry *e, const char *name, struct lp_err *err)
{
    struct lp_json_writer w;
    json_t *root;
    e->table = NULL;
    begin_body(g, &w);
    lp_json_text(&w, "Name", name);
    lp_json_close(&w, '}');
    enum lp_code code = call(g, "GetTable", name, &e->answer, err);
    if (code) return said(g, "EntityNotFoundException") ? LP_OK : code;
    code = lp_json_parse(&g->arena, lp_buf_text(&e->answer), e->answer.len, &root, err);
    if (code) return lp_wrap(err, code, "Glue table %s.%s: the answer", g->shape.database, name);
    e->table = json_object_get(root, "Table");
    if (json_is_object(e->table)) return LP_OK;
    return lp_fail(err, LP_REMOTE, "Glue table %s.%s: the answer holds no table", g->shape.database, name);
}

static bool is_view(const json_t *table)
{
    const char *type = text_of(table, "TableType");
    return type && !strcmp(type, "VIRTUAL_VIEW");
}

static bool same_place(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    while (a_len && a[a_len - 1] == '/') a_len--;
    while (b_len && b[b_len - 1] == '/') b_len--;
    return a_len == b_len && !memcmp(a, b, a_len);
}

/* What others made is theirs, and what this program made for another place is not this lake's. */
static enum lp_code require_own(const struct glue_catalog *g, const json_t *table, const char *name, struct lp_err *err)
{
    const json_t *storage = json_object_get(table, "StorageDescriptor");
    const char *there = text_of(storage, "Location"), *wanted = g->shape.table->layout->sink->catalog.table;
    LP_AUTO(lp_buf) here = {0};
    if (!there) there = "";
    lp_glue_put_location(&g->shape, &here);
    LP_TRY(lp_buf_code(&here, "the table's place", err));
    bool place = is_view(table) || same_place(there, lp_buf_text(&here));
    if (text_of(json_object_get(table, "Parameters"), LP_GLUE_MARK) && place) return LP_OK;
    return lp_fail(err, LP_CONFIG,
                   "Glue table %s.%s is there already and %s%.300s%s; give the pipeline's table another name "
                   "(sink.catalog.table: %s_2), or remove that one from Glue",
                   g->shape.database, name, place ? "was made by somebody else" : "lies in \"", place ? "" : there,
                   place ? "" : "\", which is not where this pipeline writes", wanted);
}

static const char *format_of(const json_t *table)
{
    const json_t *serde = json_object_get(json_object_get(table, "StorageDescriptor"), "SerdeInfo");
    const char *library = text_of(serde, "SerializationLibrary");
    if (is_view(table)) return "csv";
    if (!library) return "other";
    return strstr(library, "OpenCSVSerde") ? "csv" : strstr(library, "Parquet") ? "parquet" : "other";
}

static enum lp_code read_known(struct glue_catalog *g, const json_t *table, struct lp_err *err)
{
    struct lp_known *k = &g->known;
    const json_t *columns = json_object_get(json_object_get(table, "StorageDescriptor"), "Columns");
    const json_t *partitions = json_object_get(table, "PartitionKeys");
    *k = (struct lp_known){.there = true, .says_units = true, .format = format_of(table)};
    k->columns = lp_arena_zalloc(&g->arena, (json_array_size(columns) + 1) * sizeof *k->columns);
    if (!k->columns) return lp_arena_code(&g->arena, err);
    for (size_t i = 0; i < json_array_size(columns); i++) {
        const json_t *c = json_array_get(columns, i), *own = json_object_get(c, "Parameters");
        const char *name = text_of(c, "Name"), *type = text_of(own, "type"), *nullable = text_of(own, "nullable");
        if (!type) type = text_of(c, "Type");
        if (!name || !type) continue;
        if (!nullable) k->says_units = false;
        k->columns[k->column_count++] =
            (struct lp_known_column){name, type, text_of(own, "unit"), nullable && !strcmp(nullable, "true")};
    }
    for (size_t i = 0; i < json_array_size(partitions); i++) {
        const json_t *p = json_array_get(partitions, i);
        const char *name = text_of(p, "Name");
        if (i < LP_PARTITIONS_MAX)
            k->partitions[i] =
                (struct lp_known_partition){name ? name : "", text_of(json_object_get(p, "Parameters"), "format")};
        k->partition_count++;
    }
    return LP_OK;
}

/* How the partitions are found now, which stays as it is. */
static void read_projection(struct glue_catalog *g, const json_t *table)
{
    const json_t *parameters = json_object_get(table, "Parameters");
    const char *enabled = text_of(parameters, "projection.enabled");
    struct lp_glue_projection p;
    char column[LP_GLUE_NAME_BYTES], key[LP_GLUE_NAME_BYTES + 40];
    bool projects = lp_glue_project(g->shape.table->layout->sink, &p);
    g->shape.mark = text_of(parameters, LP_GLUE_MARK);
    g->shape.registers = !projects || (table && !(enabled && !strcmp(enabled, "true")));
    g->shape.range = NULL;
    if (!projects || !table) return;
    lp_glue_put_name(p.column, "", column);
    snprintf(key, sizeof key, "projection.%s.range", column);
    g->shape.range = text_of(parameters, key);
}

static enum lp_code read_all(struct glue_catalog *g, struct lp_err *err)
{
    lp_arena_reset(&g->arena);
    g->known = (struct lp_known){0};
    g->view.table = NULL;
    LP_TRY(read_entry(g, &g->files, g->shape.files_name, err));
    if (lp_glue_is_csv(&g->shape)) LP_TRY(read_entry(g, &g->view, g->shape.name, err));
    if (g->files.table) LP_TRY(require_own(g, g->files.table, g->shape.files_name, err));
    if (g->view.table) LP_TRY(require_own(g, g->view.table, g->shape.name, err));
    if (g->files.table) LP_TRY(read_known(g, g->files.table, err));
    /* The table's name belongs to files of another format. */
    if (g->view.table && !is_view(g->view.table)) LP_TRY(read_known(g, g->view.table, err));
    read_projection(g, g->files.table);
    return LP_OK;
}

static enum lp_code inspect(struct lp_catalog *c, const struct lp_table *t, struct lp_err *err)
{
    struct glue_catalog *g = (struct glue_catalog *)c;
    const struct lp_catalog_name *name = &t->layout->sink->catalog;
    LP_AUTO(lp_buf) what = {0};
    const char *remedy;
    const struct lp_node *place;
    struct lp_err local;
    if (!err) err = &local;
    if (lp_glue_objection(t->layout->sink, t->columns, &what, &remedy, &place))
        return lp_fail(err, LP_CONFIG, "%s; %s", lp_buf_text(&what), remedy);
    g->inspected = false;
    g->shape = (struct lp_glue_shape){.table = t, .known = &g->known, .root = g->root};
    lp_glue_put_name(name->database, "", g->shape.database);
    lp_glue_put_name(name->table, "", g->shape.name);
    lp_glue_put_name(name->table, lp_glue_is_csv(&g->shape) ? "_text" : "", g->shape.files_name);
    LP_TRY(read_all(g, err));
    LP_TRY(lp_schema_compare(t, &g->known, err));
    g->inspected = true;
    return LP_OK;
}

/* ---- what differs ---- */

static bool is_nothing(const json_t *v)
{
    return !v || json_is_null(v) || (json_is_string(v) && !json_string_length(v)) ||
           (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
}

bool lp_glue_covers(const json_t *there, const json_t *wanted)
{
    const char *key;
    json_t *member;
    if (is_nothing(wanted)) return is_nothing(there);
    if (!there || json_typeof(there) != json_typeof(wanted)) return false;
    if (json_is_object(wanted)) {
        json_object_foreach ((json_t *)(uintptr_t)wanted, key, member)
            if (!lp_glue_covers(json_object_get(there, key), member)) return false;
        return true;
    }
    if (!json_is_array(wanted)) return json_equal(there, wanted);
    if (json_array_size(there) != json_array_size(wanted)) return false;
    for (size_t i = 0; i < json_array_size(wanted); i++)
        if (!lp_glue_covers(json_array_get(there, i), json_array_get(wanted, i))) return false;
    return true;
}

/* All of wanted, and of `there` what wanted does not say. */
static void put_merged(struct lp_json_writer *w, const char *name, const json_t *there, const json_t *wanted)
{
    const char *key;
    json_t *member;
    lp_json_open(w, name, '{');
    json_object_foreach ((json_t *)(uintptr_t)wanted, key, member) {
        put_value(w, key, member);
    }
    json_object_foreach ((json_t *)(uintptr_t)there, key, member) {
        if (json_object_get(wanted, key) || json_is_null(member)) continue;
        put_value(w, key, member);
    }
    lp_json_close(w, '}');
}

/* An update replaces all, so it holds all that is there; members that Glue only tells are refused by it. */
static void put_update(struct lp_json_writer *w, const json_t *there, const json_t *wanted)
{
    static const char *const members[] = {
        "Name",      "Description",       "Owner",         "LastAccessTime",   "LastAnalyzedTime",
        "Retention", "StorageDescriptor", "PartitionKeys", "ViewOriginalText", "ViewExpandedText",
        "TableType", "Parameters",        "TargetTable"};
    lp_json_open(w, "TableInput", '{');
    for (size_t i = 0; i < LP_COUNT(members); i++) {
        const json_t *from = json_object_get(there, members[i]), *to = json_object_get(wanted, members[i]);
        bool merged = !strcmp(members[i], "Parameters") || !strcmp(members[i], "StorageDescriptor");
        if (merged) {
            put_merged(w, members[i], from, to);
        } else if (to || (from && !json_is_null(from))) {
            put_value(w, members[i], to ? to : from);
        }
    }
    lp_json_close(w, '}');
}

/* ---- changing it ---- */

static enum lp_code create_database(struct glue_catalog *g, struct lp_err *err)
{
    struct lp_json_writer w = {.out = &g->body};
    lp_buf_clear(&g->body);
    lp_json_open(&w, NULL, '{');
    lp_json_open(&w, "DatabaseInput", '{');
    lp_json_text(&w, "Name", g->shape.database);
    lp_json_close(&w, '}');
    lp_json_close(&w, '}');
    enum lp_code code = call(g, "CreateDatabase", g->shape.name, &g->answer, err);
    return code && said(g, "AlreadyExistsException") ? LP_OK : code;
}

static enum lp_code create_table(struct glue_catalog *g, const char *name, const struct lp_buf *wanted,
                                 struct lp_err *err)
{
    struct lp_json_writer w;
    begin_body(g, &w);
    put_member(&w, "TableInput", wanted);
    lp_json_close(&w, '}');
    return call(g, "CreateTable", name, &g->answer, err);
}

/* *again: somebody else was at it at the same time, so that all is to be looked at anew. */
static enum lp_code settle(struct glue_catalog *g, enum lp_code code, bool *again)
{
    *again = code && (said(g, "AlreadyExistsException") || said(g, "ConcurrentModificationException") ||
                      said(g, "EntityNotFoundException"));
    return *again ? LP_OK : code;
}

static enum lp_code bring(struct glue_catalog *g, const struct entry *e, const char *name,
                          const struct lp_buf *wanted_text, bool *again, struct lp_err *err)
{
    struct lp_json_writer w;
    json_t *wanted;
    *again = false;
    LP_TRY(lp_buf_code(wanted_text, "a table for Glue", err));
    if (!e->table) {
        enum lp_code code = create_table(g, name, wanted_text, err);
        if (!code || !said(g, "EntityNotFoundException")) return settle(g, code, again);
        LP_TRY(create_database(g, err));
        return settle(g, create_table(g, name, wanted_text, err), again);
    }
    LP_TRY(lp_json_parse(&g->arena, lp_buf_text(wanted_text), wanted_text->len, &wanted, err));
    if (lp_glue_covers(e->table, wanted)) return LP_OK;
    begin_body(g, &w);
    put_update(&w, e->table, wanted);
    lp_json_bool(&w, "SkipArchive", true);
    if (text_of(e->table, "VersionId")) lp_json_text(&w, "VersionId", text_of(e->table, "VersionId"));
    lp_json_close(&w, '}');
    return settle(g, call(g, "UpdateTable", name, &g->answer, err), again);
}

static enum lp_code bring_tables(struct glue_catalog *g, bool *again, struct lp_err *err)
{
    LP_AUTO(lp_buf) files = {0}, view = {0};
    lp_glue_put_files(&g->shape, &files);
    LP_TRY(bring(g, &g->files, g->shape.files_name, &files, again, err));
    if (*again || !lp_glue_is_csv(&g->shape)) return LP_OK;
    lp_glue_put_view(&g->shape, &view);
    return bring(g, &g->view, g->shape.name, &view, again, err);
}

static enum lp_code publish(struct lp_catalog *c, const struct lp_table *t, const char *const *partitions, size_t count,
                            struct lp_err *err)
{
    struct glue_catalog *g = (struct glue_catalog *)c;
    struct lp_err local;
    bool again = true;
    if (!err) err = &local;
    for (int i = 0; i < TRIES && again; i++) {
        if (!g->inspected) LP_TRY(inspect(c, t, err));
        LP_TRY(bring_tables(g, &again, err));
        g->inspected = false; /* what is known is used once */
    }
    if (again)
        return lp_fail(err, LP_BUSY,
                       "Glue table %s.%s: others keep changing it; the rows are written, run the slot again",
                       g->shape.database, g->shape.name);
    bool named = t->layout->sink->partitions.count && g->shape.registers;
    return named ? lp_glue_name_partitions(&g->shape, &g->glue, partitions, count, err) : LP_OK;
}

static void glue_free(struct lp_catalog *c)
{
    struct glue_catalog *g = (struct glue_catalog *)c;
    lp_arena_release(&g->arena);
    lp_buf_release(&g->files.answer);
    lp_buf_release(&g->view.answer);
    lp_buf_release(&g->body);
    lp_buf_release(&g->answer);
    free(g);
}

enum lp_code lp_catalog_glue_new(const struct lp_glue *glue, const char *root, struct lp_catalog **out,
                                 struct lp_err *err)
{
    static const struct lp_catalog_ops ops = {"glue", inspect, publish, glue_free};
    struct glue_catalog *g = calloc(1, sizeof *g);
    if (!g) return lp_nomem(err);
    g->catalog.ops = &ops;
    g->glue = *glue;
    g->root = root;
    lp_arena_init(&g->arena, (size_t)128 << 20);
    lp_buf_init(&g->files.answer, ANSWER_BYTES);
    lp_buf_init(&g->view.answer, ANSWER_BYTES);
    lp_buf_init(&g->answer, ANSWER_BYTES);
    *out = &g->catalog;
    return LP_OK;
}

bool lp_glue_objection(const struct lp_sink *s, const struct lp_columns *columns, struct lp_buf *what,
                       const char **remedy, const struct lp_node **place)
{
    *remedy = "use letters, digits and _, or leave sink.catalog out";
    *place = NULL;
    for (size_t i = 0; i < columns->count; i++) {
        const struct lp_column *c = &columns->list[i];
        if (!strchr(c->name, '-')) continue;
        *place = c->node ? c->node->key : NULL;
        lp_buf_printf(what, "\"%s\" cannot be a column's name in Glue and Athena", c->name);
        return true;
    }
    for (size_t i = 0; i < s->partitions.count; i++) {
        const struct lp_partition *p = &s->partitions.list[i];
        if (!strchr(p->name, '-')) continue;
        *place = p->node ? p->node->key : NULL;
        lp_buf_printf(what, "\"%s\" cannot be a partition's name in Glue and Athena", p->name);
        return true;
    }
    if (!s->file_name) return false;
    *remedy = "leave sink.catalog out, or let sink.to name the folder";
    lp_buf_puts(what, "one file cannot be a table in Glue, where tables are folders");
    return true;
}
