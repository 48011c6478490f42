/* merge_shares.h — the shares of a slot, as merge.c sees them.
 * Model:   each is in one of five states, by its record and by the slot's. What those that count came to is added to the
 *          record and the judge; what failed shares have to say becomes failures.
 * Owns:    the list of shares and of keys; record, judge and store are borrowed.
 * Units:   microseconds UTC.
 * Errors:  LP_DATA (a record that cannot be read), LP_LOCKED (the slot's lock is lost), those of the store, LP_NOMEM.
 * Threads: one thread (JSON).
 */
#ifndef LP_PIPELINE_MERGE_SHARES_H
#define LP_PIPELINE_MERGE_SHARES_H

#include "base/lines.h"
#include "pipeline/definition.h"
#include "pipeline/record.h"

enum lp_share_state {
    LP_SHARE_ABSENT,   /* it left no record */
    LP_SHARE_FAILED,   /* its record says so */
    LP_SHARE_OUTDATED, /* the slot was run whole since */
    LP_SHARE_REFUSED,  /* its rows were refused with those of the others, and it has not been run again */
    LP_SHARE_COUNTS
};
struct lp_share {
    enum lp_share_state state;
    char run_id[64];
};

struct lp_shares {
    const struct lp_pipeline *pipeline;
    struct lp_store *store;
    struct lp_lock *lock; /* of the slot */
    struct lp_record *rec;
    struct lp_judge *judge;
    int64_t slot_us, whole_us;    /* when the slot was last run whole; 0: it was not */
    const struct lp_lines *refused; /* runs */
    struct lp_share *list;
    uint64_t count, of_state[LP_SHARE_COUNTS + 1];
    struct lp_buf kept; /* data files that stand although their share failed, one per line */
    struct lp_buf gone; /* keys of data files that were removed, one per line */
    size_t failure_bytes;
};

/* Reads all records, and adds up those that count. */
enum lp_code lp_shares_read(struct lp_shares *s, struct lp_err *err) LP_CHECKED;
/* Adds up those that were refused: for a slot of which nothing else is left. */
enum lp_code lp_shares_add_refused(struct lp_shares *s, struct lp_err *err) LP_CHECKED;
/* Removes the data files of those in this state. A share that was or is being run again is left alone; that one cannot be
 * freed of its files is a failure in the record, and ends it. */
enum lp_code lp_shares_withdraw(struct lp_shares *s, enum lp_share_state of, struct lp_err *err) LP_CHECKED;
void lp_shares_release(struct lp_shares *s);

#endif
