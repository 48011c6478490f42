/* expression.h — when something is due, in EventBridge's words or in plain cron's.
 * Model:   cron(minutes hours day-of-month month day-of-week year), rate(n unit), at(yyyy-mm-ddThh:mm:ss), and, as a language
 *          of its own, unix("minute hour day-of-month month day-of-week"). Read once into sets of bits; the next instant is
 *          then found by arithmetic: years, months, days, hours and minutes that cannot match are passed over whole.
 *          A local time that clocks skip is skipped; one that they repeat counts once, the first time.
 * Owns:    nothing; an expression is a plain value.
 * Units:   local seconds: seconds since 1970-01-01T00:00:00 of the zone's own clock; instants in microseconds UTC.
 * Errors:  LP_CONFIG, with the place in the text.
 * Threads: no shared state.
 * Source:  Amazon EventBridge User Guide, "Setting a schedule pattern"; EventBridge Scheduler User Guide, "Schedule types".
 */
#ifndef LP_SCHEDULE_EXPRESSION_H
#define LP_SCHEDULE_EXPRESSION_H

#include "base/buf.h"
#include "schedule/zone.h"

#include <stdint.h>

#define LP_YEAR_FIRST 1970
#define LP_YEAR_LAST  2199

enum lp_expression_kind { LP_EXPRESSION_CRON, LP_EXPRESSION_RATE, LP_EXPRESSION_AT, LP_EXPRESSION_UNIX };

/* How the days of a month are chosen. */
enum lp_day_rule {
    LP_DAY_ANY,             /* whatever the other field says */
    LP_DAY_SET,             /* month_days, or weekdays */
    LP_DAY_LAST,            /* L-n: n days before the month's last */
    LP_DAY_NEAREST_WEEKDAY, /* nW: Monday to Friday, nearest to day n, within the month */
    LP_DAY_LAST_WEEKDAY,    /* LW */
    LP_DAY_LAST_OF_NAME,    /* 6L: the month's last Friday */
    LP_DAY_NTH_OF_NAME      /* 3#2: the month's second Tuesday */
};

struct lp_expression {
    enum lp_expression_kind kind;
    uint64_t minutes;
    uint32_t hours, month_days, months; /* bit n is the hour n, day n, month n */
    uint32_t weekdays;                  /* bit 0 is Sunday */
    uint64_t years[4];                  /* bit n is LP_YEAR_FIRST + n */
    enum lp_day_rule month_day_rule, weekday_rule;
    unsigned month_day, weekday, nth; /* what the rules count with */
    bool either_day;                  /* unix: one of both fields is enough */
    int64_t period_us;                /* rate; instants are its multiples since 1970 */
    int64_t at_local;                 /* at */
    const char *odd;                  /* a word of warning, or NULL */
};

/* On failure *column and *width are what to underline, in bytes from 0. */
enum lp_code lp_expression_parse(struct lp_expression *e, const char *text, size_t *column, size_t *width,
                                 struct lp_err *err) LP_CHECKED;
/* The first instant strictly after; false: there is none up to LP_YEAR_LAST. */
bool lp_expression_next(const struct lp_expression *e, const struct lp_zone *z, int64_t after_us, int64_t *next_us);
/* The last n instants in (from, until], the oldest first; returns how many there are. */
size_t lp_expression_last(const struct lp_expression *e, const struct lp_zone *z, int64_t from_us, int64_t until_us,
                          int64_t *out, size_t n);
/* As EventBridge Scheduler reads it: the text itself, or cron(…) for what is written as unix("…"). False where EventBridge has no
 * words for it: a day of the month or a day of the week. */
bool lp_expression_put_aws(const struct lp_expression *e, const char *text, struct lp_buf *out);
/* As a classic rule reads it, which knows UTC alone; NULL, or why it cannot be told so exactly. */
const char *lp_expression_put_rule(const struct lp_expression *e, const char *text, const struct lp_zone *z, int64_t now_us,
                                   struct lp_buf *out);
/* All of the bits from `least` to `most` as *, else each, written `shift` higher: 0,15,30,45. */
void lp_expression_put_field(uint64_t bits, unsigned least, unsigned most, unsigned shift, struct lp_buf *out);
/* "every day at 18:00 UTC"; the zone is named where it matters. */
void lp_expression_put_words(const struct lp_expression *e, const char *zone, struct lp_buf *out);

#endif
