/* keeper.h — which of several services over one lake fires: the one that holds a lock there.
 * Model:   a child process takes the lock and keeps it as a lease of LP_KEEPER_LEASE_S seconds, as long as this process is there
 *          and not stopped; where another service has it, it goes on trying. The lock is named after the pipelines that are
 *          served, so that services for different pipelines do not wait for each other. It only decides who fires: that no slot
 *          is written twice is seen to by the slot's own lock and record.
 * Owns:    the child, until lp_keeper_free, which lets go of the lock.
 * Units:   –
 * Errors:  what the lake says is the keeper's state and `why`; LP_NOMEM, LP_IO when there is no child to be had.
 * Threads: one thread.
 */
#ifndef LP_SERVE_KEEPER_H
#define LP_SERVE_KEEPER_H

#include "base/errand.h"
#include "serve/roster.h"

#define LP_KEEPER_LEASE_S 40
#define LP_KEEPER_ANSWER_S 30 /* a lake that has not said anything by then is away */

enum lp_keeper_state {
    LP_KEEPER_ASKS,  /* nothing is known yet */
    LP_KEEPER_HOLDS, /* this service fires */
    LP_KEEPER_WAITS, /* another one does */
    LP_KEEPER_AWAY   /* the lake cannot be asked */
};

struct lp_keeper {
    char *lake;
    uint64_t group; /* of the pipelines' names */
    enum lp_keeper_state state;
    char *told; /* used by those who tell: what was said of it last; NULL: nothing */
    char *why; /* AWAY, WAITS: what the lake said */
    struct lp_errand *errand; /* NULL: it is to be started again at again_us */
    int64_t again_us;         /* monotonic */
    int64_t answer_by_us;     /* monotonic: when the lake counts as away if nothing was heard; INT64_MAX: it was */
    bool unheard;             /* the state has changed since the last turn */
    bool wanted;              /* used by those who keep a list of them */
};

/* `any` is a pipeline of that lake. */
enum lp_code lp_keeper_start(struct lp_keeper *k, struct lp_errands *all, const struct lp_roster *r, const struct lp_served *any,
                             struct lp_err *err) LP_CHECKED;
/* Takes what the child says; true when the state has changed. */
bool lp_keeper_turn(struct lp_keeper *k);
/* It cannot be started, or has ended: the lake is away for a while. */
void lp_keeper_fail(struct lp_keeper *k, const char *why);
/* For another group: nothing is known yet. */
void lp_keeper_reset(struct lp_keeper *k);
/* So that several end side by side; then lp_keeper_release. */
void lp_keeper_ask_to_end(const struct lp_keeper *k);
void lp_keeper_release(struct lp_keeper *k);

#endif
