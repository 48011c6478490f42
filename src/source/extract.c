#include "source/extract.h"

#include "table/convert.h"

static enum lp_code count_zipped(struct lp_extract *x, struct lp_err *err)
{
    const char *key, *first = NULL;
    json_t *value;
    json_object_foreach (x->list, key, value) {
        if (!json_is_array(value)) continue;
        size_t n = json_array_size(value);
        if (first && n != x->count)
            return lp_fail(err, LP_DATA, "zip: the arrays in %s differ in length: %s has %zu, %s has %zu",
                           x->source->zip.text, first, x->count, key, n);
        first = key;
        x->count = n;
    }
    return first ? LP_OK : lp_fail(err, LP_DATA, "zip: %s holds no arrays", x->source->zip.text);
}

enum lp_code lp_extract_begin(struct lp_extract *x, const struct lp_source *s, const struct lp_reply *reply,
                              struct lp_err *err)
{
    *x = (struct lp_extract){.source = s, .reply = reply, .count = 1};
    if (s->rows.text) {
        x->list = lp_path_find(&s->rows.path, reply->root);
        if (!json_is_array(x->list)) return lp_fail(err, LP_DATA, "rows: the reply has no list at %s", s->rows.text);
        x->count = json_array_size(x->list);
    } else if (s->zip.text) {
        x->list = lp_path_find(&s->zip.path, reply->root);
        if (!json_is_object(x->list)) return lp_fail(err, LP_DATA, "zip: the reply has no object at %s", s->zip.text);
        return count_zipped(x, err);
    } else if (json_is_array(reply->root)) {
        return lp_fail(err, LP_DATA, "the reply is a list; rows: . makes a row of each element");
    }
    return LP_OK;
}

#define BATCH_BYTES ((size_t)16 << 20) /* of what is made for a batch's rows; the reply itself lies elsewhere */

/* The i-th position of every array as an object; what is no array belongs to every row. */
static json_t *zip_row(json_t *arrays, size_t i)
{
    const char *key;
    json_t *value, *row = json_object();
    json_object_foreach (arrays, key, value) {
        json_t *cell = json_is_array(value) ? json_array_get(value, i) : value;
        if (!row || json_object_set_nocheck(row, key, cell)) return NULL;
    }
    return row;
}

static enum lp_code set_source(struct lp_extract *x, struct lp_batch *b, size_t row, struct lp_err *err)
{
    json_t *element = x->list ? json_array_get(x->list, x->next) : x->reply->root;
    if (x->source->zip.text) {
        lp_json_build_in(&b->arena);
        element = zip_row(x->list, x->next);
        lp_json_build_in(NULL);
        if (!element) return lp_arena_code(&b->arena, err);
    }
    b->source[row] = element;
    x->next++;
    return LP_OK;
}

static enum lp_code fill_from(struct lp_extract *x, struct lp_batch *b, size_t column, struct lp_err *err)
{
    const struct lp_path *path = &b->columns->list[column].from;
    for (size_t row = 0; row < b->row_count; row++) {
        json_t *root = path->whole_reply ? x->reply->root : (json_t *)(uintptr_t)b->source[row];
        LP_TRY(lp_convert_json(b, column, row, lp_path_find(path, root), err));
    }
    return LP_OK;
}

static enum lp_code fill_template(struct lp_extract *x, struct lp_batch *b, size_t column, struct lp_err *err)
{
    LP_AUTO(lp_buf) text = {0};
    lp_template_put(&b->columns->list[column].value, &x->reply->bindings, NULL, NULL, &text);
    LP_TRY(lp_buf_code(&text, b->columns->list[column].name, err));
    struct lp_slice value = {lp_arena_strndup(&b->arena, lp_buf_text(&text), text.len), text.len};
    if (!value.at) return lp_arena_code(&b->arena, err);
    for (size_t row = 0; row < b->row_count; row++) LP_TRY(lp_convert_text(b, column, row, value, err));
    return LP_OK;
}

enum lp_code lp_extract_next(struct lp_extract *x, struct lp_batch *b, bool *more, struct lp_err *err)
{
    *more = x->next < x->count;
    if (!*more) return LP_OK;
    LP_TRY(lp_batch_clear(b, x->count - x->next, err));
    while (x->next < x->count && b->row_count < b->row_cap && b->arena.used_bytes < BATCH_BYTES) {
        LP_TRY(set_source(x, b, b->row_count, err));
        b->row_count++;
    }
    for (size_t i = 0; i < b->columns->count; i++)
        LP_TRY(b->columns->list[i].from_text ? fill_from(x, b, i, err) : fill_template(x, b, i, err));
    return LP_OK;
}
