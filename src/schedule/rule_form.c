/* A schedule of a place as one of UTC, which is all that EventBridge's classic rules know. */
#include "schedule/expression.h"

#include "base/clock.h"

#define DAY_MINUTES 1440
#define RULE_BYTES  256 /* of an expression */

static const char changes[] = "its clocks are set forward and back, and a rule knows UTC alone";
static const char parts_of_days[] = "in UTC some of its times lie on the day before or after, which one expression cannot say";
static const char days[] = "in UTC it lies on the day before or after, and of days of a month, months or years no other day can be said";
static const char minutes[] = "the hours of UTC in which it fires do not have the same minutes";
static const char at_form[] = "a rule has no at(…)";
static const char no_words[] = "it names days of the month and days of the week, and EventBridge can be told only one of them";
static const char too_long[] = "the expression would be longer than the 256 characters that a rule may have";

/* A day's minutes, moved to UTC. */
struct moved {
    uint64_t minutes;
    uint32_t hours;
    unsigned count;                /* of the times */
    bool before, same, after;      /* on which day some of them lie */
};

static struct moved move(const struct lp_expression *e, int offset)
{
    struct moved m = {0};
    for (int t = 0; t < DAY_MINUTES; t++) {
        if (!(e->hours >> t / 60 & 1) || !(e->minutes >> t % 60 & 1)) continue;
        int utc = t - offset;
        *(utc < 0 ? &m.before : utc >= DAY_MINUTES ? &m.after : &m.same) = true;
        utc = ((utc % DAY_MINUTES) + DAY_MINUTES) % DAY_MINUTES;
        m.hours |= UINT32_C(1) << utc / 60;
        m.minutes |= UINT64_C(1) << utc % 60;
        m.count++;
    }
    return m;
}

/* Every day of every month of every year: then the day does not count. */
static bool is_daily(const struct lp_expression *e)
{
    bool any_day = e->month_day_rule == LP_DAY_ANY || (e->month_day_rule == LP_DAY_SET && e->month_days == UINT32_MAX - 1);
    bool any_weekday = e->weekday_rule == LP_DAY_ANY || (e->weekday_rule == LP_DAY_SET && e->weekdays == 0x7f);
    return any_day && any_weekday;
}

static bool is_all_year(const struct lp_expression *e)
{
    if (e->months != 0x1ffe) return false;
    for (int n = 0; n <= LP_YEAR_LAST - LP_YEAR_FIRST; n++)
        if (!(e->years[n / 64] >> n % 64 & 1)) return false;
    return true;
}

/* The field of that number in "cron(a b c d e f)", as written. */
static void put_written(const char *text, int number, struct lp_buf *out)
{
    const char *at = text + strlen("cron(");
    at += strspn(at, " \t");
    for (int i = 0; i < number; i++) {
        at += strcspn(at, " \t");
        at += strspn(at, " \t");
    }
    lp_buf_put(out, at, strcspn(at, " \t)"));
}

static const char *put_moved(const struct lp_expression *e, const char *text, int offset, struct lp_buf *out)
{
    struct moved m = move(e, offset);
    bool elsewhere = m.before || m.after, whole = is_daily(e) && is_all_year(e);
    bool weekly = e->month_day_rule == LP_DAY_ANY && e->weekday_rule == LP_DAY_SET && is_all_year(e);
    if (elsewhere && !whole && m.same) return parts_of_days;
    if (elsewhere && !whole && !weekly) return days;
    if (m.count != (unsigned)__builtin_popcountll(m.minutes) * (unsigned)__builtin_popcount(m.hours)) return minutes;
    lp_buf_puts(out, "cron(");
    if (m.minutes == e->minutes) put_written(text, 0, out);
    else lp_expression_put_field(m.minutes, 0, 59, 0, out);
    lp_buf_putc(out, ' ');
    if (m.hours == e->hours) put_written(text, 1, out);
    else lp_expression_put_field(m.hours, 0, 23, 0, out);
    for (int field = 2; field < 6; field++) {
        lp_buf_putc(out, ' ');
        uint32_t moved = m.before ? e->weekdays >> 1 | e->weekdays << 6 : e->weekdays << 1 | e->weekdays >> 6;
        if (field == 4 && elsewhere && !whole) lp_expression_put_field(moved & 0x7f, 0, 6, 1, out);
        else put_written(text, field, out);
    }
    lp_buf_putc(out, ')');
    return NULL;
}

const char *lp_expression_put_rule(const struct lp_expression *e, const char *text, const struct lp_zone *z, int64_t now_us,
                                   struct lp_buf *out)
{
    LP_AUTO(lp_buf) aws = {0};
    struct lp_expression cron;
    size_t column, width, before = out->len;
    const char *why = NULL;
    int64_t now = now_us / 1000000, offset = lp_zone_offset(z, now);
    if (e->kind == LP_EXPRESSION_AT) return at_form;
    if (!lp_expression_put_aws(e, text, &aws)) return no_words;
    if (e->kind == LP_EXPRESSION_RATE || !z->count) {
        lp_buf_puts(out, lp_buf_text(&aws));
    } else {
        if (z->list[z->count - 1].from > now || offset % 60) return changes;
        /* Plain cron as EventBridge writes it: its fields are then those of the text. */
        if (lp_expression_parse(&cron, lp_buf_text(&aws), &column, &width, NULL)) return too_long;
        why = put_moved(&cron, lp_buf_text(&aws), (int)(offset / 60), out);
    }
    return why ? why : out->len - before > RULE_BYTES ? too_long : NULL;
}
