/* rows.h — the first rows of a run, kept as text for showing.
 * Model:   fed batch by batch; keeps at most `most` rows.
 * Owns:    the cells.
 * Errors:  past memory it shows fewer rows.
 * Threads: one thread.
 */
#ifndef LP_CLI_ROWS_H
#define LP_CLI_ROWS_H

#include "cli/style.h"
#include "table/batch.h"

struct lp_rows {
    const struct lp_columns *columns;
    bool verdicts; /* a last column that says what is wrong; bad rows are kept too */
    const struct lp_style *style;
    size_t most, count;
    uint64_t seen;
    char **cells;
    size_t width; /* cells per row */
};

bool lp_rows_init(struct lp_rows *r, const struct lp_columns *columns, size_t most, bool verdicts,
                  const struct lp_style *style);
/* A see_rows of pipeline/run.h. */
void lp_rows_see(void *rows, const struct lp_batch *b);
void lp_rows_put(const struct lp_rows *r, struct lp_buf *out);
void lp_rows_release(struct lp_rows *r);

#endif
