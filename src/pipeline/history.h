/* history.h — how the slots before this one went, from their records.
 * Model:   read back from this slot until one that worked is found, LP_HISTORY_RECORDS records at most; the shards of a
 *          slot have histories of their own. A slot that wrote some rows (partial) worked.
 * Owns:    nothing.
 * Units:   microseconds UTC.
 * Errors:  what the store says; a record that cannot be read counts as none.
 * Threads: as the store's.
 */
#ifndef LP_PIPELINE_HISTORY_H
#define LP_PIPELINE_HISTORY_H

#include "lake/layout.h"
#include "lake/store.h"

#define LP_HISTORY_RECORDS 50

struct lp_history {
    bool known;
    /* A success of this slot is the first after a failure: this slot's own earlier record, else the last one before it
     * that is not partial, says failed. */
    bool recovers;
    bool failed_here;       /* this slot's own earlier record says failed */
    uint64_t failed_in_row; /* slots directly before this one */
    bool failed_more;       /* at least so many */
    int64_t worked_us;      /* the last slot before this one that worked; INT64_MIN: none is known */
};

/* Before this slot's record is written. */
enum lp_code lp_history_read(struct lp_store *store, const struct lp_layout *l, struct lp_history *out,
                             struct lp_err *err) LP_CHECKED;

#endif
