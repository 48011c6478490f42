/* range.h — the slots of a schedule between two times, as a person names them.
 * Model:   both ends belong to it. A date is the whole day of the schedule's own clock: --from 2026-10-01 --to 2026-10-31 is
 *          October. A time is an instant, UTC unless it has an offset. What is not due yet is left out. The slots are found one
 *          after another, so that a range may be as long as it likes.
 * Owns:    its zone; lp_range_release gives it back.
 * Units:   microseconds UTC.
 * Errors:  LP_USAGE: no time, the end lies before the beginning, nothing of it has been yet. LP_CONFIG, LP_NOMEM: the schedule
 *          or its zone cannot be read.
 * Threads: one thread per range.
 */
#ifndef LP_SCHEDULE_RANGE_H
#define LP_SCHEDULE_RANGE_H

#include "schedule/expression.h"
#include "schedule/schedule.h"

struct lp_range {
    struct lp_expression expression;
    struct lp_zone zone;
    int64_t from_us, until_us; /* until: the first instant that is not in it */
    int64_t at_us;             /* the next one is looked for behind it */
    bool cut;                  /* it was to go on past now */
};

enum lp_code lp_range_open(struct lp_range *r, const struct lp_schedule *s, const char *from, const char *to, int64_t now_us,
                           struct lp_err *err) LP_CHECKED;
void lp_range_release(struct lp_range *r);
bool lp_range_next(struct lp_range *r, int64_t *slot_us);
/* How many are still to come, at most `most`. With last_us: the instant of the last one counted. */
uint64_t lp_range_count(const struct lp_range *r, uint64_t most, int64_t *last_us);

#endif
