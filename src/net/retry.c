#include "net/retry.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define LONGEST_MS (INT64_MAX / 4)

bool lp_retry_outcome(enum lp_http_outcome outcome, int status)
{
    switch (outcome) {
    case LP_HTTP_ANSWERED: return status == 408 || status == 425 || status == 429 || (status >= 500 && status <= 599);
    case LP_HTTP_CONNECT_FAILED:
    case LP_HTTP_TIMED_OUT:
    case LP_HTTP_CUT_SHORT:
    case LP_HTTP_GARBLED: return true;
    default: return false;
    }
}

/* All digits: seconds, however many. */
static bool seconds_of(struct lp_slice text, int64_t *ms)
{
    if (!text.len) return false;
    int64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') return false;
        value = value > LONGEST_MS / 10 ? LONGEST_MS : value * 10 + (text.at[i] - '0');
    }
    *ms = value > LONGEST_MS / 1000 ? LONGEST_MS : value * 1000;
    return true;
}

static bool date_of(struct lp_slice text, int64_t *us)
{
    char copy[64];
    if (!text.len || text.len >= sizeof copy || memchr(text.at, '\0', text.len)) return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return lp_time_parse_http(copy, us);
}

int64_t lp_retry_after_ms(const struct lp_http_reply *reply, int64_t now_us)
{
    int64_t ms, then_us, date_us;
    if (seconds_of(reply->retry_after, &ms)) return ms;
    if (!date_of(reply->retry_after, &then_us)) return LP_RETRY_AFTER_NONE;
    if (date_of(reply->date, &date_us)) now_us = date_us;
    if (then_us <= now_us) return 0;
    /* A date is some 10^17 µs at most, but now_us may be anything. */
    int64_t wait_us;
    if (__builtin_sub_overflow(then_us, now_us, &wait_us)) return LONGEST_MS;
    return wait_us / 1000 + (wait_us % 1000 != 0);
}

/* min(cap, base·2^(n−1)) */
static int64_t ceiling_ms(const struct lp_retry_policy *p, unsigned attempt)
{
    int64_t ceiling = p->base_ms;
    for (unsigned n = 1; n < attempt && ceiling < p->cap_ms && ceiling > 0; n++) {
        ceiling = ceiling > LONGEST_MS / 2 ? LONGEST_MS : ceiling * 2;
        if (ceiling == LONGEST_MS) break;
    }
    if (ceiling > p->cap_ms) ceiling = p->cap_ms;
    return ceiling < 0 ? 0 : ceiling;
}

/* 0 … max, each as likely as the other: the high half of a 128-bit product. */
static int64_t draw(uint64_t random, int64_t max)
{
    unsigned __int128 product = (unsigned __int128)random * ((uint64_t)max + 1);
    return (int64_t)(uint64_t)(product >> 64);
}

static struct lp_retry_verdict give_up(const char *format, ...) LP_PRINTF(1, 2);
static struct lp_retry_verdict give_up(const char *format, ...)
{
    struct lp_retry_verdict verdict = {.retry = false};
    va_list args;
    va_start(args, format);
    vsnprintf(verdict.why, sizeof verdict.why, format, args);
    va_end(args);
    return verdict;
}

struct lp_retry_verdict lp_retry_decide(const struct lp_retry_policy *policy, unsigned attempt, int64_t elapsed_ms,
                                        bool retryable, int64_t retry_after_ms, uint64_t random)
{
    unsigned attempts = policy->attempts ? policy->attempts : 1;
    char asked[LP_TIME_TEXT_BYTES], limit[LP_TIME_TEXT_BYTES];
    if (!retryable) return give_up("trying again would not help");
    if (attempt >= attempts) return give_up("gave up after %u attempt%s", attempt, attempt == 1 ? "" : "s");

    lp_duration_format(policy->deadline_ms, limit);
    int64_t left_ms = policy->deadline_ms ? policy->deadline_ms - elapsed_ms : LONGEST_MS;
    if (left_ms <= 0) return give_up("gave up: the deadline of %s has passed", limit);
    int64_t wait_ms = draw(random, ceiling_ms(policy, attempt));
    if (retry_after_ms > 0) {
        lp_duration_format(retry_after_ms, asked);
        if (retry_after_ms >= left_ms && policy->deadline_ms)
            return give_up("gave up: the server asks to wait %s, past the deadline of %s", asked, limit);
        if (retry_after_ms >= left_ms) return give_up("gave up: the server asks to wait %s", asked);
        /* The spread must not be what breaks the deadline. */
        int64_t spread_ms = ceiling_ms(policy, 1), room_ms = left_ms - 1 - retry_after_ms;
        wait_ms = retry_after_ms + draw(random, spread_ms < room_ms ? spread_ms : room_ms);
    }
    if (wait_ms >= left_ms) return give_up("gave up: the next attempt would pass the deadline of %s", limit);

    struct lp_retry_verdict verdict = {.retry = true, .wait_ms = wait_ms};
    lp_duration_format(wait_ms, asked);
    snprintf(verdict.why, sizeof verdict.why, "attempt %u of %u in %s", attempt + 1, attempts, asked);
    return verdict;
}

int64_t lp_retry_time_left_ms(const struct lp_retry_policy *policy, int64_t elapsed_ms)
{
    if (!policy->deadline_ms) return 0;
    return elapsed_ms < policy->deadline_ms ? policy->deadline_ms - elapsed_ms : 1;
}

uint64_t lp_retry_random(uint64_t *state)
{
    if (!*state && getrandom(state, sizeof *state, GRND_NONBLOCK) != (ssize_t)sizeof *state)
        *state = (uint64_t)lp_clock_monotonic_us();
    /* SplitMix64: two lines, and good enough to spread retries. */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
