/* catalog_schema.h — can what a pipeline writes lie beside what a table holds already?
 * Model:   a table may gain nullable columns: rows written before have NULL there. Everything else that readers rely on
 *          stays: names, types, units, partitions, format, place. CSV is also read by position, so there the columns keep
 *          their places and new ones come last; in Parquet, read by name, the catalogue keeps its order and puts new ones
 *          last. A column that was nullable once stays so in the catalogue. A table that is one file is replaced whole by
 *          each run, and may become anything.
 * Owns:    nothing; what is known lies in the arena of who read it.
 * Units:   –
 * Errors:  LP_CONFIG with the column, what it was, what it would be and what to do.
 * Threads: no shared state.
 */
#ifndef LP_LAKE_CATALOG_SCHEMA_H
#define LP_LAKE_CATALOG_SCHEMA_H

#include "lake/catalog.h"

struct lp_known_column {
    const char *name, *type, *unit; /* unit NULL: none */
    bool nullable;
};
struct lp_known_partition {
    const char *name, *format; /* of a time, as strftime has it; NULL: not known */
};
struct lp_known { /* what a catalogue says of a table */
    bool there;
    bool says_units;               /* this catalogue tells units and what may be NULL */
    const char *format, *location; /* NULL: not said */
    struct lp_known_column *columns;
    size_t column_count;
    struct lp_known_partition partitions[LP_PARTITIONS_MAX];
    size_t partition_count; /* may be more than fit */
};

enum lp_code lp_schema_compare(const struct lp_table *t, const struct lp_known *k, struct lp_err *err) LP_CHECKED;

/* The i-th column in the catalogue's order: first those it knows, as it has them, then new ones. Valid after compare. */
const struct lp_column *lp_schema_column(const struct lp_table *t, const struct lp_known *k, size_t i);
/* May the column be NULL, now or in earlier rows? */
bool lp_schema_nullable(const struct lp_known *k, const struct lp_column *c);
const struct lp_known_column *lp_known_find(const struct lp_known *k, const char *name);

const char *lp_table_format(const struct lp_table *t);   /* csv, parquet */
const char *lp_table_location(const struct lp_table *t); /* below the lake: weather, or weather.csv */
/* The strftime format of a partition that is a time; NULL for all others. */
const char *lp_partition_time_format(const struct lp_partition *p);

#endif
