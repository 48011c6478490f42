#include "page/page_bars.h"

#include "schedule/expression.h"

#include <string.h>

struct clock {
    struct lp_expression e;
    struct lp_zone zone;
    bool there;
};

static uint32_t small(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static struct lp_bar bar_of(const struct lp_past_run *r)
{
    struct lp_bar b = {.slot_us = r->slot_us,
                       .duration_ms = r->duration_ms > 0 ? small((uint64_t)r->duration_ms) : 0,
                       .rows = small(r->rows_written),
                       .quarantined = small(r->rows_quarantined),
                       .failed = small(r->requests_failed)};
    b.state = r->status == LP_PAST_OK ? LP_BAR_OK : r->status == LP_PAST_PARTIAL ? LP_BAR_PARTIAL : LP_BAR_FAILED;
    return b;
}

static void add(struct lp_bar bars[LP_PAGE_BARS], size_t *count, struct lp_bar b)
{
    if (*count == LP_PAGE_BARS) memmove(bars, bars + 1, --*count * sizeof *bars);
    bars[(*count)++] = b;
}

/* Those due strictly between; none when they are too many. */
static void add_missed(const struct clock *c, int64_t after_us, int64_t before_us, struct lp_bar bars[LP_PAGE_BARS],
                       size_t *count)
{
    int64_t due[LP_PAGE_GAP + 1], at_us = after_us;
    size_t n = 0;
    if (!c->there) return;
    while (n <= LP_PAGE_GAP && lp_expression_next(&c->e, &c->zone, at_us, &at_us) && at_us < before_us) due[n++] = at_us;
    if (n > LP_PAGE_GAP) return;
    for (size_t i = 0; i < n; i++) add(bars, count, (struct lp_bar){.slot_us = due[i], .state = LP_BAR_MISSED});
}

static void open_clock(const struct lp_schedule *s, struct clock *c)
{
    size_t column, width;
    *c = (struct clock){0};
    if (!s || !s->expression || lp_expression_parse(&c->e, s->expression, &column, &width, NULL)) return;
    c->there = !lp_zone_open(&c->zone, s->timezone, NULL);
}

size_t lp_page_bars(const struct lp_past *past, const struct lp_schedule *schedule, int64_t until_us,
                    struct lp_bar bars[LP_PAGE_BARS])
{
    struct clock c;
    size_t count = 0;
    int64_t before_us = INT64_MIN;
    open_clock(schedule, &c);
    for (size_t i = 0; i < past->count; i++) {
        const struct lp_past_run *r = &past->list[i];
        if (r->shards) continue;
        if (count) add_missed(&c, before_us, r->slot_us, bars, &count);
        add(bars, &count, bar_of(r));
        before_us = r->slot_us;
    }
    if (count) add_missed(&c, before_us, until_us, bars, &count);
    lp_zone_release(&c.zone);
    return count;
}
