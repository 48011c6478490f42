/* schedule.h — the `schedule` section: when a pipeline is to run. Its expression is kept as written, once it is understood.
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

/* Reads the section; what EventBridge would refuse, and a time zone that this machine does not know, are faults. */
void lp_schedule_read(struct lp_reading *r, const struct lp_node *map, struct lp_schedule *s);

#endif
