/* retry.h — whether, and when, to try again.
 * Model:   pure decisions. After the n-th failed attempt the wait is random between 0 and min(cap, base·2^(n−1)) ("full
 *          jitter"); a server that says Retry-After is given that time plus a random part of at most base, so that
 *          those it sent away do not return all at once. Nobody waits past the deadline, which counts from the item's
 *          first start; a server that asks for more is given up at once.
 * Owns:    nothing.
 * Units:   milliseconds; attempts count from 1.
 * Errors:  none; unreadable Retry-After is as good as none.
 * Threads: no shared state.
 */
#ifndef LP_NET_RETRY_H
#define LP_NET_RETRY_H

#include "net/http.h"

#define LP_RETRY_WHY_BYTES 128

struct lp_retry_policy { /* no defaults here: the pipeline file has them (4, 2m, 500ms, 20s) */
    unsigned attempts;   /* in all, the first included; 0 counts as 1 */
    int64_t deadline_ms; /* 0: none */
    int64_t base_ms, cap_ms;
};

struct lp_retry_verdict {
    bool retry;
    int64_t wait_ms;              /* when retry */
    char why[LP_RETRY_WHY_BYTES]; /* "attempt 2 of 4 in 412 ms", "gave up after 4 attempts", … */
};

#define LP_RETRY_AFTER_NONE INT64_C(-1)

/* A transfer that may go better the next time: no connection, time-out, cut short, garbled, and the statuses 408, 425,
 * 429 and 5xx. What on_status says, and a 200 that is not JSON, is for the caller to add. */
bool lp_retry_outcome(enum lp_http_outcome outcome, int status);

/* Milliseconds the server asks for, or LP_RETRY_AFTER_NONE. Reads the seconds or the date of Retry-After; a date is
 * taken relative to the reply's own Date where that can be read, so that a wrong clock on either side does no harm,
 * else to now_us (wall clock). A past date is 0; nothing is longer than INT64_MAX / 4. */
int64_t lp_retry_after_ms(const struct lp_http_reply *reply, int64_t now_us);

/* `attempt` attempts have been made, the last has failed; elapsed_ms have passed since the first was started. `random`
 * is any uniformly distributed number. */
struct lp_retry_verdict lp_retry_decide(const struct lp_retry_policy *policy, unsigned attempt, int64_t elapsed_ms,
                                        bool retryable, int64_t retry_after_ms, uint64_t random);

/* How long the next attempt may take: what the deadline leaves, at least 1; 0 (no limit of ours) without a deadline.
 * Fits lp_http_request.total_ms. */
int64_t lp_retry_time_left_ms(const struct lp_retry_policy *policy, int64_t elapsed_ms);

/* A random number for lp_retry_decide; the state is seeded from the system when it is 0. */
uint64_t lp_retry_random(uint64_t *state);

#endif
