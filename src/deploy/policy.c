/* Permissions as IAM reads them. */
#include "deploy/permissions.h"

#include "base/json.h"

/* What is not known is left open. */
static void put_open(const char *text, struct lp_buf *out)
{
    LP_AUTO(lp_buf) open = {0};
    while (*text) {
        size_t n = strncmp(text, "${AWS::", 7) ? 0 : strcspn(text, "}");
        lp_buf_putc(&open, n ? '*' : *text);
        text += n && text[n] ? n + 1 : 1;
    }
    lp_json_put_text(out, lp_buf_text(&open), open.len);
    if (open.failed) out->failed = open.failed;
}

static bool same_texts(const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
    if (a_count != b_count) return false;
    for (size_t i = 0; i < a_count; i++)
        if (strcmp(a[i], b[i])) return false;
    return true;
}

static bool same_condition(const struct lp_condition *a, const struct lp_condition *b)
{
    if (!a->operator|| !b->operator) return a->operator== b->operator;
    return !strcmp(a->operator, b->operator) && !strcmp(a->key, b->key) &&
           same_texts(a->values, a->value_count, b->values, b->value_count);
}

bool lp_permission_alike(const struct lp_permission *a, const struct lp_permission *b)
{
    return same_texts(a->resources, a->resource_count, b->resources, b->resource_count) &&
           same_condition(&a->condition, &b->condition);
}

static void put_list(const char *const *texts, size_t count, struct lp_buf *out)
{
    if (count == 1) {
        put_open(texts[0], out);
        return;
    }
    lp_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        lp_buf_puts(out, i ? ",\n        " : "\n        ");
        put_open(texts[i], out);
    }
    lp_buf_puts(out, "\n      ]");
}

static void put_condition(const struct lp_condition *c, struct lp_buf *out)
{
    lp_buf_printf(out, ",\n      \"Condition\": { \"%s\": { \"%s\": ", c->operator, c->key);
    if (c->value_count > 1) lp_buf_puts(out, "[");
    for (size_t i = 0; i < c->value_count; i++) {
        if (i) lp_buf_puts(out, ", ");
        put_open(c->values[i], out);
    }
    lp_buf_puts(out, c->value_count > 1 ? "] } }" : " } }");
}

/* The statement of list[first], with the actions of all that are like it. */
static void put_statement(const struct lp_permission *const *list, size_t count, size_t first, struct lp_buf *out)
{
    const struct lp_permission *x = list[first];
    size_t actions = 0, put = 0;
    for (size_t i = first; i < count; i++) actions += lp_permission_alike(list[i], x);
    lp_buf_printf(out, "    {\n      \"Effect\": \"Allow\",\n      \"Action\": %s", actions > 1 ? "[" : "");
    for (size_t i = first; i < count; i++)
        if (lp_permission_alike(list[i], x)) lp_buf_printf(out, "%s\"%s\"", put++ ? ", " : "", list[i]->action);
    lp_buf_printf(out, "%s,\n      \"Resource\": ", actions > 1 ? "]" : "");
    put_list(x->resources, x->resource_count, out);
    if (x->condition.operator) put_condition(&x->condition, out);
    lp_buf_puts(out, "\n    }");
}

void lp_policy_put(const struct lp_permission *const *list, size_t count, struct lp_buf *out)
{
    bool more = false;
    lp_buf_puts(out, "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n");
    for (size_t i = 0; i < count; i++) {
        bool before = false;
        for (size_t b = 0; b < i && !before; b++) before = lp_permission_alike(list[b], list[i]);
        if (before) continue;
        if (more) lp_buf_puts(out, ",\n");
        put_statement(list, count, i, out);
        more = true;
    }
    lp_buf_puts(out, "\n  ]\n}");
}
