/* look.h — what the lake says of the past of the pipelines that are served.
 * Model:   a child process reads the records of some pipelines of one lake: the last ones for the strip on the page, and which slots have
 *          one, for what was missed. The answer goes into board and agenda.
 * Owns:    nothing beyond an errand's answer.
 * Units:   microseconds UTC.
 * Errors:  of a pipeline: its past_fault; of the child: those of an errand.
 * Threads: one thread.
 */
#ifndef LP_SERVE_LOOK_H
#define LP_SERVE_LOOK_H

#include "base/errand.h"
#include "serve/roster.h"

#define LP_LOOK_BATCH 64

struct lp_look {
    struct lp_served *list[LP_LOOK_BATCH];
    int64_t active_us[LP_LOOK_BATCH]; /* since when each of them fires, as it was asked */
    size_t count;
    struct lp_errand *errand;
};

/* Of those in the list. */
enum lp_code lp_look_start(struct lp_look *l, struct lp_errands *all, const struct lp_roster *r, int64_t now_us,
                           struct lp_err *err) LP_CHECKED;
/* True when it has ended; all that it was for are `looked` then, or have a past_fault. Slots that were missed
 * are put on the agendas of those that fire. */
bool lp_look_turn(struct lp_look *l);
void lp_look_release(struct lp_look *l);

#endif
