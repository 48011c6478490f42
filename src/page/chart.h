/* chart.h — drawings of runs and rows, as SVG within a page.
 * Model:   a strip has a bar for each slot: its height is the duration, its colour and its shape tell how the run went. A line
 *          shows numbers over time. Colours are classes, which the style sheet fills in for light and dark; each drawing has a
 *          title in words for those who do not see it.
 * Owns:    nothing; appended to the caller's buffer.
 * Units:   microseconds UTC, milliseconds.
 * Errors:  none but a full buffer.
 * Threads: no shared state.
 */
#ifndef LP_PAGE_CHART_H
#define LP_PAGE_CHART_H

#include "base/arena.h"
#include "base/buf.h"
#include "page/board.h"

#define LP_CHART_SERIES 8

/* The small ones of the front page. */
void lp_chart_put_strip(const struct lp_bar *bars, size_t count, bool titles, struct lp_buf *out);
void lp_chart_put_sparkline(const struct lp_bar *bars, size_t count, struct lp_buf *out);

/* The large ones of a pipeline's page. href: a bar leads to <href>/<slot>. */
void lp_chart_put_durations(const struct lp_bar *bars, size_t count, const char *href, struct lp_buf *out);
void lp_chart_put_rows(const struct lp_bar *bars, size_t count, struct lp_buf *out);

struct lp_chart_point {
    int64_t x_us;
    double y;
    uint32_t series;
};
struct lp_chart {
    const char *title, *unit;              /* unit may be NULL */
    const char *series[LP_CHART_SERIES];   /* their names */
    size_t series_count;                   /* 0: one nameless; points are then drawn as lowest, average, highest */
    const struct lp_chart_point *points;   /* in any order */
    size_t point_count;
};
void lp_chart_put_lines(const struct lp_chart *c, struct lp_buf *out);
/* "28 ok, 1 partial, 1 missed" */
void lp_chart_put_summary(const struct lp_bar *bars, size_t count, struct lp_buf *out);

#endif
