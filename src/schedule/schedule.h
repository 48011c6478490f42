/* schedule.h — the `schedule` section: when a pipeline is to run. Its expression is kept as written.
 * Model:   expression, time zone, what to do when runs overlap.
 * Owns:    texts lie in the arena of the definition.
 * Errors:  faults with place.
 * Threads: read only once read.
 */
#ifndef LP_SCHEDULE_SCHEDULE_H
#define LP_SCHEDULE_SCHEDULE_H

#include "config/field.h"

enum lp_overlap { LP_OVERLAP_SKIP, LP_OVERLAP_QUEUE, LP_OVERLAP_ALLOW };

struct lp_schedule {
    const char *expression, *timezone;
    int overlap;
};

extern const struct lp_fields lp_schedule_fields;

#endif
