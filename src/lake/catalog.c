#include "lake/catalog.h"

#include <stdlib.h>

enum lp_code lp_catalogs_open(struct lp_catalogs *c, const struct lp_table *t, struct lp_store *store,
                              struct lp_err *err)
{
    *c = (struct lp_catalogs){.table = *t};
    LP_TRY(lp_catalog_file_new(store, &c->list[0], err));
    c->count = 1;
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
