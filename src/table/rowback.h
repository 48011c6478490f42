/* rowback.h — rows out of a file that this program wrote, whatever its format: the way back of rowfile.h.
 * Model:   open → next*, then free. What comes back is what was written, value by value: written again by the same format it
 *          gives the same bytes.
 * Owns:    the reader, until free. Columns and bytes are borrowed until then.
 * Units:   bytes, rows.
 * Errors:  LP_DATA: the bytes are not such a file, or not of these columns; LP_LIMIT, LP_NOMEM.
 * Threads: one reader per thread.
 */
#ifndef LP_TABLE_ROWBACK_H
#define LP_TABLE_ROWBACK_H

#include "table/rowfile.h"

struct lp_rowback {
    const struct lp_rowback_ops *ops;
    const struct lp_columns *columns;
};
struct lp_rowback_ops {
    /* Clears the batch and fills it with at most so many rows, and at most LP_BATCH_ROWS; *more is false at the end. */
    enum lp_code (*next)(struct lp_rowback *r, uint64_t most_rows, struct lp_batch *b, bool *more, struct lp_err *err);
    void (*free)(struct lp_rowback *r);
};

enum lp_code lp_rowback_open(enum lp_format f, const struct lp_columns *columns, const void *bytes, size_t len,
                             struct lp_rowback **out, struct lp_err *err) LP_CHECKED;
void lp_rowback_free(struct lp_rowback **r); /* *r may be NULL */

/* A home each: rowback_csv.c; parquet_back.c, or parquet_none.c in a build without carquet. */
enum lp_code lp_rowback_csv(const struct lp_columns *columns, const void *bytes, size_t len, struct lp_rowback **out,
                            struct lp_err *err) LP_CHECKED;
enum lp_code lp_rowback_parquet(const struct lp_columns *columns, const void *bytes, size_t len, struct lp_rowback **out,
                                struct lp_err *err) LP_CHECKED;

#endif
