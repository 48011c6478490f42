/* An expression as people say it. */
#include "base/clock.h"
#include "schedule/expression.h"

#define NAMED_TIMES 6

static const char *const weekdays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January", "February", "March", "April", "May", "June",
                                     "July", "August", "September", "October", "November", "December"};
static const char *const ordinals[] = {"first", "second", "third", "fourth", "fifth"};

static unsigned count_of(uint64_t bits)
{
    return (unsigned)__builtin_popcountll(bits);
}

/* The bits from `least` on, three or more in a row as a range: "Monday to Friday", "1, 15 and 20". */
static void put_set(uint64_t bits, unsigned least, const char *const *names, struct lp_buf *out)
{
    bool first = true;
    for (unsigned n = least; n < 64 && bits >> n;) {
        if (!(bits >> n & 1)) {
            n++;
            continue;
        }
        unsigned last = n;
        while (last < 63 && bits >> (last + 1) & 1) last++;
        if (last == n + 1) last = n;
        bool more = last < 63 && bits >> (last + 1);
        if (!first) lp_buf_puts(out, more ? ", " : " and ");
        first = false;
        if (names) lp_buf_puts(out, names[n - least]);
        else lp_buf_printf(out, "%u", n);
        if (last > n && names) lp_buf_printf(out, " to %s", names[last - least]);
        else if (last > n) lp_buf_printf(out, " to %u", last);
        n = last + 1;
    }
}

/* 0, n, 2n … up to the end: n; 0 when it is not so. */
static unsigned step_of(uint64_t bits, unsigned size)
{
    unsigned step = bits & 1 && count_of(bits) > 1 ? (unsigned)__builtin_ctzll(bits & ~UINT64_C(1)) : 0;
    if (!step || size % step) return 0;
    for (unsigned n = 0; n < size; n++)
        if ((bits >> n & 1) != (n % step == 0)) return 0;
    return step;
}

static void put_clock_times(const struct lp_expression *e, struct lp_buf *out)
{
    unsigned left = count_of(e->hours) * count_of(e->minutes);
    bool first = true;
    lp_buf_puts(out, "at ");
    for (unsigned h = 0; h < 24; h++)
        for (unsigned m = 0; m < 60; m++) {
            if (!(e->hours >> h & 1) || !(e->minutes >> m & 1)) continue;
            left--;
            lp_buf_printf(out, "%s%02u:%02u", first ? "" : left ? ", " : " and ", h, m);
            first = false;
        }
}

static void put_times(const struct lp_expression *e, struct lp_buf *out)
{
    bool every_hour = count_of(e->hours) == 24;
    unsigned minute_step = step_of(e->minutes, 60), hour_step = step_of(e->hours, 24);
    if (count_of(e->hours) * count_of(e->minutes) <= NAMED_TIMES) {
        put_clock_times(e, out);
        return;
    }
    if (every_hour && e->minutes == 1) {
        lp_buf_puts(out, "every hour on the hour");
        return;
    }
    if (count_of(e->minutes) == 60) {
        lp_buf_puts(out, "every minute");
    } else if (minute_step > 1) {
        lp_buf_printf(out, "every %u minutes", minute_step);
    } else {
        lp_buf_puts(out, count_of(e->minutes) == 1 ? "at minute " : "at minutes ");
        put_set(e->minutes, 0, NULL, out);
    }
    if (every_hour && minute_step) return;
    if (hour_step > 1) {
        lp_buf_printf(out, " of every %u%s hour from midnight on", hour_step, hour_step == 2 ? "nd" : hour_step == 3 ? "rd" : "th");
    } else if (every_hour) {
        lp_buf_puts(out, " of every hour");
    } else {
        lp_buf_puts(out, count_of(e->hours) == 1 ? " of the hour " : " of the hours ");
        put_set(e->hours, 0, NULL, out);
    }
}

static void put_month_days(const struct lp_expression *e, struct lp_buf *out)
{
    switch (e->month_day_rule) {
    case LP_DAY_LAST:
        if (e->month_day) lp_buf_printf(out, "%u day%s before the last day of the month", e->month_day, e->month_day == 1 ? "" : "s");
        else lp_buf_puts(out, "on the last day of the month");
        break;
    case LP_DAY_LAST_WEEKDAY: lp_buf_puts(out, "on the last of Monday to Friday in the month"); break;
    case LP_DAY_NEAREST_WEEKDAY: lp_buf_printf(out, "on the one of Monday to Friday nearest to day %u of the month", e->month_day); break;
    default:
        lp_buf_puts(out, count_of(e->month_days) == 1 ? "on day " : "on days ");
        put_set(e->month_days, 1, NULL, out);
        lp_buf_puts(out, " of the month");
    }
}

static void put_weekdays(const struct lp_expression *e, struct lp_buf *out)
{
    if (e->weekday_rule == LP_DAY_SET) {
        lp_buf_puts(out, "on ");
        put_set(e->weekdays, 0, weekdays, out);
    } else if (e->weekday_rule == LP_DAY_LAST_OF_NAME) {
        lp_buf_printf(out, "on the last %s of the month", weekdays[e->weekday]);
    } else {
        lp_buf_printf(out, "on the %s %s of the month", ordinals[e->nth - 1], weekdays[e->weekday]);
    }
}

static void put_days(const struct lp_expression *e, bool often, struct lp_buf *out)
{
    bool all = e->month_day_rule == LP_DAY_ANY || (e->month_day_rule == LP_DAY_SET && count_of(e->month_days) == 31);
    bool all_week = e->weekday_rule == LP_DAY_ANY || (e->weekday_rule == LP_DAY_SET && count_of(e->weekdays) == 7);
    if (all && all_week) {
        lp_buf_puts(out, often ? "" : "every day ");
        return;
    }
    if (!all) put_month_days(e, out);
    if (!all && !all_week) lp_buf_puts(out, e->either_day ? " or " : " that is also ");
    if (!all_week) put_weekdays(e, out);
    lp_buf_putc(out, ' ');
}

static void put_years(const struct lp_expression *e, struct lp_buf *out)
{
    unsigned count = 0, least = 0, most = 0;
    for (unsigned i = 0; i < LP_COUNT(e->years); i++) {
        if (!e->years[i]) continue;
        if (!count) least = i * 64 + (unsigned)__builtin_ctzll(e->years[i]);
        most = i * 64 + 63 - (unsigned)__builtin_clzll(e->years[i]);
        count += (unsigned)__builtin_popcountll(e->years[i]);
    }
    if (count > LP_YEAR_LAST - LP_YEAR_FIRST) return;
    lp_buf_printf(out, ", %s %u", count == most - least + 1 ? "in" : "in some years from", LP_YEAR_FIRST + least);
    if (most > least) lp_buf_printf(out, " to %u", LP_YEAR_FIRST + most);
}

void lp_expression_put_words(const struct lp_expression *e, const char *zone, struct lp_buf *out)
{
    char text[LP_TIME_TEXT_BYTES];
    if (e->kind == LP_EXPRESSION_AT) {
        lp_time_format(e->at_local * 1000000, "%Y-%m-%d %H:%M:%S", text, sizeof text);
        lp_buf_printf(out, "once, at %s %s", text, zone);
        return;
    }
    if (e->kind == LP_EXPRESSION_RATE) {
        static const struct {
            int64_t us;
            const char *one;
        } units[] = {{LP_DAY_US, "day"}, {INT64_C(3600000000), "hour"}, {INT64_C(60000000), "minute"}};
        size_t i = 0;
        while (i + 1 < LP_COUNT(units) && e->period_us % units[i].us) i++;
        long long n = (long long)(e->period_us / units[i].us);
        if (n == 1) lp_buf_printf(out, "every %s", units[i].one);
        else lp_buf_printf(out, "every %lld %ss", n, units[i].one);
        lp_buf_puts(out, ", counted from 1970-01-01 00:00 UTC");
        return;
    }
    bool often = count_of(e->hours) * count_of(e->minutes) > NAMED_TIMES;
    put_days(e, often, out);
    put_times(e, out);
    lp_buf_printf(out, often ? ", %s" : " %s", zone);
    if (count_of(e->months) < 12) {
        lp_buf_puts(out, ", in ");
        put_set(e->months, 1, months, out);
    }
    put_years(e, out);
}
