/* sink.h — the `sink` section: where rows go, in what form, in which folders.
 * Model:   a directory or a bucket with a table in it, partitioned by texts of the run or by a column's value; or one file, which
 *          each run replaces.
 * Owns:    everything lies in the arena of the definition.
 * Errors:  faults with place.
 * Threads: read only once bound.
 */
#ifndef LP_LAKE_SINK_H
#define LP_LAKE_SINK_H

#include "config/field.h"
#include "lake/store.h"
#include "table/rowfile.h"

#define LP_PARTITIONS_MAX 8

struct lp_partition {
    const char *name;
    struct lp_template value;         /* used when column is -1 */
    ptrdiff_t column;                 /* the column whose value it is, or -1 */
    const char *column_name, *format; /* of the column's time; NULL without */
    const struct lp_node *node;
};

struct lp_partitions {
    struct lp_partition list[LP_PARTITIONS_MAX];
    size_t count;
};

struct lp_catalog_name {
    const char *database, *table;
};

struct lp_sink {
    const char *to;
    int format; /* enum lp_format */
    bool format_given;
    struct lp_partitions partitions;
    struct lp_catalog_name catalog;
    struct lp_s3_options s3; /* counts where `to` is s3:// */
    const struct lp_node *node;
    /* made of `to` by lp_sink_bind */
    const char *root;      /* the directory, or s3://bucket/prefix */
    const char *file_name; /* the one file in it, or NULL */
};

extern const struct lp_fields lp_sink_fields;

void lp_sink_bind(struct lp_reading *r, struct lp_sink *s, const char *pipeline, const struct lp_columns *columns,
                  const struct lp_variables *v);
/* The address of --to instead of the file's. */
enum lp_code lp_sink_redirect(struct lp_sink *s, struct lp_arena *a, const char *to, struct lp_err *err) LP_CHECKED;
/* Do all rows of a run go to the same partition? */
bool lp_sink_one_partition(const struct lp_sink *s);

#endif
