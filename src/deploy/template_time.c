/* How long a schedule leaves between two runs, as far as an alarm needs to know. */
#include "base/clock.h"
#include "deploy/template_parts.h"
#include "schedule/expression.h"

#define MOST_HOURS (7 * 24 - 1) /* what an alarm looks back over, less the hour that is added */
#define HOUR_US    INT64_C(3600000000)
#define LOOKED_AT  (400 * LP_DAY_US) /* a year and what a month may be longer than another */

/* The clock of no place: the hour by which a day may be longer is within the one that is added. */
static int64_t longest_gap_us(const struct lp_expression *e)
{
    static const struct lp_zone utc = {0};
    int64_t first, at, next, longest = 0;
    if (e->kind == LP_EXPRESSION_RATE) return e->period_us;
    if (!lp_expression_next(e, &utc, lp_clock_now_us(), &first)) return INT64_MAX;
    for (at = first; at - first < LOOKED_AT; at = next) {
        if (!lp_expression_next(e, &utc, at, &next)) return at == first ? INT64_MAX : longest;
        if (next - at > longest) longest = next - at;
    }
    return longest;
}

int lp_schedule_gap_hours(const char *expression)
{
    struct lp_expression e;
    size_t column, width;
    if (lp_expression_parse(&e, expression, &column, &width, NULL)) return 0;
    int64_t gap = longest_gap_us(&e);
    return gap > MOST_HOURS * HOUR_US ? 0 : (int)((gap + HOUR_US - 1) / HOUR_US);
}
