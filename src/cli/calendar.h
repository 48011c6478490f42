/* calendar.h — the coming weeks as a calendar, with the days on which something is due.
 * Model:   five weeks from a time on, Monday first, by the clock of the zone: each day with how often it is due then, and a mark where
 *          clocks are set. Of the first day what is still to come counts. As wide as the terminal allows: with numbers, with
 *          marks alone, or as a list of days.
 * Owns:    nothing.
 * Units:   microseconds UTC.
 * Errors:  none but a full buffer.
 * Threads: one thread.
 */
#ifndef LP_CLI_CALENDAR_H
#define LP_CLI_CALENDAR_H

#include "cli/style.h"
#include "schedule/expression.h"

void lp_calendar_put(const struct lp_style *s, const struct lp_expression *e, const struct lp_zone *z, int64_t after_us,
                     struct lp_buf *out);

#endif
