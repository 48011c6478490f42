/* tables.h — tables as pipelines declare them, from words. Included by the programs that use it.
 * Owns:    a definition owns all that it points to, until forget.
 */
#ifndef LP_TESTS_UNIT_TABLES_H
#define LP_TESTS_UNIT_TABLES_H

#include "lake/catalog.h"

/* A pipeline's table, from words: "city:string n:bigint? t:double/celsius>fahrenheit", '?' for nullable. */
struct definition {
    struct lp_arena arena;
    struct lp_columns columns;
    struct lp_sink sink;
    struct lp_layout layout;
    struct lp_table table;
};

static inline void add_column(struct definition *d, char *word)
{
    struct lp_column *c = &d->columns.list[d->columns.count++];
    char *type = strchr(word, ':'), *unit = strchr(word, '/'), *arrow = unit ? strchr(unit, '>') : NULL;
    *type++ = '\0';
    if (unit) *unit++ = '\0';
    if (arrow) *arrow++ = '\0';
    size_t len = strlen(type);
    c->name = word;
    c->nullable = type[len - 1] == '?';
    if (c->nullable) type[len - 1] = '\0';
    while (strcmp(lp_type_name(c->type), type)) c->type++;
    c->type_known = true;
    c->unit = arrow ? arrow : unit;
    c->unit_from = arrow ? unit : NULL;
}

/* A partition without a format is made of text. */
static inline void add_partition(struct definition *d, const char *name, const char *format)
{
    struct lp_partition *p = &d->sink.partitions.list[d->sink.partitions.count++];
    *p = (struct lp_partition){.name = name, .column = -1};
    p->value.part_count = 1;
    p->value.parts = lp_arena_zalloc(&d->arena, sizeof *p->value.parts);
    if (format) *p->value.parts = (struct lp_template_part){.variable = LP_VARIABLE_SLOT, .format = format};
    else *p->value.parts = (struct lp_template_part){.text = "x", .len = 1};
}

static inline struct definition *define(const char *words)
{
    struct definition *d = calloc(1, sizeof *d);
    assert_non_null(d);
    char *rest = lp_arena_strdup(&d->arena, words);
    d->columns.list = lp_arena_zalloc(&d->arena, 16 * sizeof *d->columns.list);
    for (char *word; (word = strsep(&rest, " "));) add_column(d, word);
    d->sink.catalog = (struct lp_catalog_name){"lake", "weather"};
    d->layout = (struct lp_layout){.sink = &d->sink, .pipeline = "us-weather", .slot_us = INT64_C(1349114400000000)};
    d->table = (struct lp_table){&d->layout, &d->columns, "Weather"};
    return d;
}

static inline struct definition *define_parquet(const char *words)
{
    struct definition *d = define(words);
    d->sink.format = LP_FORMAT_PARQUET;
    return d;
}

static inline void forget(struct definition *d)
{
    lp_arena_release(&d->arena);
    free(d);
}

#endif
