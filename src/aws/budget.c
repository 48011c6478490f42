#include "aws/budget.h"

#define LONGEST_MS    INT64_C(20000)
#define HINT_ABOVE_MS INT64_C(5000)
#define DOUBLINGS_MAX 16 /* far past LONGEST_MS */

void lp_aws_budget_init(struct lp_aws_budget *b, unsigned max_attempts, bool new_prices)
{
    *b = (struct lp_aws_budget){LP_AWS_BUDGET_TOKENS, max_attempts ? max_attempts : 1, new_prices};
}

static int price(const struct lp_aws_budget *b, enum lp_aws_trouble trouble)
{
    if (b->new_prices) return trouble == LP_AWS_THROTTLED ? 5 : 14;
    return trouble == LP_AWS_TIMED_OUT ? 10 : 5;
}

bool lp_aws_budget_retry(struct lp_aws_budget *b, unsigned attempt, enum lp_aws_trouble trouble, int64_t hint_ms,
                         uint64_t random, int64_t *wait_ms, int *cost)
{
    int wanted = price(b, trouble);
    if (attempt >= b->max_attempts || b->tokens < wanted) return false;
    b->tokens -= wanted;
    *cost = wanted;
    int64_t base = b->new_prices && trouble != LP_AWS_THROTTLED ? 50 : 1000;
    int64_t most = base << (attempt - 1 < DOUBLINGS_MAX ? attempt - 1 : DOUBLINGS_MAX);
    if (most > LONGEST_MS) most = LONGEST_MS;
    *wait_ms = (int64_t)(random % (uint64_t)(most + 1));
    if (b->new_prices && hint_ms >= 0) {
        int64_t at_most = *wait_ms + HINT_ABOVE_MS, wished = hint_ms < at_most ? hint_ms : at_most;
        if (wished > *wait_ms) *wait_ms = wished;
    }
    return true;
}

void lp_aws_budget_succeed(struct lp_aws_budget *b, int cost)
{
    b->tokens += cost ? cost : 1;
    if (b->tokens > LP_AWS_BUDGET_TOKENS) b->tokens = LP_AWS_BUDGET_TOKENS;
}
