/* batch.h — some rows, column by column, with what is wrong with each.
 * Model:   at most row_cap rows of one reply; per column one array of values and one of null marks. A row with a
 *          failure is bad: it goes to quarantine instead of the data.
 * Owns:    arrays and texts lie in the batch's arena; `source` points into the reply's JSON tree, borrowed until the
 *          next reply.
 * Units:   as in columns.h.
 * Errors:  LP_LIMIT, LP_NOMEM from the arena.
 * Threads: one thread per batch.
 */
#ifndef LP_TABLE_BATCH_H
#define LP_TABLE_BATCH_H

#include "base/arena.h"
#include "base/json.h"
#include "table/columns.h"

#define LP_BATCH_ROWS 1024

struct lp_cells {
    bool *null;
    union {
        struct lp_slice *text; /* string */
        int64_t *i64;          /* bigint, timestamp, date */
        double *f64;
        bool *boolean;
    } of;
};

/* One failure case, in Pandera's words; the case is JSON text. */
struct lp_failure {
    struct lp_failure *next;
    const char *column, *check, *failure_case;
};

struct lp_batch {
    const struct lp_columns *columns;
    struct lp_arena arena;
    struct lp_cells *cells; /* one per column */
    size_t row_count, row_cap;
    size_t bad_count;
    struct lp_failure **failures; /* per row: the first of its list, in order; NULL for a good row */
    const json_t **source;        /* per row: the element it was made from */
};

/* Room for row_cap rows, at most LP_BATCH_ROWS. */
enum lp_code lp_batch_init(struct lp_batch *b, const struct lp_columns *columns, size_t row_cap,
                           struct lp_err *err) LP_CHECKED;
/* Forgets the rows and makes room for row_cap new ones in the same memory. */
enum lp_code lp_batch_clear(struct lp_batch *b, size_t row_cap, struct lp_err *err) LP_CHECKED;
void lp_batch_release(struct lp_batch *b);
/* Notes a failure of a row; check and failure_case are copied. */
enum lp_code lp_batch_fail(struct lp_batch *b, size_t row, const char *column, const char *check,
                           const char *failure_case, struct lp_err *err) LP_CHECKED;
/* A cell's value as JSON (null, 5, "text", "2026-11-22T18:00:00Z"). */
void lp_batch_put_cell_json(const struct lp_batch *b, size_t column, size_t row, struct lp_buf *out);
/* A cell's value as the plain text that CSV and people see; nothing for NULL. */
void lp_batch_put_cell_text(const struct lp_batch *b, size_t column, size_t row, struct lp_buf *out);

#endif
