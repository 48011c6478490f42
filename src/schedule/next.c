/* The next instant of an expression: years, months, days, hours and minutes that cannot match are passed over whole. */
#include "base/clock.h"
#include "schedule/expression.h"

#define SECOND_US INT64_C(1000000)
#define DAY_S     INT64_C(86400)

static uint32_t all_days(unsigned count)
{
    return (uint32_t)((UINT64_C(2) << count) - 2);
}

/* weekday of the first is 0 to 6, Sunday first; bits of days from 1. */
static uint32_t days_of_weekdays(uint32_t weekdays, unsigned first, unsigned count)
{
    uint32_t days = 0;
    for (unsigned d = 1; d <= count; d++)
        if (weekdays >> (first + d - 1) % 7 & 1) days |= UINT32_C(1) << d;
    return days;
}

/* Monday to Friday, nearest to the day, within the month. */
static unsigned nearest_weekday(unsigned day, unsigned first, unsigned count)
{
    unsigned weekday = (first + day - 1) % 7;
    if (weekday == 6) return day == 1 ? 3 : day - 1;
    if (weekday == 0) return day == count ? day - 2 : day + 1;
    return day;
}

static unsigned last_of(unsigned weekday, unsigned first, unsigned count)
{
    unsigned last = (first + count - 1) % 7;
    return count - (last + 7 - weekday) % 7;
}

static uint32_t month_days_of(const struct lp_expression *e, unsigned first, unsigned count)
{
    unsigned last_weekday = (first + count - 1) % 7;
    switch (e->month_day_rule) {
    case LP_DAY_SET: return e->month_days & all_days(count);
    case LP_DAY_LAST: return e->month_day < count ? UINT32_C(1) << (count - e->month_day) : 0;
    case LP_DAY_NEAREST_WEEKDAY:
        return e->month_day <= count ? UINT32_C(1) << nearest_weekday(e->month_day, first, count) : 0;
    case LP_DAY_LAST_WEEKDAY: return UINT32_C(1) << (count - (last_weekday == 0 ? 2 : last_weekday == 6 ? 1 : 0));
    default: return all_days(count);
    }
}

static uint32_t weekdays_of(const struct lp_expression *e, unsigned first, unsigned count)
{
    unsigned nth = 1 + (e->weekday + 7 - first) % 7 + (e->nth ? e->nth - 1 : 0) * 7;
    switch (e->weekday_rule) {
    case LP_DAY_SET: return days_of_weekdays(e->weekdays, first, count);
    case LP_DAY_LAST_OF_NAME: return UINT32_C(1) << last_of(e->weekday, first, count);
    case LP_DAY_NTH_OF_NAME: return nth <= count ? UINT32_C(1) << nth : 0;
    default: return all_days(count);
    }
}

static uint32_t days_of(const struct lp_expression *e, int64_t year, unsigned month)
{
    unsigned first = (unsigned)((((lp_days_from_civil(year, month, 1) + 4) % 7) + 7) % 7);
    unsigned count = lp_days_in_month(year, month);
    uint32_t a = month_days_of(e, first, count), b = weekdays_of(e, first, count);
    return e->either_day ? a | b : a & b;
}

static bool has_year(const struct lp_expression *e, int64_t year)
{
    unsigned n = (unsigned)(year - LP_YEAR_FIRST);
    return e->years[n / 64] >> n % 64 & 1;
}

/* The first hour and minute of a day from these on. */
static bool time_from(const struct lp_expression *e, unsigned hour, unsigned minute, int64_t *seconds)
{
    if (hour < 24 && e->hours >> hour & 1 && minute < 60 && e->minutes >> minute) {
        *seconds = hour * INT64_C(3600) + (minute + (unsigned)__builtin_ctzll(e->minutes >> minute)) * INT64_C(60);
        return true;
    }
    if (hour >= 23 || !(e->hours >> (hour + 1))) return false;
    *seconds = (hour + 1 + (unsigned)__builtin_ctz(e->hours >> (hour + 1))) * INT64_C(3600) + __builtin_ctzll(e->minutes) * INT64_C(60);
    return true;
}

/* The first matching local time from this one on. */
static bool local_from(const struct lp_expression *e, int64_t from, int64_t *local)
{
    from = from <= 0 ? 0 : (from + 59) / 60 * 60;
    struct lp_civil c = lp_civil_of(from * SECOND_US);
    int64_t seconds;
    for (int64_t year = c.year; year <= LP_YEAR_LAST; year++) {
        bool same_year = year == c.year;
        if (!has_year(e, year)) continue;
        for (unsigned month = same_year ? c.month : 1; month <= 12; month++) {
            if (!(e->months >> month & 1)) continue;
            bool same_month = same_year && month == c.month;
            uint32_t days = days_of(e, year, month);
            if (same_month) days &= UINT32_MAX << c.day;
            for (; days; days &= days - 1) {
                unsigned day = (unsigned)__builtin_ctz(days);
                bool same_day = same_month && day == c.day;
                if (!time_from(e, same_day ? c.hour : 0, same_day ? c.minute : 0, &seconds)) continue;
                *local = lp_days_from_civil(year, month, day) * DAY_S + seconds;
                return true;
            }
        }
    }
    return false;
}

static int64_t floor_of(int64_t value, int64_t unit)
{
    return value / unit - (value % unit < 0);
}

bool lp_expression_next(const struct lp_expression *e, const struct lp_zone *z, int64_t after_us, int64_t *next_us)
{
    static const int64_t end_us = INT64_C(7258118400) * SECOND_US; /* of LP_YEAR_LAST */
    int64_t after = floor_of(after_us, SECOND_US), utc, resumes = INT64_MAX;
    if (after_us > end_us + 2 * LP_DAY_US) return false; /* in no zone it is still that year */
    if (e->kind == LP_EXPRESSION_RATE) {
        *next_us = (floor_of(after_us, e->period_us) + 1) * e->period_us;
        return *next_us < end_us;
    }
    if (e->kind == LP_EXPRESSION_AT) {
        if (!lp_zone_resolve(z, e->at_local, &utc, &resumes) || utc <= after) return false;
        *next_us = utc * SECOND_US;
        return true;
    }
    int64_t local, from = lp_zone_local_after(z, after);
    while (local_from(e, from, &local)) {
        resumes = INT64_MAX;
        bool there = lp_zone_resolve(z, local, &utc, &resumes);
        if (there && utc > after) {
            *next_us = utc * SECOND_US;
            return true;
        }
        if (!there && resumes == INT64_MAX) return false;
        from = there ? local + 60 : resumes;
    }
    return false;
}
