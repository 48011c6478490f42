/* athena.h — SQL answered by Athena, over the tables in Glue.
 * Model:   a question is started under a token of its own, so that a request that is tried again starts nothing twice; then
 *          its state is asked for, ever less often; then its rows come, page by page, or as the CSV object that Athena wrote
 *          when there is more than one page. A question that is not waited for to its end is stopped at Athena too.
 * Owns:    the engine owns nothing but itself; options are borrowed for as long as it lives.
 * Units:   bytes and milliseconds, in the names.
 * Errors:  LP_USAGE when Athena has no place for its answers, LP_DATA for SQL that Athena refuses, in its words; those of
 *          aws.h.
 * Threads: one thread per session.
 */
#ifndef LP_QUERY_ATHENA_H
#define LP_QUERY_ATHENA_H

#include "aws/aws.h"
#include "base/json.h"
#include "query/query.h"

struct lp_athena_progress {
    const char *state;      /* QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED */
    uint64_t scanned_bytes; /* so far */
    int64_t took_ms;
    bool over;
    double dollars; /* about, once it is over: 5 USD per TB, at least 10 MB */
};

struct lp_athena_options {
    struct lp_aws *aws;
    const char *database;  /* for bare names; NULL: none */
    const char *workgroup; /* NULL: primary */
    const char *output;    /* s3://bucket/prefix/ for the answers; NULL: the workgroup's */
    void (*see)(void *who, const struct lp_athena_progress *p); /* may be NULL */
    void *who;
};
enum lp_code lp_query_athena_new(const struct lp_athena_options *o, struct lp_query **out,
                                 struct lp_err *err) LP_CHECKED;

/* ---- what its files share ---- */

struct lp_athena_answer {
    struct lp_aws *aws;
    const char *id;
    bool dml;             /* the first row may repeat the columns' names */
    const char *location; /* s3://bucket/…/id.csv; NULL: managed by Athena */
    enum lp_answer_form form;
    int fd;
};
/* athena_rows.c */
enum lp_code lp_athena_put_rows(const struct lp_athena_answer *a, struct lp_err *err) LP_CHECKED;
/* One call, within limit_ms unless that is 0; the answer's JSON lies in the arena, which is reset first. */
enum lp_code lp_athena_call(struct lp_aws *aws, const char *operation, const struct lp_buf *body, int64_t limit_ms,
                            struct lp_arena *arena, json_t **answer, struct lp_err *err) LP_CHECKED;

#endif
