/* catalog.h — what the tables of a lake are, where readers look for it: one contract, a file of code per home.
 * Model:   inspect reads what the catalogue says of a table and decides whether what the pipeline is about to write can
 *          lie beside it; that is before anything is fetched. publish, after the data, makes the table, changes what has to
 *          change and names new partitions; where nothing changed it writes nothing. Every lake keeps a small file per
 *          table (catalog_file.c), so that it tells of itself wherever it lies. A lake in a bucket whose pipeline file has
 *          sink.catalog stands in AWS Glue as well (catalog_glue.c).
 * Owns:    a catalogue owns what it read. The table's parts are borrowed.
 * Units:   –
 * Errors:  LP_CONFIG when the table there and the pipeline's do not go together (catalog_schema.h), LP_DATA for an entry
 *          that cannot be read, else the home's.
 * Threads: one thread.
 */
#ifndef LP_LAKE_CATALOG_H
#define LP_LAKE_CATALOG_H

#include "aws/aws.h"
#include "lake/output.h"

struct lp_table { /* what a pipeline says of its table */
    const struct lp_layout *layout;
    const struct lp_columns *columns;
    const char *description; /* may be NULL */
};

struct lp_catalog;
struct lp_catalog_ops {
    const char *name;
    enum lp_code (*inspect)(struct lp_catalog *c, const struct lp_table *t, struct lp_err *err);
    /* The partitions that have new files: "dt=2012-10-01/". What was not inspected is inspected first. */
    enum lp_code (*publish)(struct lp_catalog *c, const struct lp_table *t, const char *const *partitions, size_t count,
                            struct lp_err *err);
    void (*free)(struct lp_catalog *c);
};
struct lp_catalog {
    const struct lp_catalog_ops *ops;
};

/* Does the table stand in Glue? */
bool lp_catalog_in_glue(const struct lp_sink *s);
/* As CSV there, which has its limits: see catalog_glue.h. */
bool lp_catalog_in_glue_as_csv(const struct lp_sink *s);
/* Faults for what Glue does not take. */
void lp_catalog_bind(struct lp_reading *r, const struct lp_sink *s, const struct lp_columns *columns);

/* catalog_file.c: _catalog/<database>/<table>.json in the lake itself. */
enum lp_code lp_catalog_file_new(struct lp_store *store, struct lp_catalog **out, struct lp_err *err) LP_CHECKED;

/* All catalogues that a run's table stands in. {0} is none. */
struct lp_catalogs {
    struct lp_table table;
    struct lp_catalog *list[2];
    size_t count;
};
/* aws may be NULL when the table does not stand in Glue. */
enum lp_code lp_catalogs_open(struct lp_catalogs *c, const struct lp_table *t, struct lp_store *store,
                              struct lp_aws *aws, struct lp_err *err) LP_CHECKED;
enum lp_code lp_catalogs_inspect(struct lp_catalogs *c, struct lp_err *err) LP_CHECKED;
enum lp_code lp_catalogs_publish(struct lp_catalogs *c, const struct lp_output *o, struct lp_err *err) LP_CHECKED;
void lp_catalogs_release(struct lp_catalogs *c);

#endif
