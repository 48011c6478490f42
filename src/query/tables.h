/* tables.h — the tables of a lake, as its own catalogue tells of them: for those who read the lake.
 * Model:   every _catalog/<database>/<table>.json is a table. Its files lie below `location` in one folder per partition
 *          column (dt=…/), or `location` is the one file. Sorted by database and table.
 * Owns:    the list and its texts lie in the arena of the struct; {0} is an empty list.
 * Units:   –
 * Errors:  LP_DATA for an entry that is none, naming it; LP_LIMIT, LP_NOMEM, the store's.
 * Threads: one thread.
 */
#ifndef LP_QUERY_TABLES_H
#define LP_QUERY_TABLES_H

#include "lake/sink.h"
#include "lake/store.h"

struct lp_lake_column {
    const char *name, *unit, *description; /* the latter two NULL: none */
    enum lp_type type;
    bool nullable;
};

struct lp_lake_table {
    const char *database, *name, *description, *pipeline; /* description and pipeline may be NULL */
    const char *location;
    bool parquet, one_file;
    struct lp_lake_column *columns;
    size_t column_count;
    const char *partitions[LP_PARTITIONS_MAX];
    size_t partition_count;
};

/* Only these partitions, of tables that have them: a value, or a pattern with '*'. */
struct lp_where {
    struct {
        char *name, *pattern; /* owned; the pattern escaped as the names of folders are */
    } list[LP_PARTITIONS_MAX];
    size_t count;
};
/* "dt=2012-10-*" */
enum lp_code lp_where_add(struct lp_where *w, const char *text, struct lp_err *err) LP_CHECKED;
void lp_where_release(struct lp_where *w);
/* The pattern for a partition; "*" where there is none. */
const char *lp_where_of(const struct lp_where *w, const char *partition);

bool lp_where_fits(const struct lp_where *w, const char *partition, const char *value, size_t len);

struct lp_tables {
    struct lp_arena arena;
    struct lp_lake_table *list;
    size_t count, cap;
};

enum lp_code lp_tables_read(struct lp_tables *t, struct lp_store *store, struct lp_err *err) LP_CHECKED;
/* What a pipeline would write, unless the catalogue has it already. Its texts are borrowed. */
enum lp_code lp_tables_add(struct lp_tables *t, const struct lp_sink *sink, const char *pipeline,
                           const char *description, const struct lp_columns *columns, struct lp_err *err) LP_CHECKED;
void lp_tables_release(struct lp_tables *t);

/* Those whose names occur in the SQL, all when none does: what has to be reached to answer it. *out borrows from t. */
enum lp_code lp_tables_named(const struct lp_tables *t, const char *sql, struct lp_tables *out,
                             struct lp_err *err) LP_CHECKED;
/* Is there another table of this name in another database? */
bool lp_tables_is_ambiguous(const struct lp_tables *t, size_t index);
/* What the keys of its files begin with in a bucket. */
void lp_lake_table_put_prefix(const struct lp_lake_table *t, struct lp_buf *out);
/* Does the key name one of the table's files, in a partition that is wanted? where may be NULL. */
bool lp_lake_table_owns(const struct lp_lake_table *t, const struct lp_where *where, const char *key);
/* ".csv" or ".parquet" */
const char *lp_lake_table_ending(const struct lp_lake_table *t);

#endif
