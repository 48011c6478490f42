#include "net/rate.h"

#include "base/text.h"

#include <string.h>

#define COUNT_MAX INT64_C(1000000)
#define SECOND_US INT64_C(1000000)

static bool period_of(const char *word, size_t len, int64_t *period_us)
{
    static const struct {
        const char *word;
        int64_t seconds;
    } periods[] = {
        {"s", 1},       {"sec", 1},  {"second", 1},  {"m", 60},    {"min", 60},
        {"minute", 60}, {"h", 3600}, {"hour", 3600}, {"d", 86400}, {"day", 86400},
    };
    for (size_t i = 0; i < LP_COUNT(periods); i++) {
        if (strlen(periods[i].word) != len || memcmp(periods[i].word, word, len) != 0) continue;
        *period_us = periods[i].seconds * SECOND_US;
        return true;
    }
    return false;
}

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t");
}

enum lp_code lp_rate_parse(const char *text, struct lp_rate_spec *out, struct lp_err *err)
{
    *out = (struct lp_rate_spec){0};
    int64_t count = 0, period_us = 0;
    const char *at = skip_spaces(text), *digits = at;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (count <= COUNT_MAX) count = count * 10 + (*at - '0');
    }
    bool number = at > digits;
    at = skip_spaces(at);
    if (!number || *at != '/')
        return lp_fail(err, LP_CONFIG, "\"%.40s\" is not a rate; write one like 60/min, 10/s or 5000/h", text);
    at = skip_spaces(at + 1);
    size_t len = strcspn(at, " \t");
    if (!period_of(at, len, &period_us) || *skip_spaces(at + len))
        return lp_fail(err, LP_CONFIG, "\"%.40s\": a rate is counted per s, min, h or d", text);
    if (count < 1 || count > COUNT_MAX)
        return lp_fail(err, LP_CONFIG, "\"%.40s\": a rate is between 1 and 1,000,000", text);
    *out = (struct lp_rate_spec){.count = count, .period_us = period_us};
    return LP_OK;
}

void lp_rate_init(struct lp_rate *rate, struct lp_rate_spec spec, int64_t now_us)
{
    *rate = (struct lp_rate){.spec = spec, .last_us = now_us};
    if (!spec.count) return;
    int64_t second = spec.count * SECOND_US; /* what a second brings; at most 10^12 */
    int64_t tokens = second / spec.period_us;
    rate->capacity = (tokens ? tokens : 1) * spec.period_us;
    rate->credit = rate->capacity;
}

static void refill(struct lp_rate *rate, int64_t now_us)
{
    if (now_us <= rate->last_us) return;
    int64_t passed = now_us - rate->last_us, missing = rate->capacity - rate->credit;
    rate->last_us = now_us;
    /* Compared before it is multiplied, so that a long idle time cannot overflow. */
    if (passed > missing / rate->spec.count) rate->credit = rate->capacity;
    else rate->credit += passed * rate->spec.count;
}

int64_t lp_rate_take(struct lp_rate *rate, int64_t now_us)
{
    if (!rate->spec.count) return 0;
    refill(rate, now_us);
    int64_t missing = rate->spec.period_us - rate->credit;
    if (missing > 0) {
        int64_t wait_us = (missing + rate->spec.count - 1) / rate->spec.count;
        /* A clock that went back stands still here until it has caught up. */
        return now_us < rate->last_us ? wait_us + (rate->last_us - now_us) : wait_us;
    }
    rate->credit -= rate->spec.period_us;
    return 0;
}
