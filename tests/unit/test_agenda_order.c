/* The agenda's order: what comes first, what waits, what is met again after clocks, locks and processes have come and gone. */
#include "test.h"

#include "base/clock.h"
#include "serve/agenda.h"

#define MINUTE INT64_C(60000000)
#define HOUR   (60 * MINUTE)
#define BEGIN  INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

static struct lp_err err;

struct world {
    struct lp_schedule rules;
    struct lp_expression expression;
    struct lp_zone zone;
    struct lp_agenda agenda;
};

static void world_init(struct world *w, const char *expression, int overlap, int catch_up)
{
    size_t column, width;
    *w = (struct world){.rules = {.overlap = overlap, .catch_up = catch_up, .catch_up_limit = 1000, .retries = 2,
                                  .retry_after_ms = 60000, .time_limit_ms = 3600000}};
    assert_int_equal(lp_expression_parse(&w->expression, expression, &column, &width, &err), LP_OK);
    assert_int_equal(lp_zone_open(&w->zone, "UTC", &err), LP_OK);
}

static void world_release(struct world *w)
{
    lp_agenda_release(&w->agenda);
    lp_zone_release(&w->zone);
}

static void what_is_due_now_comes_before_what_was_missed(void **state)
{
    struct world w;
    struct lp_fire f;
    bool again, caught_up;
    (void)state;
    world_init(&w, "cron(0 * * * ? *)", LP_OVERLAP_SKIP, LP_CATCH_UP_ALL);
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN + 10 * HOUR - MINUTE);
    assert_int_equal(lp_agenda_catch_up(&w.agenda, NULL, 0, true, BEGIN, BEGIN + 10 * HOUR - MINUTE, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, BEGIN + 10 * HOUR - MINUTE, &f) && f.caught_up);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN + 10 * HOUR, &err), LP_OK);
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_DONE, BEGIN + 10 * HOUR, &again, &err), LP_OK);
    assert_int_equal(lp_agenda_waits_since(&w.agenda, BEGIN + 10 * HOUR, &caught_up), BEGIN + 10 * HOUR);
    assert_false(caught_up);
    assert_true(lp_agenda_take(&w.agenda, BEGIN + 10 * HOUR, &f) && !f.caught_up);
    assert_int_equal(f.slot_us, BEGIN + 10 * HOUR);
    assert_int_equal(w.agenda.left_out, 0);
    world_release(&w);
}

static void what_waits_for_its_jitter_when_the_clock_goes_back_holds_up_nothing(void **state)
{
    struct world w;
    struct lp_fire f;
    int64_t ahead = BEGIN + 3 * LP_DAY_US;
    (void)state;
    world_init(&w, "cron(0 * * * ? *)", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE);
    w.rules.jitter_ms = 1800000;
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, ahead - 1);
    assert_int_equal(lp_agenda_look(&w.agenda, ahead, &err), LP_OK);
    assert_int_equal(w.agenda.waiting_count, 1);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN + MINUTE, &err), LP_OK);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN + HOUR, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, BEGIN + HOUR + 30 * MINUTE, &f));
    assert_int_equal(f.slot_us, BEGIN + HOUR);
    assert_int_equal(w.agenda.left_out, 0);
    world_release(&w);
}

static void a_retry_does_not_wait_for_a_clock_that_was_ahead(void **state)
{
    struct world w;
    struct lp_fire f;
    bool again;
    (void)state;
    world_init(&w, "cron(0 0 * * ? *)", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE);
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, BEGIN, &f));
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_FAILED, BEGIN + 20 * HOUR, &again, &err), LP_OK);
    assert_true(again);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN + MINUTE, &err), LP_OK);
    assert_int_equal(lp_agenda_wake(&w.agenda, BEGIN + MINUTE), BEGIN + 2 * MINUTE);
    world_release(&w);
}

static void what_could_not_be_begun_waits_and_is_no_try(void **state)
{
    struct world w;
    struct lp_fire f;
    (void)state;
    world_init(&w, "cron(0 0 * * ? *)", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE);
    w.rules.retries = 0;
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN, &err), LP_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(lp_agenda_take(&w.agenda, BEGIN + i * HOUR, &f));
        assert_int_equal(f.slot_us, BEGIN);
        assert_int_equal(f.tries, 0);
        assert_int_equal(lp_agenda_put_back(&w.agenda, &f, &err), LP_OK);
    }
    assert_int_equal(w.agenda.at_work, 0);
    world_release(&w);
}

/* Another lock, since other pipelines are served: what waits is run, what is at work is not met again. */
static void what_waits_and_is_at_work_outlives_a_new_lock(void **state)
{
    struct world w;
    struct lp_fire f;
    bool again;
    int64_t now_us = BEGIN + 10 * MINUTE + 1, done = BEGIN + 2 * MINUTE;
    (void)state;
    world_init(&w, "cron(* * * * ? *)", LP_OVERLAP_QUEUE, LP_CATCH_UP_NONE);
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    for (int64_t t = BEGIN; t < now_us; t += MINUTE) assert_int_equal(lp_agenda_look(&w.agenda, t, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, now_us, &f) && f.slot_us == BEGIN);
    lp_agenda_begin_at(&w.agenda, now_us);
    assert_int_equal(lp_agenda_catch_up(&w.agenda, &done, 1, true, BEGIN, now_us, &err), LP_OK);
    assert_int_equal(w.agenda.waiting_count, 9); /* of 1 to 10 one has been done by another */
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_DONE, now_us, &again, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, now_us, &f) && f.slot_us == BEGIN + MINUTE);
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_DONE, now_us, &again, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, now_us, &f) && f.slot_us == BEGIN + 3 * MINUTE);
    world_release(&w);
}

static void a_slot_at_work_is_not_met_again_when_the_past_is_read(void **state)
{
    struct world w;
    struct lp_fire f;
    (void)state;
    world_init(&w, "cron(* * * * ? *)", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE);
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, BEGIN, &f));
    lp_agenda_begin_at(&w.agenda, BEGIN + MINUTE / 4);
    assert_int_equal(lp_agenda_catch_up(&w.agenda, NULL, 0, true, BEGIN - HOUR, BEGIN + MINUTE / 4, &err), LP_OK);
    assert_int_equal(w.agenda.waiting_count, 0);
    assert_int_equal(w.agenda.left_out, 0);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_due_now_comes_before_what_was_missed),
        cmocka_unit_test(what_waits_for_its_jitter_when_the_clock_goes_back_holds_up_nothing),
        cmocka_unit_test(a_retry_does_not_wait_for_a_clock_that_was_ahead),
        cmocka_unit_test(what_could_not_be_begun_waits_and_is_no_try),
        cmocka_unit_test(what_waits_and_is_at_work_outlives_a_new_lock),
        cmocka_unit_test(a_slot_at_work_is_not_met_again_when_the_past_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
