#include "cli/calendar.h"

#include "base/clock.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>

#define WEEKS      5
#define DAYS       (7 * WEEKS)
#define SECOND_US  INT64_C(1000000)
#define DAY_S      INT64_C(86400)
#define LABEL_WIDE 10 /* "Nov 2026" and a gap */
#define LABEL_SLIM 4

struct calendar {
    const struct lp_style *s;
    const struct lp_zone *z;
    int64_t first, today; /* days since 1970 of the local clock: a Monday; the first that is shown */
    unsigned count[DAYS]; /* how often it is due */
    int64_t set_by[DAYS]; /* seconds that clocks are set forward on the day */
    int mark_width;       /* of "×24" */
};

static int64_t floor_of(int64_t value, int64_t unit)
{
    return value / unit - (value % unit < 0);
}

static int64_t local_day(const struct lp_zone *z, int64_t us)
{
    int64_t utc = floor_of(us, SECOND_US);
    return floor_of(utc + lp_zone_offset(z, utc), DAY_S);
}

static int put_mark(const struct calendar *c, unsigned count, bool numbers, char *out, size_t room)
{
    const char *once = c->s->utf8 ? "●" : "*", *times = c->s->utf8 ? "×" : "x";
    if (!count) return snprintf(out, room, "%s", "");
    if (count == 1 || !numbers) return snprintf(out, room, "%s", once);
    return snprintf(out, room, "%s%u", times, count);
}

static void count_days(struct calendar *c, const struct lp_expression *e, int64_t after_us)
{
    char mark[24];
    int64_t at = after_us, day;
    while (lp_expression_next(e, c->z, at, &at) && (day = local_day(c->z, at)) < c->first + DAYS)
        if (day >= c->first) c->count[day - c->first]++;
    for (size_t i = 1; i < c->z->count; i++) {
        const struct lp_zone_stretch *before = &c->z->list[i - 1], *set = &c->z->list[i];
        day = floor_of(set->from + before->offset, DAY_S);
        if (day >= c->today && day < c->first + DAYS) c->set_by[day - c->first] += set->offset - before->offset;
    }
    c->mark_width = 1;
    for (size_t i = 0; i < DAYS; i++) {
        int len = put_mark(c, c->count[i], true, mark, sizeof mark);
        int width = (int)lp_text_columns(mark, (size_t)len);
        if (width > c->mark_width) c->mark_width = width;
    }
}

static struct lp_civil civil_of_day(int64_t day)
{
    return lp_civil_of(day * LP_DAY_US);
}

/* "30! ×24", padded. */
static void put_day(const struct calendar *c, size_t i, bool numbers, struct lp_buf *out)
{
    char mark[24];
    int len = put_mark(c, c->count[i], numbers, mark, sizeof mark);
    int pad = (numbers ? c->mark_width : 1) - (int)lp_text_columns(mark, (size_t)len);
    bool set = c->set_by[i] != 0;
    lp_buf_printf(out, "%s%2u%s", c->count[i] ? c->s->bold : c->s->grey, civil_of_day(c->first + (int64_t)i).day, c->s->plain);
    lp_buf_printf(out, "%s%s%s", set ? c->s->yellow : "", set ? "!" : " ", set ? c->s->plain : "");
    lp_buf_printf(out, "%s%s%s%*s", c->s->accent, mark, c->s->plain, pad, "");
}

static void put_line_end(struct lp_buf *out)
{
    while (out->len && out->data[out->len - 1] == ' ') out->data[--out->len] = '\0';
    lp_buf_putc(out, '\n');
}

/* Monday to Sunday; a new month begins on a line of its own. */
static void put_weeks(const struct calendar *c, bool numbers, struct lp_buf *out)
{
    static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int cell = 3 + (numbers ? c->mark_width : 1), gap = numbers ? 2 : 1, label = numbers ? LABEL_WIDE : LABEL_SLIM;
    char month[LP_TIME_TEXT_BYTES];
    lp_buf_printf(out, "%s%*s", c->s->bold, label, "");
    for (size_t d = 0; d < 7; d++) lp_buf_printf(out, "%-*s", cell + gap, names[d]);
    put_line_end(out);
    lp_buf_puts(out, c->s->plain);
    bool labelled = false;
    for (size_t i = 0; i < DAYS; i++) {
        int64_t day = c->first + (int64_t)i;
        if (day < c->today) continue;
        unsigned of_month = civil_of_day(day).day;
        bool begins = of_month == 1 || !labelled, column = i % 7;
        if (begins || !column) {
            if (begins && column && labelled) put_line_end(out);
            lp_time_format(day * LP_DAY_US, numbers ? "%b %Y" : "%b", month, sizeof month);
            lp_buf_printf(out, "%-*s%*s", label, begins ? month : "", (int)(i % 7) * (cell + gap), "");
            labelled = true;
        }
        put_day(c, i, numbers, out);
        if (i % 7 == 6) put_line_end(out);
        else lp_buf_printf(out, "%*s", gap, "");
    }
}

static void put_days(const struct calendar *c, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES], mark[24];
    for (size_t i = 0; i < DAYS; i++) {
        if (!c->count[i]) continue;
        put_mark(c, c->count[i], true, mark, sizeof mark);
        lp_time_format((c->first + (int64_t)i) * LP_DAY_US, "%a %d %b", text, sizeof text);
        lp_buf_printf(out, "%s%s%s\n", text, c->set_by[i] ? "! " : "  ", mark);
    }
}

static void put_legend(const struct calendar *c, bool numbers, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES], much[LP_TIME_TEXT_BYTES];
    bool many = false, any = false;
    for (size_t i = 0; i < DAYS; i++) {
        many |= c->count[i] > 1;
        any |= c->count[i] > 0;
    }
    if (!any) lp_buf_printf(out, "%snothing is due in these weeks%s\n", c->s->grey, c->s->plain);
    else if (many && numbers) lp_buf_printf(out, "%s%s once that day, %sN so often%s\n", c->s->grey, c->s->utf8 ? "●" : "*", c->s->utf8 ? "×" : "x", c->s->plain);
    else lp_buf_printf(out, "%s%s due%s\n", c->s->grey, c->s->utf8 ? "●" : "*", c->s->plain);
    for (size_t i = 0; i < DAYS; i++) {
        if (!c->set_by[i]) continue;
        lp_time_format((c->first + (int64_t)i) * LP_DAY_US, "%Y-%m-%d", text, sizeof text);
        lp_duration_format(llabs(c->set_by[i]) * 1000, much);
        lp_buf_printf(out, "%s! clocks are set %s %s on %s%s\n", c->s->yellow, c->set_by[i] > 0 ? "forward" : "back", much, text, c->s->plain);
    }
}

void lp_calendar_put(const struct lp_style *s, const struct lp_expression *e, const struct lp_zone *z, int64_t after_us,
                     struct lp_buf *out)
{
    struct calendar c = {.s = s, .z = z, .today = local_day(z, after_us)};
    c.first = floor_of(c.today + 3, 7) * 7 - 3; /* 1970-01-01 was a Thursday */
    count_days(&c, e, after_us);
    size_t wide = (size_t)(LABEL_WIDE + 7 * (3 + c.mark_width) + 6 * 2), slim = LABEL_SLIM + 7 * 4 + 6;
    bool numbers = wide <= s->columns;
    lp_buf_putc(out, '\n');
    if (numbers || slim <= s->columns) put_weeks(&c, numbers, out);
    else put_days(&c, out);
    lp_buf_putc(out, '\n');
    put_legend(&c, numbers || slim > s->columns, out);
}
