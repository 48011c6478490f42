/* catalog_glue.h — tables in AWS Glue, as Athena reads them: what its files share.
 * Model:   Parquet files are one table. Athena's CSV readers know text only, so CSV files are two: <table>_text over the
 *          files, and under the table's own name a view that gives each column its type. Partitions that are one time of
 *          the slot are computed by the reader (partition projection); all others are named one by one. Names are
 *          lower-case, with _ for -. A parameter marks what this program made; nothing else is ever changed. Columns carry
 *          their unit, and whether they may be NULL, as parameters of their own.
 * Owns:    nothing; a shape borrows all it points to.
 * Units:   –
 * Errors:  as in catalog.h; LP_AUTH, LP_BUSY, LP_REMOTE from Glue. LP_CONFIG for a table that somebody else made.
 * Threads: one thread.
 */
#ifndef LP_LAKE_CATALOG_GLUE_H
#define LP_LAKE_CATALOG_GLUE_H

#include "base/json.h"
#include "lake/catalog_schema.h"

#define LP_GLUE_MARK          "lambda_pipeline" /* the parameter; its value is the pipeline that made the table */
#define LP_GLUE_NAME_BYTES    256
#define LP_GLUE_CODE_BYTES    80
#define LP_GLUE_PATTERN_BYTES 64

/* How Glue is asked; given by who makes the catalogue. The answer is JSON, `code` AWS's own word for an error, "" without. */
struct lp_glue {
    enum lp_code (*call)(void *who, const char *operation, const struct lp_buf *body, struct lp_buf *answer,
                         char code[LP_GLUE_CODE_BYTES], struct lp_err *err);
    void *who;
};
/* root is where the lake lies: s3://bucket/prefix. Both are borrowed. */
enum lp_code lp_catalog_glue_new(const struct lp_glue *glue, const char *root, struct lp_catalog **out,
                                 struct lp_err *err) LP_CHECKED;
/* Why a table cannot stand in Glue, what to do, and the place in the file, which may be NULL; false when it can. */
bool lp_glue_objection(const struct lp_sink *s, const struct lp_columns *columns, struct lp_buf *what,
                       const char **remedy, const struct lp_node **place);

struct lp_glue_shape { /* what a table in Glue is made from */
    const struct lp_table *table;
    const struct lp_known *known; /* of it already */
    const char *root;
    char database[LP_GLUE_NAME_BYTES], name[LP_GLUE_NAME_BYTES], files_name[LP_GLUE_NAME_BYTES];
    const char *mark;  /* that is there; NULL: none yet */
    const char *range; /* of the projection that is there; NULL: none yet */
    bool registers;    /* partitions are named one by one */
};
void lp_glue_put_name(const char *name, const char *ending, char out[LP_GLUE_NAME_BYTES]);
bool lp_glue_is_csv(const struct lp_glue_shape *s);
/* A TableInput: of the table over the files, and of the view over that. */
void lp_glue_put_files(const struct lp_glue_shape *s, struct lp_buf *out);
void lp_glue_put_view(const struct lp_glue_shape *s, struct lp_buf *out);
void lp_glue_put_view_sql(const struct lp_glue_shape *s, struct lp_buf *out);
/* ["2012-10-01"] for "dt=2012-10-01/", and a PartitionInput. */
void lp_glue_put_values(struct lp_json_writer *w, const char *key, const char *partition);
void lp_glue_put_partition(const struct lp_glue_shape *s, const char *partition, struct lp_buf *out);
/* "s3://bucket/prefix/weather/" */
void lp_glue_put_location(const struct lp_glue_shape *s, struct lp_buf *out);
/* "°F; Air temperature at 2 m", as long as Glue takes it. */
void lp_glue_put_comment(const struct lp_column *c, struct lp_buf *out);

/* Does `there` say all that `wanted` says? What else it says is somebody else's business. */
bool lp_glue_covers(const json_t *there, const json_t *wanted);
/* Makes the partitions known. One that is there already gets the columns that came since, or readers would not see them
 * in its new files (catalog_glue_parts.c). */
enum lp_code lp_glue_name_partitions(const struct lp_glue_shape *s, const struct lp_glue *glue,
                                     const char *const *partitions, size_t count, struct lp_err *err) LP_CHECKED;

/* How a reader computes the partitions. */
struct lp_glue_projection {
    const char *column;                  /* as written */
    const char *format;                  /* strftime's */
    char pattern[LP_GLUE_PATTERN_BYTES]; /* Java's */
    const char *unit;                    /* MONTHS, DAYS, HOURS */
};
/* False when they cannot be computed. */
bool lp_glue_project(const struct lp_sink *s, struct lp_glue_projection *out);

#endif
