/* What retries cost and how long they wait: both tables of AWS's standard mode. */
#include "test.h"

#include "aws/budget.h"

struct expected {
    bool new_prices;
    enum lp_aws_trouble trouble;
    int cost;
    int64_t longest_ms[6]; /* after attempt 1, 2, … */
};
static const struct expected table[] = {
    {false, LP_AWS_BROKEN, 5, {1000, 2000, 4000, 8000, 16000, 20000}},
    {false, LP_AWS_TIMED_OUT, 10, {1000, 2000, 4000, 8000, 16000, 20000}},
    {false, LP_AWS_THROTTLED, 5, {1000, 2000, 4000, 8000, 16000, 20000}},
    {true, LP_AWS_BROKEN, 14, {50, 100, 200, 400, 800, 1600}},
    {true, LP_AWS_TIMED_OUT, 14, {50, 100, 200, 400, 800, 1600}},
    {true, LP_AWS_THROTTLED, 5, {1000, 2000, 4000, 8000, 16000, 20000}},
};

static void each_kind_of_trouble_costs_and_waits_as_the_tables_say(void **state)
{
    for (size_t i = 0; i < LP_COUNT(table); i++)
        for (unsigned attempt = 1; attempt <= 6; attempt++) {
            const struct expected *e = &table[i];
            struct lp_aws_budget b;
            int64_t wait, most = 0, least = INT64_MAX;
            int cost;
            uint64_t random = 1;
            for (int k = 0; k < 3000; k++) {
                lp_aws_budget_init(&b, 100, e->new_prices);
                assert_true(lp_aws_budget_retry(&b, attempt, e->trouble, -1, next_random(&random), &wait, &cost));
                assert_int_equal(cost, e->cost);
                assert_int_equal(b.tokens, 500 - e->cost);
                if (wait > most) most = wait;
                if (wait < least) least = wait;
            }
            assert_in_range(most, e->longest_ms[attempt - 1] * 98 / 100, e->longest_ms[attempt - 1]);
            assert_in_range(least, 0, e->longest_ms[attempt - 1] * 2 / 100);
        }
}

static void attempts_end_with_the_last_that_is_allowed(void **state)
{
    struct lp_aws_budget b;
    int64_t wait;
    int cost;
    lp_aws_budget_init(&b, 3, false);
    assert_true(lp_aws_budget_retry(&b, 2, LP_AWS_BROKEN, -1, 1, &wait, &cost));
    assert_false(lp_aws_budget_retry(&b, 3, LP_AWS_BROKEN, -1, 1, &wait, &cost));
    assert_int_equal(b.tokens, 495);
    lp_aws_budget_init(&b, 0, false);
    assert_false(lp_aws_budget_retry(&b, 1, LP_AWS_BROKEN, -1, 1, &wait, &cost));
}

static void an_empty_bucket_ends_retries_and_successes_fill_it_again(void **state)
{
    struct lp_aws_budget b;
    int64_t wait;
    int cost = 0, retries = 0;
    lp_aws_budget_init(&b, 1000, false);
    while (lp_aws_budget_retry(&b, 1, LP_AWS_TIMED_OUT, -1, 1, &wait, &cost)) retries++;
    assert_int_equal(retries, 50);
    assert_int_equal(b.tokens, 0);
    for (int i = 0; i < 9; i++) lp_aws_budget_succeed(&b, 0);
    assert_false(lp_aws_budget_retry(&b, 1, LP_AWS_TIMED_OUT, -1, 1, &wait, &cost));
    lp_aws_budget_succeed(&b, 0);
    assert_true(lp_aws_budget_retry(&b, 1, LP_AWS_TIMED_OUT, -1, 1, &wait, &cost));
    lp_aws_budget_succeed(&b, cost);
    assert_int_equal(b.tokens, 10);
    for (int i = 0; i < 1000; i++) lp_aws_budget_succeed(&b, 10);
    assert_int_equal(b.tokens, 500);
}

static void a_servers_hint_lengthens_the_wait_by_five_seconds_at_most_and_only_in_the_new_mode(void **state)
{
    struct lp_aws_budget b;
    int64_t wait;
    int cost;
    lp_aws_budget_init(&b, 3, true);
    assert_true(lp_aws_budget_retry(&b, 1, LP_AWS_BROKEN, 700, 0, &wait, &cost));
    assert_int_equal(wait, 700);
    assert_true(lp_aws_budget_retry(&b, 1, LP_AWS_BROKEN, 600000, 20, &wait, &cost));
    assert_int_equal(wait, 5020);
    assert_true(lp_aws_budget_retry(&b, 1, LP_AWS_BROKEN, 3, 20, &wait, &cost));
    assert_int_equal(wait, 20);
    lp_aws_budget_init(&b, 3, false);
    assert_true(lp_aws_budget_retry(&b, 1, LP_AWS_BROKEN, 700, 0, &wait, &cost));
    assert_int_equal(wait, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_trouble_costs_and_waits_as_the_tables_say),
        cmocka_unit_test(attempts_end_with_the_last_that_is_allowed),
        cmocka_unit_test(an_empty_bucket_ends_retries_and_successes_fill_it_again),
        cmocka_unit_test(a_servers_hint_lengthens_the_wait_by_five_seconds_at_most_and_only_in_the_new_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
