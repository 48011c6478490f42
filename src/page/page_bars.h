/* page_bars.h — the runs of a pipeline's past as bars, with those that are missing in between.
 * Model:   one bar for each whole record, the oldest first, at most LP_PAGE_BARS; slots that were due between two of them, or
 *          since the last, and have none, are missed. Where more than LP_PAGE_GAP are missing in a row nobody was serving
 *          the pipeline: then none is shown.
 * Owns:    nothing.
 * Units:   microseconds UTC.
 * Errors:  none.
 * Threads: no shared state.
 */
#ifndef LP_PAGE_PAGE_BARS_H
#define LP_PAGE_PAGE_BARS_H

#include "pipeline/past.h"
#include "schedule/schedule.h"
#include "page/board.h"

#define LP_PAGE_BARS 60
#define LP_PAGE_GAP  30

/* until_us: slots from then on are not missed yet. schedule may be NULL. */
size_t lp_page_bars(const struct lp_past *past, const struct lp_schedule *schedule, int64_t until_us,
                    struct lp_bar bars[LP_PAGE_BARS]);

#endif
