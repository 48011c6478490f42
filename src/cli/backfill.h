/* backfill.h — one run for each slot of a range, several at a time, and what came of them all.
 * Model:   each run is an errand (base/errand.h): a crash, or the machine's memory, is a failed slot and harms no other. A signal
 *          that asks us to stop is passed on to them once. Nobody is told of such a run (notify): whoever started it looks on.
 *          Slots in their order; one whose record says ok is passed over unless all are wanted. What one slot lacks does not
 *          stop the others; a refusal that every slot would meet (a key, a secret, the file) does. Records are read
 *          LP_BACKFILL_AHEAD slots at a time, so that memory does not depend on the length of the range.
 * Owns:    lp_backfill_release gives back all of it. The pipeline is the caller's.
 * Units:   microseconds UTC, milliseconds, slots, rows.
 * Errors:  those of the store, when the records cannot be read; those of errand.h. Slots that fail are no errors, nor are
 *          those that another run is at work on.
 * Threads: one thread; none other may run.
 */
#ifndef LP_CLI_BACKFILL_H
#define LP_CLI_BACKFILL_H

#include "aws/aws.h"
#include "base/errand.h"
#include "cli/progress.h"
#include "pipeline/past.h"
#include "pipeline/run.h"
#include "schedule/range.h"

#define LP_BACKFILL_AT_ONCE  64
#define LP_BACKFILL_AHEAD    1000
#define LP_BACKFILL_NEAR     32   /* where somebody else is at work on the same slots */
#define LP_BACKFILL_TROUBLES 1000 /* kept with their reasons; all are counted */

struct lp_backfill_trouble {
    int64_t slot_us;
    enum lp_run_status status;
    char *why;
};

/* What came of a run, as its process sends it. */
struct lp_backfill_end {
    int64_t slot_us, duration_ms;
    uint32_t code, status; /* enum lp_code of the run, LP_IO when it ended without a word; enum lp_run_status */
    uint64_t rows;
    char error[LP_ERR_TEXT_BYTES]; /* "": none */
};

struct lp_backfill_run {
    struct lp_errand *errand; /* NULL: free */
    int64_t slot_us;
};

struct lp_backfill {
    struct lp_pipeline *pipeline;
    const struct lp_aws_options *aws; /* each run makes a session of its own of them */
    const char *replay_folder;
    struct lp_range range;
    struct lp_store *store;
    struct lp_errands errands;
    struct lp_backfill_run runs[LP_BACKFILL_AT_ONCE];
    size_t running, at_once;
    bool asked_to_stop; /* they have been told of the signal that came */
    bool all; /* those that are ok already too */
    struct lp_progress *progress;

    struct lp_past past; /* the records of the slots before past_until_us */
    size_t past_at;
    int64_t past_until_us;
    size_t ahead; /* how many slots' records are read at a time */

    uint64_t slots, passed_over, elsewhere; /* elsewhere: another run was at work on them */
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
