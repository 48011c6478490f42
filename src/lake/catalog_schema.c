#include "lake/catalog_schema.h"

#include <math.h>

#define NEW_TABLE "write to a new table (sink.catalog.table: %s_2)"

const char *lp_table_format(const struct lp_table *t)
{
    return t->layout->sink->format == LP_FORMAT_PARQUET ? "parquet" : "csv";
}

const char *lp_table_location(const struct lp_table *t)
{
    const struct lp_sink *s = t->layout->sink;
    return s->file_name ? s->file_name : s->catalog.table;
}

const char *lp_partition_time_format(const struct lp_partition *p)
{
    if (p->column >= 0) return p->format;
    const struct lp_template_part *only = p->value.part_count == 1 ? p->value.parts : NULL;
    return only && !only->text && only->variable == LP_VARIABLE_SLOT ? only->format : NULL;
}

const struct lp_known_column *lp_known_find(const struct lp_known *k, const char *name)
{
    for (size_t i = 0; i < k->column_count; i++)
        if (lp_text_equal_ignoring_case(k->columns[i].name, name)) return &k->columns[i];
    return NULL;
}

static ptrdiff_t find_column(const struct lp_columns *columns, const char *name)
{
    for (size_t i = 0; i < columns->count; i++)
        if (lp_text_equal_ignoring_case(columns->list[i].name, name)) return (ptrdiff_t)i;
    return -1;
}

const struct lp_column *lp_schema_column(const struct lp_table *t, const struct lp_known *k, size_t i)
{
    const struct lp_columns *columns = t->columns;
    size_t known = k->there && !t->layout->sink->file_name ? k->column_count : 0;
    if (i < known) return &columns->list[find_column(columns, k->columns[i].name)];
    i -= known;
    for (size_t at = 0; at < columns->count; at++)
        if ((!known || !lp_known_find(k, columns->list[at].name)) && !i--) return &columns->list[at];
    return NULL;
}

bool lp_schema_nullable(const struct lp_known *k, const struct lp_column *c)
{
    const struct lp_known_column *known = k->there ? lp_known_find(k, c->name) : NULL;
    return c->nullable || (known && known->nullable);
}

/* The table's name for people, and for a new one's. */
static const char *database_of(const struct lp_table *t)
{
    return t->layout->sink->catalog.database;
}

static const char *table_of(const struct lp_table *t)
{
    return t->layout->sink->catalog.table;
}

static enum lp_code compare_place(const struct lp_table *t, const struct lp_known *k, struct lp_err *err)
{
    const char *format = lp_table_format(t), *location = lp_table_location(t);
    if (k->format && strcmp(k->format, format))
        return lp_fail(err, LP_CONFIG,
                       "table %s.%s holds %s files and the pipeline writes %s; readers take one or the other: keep "
                       "format: %s, or " NEW_TABLE,
                       database_of(t), table_of(t), k->format, format, k->format, table_of(t));
    if (k->location && strcmp(k->location, location))
        return lp_fail(
            err, LP_CONFIG,
            "table %s.%s lies in %s and the pipeline writes to %s, so readers would miss one of them; keep the "
            "place, or " NEW_TABLE,
            database_of(t), table_of(t), k->location, location, table_of(t));
    return LP_OK;
}

static void put_partitions(const struct lp_known *k, const struct lp_partitions *p, struct lp_buf *out)
{
    size_t count = k ? k->partition_count : p->count;
    for (size_t i = 0; i < count && i < LP_PARTITIONS_MAX; i++)
        lp_buf_printf(out, "%s%s", i ? ", " : "", k ? k->partitions[i].name : p->list[i].name);
    if (!count) lp_buf_puts(out, "nothing");
}

static enum lp_code compare_partitions(const struct lp_table *t, const struct lp_known *k, struct lp_err *err)
{
    const struct lp_partitions *p = &t->layout->sink->partitions;
    bool same = k->partition_count == p->count;
    for (size_t i = 0; i < p->count && same; i++)
        same = lp_text_equal_ignoring_case(k->partitions[i].name, p->list[i].name);
    if (!same) {
        LP_AUTO(lp_buf) was = {.max_bytes = 600}, is = {.max_bytes = 600};
        put_partitions(k, NULL, &was);
        put_partitions(NULL, p, &is);
        return lp_fail(err, LP_CONFIG,
                       "table %s.%s is partitioned by %.200s and the pipeline writes partitions by %.200s; keep "
                       "sink.partition, or " NEW_TABLE,
                       database_of(t), table_of(t), lp_buf_text(&was), lp_buf_text(&is), table_of(t));
    }
    for (size_t i = 0; i < p->count; i++) {
        const char *format = lp_partition_time_format(&p->list[i]), *was = k->partitions[i].format;
        if (was && (!format || strcmp(was, format)))
            return lp_fail(err, LP_CONFIG,
                           "partition %s of table %s.%s is a time written as %s and the pipeline writes %s%s; keep "
                           "sink.partition, or " NEW_TABLE,
                           p->list[i].name, database_of(t), table_of(t), was, format ? "it as " : "something else",
                           format ? format : "", table_of(t));
    }
    return LP_OK;
}

static bool keeps(const struct lp_unit *u, double value)
{
    return fabs(lp_unit_convert(u, value) - value) <= 1e-9 * fmax(1, fabs(value));
}

/* celsius and degC are the same; text that UDUNITS-2 does not know is only itself. */
static enum lp_code same_unit(const char *a, const char *b, bool *same, struct lp_err *err)
{
    struct lp_unit *u = NULL;
    *same = !strcmp(a, b);
    if (*same) return LP_OK;
    enum lp_code code = lp_unit_new(a, b, &u, NULL, err);
    if (code) return code == LP_CONFIG ? LP_OK : code;
    *same = keeps(u, 0) && keeps(u, 1) && keeps(u, 1000);
    lp_unit_free(u);
    return LP_OK;
}

static enum lp_code compare_unit(const struct lp_table *t, const struct lp_known_column *k, const struct lp_column *c,
                                 struct lp_err *err)
{
    /* A unit that only says what the numbers were all along changes none. */
    bool same = !k->unit && !c->unit_from;
    if (k->unit && c->unit) LP_TRY(same_unit(k->unit, c->unit, &same, err));
    if (same) return LP_OK;
    return lp_fail(
        err, LP_CONFIG,
        "column \"%s\" of table %s.%s is in %s and in the pipeline file in %s; numbers of both would be mixed: "
        "keep the unit, give the column another name, or " NEW_TABLE,
        c->name, database_of(t), table_of(t), k->unit ? k->unit : "no unit", c->unit ? c->unit : "no unit",
        table_of(t));
}

/* A column of the table that the pipeline does not have. When there is one new column of its type, that is it perhaps. */
static enum lp_code fail_missing(const struct lp_table *t, const struct lp_known *k, const struct lp_known_column *gone,
                                 struct lp_err *err)
{
    const struct lp_column *fresh = NULL;
    size_t count = 0;
    for (size_t i = 0; i < t->columns->count; i++)
        if (!lp_known_find(k, t->columns->list[i].name)) fresh = &t->columns->list[i], count++;
    bool renamed = count == 1 && !strcmp(lp_type_name(fresh->type), gone->type);
    return lp_fail(
        err, LP_CONFIG,
        "column \"%s\" (%s) of table %s.%s is not in the pipeline file%s%s%s; keep it (with nullable: true and "
        "a from that finds nothing, where it has no value any more), or " NEW_TABLE,
        gone->name, gone->type, database_of(t), table_of(t), renamed ? ", which has a new one, \"" : "",
        renamed ? fresh->name : "", renamed ? "\": a table's columns keep their names" : "", table_of(t));
}

/* The i-th column of the table stands elsewhere in the pipeline's list. */
static enum lp_code fail_order(const struct lp_table *t, const struct lp_known *k, size_t i, struct lp_err *err)
{
    const struct lp_column *instead = &t->columns->list[i];
    if (!lp_known_find(k, instead->name))
        return lp_fail(
            err, LP_CONFIG,
            "column \"%s\" is new to table %s.%s and stands before \"%s\"; CSV files are read by position: move "
            "it to the end of columns, or " NEW_TABLE,
            instead->name, database_of(t), table_of(t), k->columns[i].name, table_of(t));
    return lp_fail(
        err, LP_CONFIG,
        "column %zu of table %s.%s is \"%s\" and in the pipeline file \"%s\"; CSV files are read by position: "
        "keep the order of columns, or " NEW_TABLE,
        i + 1, database_of(t), table_of(t), k->columns[i].name, instead->name, table_of(t));
}

static enum lp_code compare_known_column(const struct lp_table *t, const struct lp_known *k, size_t i,
                                         struct lp_err *err)
{
    const struct lp_known_column *was = &k->columns[i];
    ptrdiff_t at = find_column(t->columns, was->name);
    if (at < 0) return fail_missing(t, k, was, err);
    const struct lp_column *c = &t->columns->list[at];
    const char *type = lp_type_name(c->type);
    if (strcmp(was->type, type))
        return lp_fail(
            err, LP_CONFIG,
            "column \"%s\" of table %s.%s is %s and in the pipeline file %s; files of both could not be read "
            "together: keep type: %s, give the column another name, or " NEW_TABLE,
            c->name, database_of(t), table_of(t), was->type, type, was->type, table_of(t));
    if (k->says_units) LP_TRY(compare_unit(t, was, c, err));
    if (t->layout->sink->format == LP_FORMAT_CSV && (size_t)at != i) return fail_order(t, k, i, err);
    return LP_OK;
}

enum lp_code lp_schema_compare(const struct lp_table *t, const struct lp_known *k, struct lp_err *err)
{
    if (!k->there) return LP_OK;
    bool was_file = k->location && strchr(k->location, '.');
    if (t->layout->sink->file_name && was_file) return LP_OK;
    LP_TRY(compare_place(t, k, err));
    LP_TRY(compare_partitions(t, k, err));
    for (size_t i = 0; i < k->column_count; i++) LP_TRY(compare_known_column(t, k, i, err));
    for (size_t i = 0; i < t->columns->count; i++) {
        const struct lp_column *c = &t->columns->list[i];
        if (c->nullable || lp_known_find(k, c->name)) continue;
        return lp_fail(
            err, LP_CONFIG,
            "column \"%s\" (%s) is new to table %s.%s, whose earlier rows have no value there; write nullable: "
            "true, or " NEW_TABLE,
            c->name, lp_type_name(c->type), database_of(t), table_of(t), table_of(t));
    }
    return LP_OK;
}
