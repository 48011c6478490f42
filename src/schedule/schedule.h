/* schedule.h — the `schedule` section: when a pipeline is to run. Its expression is kept as written, once it is understood.
 * Model:   expression, time zone, and what the service does: when runs overlap, were missed, fail, or last too long.
 * Owns:    texts lie in the arena of the definition.
 * Units:   milliseconds.
 * Errors:  faults with place.
 * Threads: read only once read.
 */
#ifndef LP_SCHEDULE_SCHEDULE_H
#define LP_SCHEDULE_SCHEDULE_H

#include "config/field.h"

enum lp_overlap { LP_OVERLAP_SKIP, LP_OVERLAP_QUEUE, LP_OVERLAP_ALLOW };
enum lp_catch_up { LP_CATCH_UP_NONE, LP_CATCH_UP_LATEST, LP_CATCH_UP_ALL };

struct lp_schedule {
    const char *expression, *timezone;
    int overlap, catch_up; /* of the enums above */
    int64_t catch_up_limit, jitter_ms, time_limit_ms, retries, retry_after_ms;
};

extern const struct lp_fields lp_schedule_fields;

/* Reads the section; what EventBridge would refuse, and a time zone that this machine does not know, are faults. */
void lp_schedule_read(struct lp_reading *r, const struct lp_node *map, struct lp_schedule *s);
/* The expression as EventBridge reads it; false where it has no words for it. */
bool lp_schedule_put_aws(const struct lp_schedule *s, struct lp_buf *out);
/* What is no fault, and yet likely not meant: it never fires again, or others read it differently. NULL: nothing. */
const char *lp_schedule_odd(const struct lp_schedule *s, int64_t now_us);
/* "every day at 18:00 UTC", and the first instant after `after_us`; false when there is none. */
bool lp_schedule_next(const struct lp_schedule *s, int64_t after_us, struct lp_buf *words, int64_t *next_us);

/* The last instant up to `until_us`; false when there is none. */
bool lp_schedule_last(const struct lp_schedule *s, int64_t until_us, int64_t *last_us);

#endif
