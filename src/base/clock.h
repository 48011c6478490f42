/* clock.h — instants, durations and their text.
 * Model:   an instant is microseconds since 1970-01-01T00:00:00Z, always UTC; a duration is milliseconds. The proleptic
 *          Gregorian calendar is computed here, so that TZ and the locale of the machine change nothing.
 * Owns:    nothing; text goes into the caller's arrays.
 * Units:   in the names: _us, _ms.
 * Errors:  false when the text is not of the form.
 * Threads: no shared state.
 */
#ifndef LP_BASE_CLOCK_H
#define LP_BASE_CLOCK_H

#include "base/error.h"

#include <stdint.h>

#define LP_TIME_TEXT_BYTES 40
#define LP_DAY_US          INT64_C(86400000000)

int64_t lp_clock_now_us(void);       /* wall clock */
int64_t lp_clock_monotonic_us(void); /* for measuring */

struct lp_civil {
    int64_t year;
    unsigned month, day, hour, minute, second, microsecond; /* month and day from 1 */
};
struct lp_civil lp_civil_of(int64_t us);
int64_t lp_civil_to_us(const struct lp_civil *c);
int64_t lp_days_from_civil(int64_t year, unsigned month, unsigned day);
unsigned lp_days_in_month(int64_t year, unsigned month);

/* ISO 8601: date, or date and time with 'T' or a space, optional seconds and fraction, Z or an offset; without either
 * it is UTC. The whole text must match. */
bool lp_time_parse_iso(const char *text, size_t len, int64_t *us);
/* The same, or the compact form of file names: 20261122T180000Z. */
bool lp_time_parse_slot(const char *text, int64_t *us);
/* A strptime format, read as UTC unless %z is in it. */
bool lp_time_parse_format(const char *text, const char *format, int64_t *us);
bool lp_date_parse_iso(const char *text, size_t len, int64_t *days);
/* An HTTP date (RFC 9110 5.6.7, all three forms). */
bool lp_time_parse_http(const char *text, int64_t *us);

/* 2026-11-22T18:00:00Z, with a fraction only where there is one. Returns the length. */
size_t lp_time_format_iso(int64_t us, char out[LP_TIME_TEXT_BYTES]);
/* 20261122T180000Z */
size_t lp_time_format_slot(int64_t us, char out[LP_TIME_TEXT_BYTES]);
size_t lp_date_format(int64_t days, char out[LP_TIME_TEXT_BYTES]);
/* strftime in UTC and the C locale; 0 when it does not fit. */
size_t lp_time_format(int64_t us, const char *format, char *out, size_t out_bytes);
/* Does every conversion of the format mean something to strftime? */
bool lp_time_format_known(const char *format);

/* "500ms", "30s", "2m", "1h", "1d"; a bare 0 too. */
bool lp_duration_parse(const char *text, int64_t *ms);
/* 12 ms, 1.2 s, 3 min 05 s, 2 h 03 min, 4 days. */
void lp_duration_format(int64_t ms, char out[LP_TIME_TEXT_BYTES]);

#endif
