/* extract.h — rows out of a reply.
 * Model:   one row per reply; with `rows` one per element of an array; with `zip` one per position of an object of
 *          arrays. Cells are filled by the columns' paths and templates.
 * Owns:    the cursor borrows the reply; rows of `zip` are made in the batch's arena.
 * Units:   –
 * Errors:  LP_DATA: the reply does not have the rows it should; the item has failed. LP_LIMIT, LP_NOMEM.
 * Threads: one thread.
 */
#ifndef LP_SOURCE_EXTRACT_H
#define LP_SOURCE_EXTRACT_H

#include "source/fetch.h"
#include "table/batch.h"

struct lp_extract {
    const struct lp_source *source;
    const struct lp_reply *reply;
    json_t *list; /* array of rows, or object of arrays; NULL: the reply is the row */
    size_t next, count;
};

enum lp_code lp_extract_begin(struct lp_extract *x, const struct lp_source *s, const struct lp_reply *reply,
                              struct lp_err *err) LP_CHECKED;
/* Fills the batch with the next rows, at most LP_BATCH_ROWS; *more is false when there were none left. */
enum lp_code lp_extract_next(struct lp_extract *x, struct lp_batch *b, bool *more, struct lp_err *err) LP_CHECKED;

#endif
