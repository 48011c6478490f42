#include "schedule/expression.h"

#include "base/clock.h"

#include <strings.h>

#define RATE_MOST 9999999

/* Where in the text the reader is, and where a fault would be told. */
struct reading {
    const char *text, *at;
    size_t *column, *width;
    struct lp_err *err;
};

struct range {
    const char *name;
    int least, most, largest_step;
    const char *const *names; /* of least and up */
};
static const char *const month_names[] = {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC", NULL};
static const char *const day_names[] = {"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL};
static const struct range minute_range = {"minutes", 0, 59, 59, NULL}, hour_range = {"hours", 0, 23, 23, NULL},
                          day_range = {"day of month", 1, 31, 31, NULL}, month_range = {"month", 1, 12, 12, month_names},
                          weekday_range = {"day of week", 1, 7, 7, day_names},
                          unix_weekday_range = {"day of week", 0, 7, 7, day_names},
                          year_range = {"year", LP_YEAR_FIRST, LP_YEAR_LAST, 230, NULL};

/* A fault from `from` to `to`. */
#define FAULT(r, from, to, ...) \
    (*(r)->column = (size_t)((from) - (r)->text), *(r)->width = (to) > (from) ? (size_t)((to) - (from)) : 1, \
     lp_fail((r)->err, LP_CONFIG, __VA_ARGS__))

/* The digits here as a number, moving past them; what is larger than `most` is most + 1. */
static int take_digits(const char **at, int most)
{
    int64_t n = 0;
    for (; **at >= '0' && **at <= '9'; ++*at) n = n > most ? n : n * 10 + (**at - '0');
    return n > most ? most + 1 : (int)n;
}

static bool ends_token(char c)
{
    return !c || c == ' ' || c == '\t' || c == ',' || c == '-' || c == '/' || c == '#' || c == '*' || c == '?';
}

static const char *token_end(const char *at)
{
    while (!ends_token(*at)) at++;
    return at;
}

/* A number or a name; what stands behind it is left for the caller. */
static enum lp_code take_value(struct reading *r, const struct range *f, int *value)
{
    const char *start = r->at, *end = token_end(start);
    int n = take_digits(&r->at, f->most);
    if (r->at > start) {
        if (n < f->least || n > f->most)
            return FAULT(r, start, r->at, "%s %s from %d to %d%s", f->name, f->name[strlen(f->name) - 1] == 's' ? "go" : "goes", f->least, f->most,
                         f == &weekday_range && !n ? "; Sunday is 1 here, Saturday 7" : "");
        *value = n;
        return LP_OK;
    }
    for (size_t i = 0; f->names && f->names[i]; i++)
        if (!strncasecmp(start, f->names[i], 3)) {
            r->at += 3;
            *value = f->least + (int)i;
            return LP_OK;
        }
    if (end == start) end = *start ? start + 1 : start;
    if (f->names)
        return FAULT(r, start, end, "%s wants numbers from %d to %d or names like %s here", f->name, f->least, f->most, f->names[1]);
    return FAULT(r, start, end, "%s wants numbers from %d to %d here", f->name, f->least, f->most);
}

/* base [ "/" step ]: the bits that it stands for, counted from the least. */
static enum lp_code take_item(struct reading *r, const struct range *f, uint64_t bits[4], struct lp_expression *e)
{
    const char *start = r->at;
    int from = f->least, to = f->most, count = f->most - f->least + 1, step = 1;
    bool ranged = true, named = *r->at > '9'; /* behind the digits lie the letters */
    if (*r->at == '*') {
        r->at++;
    } else {
        LP_TRY(take_value(r, f, &from));
        ranged = *r->at == '-';
        to = from;
        if (ranged) {
            r->at++;
            LP_TRY(take_value(r, f, &to));
        }
    }
    if (from > to && (f == &year_range || e->kind == LP_EXPRESSION_UNIX))
        return FAULT(r, start, r->at, "%s: a range goes from the smaller to the larger", f->name);
    if (*r->at == '/') {
        const char *slash = ++r->at;
        step = take_digits(&r->at, f->largest_step);
        if (r->at == slash || step < 1 || step > f->largest_step)
            return FAULT(r, slash, token_end(r->at), "%s: a step goes from 1 to %d", f->name, f->largest_step);
        if (!ranged && e->kind == LP_EXPRESSION_UNIX)
            return FAULT(r, start, r->at, "%s: in cron a step wants a range before it, like */%d", f->name, step);
        if (!ranged) to = f->most;
        if (from > to) e->odd = "other schedulers read a step in a range that runs past the end differently; write two ranges";
        else if (named) e->odd = "other schedulers pass over a step behind names; write numbers";
        else if (f == &weekday_range) e->odd = "EventBridge's table has no step for the day of week; name the days";
    }
    int span = to >= from ? to - from : to - from + count;
    for (int i = 0; i <= span; i += step) {
        int n = (from - f->least + i) % count;
        bits[n / 64] |= UINT64_C(1) << n % 64;
    }
    return LP_OK;
}

static bool at_end(const struct reading *r)
{
    return !*r->at || *r->at == ' ' || *r->at == '\t';
}

static enum lp_code take_list(struct reading *r, const struct range *f, uint64_t bits[4], struct lp_expression *e)
{
    for (;;) {
        LP_TRY(take_item(r, f, bits, e));
        if (at_end(r)) return LP_OK;
        const char *odd = r->at;
        if (*r->at++ == ',') continue;
        if (strchr("LlWw#", *odd))
            return FAULT(r, odd, odd + 1, "%s: %c stands alone, not in a list or range, and not in this field", f->name, *odd);
        return FAULT(r, odd, odd + 1, "%s: \"%c\" has no meaning here", f->name, *odd);
    }
}

static bool is_letter(char c, char upper)
{
    return c == upper || c == upper + ('a' - 'A');
}

/* L, L-n, LW, nW; false when the field is an ordinary list. */
static enum lp_code take_month_day_rule(struct reading *r, struct lp_expression *e, bool *taken)
{
    const char *at = r->at, *digits = at;
    *taken = true;
    if (is_letter(*at, 'L') && is_letter(at[1], 'W')) {
        e->month_day_rule = LP_DAY_LAST_WEEKDAY;
        r->at += 2;
    } else if (is_letter(*at, 'L')) {
        e->month_day_rule = LP_DAY_LAST;
        r->at++;
        if (*r->at == '-') {
            digits = ++r->at;
            int n = take_digits(&r->at, 30);
            if (n < 1 || n > 30) return FAULT(r, digits, r->at, "day of month: L-n counts 1 to 30 days back from the last");
            e->month_day = (unsigned)n;
        }
    } else {
        int n;
        while (*digits >= '0' && *digits <= '9') digits++;
        if (!is_letter(*digits, 'W')) return *taken = false, LP_OK;
        if (digits == at) return FAULT(r, at, at + 1, "day of month: W wants a day before it, like 15W");
        LP_TRY(take_value(r, &day_range, &n));
        e->month_day_rule = LP_DAY_NEAREST_WEEKDAY;
        e->month_day = (unsigned)n;
        r->at++;
    }
    if (!at_end(r)) return FAULT(r, r->at, r->at + 1, "day of month: L and W stand alone in the field");
    return LP_OK;
}

/* L, 6L, FRIL, 3#2. */
static enum lp_code take_weekday_rule(struct reading *r, struct lp_expression *e, bool *taken)
{
    struct reading look = *r;
    struct lp_err unheard;
    size_t column, width;
    int day;
    *taken = true;
    if (is_letter(*r->at, 'L') && (!r->at[1] || r->at[1] == ' ' || r->at[1] == '\t')) {
        r->at++;
        e->weekday_rule = LP_DAY_SET;
        e->weekdays = 1U << 6;
        return LP_OK;
    }
    look.err = &unheard;
    look.column = &column;
    look.width = &width;
    if (take_value(&look, &weekday_range, &day) || (!is_letter(*look.at, 'L') && *look.at != '#')) return *taken = false, LP_OK;
    e->weekday = (unsigned)day - 1;
    if (*look.at == '#') {
        r->at = look.at + 1;
        if (*r->at < '1' || *r->at > '5') return FAULT(r, r->at, r->at + 1, "day of week: behind # stands 1 to 5, the how manieth of the month");
        e->weekday_rule = LP_DAY_NTH_OF_NAME;
        e->nth = (unsigned)(*r->at++ - '0');
    } else {
        r->at = look.at + 1;
        e->weekday_rule = LP_DAY_LAST_OF_NAME;
    }
    if (!at_end(r)) return FAULT(r, r->at, r->at + 1, "day of week: L and # stand alone in the field");
    return LP_OK;
}

static void skip_spaces(struct reading *r)
{
    while (*r->at == ' ' || *r->at == '\t') r->at++;
}

static enum lp_code take_days(struct reading *r, const struct range *f, struct lp_expression *e, bool *unsaid)
{
    bool weekday = f == &weekday_range, taken;
    enum lp_day_rule *rule = weekday ? &e->weekday_rule : &e->month_day_rule;
    uint64_t bits[4] = {0};
    *unsaid = *r->at == '?';
    if (*unsaid) {
        r->at++;
        if (at_end(r)) return *rule = LP_DAY_ANY, LP_OK;
        return FAULT(r, r->at, r->at + 1, "%s: ? stands alone", f->name);
    }
    LP_TRY(weekday ? take_weekday_rule(r, e, &taken) : take_month_day_rule(r, e, &taken));
    if (taken) return LP_OK;
    LP_TRY(take_list(r, f, bits, e));
    *rule = LP_DAY_SET;
    if (weekday) e->weekdays = (uint32_t)bits[0];
    else e->month_days = (uint32_t)bits[0] << 1;
    return LP_OK;
}

/* A field that is no day. */
static enum lp_code take_plain(struct reading *r, const struct range *f, uint64_t bits[4], struct lp_expression *e)
{
    if (*r->at == '?') return FAULT(r, r->at, r->at + 1, "%s: ? is for day of month or day of week only; write *", f->name);
    return take_list(r, f, bits, e);
}

static enum lp_code count_fields(struct reading *r, size_t wanted, const char *form)
{
    size_t count = 0;
    const char *start = r->at;
    for (const char *at = start; *at;) {
        at += strspn(at, " \t");
        if (!*at) break;
        count++;
        at += strcspn(at, " \t");
    }
    if (count == wanted) return LP_OK;
    return FAULT(r, start, start + strlen(start), "it has %zu field%s, not %zu: %s", count, count == 1 ? "" : "s", wanted, form);
}

static enum lp_code read_cron(struct reading *r, struct lp_expression *e)
{
    uint64_t minutes[4] = {0}, hours[4] = {0}, months[4] = {0};
    bool no_day, no_weekday;
    LP_TRY(count_fields(r, 6, "minutes hours day-of-month month day-of-week year"));
    skip_spaces(r);
    LP_TRY(take_plain(r, &minute_range, minutes, e));
    skip_spaces(r);
    LP_TRY(take_plain(r, &hour_range, hours, e));
    skip_spaces(r);
    const char *days = r->at;
    LP_TRY(take_days(r, &day_range, e, &no_day));
    skip_spaces(r);
    LP_TRY(take_plain(r, &month_range, months, e));
    skip_spaces(r);
    LP_TRY(take_days(r, &weekday_range, e, &no_weekday));
    const char *weekdays = r->at;
    if (no_day == no_weekday)
        return FAULT(r, days, weekdays, "exactly one of day of month and day of week is ?, the one that is not said");
    skip_spaces(r);
    LP_TRY(take_plain(r, &year_range, e->years, e));
    e->minutes = minutes[0];
    e->hours = (uint32_t)hours[0];
    e->months = (uint32_t)months[0] << 1;
    return LP_OK;
}

static enum lp_code read_unix(struct reading *r, struct lp_expression *e)
{
    static const struct range *const fields[] = {&minute_range, &hour_range, &day_range, &month_range, &unix_weekday_range};
    uint64_t bits[5][4] = {{0}};
    bool star[5];
    LP_TRY(count_fields(r, 5, "minute hour day-of-month month day-of-week"));
    for (size_t i = 0; i < 5; i++) {
        skip_spaces(r);
        star[i] = *r->at == '*';
        LP_TRY(take_plain(r, fields[i], bits[i], e));
    }
    e->minutes = bits[0][0];
    e->hours = (uint32_t)bits[1][0];
    e->month_days = (uint32_t)bits[2][0] << 1;
    e->months = (uint32_t)bits[3][0] << 1;
    e->weekdays = (uint32_t)((bits[4][0] | bits[4][0] >> 7) & 0x7f);
    e->month_day_rule = e->weekday_rule = LP_DAY_SET;
    e->either_day = !star[2] && !star[4];
    memset(e->years, 0xff, sizeof e->years);
    return LP_OK;
}

static enum lp_code read_rate(struct reading *r, struct lp_expression *e)
{
    static const struct {
        const char *one;
        int64_t us;
    } units[] = {{"minute", INT64_C(60000000)}, {"hour", INT64_C(3600000000)}, {"day", LP_DAY_US}};
    const char *start = r->at, *end = start + strlen(start);
    int n = take_digits(&r->at, RATE_MOST);
    if (n < 1 || n > RATE_MOST) return FAULT(r, start, end, "rate wants a whole number from 1 up, like rate(5 minutes)");
    if (*r->at++ != ' ') return FAULT(r, start, end, "rate wants a number, one space and a unit, like rate(5 minutes)");
    for (size_t i = 0; i < LP_COUNT(units); i++) {
        size_t len = strlen(units[i].one);
        if (strncmp(r->at, units[i].one, len) != 0) continue;
        bool many = r->at[len] == 's';
        if (r->at[len + many]) break;
        if (many != (n != 1))
            return FAULT(r, r->at, end, "write %s%s: one is singular, more are plural", units[i].one, n == 1 ? "" : "s");
        e->period_us = n * units[i].us;
        return LP_OK;
    }
    return FAULT(r, r->at, end, "rate's unit is minutes, hours or days, in small letters");
}

static bool looks_like(const char *text, const char *form)
{
    for (; *form; form++, text++)
        if (*form == '0' ? *text < '0' || *text > '9' : *text != *form) return false;
    return !*text;
}

/* yyyy-mm-ddThh:mm:ss, of the zone's clock. */
static enum lp_code read_at(struct reading *r, struct lp_expression *e)
{
    size_t len = strlen(r->at);
    int64_t us;
    if (!looks_like(r->at, "0000-00-00T00:00:00"))
        return FAULT(r, r->at, r->at + len, "at wants a local time without a zone, like at(2026-11-22T18:00:00)");
    if (!lp_time_parse_iso(r->at, len, &us)) return FAULT(r, r->at, r->at + len, "no calendar or clock has that day and time");
    e->at_local = us / 1000000;
    return LP_OK;
}

static enum lp_code read_inner(struct reading *r, struct lp_expression *e, const char *inner)
{
    r->at = inner;
    switch (e->kind) {
    case LP_EXPRESSION_CRON: return read_cron(r, e);
    case LP_EXPRESSION_RATE: return read_rate(r, e);
    case LP_EXPRESSION_AT: return read_at(r, e);
    default: return read_unix(r, e);
    }
}

enum lp_code lp_expression_parse(struct lp_expression *e, const char *text, size_t *column, size_t *width, struct lp_err *err)
{
    static const struct {
        const char *open, *close;
    } kinds[] = {[LP_EXPRESSION_CRON] = {"cron(", ")"},
                 [LP_EXPRESSION_RATE] = {"rate(", ")"},
                 [LP_EXPRESSION_AT] = {"at(", ")"},
                 [LP_EXPRESSION_UNIX] = {"unix(\"", "\")"}};
    char inner[512];
    size_t len = strlen(text);
    struct reading r = {text, text, column, width, err};
    *e = (struct lp_expression){0};
    if (len >= sizeof inner) return FAULT(&r, text, text + len, "an expression has at most %zu characters", sizeof inner - 1);
    for (size_t i = 0; i < LP_COUNT(kinds); i++) {
        size_t open = strlen(kinds[i].open), close = strlen(kinds[i].close);
        if (strncmp(text, kinds[i].open, open) != 0) continue;
        if (len < open + close || strcmp(text + len - close, kinds[i].close) != 0)
            return FAULT(&r, text + len - (len > open), text + len, "it ends with %s", kinds[i].close);
        /* As long as the whole, so that places in it are places in the whole. */
        memcpy(inner, text, len - close);
        inner[len - close] = '\0';
        r.text = inner;
        e->kind = (enum lp_expression_kind)i;
        return read_inner(&r, e, inner + open);
    }
    if (!strncmp(text, "unix(", 5)) return FAULT(&r, text + 5, text + len, "unix wants its five fields in quotes: unix(\"*/5 * * * *\")");
    if (!strchr(text, '(') && strchr(text, ' '))
        return FAULT(&r, text, text + len, "five-field cron is written unix(\"%.100s\"), EventBridge's cron(0 18 * * ? *)", text);
    return FAULT(&r, text, text + len, "a schedule is cron(0 18 * * ? *), rate(1 day), at(2026-11-22T18:00:00) or unix(\"0 18 * * *\")");
}
