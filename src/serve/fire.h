/* fire.h — one slot of one pipeline, run in a process of its own.
 * Model:   the child reads the kept text again, runs it unless the slot has been written already, and answers with what became
 *          of it. A crash, a leak or a hanging disk is the child's alone. Past its time limit, or when the service ends, it is asked
 *          to stop, so that it can still write its record, and is killed LP_FIRE_GRACE_MS later.
 * Owns:    the errand, until lp_firing_release.
 * Units:   milliseconds; instants in microseconds UTC.
 * Errors:  those of an errand; what the run came to is in the report.
 * Threads: one thread.
 */
#ifndef LP_SERVE_FIRE_H
#define LP_SERVE_FIRE_H

#include "pipeline/record.h"
#include "base/errand.h"
#include "serve/roster.h"

#define LP_FIRE_GRACE_MS 30000

/* What became of it, as the child sends it. */
struct lp_fire_report {
    uint32_t code; /* of the run */
    uint32_t status; /* of enum lp_run_status */
    uint32_t was_written; /* before; it was left alone */
    int64_t duration_ms;
    uint64_t rows, quarantined, failed, retries;
    char error[600]; /* the first failure; "" when there is none */
    char said[400];  /* for people who read the log: who could not be told; "" when there is nothing to say */
    char notice[400]; /* notify: { to: stderr }, which is the log here; "" */
};

struct lp_firing {
    struct lp_served *served;
    struct lp_fire fire;
    struct lp_errand *errand;
    int64_t began_us;                /* by the wall clock */
    int64_t stop_us;                 /* monotonic: when it is asked to stop */
    bool asked;
};

enum lp_code lp_firing_start(struct lp_firing *f, struct lp_errands *all, const struct lp_roster *r, int64_t now_us,
                             struct lp_err *err) LP_CHECKED;
/* True when it has ended: *report is filled then, *outcome is what the agenda is told. */
bool lp_firing_turn(struct lp_firing *f, struct lp_fire_report *report, enum lp_fire_outcome *outcome);
/* Asks it to stop, with its record written. */
void lp_firing_stop(struct lp_firing *f);
/* When to turn it without anything to read. */
int64_t lp_firing_until_us(const struct lp_firing *f);
void lp_firing_release(struct lp_firing *f);

#endif
