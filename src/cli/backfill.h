/* backfill.h — one run for each slot of a range, several at a time, and what came of them all.
 * Model:   slots in their order; one whose record says ok is passed over unless all are wanted. What one slot lacks does not
 *          stop the others; a refusal that every slot would meet (a key, a secret, the file) does. Records are read
 *          LP_BACKFILL_AHEAD slots at a time, so that memory does not depend on the length of the range.
 * Owns:    lp_backfill_release gives back all of it. The pipeline is the caller's.
 * Units:   microseconds UTC, milliseconds, slots, rows.
 * Errors:  those of the store, when the records cannot be read; those of children.h. Slots that fail are no errors.
 * Threads: one thread.
 */
#ifndef LP_CLI_BACKFILL_H
#define LP_CLI_BACKFILL_H

#include "cli/children.h"
#include "cli/progress.h"
#include "pipeline/past.h"
#include "schedule/range.h"

#define LP_BACKFILL_AHEAD    1000
#define LP_BACKFILL_TROUBLES 1000 /* kept with their reasons; all are counted */

struct lp_backfill_trouble {
    int64_t slot_us;
    enum lp_run_status status;
    char *why;
};

struct lp_backfill {
    struct lp_pipeline *pipeline;
    struct lp_range range;
    struct lp_store *store;
    struct lp_children children;
    size_t at_once;
    bool all; /* those that are ok already too */
    struct lp_progress *progress;

    struct lp_past past; /* the records of the slots before past_until_us */
    size_t past_at;
    int64_t past_until_us;

    uint64_t slots, passed_over, started, stopped; /* stopped: by a signal, before they were through */
    uint64_t count[3], rows[3];                    /* by enum lp_run_status */
    int64_t run_ms[3];
    bool given_up; /* what failed would fail for every slot */
    struct lp_backfill_trouble *troubles;
    size_t trouble_count;
};

/* Until all slots are done, or a signal came, or it is given up. */
enum lp_code lp_backfill_work(struct lp_backfill *b, struct lp_err *err) LP_CHECKED;
/* Slots that have not been tried, or were stopped on their way. */
uint64_t lp_backfill_left(const struct lp_backfill *b);
void lp_backfill_release(struct lp_backfill *b);

#endif
