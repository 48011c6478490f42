#include "lake/catalog.h"

#include "lake/catalog_glue.h"

#include <stdlib.h>

bool lp_catalog_in_glue(const struct lp_sink *s)
{
    return s->root && lp_store_is_s3(s->root) && lp_node_get(s->node, "catalog");
}

bool lp_catalog_in_glue_as_csv(const struct lp_sink *s)
{
    return lp_catalog_in_glue(s) && s->format == LP_FORMAT_CSV;
}

void lp_catalog_bind(struct lp_reading *r, const struct lp_sink *s, const struct lp_columns *columns)
{
    LP_AUTO(lp_buf) what = {0};
    const char *remedy;
    const struct lp_node *place;
    if (!lp_catalog_in_glue(s) || !lp_glue_objection(s, columns, &what, &remedy, &place)) return;
    lp_node_fault(r, place ? place : lp_node_get(s->node, "catalog")->key, remedy, "%s", lp_buf_text(&what));
}

static enum lp_code call_glue(void *who, const char *operation, const struct lp_buf *body, struct lp_buf *answer,
                              char code[LP_GLUE_CODE_BYTES], struct lp_err *err)
{
    LP_AUTO(lp_aws_reply) reply = {0};
    char target[80];
    snprintf(target, sizeof target, "AWSGlue.%s", operation);
    struct lp_aws_request q = {.service = "glue", .target = target, .body = lp_buf_text(body), .body_len = body->len};
    enum lp_code failed = lp_aws_call(who, &q, &reply, err);
    snprintf(code, LP_GLUE_CODE_BYTES, "%s", reply.error_code);
    if (failed) return failed;
    lp_buf_put(answer, lp_buf_text(&reply.body), reply.body.len);
    return lp_buf_code(answer, "Glue's answer", err);
}

enum lp_code lp_catalogs_open(struct lp_catalogs *c, const struct lp_table *t, struct lp_store *store,
                              struct lp_aws *aws, struct lp_err *err)
{
    const struct lp_sink *s = t->layout->sink;
    *c = (struct lp_catalogs){.table = *t};
    LP_TRY(lp_catalog_file_new(store, &c->list[0], err));
    c->count = 1;
    if (!lp_catalog_in_glue(s)) return LP_OK;
    LP_TRY(lp_catalog_glue_new(&(struct lp_glue){call_glue, aws}, s->root, &c->list[1], err));
    c->count = 2;
    return LP_OK;
}

enum lp_code lp_catalogs_inspect(struct lp_catalogs *c, struct lp_err *err)
{
    for (size_t i = 0; i < c->count; i++) LP_TRY(c->list[i]->ops->inspect(c->list[i], &c->table, err));
    return LP_OK;
}

enum lp_code lp_catalogs_publish(struct lp_catalogs *c, const struct lp_output *o, struct lp_err *err)
{
    const char **partitions = calloc(o->file_count + 1, sizeof *partitions);
    enum lp_code code = LP_OK;
    if (!partitions) return lp_nomem(err);
    for (size_t i = 0; i < o->file_count; i++) partitions[i] = o->files[i].partition;
    for (size_t i = 0; i < c->count && !code; i++)
        code = c->list[i]->ops->publish(c->list[i], &c->table, partitions, o->file_count, err);
    free(partitions);
    return code;
}

void lp_catalogs_release(struct lp_catalogs *c)
{
    for (size_t i = 0; i < c->count; i++) c->list[i]->ops->free(c->list[i]);
    *c = (struct lp_catalogs){0};
}
