/* query.h — SQL over a lake: one contract, a file of code per engine.
 * Model:   an engine takes SQL and writes its answer to a descriptor as it comes: CSV with a header as the lake itself has
 *          it (NULL is an empty field, the empty text is ""), JSON (an array of objects per statement), or a table for people.
 *          Nobody reading any more (a closed pipe) ends the question quietly and well.
 * Owns:    an engine owns its state; what it was made of is borrowed for as long as it lives.
 * Units:   –
 * Errors:  an engine that has told on standard error itself what is wrong (DuckDB, with its caret) returns LP_DATA with an
 *          empty text. LP_NOTFOUND when there is no engine to be found, LP_CANCELLED, LP_IO, LP_LIMIT, LP_NOMEM; Athena's
 *          are those of aws.h.
 * Threads: one thread.
 */
#ifndef LP_QUERY_QUERY_H
#define LP_QUERY_QUERY_H

#include "query/tables.h"

enum lp_answer_form { LP_ANSWER_TABLE, LP_ANSWER_CSV, LP_ANSWER_JSON };

struct lp_query;
struct lp_query_ops {
    const char *name;
    enum lp_code (*ask)(struct lp_query *q, const char *sql, enum lp_answer_form form, int fd, struct lp_err *err);
    void (*free)(struct lp_query *q);
};
struct lp_query {
    const struct lp_query_ops *ops;
};
void lp_query_free(struct lp_query *q); /* may be NULL */

/* duckdb.c: DuckDB's own shell as a child. A lake in S3 it reads itself where its httpfs extension can be loaded;
 * else the tables that the SQL names are fetched into a cache. */
struct lp_duckdb_options {
    const struct lp_tables *tables;
    const struct lp_where *where; /* which partitions are looked at; may be NULL */
    struct lp_store *store;
    const char *place;   /* the lake: its folder, or s3://bucket/prefix */
    const char *history; /* folder for the shell's history, made when missing; NULL: none is kept */
    const char *cache;   /* folder for objects of S3; NULL: none */
    void (*tell_fetched)(void *who, uint64_t files, uint64_t bytes); /* before the answer; may be NULL */
    void *who;
};
enum lp_code lp_query_duckdb_new(const struct lp_duckdb_options *o, struct lp_query **out,
                                 struct lp_err *err) LP_CHECKED;
/* Its interactive shell, on this process's terminal, until it is left. */
enum lp_code lp_query_duckdb_shell(struct lp_query *q, struct lp_err *err) LP_CHECKED;
/* The CSV answer in memory instead. */
enum lp_code lp_query_duckdb_take(struct lp_query *q, const char *sql, struct lp_buf *out,
                                  struct lp_err *err) LP_CHECKED;

#endif
