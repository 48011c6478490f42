/* agenda.h — when to run what: the slots of one pipeline that are due, that wait for their turn, that are at work.
 * Model:   pure arithmetic over instants that it is told; no clock, file or process is touched. Each slot is decided once:
 *          it is run, or left out by rule. A slot up to LP_LATE_US late is on time; older ones were missed, and `catch_up`
 *          says what becomes of them. A clock that goes forward, as after a sleep, makes slots late or missed; one that goes
 *          back by more than a minute makes the agenda begin anew there, and that slots are met twice does no harm: whoever
 *          runs one leaves it alone when it has its record.
 * Owns:    its list of waiting slots; expression, zone and rules are borrowed.
 * Units:   microseconds UTC.
 * Errors:  LP_NOMEM; the slot concerned is then met again.
 * Threads: one thread.
 */
#ifndef LP_SERVE_AGENDA_H
#define LP_SERVE_AGENDA_H

#include "schedule/expression.h"
#include "schedule/schedule.h"

#define LP_LATE_US        INT64_C(120000000)
#define LP_BUSY_US        INT64_C(10000000) /* a slot that another process runs is looked at again */
#define LP_AGENDA_WAITING 1000 /* slots that wait at most, per pipeline: the oldest is left out */

enum lp_left_out { LP_LEFT_OUT_BY_OVERLAP, LP_LEFT_OUT_BY_CATCH_UP, LP_LEFT_OUT_BY_NUMBER };

enum lp_fire_outcome {
    LP_FIRE_DONE,      /* ran, and all or some was written */
    LP_FIRE_FAILED,    /* worth another try */
    LP_FIRE_REFUSED,   /* failed, and would fail again: the file, the keys */
    LP_FIRE_ELSEWHERE, /* the slot has its record already */
    LP_FIRE_BUSY,      /* another process runs it at this moment: whether that leaves a record is to be seen */
};

struct lp_fire {
    int64_t slot_us;
    int64_t not_before_us;
    unsigned tries;  /* that came before this one */
    unsigned waits;  /* how often another process was found at it */
    bool caught_up;  /* it was missed in its time */
};

struct lp_agenda {
    const struct lp_schedule *rules;
    const struct lp_expression *expression;
    const struct lp_zone *zone;
    uint64_t seed;      /* of the jitter: the pipeline's own */
    int64_t decided_us; /* all slots up to here are decided */
    int64_t next_us;    /* the first behind it; INT64_MAX: there is none */
    struct lp_fire *waiting; /* in the order of their slots */
    size_t waiting_count, waiting_cap;
    unsigned at_work, on_time_at_work; /* those that were not caught up */
    int64_t taken_us;   /* the newest slot that was */
    uint64_t left_out;  /* since the beginning */
    enum lp_left_out left_out_why; /* the last one */
};

/* From now on: what lies before is decided. */
void lp_agenda_init(struct lp_agenda *a, const struct lp_schedule *rules, const struct lp_expression *e,
                    const struct lp_zone *z, uint64_t seed, int64_t now_us);
/* What lies before now is decided: another expression counts from here on, or the records say what was missed. What waits
 * and is at work stays. */
void lp_agenda_begin_at(struct lp_agenda *a, int64_t now_us);
/* The same, and what waits is dropped: somebody else is at it. */
void lp_agenda_restart(struct lp_agenda *a, int64_t now_us);
/* Nothing is due any more; what is at work may end. */
void lp_agenda_stop(struct lp_agenda *a);
void lp_agenda_release(struct lp_agenda *a);

/* Takes in what has come due. */
enum lp_code lp_agenda_look(struct lp_agenda *a, int64_t now_us, struct lp_err *err) LP_CHECKED;
/* What was missed before the agenda began, or while others did the work: the slots with a record, sorted, of those from
 * lp_agenda_past on; has_older: there are records before it. Slots since `since_us` are due even when nothing was ever run. */
enum lp_code lp_agenda_catch_up(struct lp_agenda *a, const int64_t *recorded, size_t count, bool has_older,
                                int64_t since_us, int64_t now_us, struct lp_err *err) LP_CHECKED;
/* The last slot has a record that says it failed: it is tried again before the next one, as if that had just happened. */
enum lp_code lp_agenda_try_again(struct lp_agenda *a, int64_t slot_us, int64_t now_us, struct lp_err *err) LP_CHECKED;
/* From which slot on the records matter for that. */
int64_t lp_agenda_past(const struct lp_agenda *a, int64_t now_us);

/* The next slot to be run now; false: none. It is at work from then on. */
bool lp_agenda_take(struct lp_agenda *a, int64_t now_us, struct lp_fire *out);
/* How it ended. *again is set when it is going to be tried once more. */
enum lp_code lp_agenda_done(struct lp_agenda *a, const struct lp_fire *f, enum lp_fire_outcome outcome, int64_t now_us,
                            bool *again, struct lp_err *err) LP_CHECKED;
/* It could not be begun. */
enum lp_code lp_agenda_put_back(struct lp_agenda *a, const struct lp_fire *f, struct lp_err *err) LP_CHECKED;
/* How long the nth further try waits after the one that failed. */
int64_t lp_agenda_retry_us(const struct lp_agenda *a, unsigned tries);
/* When to look again; INT64_MAX: only when something ends. */
int64_t lp_agenda_wake(const struct lp_agenda *a, int64_t now_us);

/* Since when the slot that is taken next has been waiting; INT64_MAX: none could start. */
int64_t lp_agenda_waits_since(const struct lp_agenda *a, int64_t now_us, bool *caught_up);

#endif
