/* budget.h — whether a failed call is tried again, and when: AWS's "standard" mode.
 * Model:   one bucket of 500 tokens per session: a retry takes some, a success gives them back, so that a service that is
 *          down is not asked three times by everybody. Two tables of prices and delays: the one of today's SDKs, and the
 *          one they announce for 2026 (AWS_NEW_RETRIES_2026).
 * Owns:    nothing.
 * Units:   milliseconds; attempts count from 1.
 * Errors:  none.
 * Threads: one thread per budget.
 * Source:  botocore's retries/standard.py.
 */
#ifndef LP_AWS_BUDGET_H
#define LP_AWS_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define LP_AWS_BUDGET_TOKENS 500

struct lp_aws_budget {
    int tokens;
    unsigned max_attempts; /* in all, at least 1 */
    bool new_prices;       /* those of 2026 */
};
void lp_aws_budget_init(struct lp_aws_budget *b, unsigned max_attempts, bool new_prices);

enum lp_aws_trouble { LP_AWS_BROKEN, LP_AWS_TIMED_OUT, LP_AWS_THROTTLED };

/* The attempt failed in a way that may pass. True: try again in *wait_ms; *cost tokens were taken. hint_ms is what the
 * server asks for, negative: nothing; `random` any uniformly distributed number. */
bool lp_aws_budget_retry(struct lp_aws_budget *b, unsigned attempt, enum lp_aws_trouble trouble, int64_t hint_ms,
                         uint64_t random, int64_t *wait_ms, int *cost);
/* The call succeeded; `cost` is that of its last retry, 0 when there was none. */
void lp_aws_budget_succeed(struct lp_aws_budget *b, int cost);

#endif
