#include "lake/catalog.h"

#include "base/json.h"

#define MAX_CATALOG_BYTES ((size_t)4 << 20)

static void put_columns(struct lp_json_writer *w, const struct lp_columns *columns)
{
    lp_json_open(w, "columns", '[');
    for (size_t i = 0; i < columns->count; i++) {
        const struct lp_column *c = &columns->list[i];
        lp_json_open(w, NULL, '{');
        lp_json_text(w, "name", c->name);
        lp_json_text(w, "type", lp_type_name(c->type));
        lp_json_bool(w, "nullable", c->nullable);
        if (c->unit) lp_json_text(w, "unit", c->unit);
        if (c->description) lp_json_text(w, "description", c->description);
        lp_json_close(w, '}');
    }
    lp_json_close(w, ']');
}

static void put_table(const struct lp_layout *l, const struct lp_columns *columns, const char *description,
                      struct lp_buf *out)
{
    const struct lp_sink *s = l->sink;
    struct lp_json_writer w = {.out = out};
    lp_json_open(&w, NULL, '{');
    lp_json_text(&w, "database", s->catalog.database);
    lp_json_text(&w, "table", s->catalog.table);
    if (description) lp_json_text(&w, "description", description);
    lp_json_text(&w, "pipeline", l->pipeline);
    lp_json_text(&w, "format", "csv");
    /* Seen from the lake's folder, so that a lake can be moved. */
    lp_json_text(&w, "location", s->file_name ? s->file_name : s->catalog.table);
    put_columns(&w, columns);
    lp_json_open(&w, "partitions", '[');
    for (size_t i = 0; i < s->partitions.count; i++) {
        lp_json_open(&w, NULL, '{');
        lp_json_text(&w, "name", s->partitions.list[i].name);
        lp_json_text(&w, "type", "string");
        lp_json_close(&w, '}');
    }
    lp_json_close(&w, ']');
    lp_json_close(&w, '}');
    lp_buf_putc(out, '\n');
}

enum lp_code lp_catalog_register(struct lp_store *store, const struct lp_layout *l, const struct lp_columns *columns,
                                 const char *description, struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0}, there = {.max_bytes = MAX_CATALOG_BYTES}, key = {.max_bytes = 1024};
    put_table(l, columns, description, &text);
    lp_layout_put_catalog_key(l, &key);
    LP_TRY(lp_buf_code(&text, "the catalogue's entry", err));
    LP_TRY(lp_buf_code(&key, "the catalogue's entry", err));
    enum lp_code code = store->ops->read(store, lp_buf_text(&key), &there, err);
    if (code && code != LP_NOTFOUND && code != LP_LIMIT) return code;
    if (!code && there.len == text.len && !memcmp(there.data, text.data, text.len)) return LP_OK;
    return lp_store_put(store, lp_buf_text(&key), text.data, text.len, err);
}
