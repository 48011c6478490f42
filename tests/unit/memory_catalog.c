/* Included by the programs that use it: every program here is one file. */
#include "memory_catalog.h"

#include <stdlib.h>

struct memory_catalog {
    struct lp_catalog catalog;
    struct memory_tables *tables;
};

static struct lp_known memory_know(struct lp_arena *a, const struct lp_table *t, const struct lp_known *before)
{
    const struct lp_partitions *p = &t->layout->sink->partitions;
    struct lp_known k = {.there = true, .says_units = true, .partition_count = p->count};
    k.format = lp_arena_strdup(a, lp_table_format(t));
    k.location = lp_arena_strdup(a, lp_table_location(t));
    k.columns = lp_arena_zalloc(a, t->columns->count * sizeof *k.columns);
    for (const struct lp_column *c; (c = lp_schema_column(t, before, k.column_count)); k.column_count++)
        k.columns[k.column_count] =
            (struct lp_known_column){lp_arena_strdup(a, c->name), lp_type_name(c->type),
                                     c->unit ? lp_arena_strdup(a, c->unit) : NULL, lp_schema_nullable(before, c)};
    for (size_t i = 0; i < p->count; i++) {
        const char *format = lp_partition_time_format(&p->list[i]);
        k.partitions[i].name = lp_arena_strdup(a, p->list[i].name);
        k.partitions[i].format = format ? lp_arena_strdup(a, format) : NULL;
    }
    return k;
}

static bool memory_same_text(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool memory_same(const struct lp_known *a, const struct lp_known *b)
{
    bool same = a->there == b->there && a->column_count == b->column_count;
    for (size_t i = 0; same && i < a->column_count; i++) {
        const struct lp_known_column *x = &a->columns[i], *y = &b->columns[i];
        same = memory_same_text(x->name, y->name) && memory_same_text(x->type, y->type) &&
               memory_same_text(x->unit, y->unit) && x->nullable == y->nullable;
    }
    return same;
}

static enum lp_code memory_inspect(struct lp_catalog *c, const struct lp_table *t, struct lp_err *err)
{
    return lp_schema_compare(t, &((struct memory_catalog *)c)->tables->known, err);
}

static enum lp_code memory_publish(struct lp_catalog *c, const struct lp_table *t, const char *const *partitions,
                                   size_t count, struct lp_err *err)
{
    struct memory_tables *tables = ((struct memory_catalog *)c)->tables;
    (void)partitions, (void)count;
    LP_TRY(memory_inspect(c, t, err));
    struct lp_known now = memory_know(&tables->arena, t, &tables->known);
    if (memory_same(&now, &tables->known)) return LP_OK;
    tables->known = now;
    tables->writes++;
    return LP_OK;
}

static void memory_catalog_free(struct lp_catalog *c)
{
    free(c);
}

struct lp_catalog *memory_catalog_new(struct memory_tables *tables)
{
    static const struct lp_catalog_ops ops = {"memory", memory_inspect, memory_publish, memory_catalog_free};
    struct memory_catalog *m = calloc(1, sizeof *m);
    if (!m) abort();
    m->catalog.ops = &ops;
    m->tables = tables;
    return &m->catalog;
}
