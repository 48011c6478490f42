/* rate.h — no more than so many requests in a time.
 * Model:   a token bucket that begins full and holds one second's worth, but at least one token. Its arithmetic is in
 *          whole numbers: over a long run the rate is exact.
 * Owns:    nothing. A zeroed struct lp_rate lets everything pass.
 * Units:   microseconds of any clock that does not go back, handed in by the caller.
 * Errors:  LP_CONFIG with a sentence.
 * Threads: one thread per bucket.
 */
#ifndef LP_NET_RATE_H
#define LP_NET_RATE_H

#include "base/error.h"

#include <stdint.h>

struct lp_rate_spec {
    int64_t count;     /* 1 … 1,000,000; 0 in a zeroed struct: no limit */
    int64_t period_us; /* a second, minute, hour or day */
};
/* "60/min": a whole number, '/', and s, min, h, d or their longer names. Spaces around the parts are allowed. */
enum lp_code lp_rate_parse(const char *text, struct lp_rate_spec *out, struct lp_err *err) LP_CHECKED;

struct lp_rate {
    struct lp_rate_spec spec;
    int64_t credit, capacity; /* one token is period_us; each microsecond brings `count` */
    int64_t last_us;
};
void lp_rate_init(struct lp_rate *rate, struct lp_rate_spec spec, int64_t now_us);
/* 0: a token was taken, go. Else how long to wait before asking again; nothing was taken. */
int64_t lp_rate_take(struct lp_rate *rate, int64_t now_us);

#endif
