/* The catalogue that every lake keeps beside its data. */
#include "base/json.h"
#include "lake/catalog_schema.h"

#include <stdlib.h>

#define MAX_ENTRY_BYTES ((size_t)4 << 20)

struct file_catalog {
    struct lp_catalog catalog;
    struct lp_store *store;
    struct lp_arena arena;
    struct lp_buf text; /* the entry as it was read */
    struct lp_known known;
    bool inspected;
};

static void put_columns(struct lp_json_writer *w, const struct lp_table *t, const struct lp_known *k)
{
    const struct lp_column *c;
    lp_json_open(w, "columns", '[');
    for (size_t i = 0; (c = lp_schema_column(t, k, i)); i++) {
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "name", c->name);
        lp_json_text(w, "type", lp_type_name(c->type));
        lp_json_bool(w, "nullable", lp_schema_nullable(k, c));
        if (c->unit) lp_json_text(w, "unit", c->unit);
        if (c->description) lp_json_text(w, "description", c->description);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

static void put_entry(const struct lp_table *t, const struct lp_known *k, struct lp_buf *out)
{
    const struct lp_sink *s = t->layout->sink;
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "database", s->catalog.database);
    lp_json_text(&w, "table", s->catalog.table);
    if (t->description) lp_json_text(&w, "description", t->description);
    lp_json_text(&w, "pipeline", t->layout->pipeline);
    lp_json_text(&w, "format", lp_table_format(t));
    /* Seen from the lake's folder, so that a lake can be moved. */
    lp_json_text(&w, "location", lp_table_location(t));
    put_columns(&w, t, k);
    lp_json_open(&w, "partitions", '[');
    for (size_t i = 0; i < s->partitions.count; i++) {
        const char *format = lp_partition_time_format(&s->partitions.list[i]);
        lp_json_open(&w, NULL, '{');
        lp_json_text(&w, "name", s->partitions.list[i].name);
        lp_json_text(&w, "type", "string");
        if (format) lp_json_text(&w, "format", format);
        lp_json_close(&w, '}');
    }
    lp_json_close(&w, ']');
    lp_json_close(&w, '}');
    lp_buf_putc(out, '\n');
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* False when the entry is not one. */
static bool read_columns(struct lp_known *k, const json_t *columns, struct lp_arena *a)
{
    k->column_count = json_array_size(columns);
    k->columns = lp_arena_zalloc(a, (k->column_count + 1) * sizeof *k->columns);
    if (!k->columns) return false;
    for (size_t i = 0; i < k->column_count; i++) {
        const json_t *c = json_array_get(columns, i);
        k->columns[i] = (struct lp_known_column){text_of(c, "name"), text_of(c, "type"), text_of(c, "unit"),
                                                 json_is_true(json_object_get(c, "nullable"))};
        if (!k->columns[i].name || !k->columns[i].type) return false;
    }
    return k->column_count;
}

static bool read_entry(struct lp_known *k, const json_t *root, struct lp_arena *a)
{
    const json_t *partitions = json_object_get(root, "partitions");
    *k = (struct lp_known){.there = true, .says_units = true};
    k->format = text_of(root, "format");
    k->location = text_of(root, "location");
    k->partition_count = json_array_size(partitions);
    for (size_t i = 0; i < k->partition_count && i < LP_PARTITIONS_MAX; i++) {
        const json_t *p = json_array_get(partitions, i);
        k->partitions[i] = (struct lp_known_partition){text_of(p, "name"), text_of(p, "format")};
        if (!k->partitions[i].name) return false;
    }
    return k->format && k->location && json_is_array(partitions) &&
           read_columns(k, json_object_get(root, "columns"), a);
}

/* What lies there as a table, or why it is none. */
static enum lp_code read_text(struct file_catalog *f, struct lp_err *err)
{
    json_t *root;
    lp_arena_reset(&f->arena);
    LP_TRY(lp_json_parse(&f->arena, lp_buf_text(&f->text), f->text.len, &root, err));
    if (read_entry(&f->known, root, &f->arena)) return LP_OK;
    if (f->arena.over_limit) return lp_arena_code(&f->arena, err);
    return lp_fail(err, LP_DATA, "columns, format, location or partitions are missing");
}

static enum lp_code read_there(struct file_catalog *f, const char *key, struct lp_err *err)
{
    struct lp_err local;
    f->known = (struct lp_known){0};
    lp_buf_clear(&f->text);
    enum lp_code code = f->store->ops->read(f->store, key, &f->text, &local);
    if (code == LP_NOTFOUND) return LP_OK;
    if (code && code != LP_LIMIT) return lp_fail(err, code, "%s", local.text);
    if (!code) code = read_text(f, &local);
    if (!code) return LP_OK;
    f->known = (struct lp_known){0};
    if (code == LP_NOMEM) return lp_nomem(err);
    return lp_fail(err, LP_DATA,
                   "%s does not describe a table: %.300s; put it right, or remove it: the next run makes it again", key,
                   local.text);
}

static enum lp_code inspect(struct lp_catalog *c, const struct lp_table *t, struct lp_err *err)
{
    struct file_catalog *f = (struct file_catalog *)c;
    LP_AUTO(lp_buf) key = {.max_bytes = LP_STORE_KEY_BYTES};
    lp_layout_put_catalog_key(t->layout, &key);
    LP_TRY(lp_buf_code(&key, "the catalogue's entry", err));
    LP_TRY(read_there(f, lp_buf_text(&key), err));
    LP_TRY(lp_schema_compare(t, &f->known, err));
    f->inspected = true;
    return LP_OK;
}

static enum lp_code publish(struct lp_catalog *c, const struct lp_table *t, const char *const *partitions, size_t count,
                            struct lp_err *err)
{
    struct file_catalog *f = (struct file_catalog *)c;
    LP_AUTO(lp_buf) text = {.max_bytes = MAX_ENTRY_BYTES}, key = {.max_bytes = LP_STORE_KEY_BYTES};
    (void)partitions, (void)count; /* the folders tell of themselves */
    /* Something is to be written: what others may have written since then counts. */
    for (int look = f->inspected ? 0 : 1; look < 2; look++) {
        if (look) LP_TRY(inspect(c, t, err));
        lp_buf_clear(&text);
        put_entry(t, &f->known, &text);
        LP_TRY(lp_buf_code(&text, "the catalogue's entry", err));
        if (f->text.len == text.len && !memcmp(lp_buf_text(&f->text), text.data, text.len)) return LP_OK;
    }
    f->inspected = false;
    lp_layout_put_catalog_key(t->layout, &key);
    LP_TRY(lp_buf_code(&key, "the catalogue's entry", err));
    return lp_store_put(f->store, lp_buf_text(&key), text.data, text.len, err);
}

static void file_free(struct lp_catalog *c)
{
    struct file_catalog *f = (struct file_catalog *)c;
    lp_arena_release(&f->arena);
    lp_buf_release(&f->text);
    free(f);
}

enum lp_code lp_catalog_file_new(struct lp_store *store, struct lp_catalog **out, struct lp_err *err)
{
    static const struct lp_catalog_ops ops = {"file", inspect, publish, file_free};
    struct file_catalog *f = calloc(1, sizeof *f);
    if (!f) return lp_nomem(err);
    f->catalog.ops = &ops;
    f->store = store;
    lp_arena_init(&f->arena, (size_t)64 << 20);
    lp_buf_init(&f->text, MAX_ENTRY_BYTES);
    *out = &f->catalog;
    return LP_OK;
}
