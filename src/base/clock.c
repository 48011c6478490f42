#include "base/clock.h"

#include "base/number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * SECOND_US + t.tv_nsec / 1000;
}

int64_t lp_clock_now_us(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t lp_clock_monotonic_us(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

/* ---- the calendar: years begin in March, so that the leap day is the last of its year ---- */

int64_t lp_days_from_civil(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t from_march = month > 2 ? (int64_t)month - 3 : (int64_t)month + 9;
    int64_t of_year = (153 * from_march + 2) / 5 + (int64_t)day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void civil_from_days(int64_t days, struct lp_civil *c)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    c->day = (unsigned)(of_year - (153 * month + 2) / 5 + 1);
    c->month = month < 10 ? (unsigned)month + 3 : (unsigned)month - 9;
    c->year = year + era * 400 + (c->month <= 2);
}

struct lp_civil lp_civil_of(int64_t us)
{
    struct lp_civil c = {0};
    int64_t days = us / LP_DAY_US, rest = us % LP_DAY_US;
    if (rest < 0) {
        days--;
        rest += LP_DAY_US;
    }
    civil_from_days(days, &c);
    c.microsecond = (unsigned)(rest % SECOND_US);
    c.second = (unsigned)(rest / SECOND_US % 60);
    c.minute = (unsigned)(rest / SECOND_US / 60 % 60);
    c.hour = (unsigned)(rest / SECOND_US / 3600);
    return c;
}

int64_t lp_civil_to_us(const struct lp_civil *c)
{
    int64_t seconds = (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second;
    return lp_days_from_civil(c->year, c->month, c->day) * LP_DAY_US + seconds * SECOND_US + c->microsecond;
}

unsigned lp_days_in_month(int64_t year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static bool valid(const struct lp_civil *c)
{
    return c->year >= 1 && c->year <= 9999 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= lp_days_in_month(c->year, c->month) && c->hour < 24 && c->minute < 60 && c->second < 60;
}

/* ---- reading ---- */

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *c, char wanted)
{
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

static bool take_number(struct cursor *c, size_t digits, unsigned *value)
{
    if ((size_t)(c->end - c->at) < digits) return false;
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (c->at[i] < '0' || c->at[i] > '9') return false;
        *value = *value * 10 + (unsigned)(c->at[i] - '0');
    }
    c->at += digits;
    return true;
}

static bool take_date(struct cursor *c, struct lp_civil *civil)
{
    unsigned year;
    if (!take_number(c, 4, &year) || !take(c, '-') || !take_number(c, 2, &civil->month) || !take(c, '-') ||
        !take_number(c, 2, &civil->day))
        return false;
    civil->year = year;
    return true;
}

static bool take_fraction(struct cursor *c, unsigned *microsecond)
{
    unsigned scale = 100000;
    const char *start = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, scale /= 10)
        *microsecond += (unsigned)(*c->at - '0') * scale;
    return c->at > start && c->at - start <= 18;
}

static bool take_time(struct cursor *c, struct lp_civil *civil)
{
    if (!take_number(c, 2, &civil->hour) || !take(c, ':') || !take_number(c, 2, &civil->minute)) return false;
    if (!take(c, ':')) return true;
    if (!take_number(c, 2, &civil->second)) return false;
    return take(c, '.') || take(c, ',') ? take_fraction(c, &civil->microsecond) : true;
}

static bool take_offset(struct cursor *c, int64_t *minutes)
{
    unsigned hour = 0, minute = 0;
    if (c->at == c->end || take(c, 'Z') || take(c, 'z')) return true;
    bool west = *c->at == '-';
    if (!west && *c->at != '+') return false;
    c->at++;
    if (!take_number(c, 2, &hour) || hour > 23) return false;
    if (c->at < c->end) {
        take(c, ':');
        if (!take_number(c, 2, &minute) || minute > 59) return false;
    }
    *minutes = (west ? -1 : 1) * (int64_t)(hour * 60 + minute);
    return true;
}

bool lp_time_parse_iso(const char *text, size_t len, int64_t *us)
{
    struct cursor c = {text, text + len};
    struct lp_civil civil = {0};
    int64_t offset = 0;
    if (!take_date(&c, &civil)) return false;
    if (c.at < c.end) {
        if (!take(&c, 'T') && !take(&c, 't') && !take(&c, ' ')) return false;
        if (!take_time(&c, &civil) || !take_offset(&c, &offset)) return false;
    }
    if (c.at != c.end || !valid(&civil)) return false;
    *us = lp_civil_to_us(&civil) - offset * 60 * SECOND_US;
    return true;
}

bool lp_date_parse_iso(const char *text, size_t len, int64_t *days)
{
    struct cursor c = {text, text + len};
    struct lp_civil civil = {0};
    if (!take_date(&c, &civil) || c.at != c.end || !valid(&civil)) return false;
    *days = lp_days_from_civil(civil.year, civil.month, civil.day);
    return true;
}

static bool civil_of_tm(const struct tm *t, int64_t *us)
{
    struct lp_civil c = {.year = (int64_t)t->tm_year + 1900,
                         .month = (unsigned)t->tm_mon + 1,
                         .day = (unsigned)t->tm_mday,
                         .hour = (unsigned)t->tm_hour,
                         .minute = (unsigned)t->tm_min,
                         .second = (unsigned)t->tm_sec};
    if (!valid(&c)) return false;
    *us = lp_civil_to_us(&c) - (int64_t)t->tm_gmtoff * SECOND_US;
    return true;
}

bool lp_time_parse_slot(const char *text, int64_t *us)
{
    char iso[LP_TIME_TEXT_BYTES];
    size_t len = strlen(text);
    if (lp_time_parse_iso(text, len, us)) return true;
    if (len != 16 || text[8] != 'T') return false;
    int n = snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%s", text, text + 4, text + 6, text + 9, text + 11,
                     text + 13);
    return lp_time_parse_iso(iso, (size_t)n, us);
}

bool lp_time_parse_format(const char *text, const char *format, int64_t *us)
{
    struct tm t = {.tm_mday = 1, .tm_year = 70};
    const char *end = strptime(text, format, &t);
    return end && !*end && civil_of_tm(&t, us);
}

bool lp_time_parse_http(const char *text, int64_t *us)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    for (size_t i = 0; i < LP_COUNT(forms); i++)
        if (lp_time_parse_format(text, forms[i], us)) return true;
    return false;
}

/* ---- writing ---- */

static char *put_two(char *out, unsigned value)
{
    out[0] = (char)('0' + value / 10 % 10);
    out[1] = (char)('0' + value % 10);
    return out + 2;
}

static char *put_date(char *out, const struct lp_civil *c, const char *separator)
{
    out = put_two(put_two(out, (unsigned)(c->year / 100)), (unsigned)(c->year % 100));
    if (*separator) *out++ = *separator;
    out = put_two(out, c->month);
    if (*separator) *out++ = *separator;
    return put_two(out, c->day);
}

size_t lp_time_format_iso(int64_t us, char out[LP_TIME_TEXT_BYTES])
{
    struct lp_civil c = lp_civil_of(us);
    char *at = put_date(out, &c, "-");
    *at++ = 'T';
    at = put_two(at, c.hour);
    *at++ = ':';
    at = put_two(at, c.minute);
    *at++ = ':';
    at = put_two(at, c.second);
    if (c.microsecond) {
        *at++ = '.';
        at = put_two(put_two(put_two(at, c.microsecond / 10000), c.microsecond / 100 % 100), c.microsecond % 100);
        while (at[-1] == '0') at--;
    }
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - out);
}

size_t lp_time_format_slot(int64_t us, char out[LP_TIME_TEXT_BYTES])
{
    struct lp_civil c = lp_civil_of(us);
    char *at = put_date(out, &c, "");
    *at++ = 'T';
    at = put_two(put_two(put_two(at, c.hour), c.minute), c.second);
    *at++ = 'Z';
    *at = '\0';
    return (size_t)(at - out);
}

size_t lp_date_format(int64_t days, char out[LP_TIME_TEXT_BYTES])
{
    struct lp_civil c = {0};
    civil_from_days(days, &c);
    char *at = put_date(out, &c, "-");
    *at = '\0';
    return (size_t)(at - out);
}

bool lp_time_format_known(const char *format)
{
    for (const char *at = format; (at = strchr(at, '%')); at++)
        if (!*++at || !strchr("aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%", *at)) return false;
    return true;
}

size_t lp_time_format(int64_t us, const char *format, char *out, size_t out_bytes)
{
    struct lp_civil c = lp_civil_of(us);
    int64_t days = lp_days_from_civil(c.year, c.month, c.day), new_year = lp_days_from_civil(c.year, 1, 1);
    struct tm t = {.tm_year = (int)(c.year - 1900),
                   .tm_mon = (int)c.month - 1,
                   .tm_mday = (int)c.day,
                   .tm_hour = (int)c.hour,
                   .tm_min = (int)c.minute,
                   .tm_sec = (int)c.second,
                   .tm_yday = (int)(days - new_year),
                   .tm_wday = (int)(((days + 4) % 7 + 7) % 7),
                   .tm_zone = "UTC"};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the format is the pipeline file's */
    return strftime(out, out_bytes, format, &t);
#pragma GCC diagnostic pop
}

#define LONGEST_MS 1e15 /* what a double counts in whole milliseconds, with room */

bool lp_duration_parse(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"min", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
    size_t digits = strspn(text, "0123456789.");
    double value;
    if (!strcmp(text, "0")) {
        *ms = 0;
        return true;
    }
    if (!digits || digits > 12 || !lp_double_parse(text, digits, &value)) return false;
    for (size_t i = 0; i < LP_COUNT(units); i++) {
        if (strcmp(text + digits, units[i].unit)) continue;
        if (value * units[i].ms > LONGEST_MS) return false;
        *ms = (int64_t)(value * units[i].ms + 0.5);
        return true;
    }
    return false;
}

void lp_duration_format(int64_t ms, char out[LP_TIME_TEXT_BYTES])
{
    int64_t s = (ms + 500) / 1000, minutes = s / 60;
    if (ms < 1000) snprintf(out, LP_TIME_TEXT_BYTES, "%lld ms", (long long)ms);
    else if (ms < 59950) snprintf(out, LP_TIME_TEXT_BYTES, ms % 1000 < 50 ? "%.0f s" : "%.1f s", (double)ms / 1000);
    else if (minutes < 60)
        snprintf(out, LP_TIME_TEXT_BYTES, s % 60 ? "%lld min %02lld s" : "%lld min", (long long)minutes,
                 (long long)(s % 60));
    else if (minutes < 48 * 60)
        snprintf(out, LP_TIME_TEXT_BYTES, minutes % 60 ? "%lld h %02lld min" : "%lld h", (long long)(minutes / 60),
                 (long long)(minutes % 60));
    else {
        char days[LP_NUMBER_TEXT_BYTES];
        lp_count_format((uint64_t)((s + 43200) / 86400), days);
        snprintf(out, LP_TIME_TEXT_BYTES, "%.30s days", days);
    }
}
