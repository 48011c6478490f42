/* script.h — what DuckDB's shell is told before anybody asks: the tables of a lake, then the lock.
 * Model:   a schema per database, a view per table, columns typed as declared; a table without files is there and empty.
 *          A table's bare name will do where it is unambiguous. Then only the lake's folder can be read or written, no
 *          extension comes from anywhere, no setting can be changed, no command of the shell leaves it. File names are
 *          relative to the lake, where the shell runs, or begin with `base`.
 * Owns:    nothing; all texts are borrowed.
 * Units:   MiB, in the name.
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 */
#ifndef LP_QUERY_SCRIPT_H
#define LP_QUERY_SCRIPT_H

#include "query/tables.h"

struct lp_script_table {
    bool has_files;
    bool may_be_narrow; /* CSV: some files may lack the last columns */
};

struct lp_script {
    const struct lp_tables *tables;
    const struct lp_script_table *states; /* one per table */
    const struct lp_where *where;         /* which partitions; may be NULL */
    const char *base;                     /* "" or "s3://bucket/prefix/" */
    const char *allowed;                  /* all that may be reached: the lake's folder or address */
    const char *spill_folder;             /* where what does not fit into memory goes; NULL: nowhere */
    const char *before;                   /* SQL to begin with: what reaches the lake; NULL: none */
    uint64_t memory_mib, threads;
    bool interactive; /* goes on after an error, also of a table that cannot be read */
};

void lp_script_put(const struct lp_script *s, struct lp_buf *out);

void lp_sql_put_text(const char *text, struct lp_buf *out); /* 'it''s' */
void lp_sql_put_name(const char *name, struct lp_buf *out); /* "at" */
/* BIGINT */
const char *lp_sql_type(enum lp_type type);

#endif
