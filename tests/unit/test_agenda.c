/* The agenda under a clock of our own: a year of crashes, sleeps, clock steps and reloads in a second, and the rules one by one. */
#include "test.h"

#include "base/clock.h"
#include "serve/agenda.h"

#include <stdlib.h>

#define MINUTE INT64_C(60000000)
#define HOUR   (60 * MINUTE)
#define BEGIN  INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */
#define DAYS   365
#define SPAN   (DAYS * LP_DAY_US)
#define SLOTS  (DAYS * 24 * 60 + 20000)

static struct lp_err err;

/* ---- a world: a clock, a lake of records, a service that comes and goes ---- */

struct at_work {
    struct lp_fire fire;
    int64_t ends;
};

struct world {
    struct lp_schedule rules;
    struct lp_expression expression;
    struct lp_zone zone;
    struct lp_agenda agenda;
    bool up;
    int64_t t, offset;    /* true time, and what the machine's clock is ahead of it */
    int64_t furthest;     /* that clock has been */
    int64_t since;        /* the service's start, by its clock */
    uint8_t *named;       /* by minute: has a record */
    uint8_t *written;     /* how often it was written */
    uint64_t refused;     /* fires of slots that were written already */
    struct at_work runs[64];
    size_t run_count;
    unsigned failing;     /* of 100 runs */
    uint64_t random, fired;
};

static uint64_t dice(struct world *w, uint64_t n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % n;
}

static int64_t now(const struct world *w)
{
    return w->t + w->offset;
}

static size_t minute_of(int64_t slot)
{
    int64_t m = (slot - BEGIN) / MINUTE + 10000;
    assert_true(m >= 0 && m < SLOTS);
    return (size_t)m;
}

static void world_init(struct world *w, const char *expression, const char *zone, int overlap, int catch_up, uint64_t seed)
{
    size_t column, width;
    *w = (struct world){.t = BEGIN, .furthest = BEGIN, .random = seed * 7919 + 1};
    w->rules = (struct lp_schedule){.overlap = overlap, .catch_up = catch_up, .catch_up_limit = 1000, .retries = 2,
                                    .retry_after_ms = 60000, .time_limit_ms = 3600000};
    assert_int_equal(lp_expression_parse(&w->expression, expression, &column, &width, &err), LP_OK);
    assert_int_equal(lp_zone_open(&w->zone, zone, &err), LP_OK);
    w->named = calloc(SLOTS, 1);
    w->written = calloc(SLOTS, 1);
}

static void world_release(struct world *w)
{
    lp_agenda_release(&w->agenda);
    lp_zone_release(&w->zone);
    free(w->named);
    free(w->written);
}

static void start_service(struct world *w)
{
    static int64_t recorded[SLOTS];
    size_t count = 0;
    bool older = false;
    lp_agenda_init(&w->agenda, &w->rules, &w->expression, &w->zone, 1, now(w));
    w->since = now(w);
    int64_t past = lp_agenda_past(&w->agenda, now(w));
    for (size_t i = 0; i < SLOTS; i++) {
        int64_t slot = BEGIN + ((int64_t)i - 10000) * MINUTE;
        if (!w->named[i]) continue;
        if (slot >= past) recorded[count++] = slot;
        else older = true;
    }
    assert_int_equal(lp_agenda_catch_up(&w->agenda, recorded, count, older, w->since, now(w), &err), LP_OK);
    w->up = true;
}

static void crash(struct world *w)
{
    w->up = false;
    w->run_count = 0; /* the runs go with it, without a record */
    lp_agenda_release(&w->agenda);
}

static void end_runs(struct world *w)
{
    for (size_t i = 0; i < w->run_count;) {
        struct at_work r = w->runs[i];
        bool again, fails = dice(w, 100) < w->failing;
        if (r.ends > w->t) {
            i++;
            continue;
        }
        w->runs[i] = w->runs[--w->run_count];
        size_t m = minute_of(r.fire.slot_us);
        enum lp_fire_outcome outcome = LP_FIRE_DONE;
        if (w->written[m]) {
            outcome = LP_FIRE_ELSEWHERE;
            w->refused++;
        } else {
            w->named[m] = 1;
            w->written[m] += !fails;
            if (fails) outcome = LP_FIRE_FAILED;
        }
        assert_int_equal(lp_agenda_done(&w->agenda, &r.fire, outcome, now(w), &again, &err), LP_OK);
    }
}

static void serve(struct world *w)
{
    struct lp_fire f;
    end_runs(w);
    if (now(w) > w->furthest) w->furthest = now(w);
    assert_int_equal(lp_agenda_look(&w->agenda, now(w), &err), LP_OK);
    while (w->run_count < 64 && lp_agenda_take(&w->agenda, now(w), &f)) {
        for (size_t i = 0; i < w->run_count; i++) assert_int_not_equal(w->runs[i].fire.slot_us, f.slot_us);
        if (w->rules.overlap != LP_OVERLAP_ALLOW) assert_int_equal(w->run_count, 0);
        assert_true(f.slot_us <= now(w) || w->offset < 0);
        w->runs[w->run_count++] = (struct at_work){f, w->t + (int64_t)dice(w, 40) * 1000000 + 1000};
        w->fired++;
    }
}

/* Lets true time pass; the service does what is due when it is due. */
static void pass(struct world *w, int64_t us)
{
    int64_t until = w->t + us;
    while (w->up) {
        int64_t next = until, wake;
        serve(w);
        wake = lp_agenda_wake(&w->agenda, now(w));
        if (wake != INT64_MAX && wake - w->offset < next) next = wake - w->offset;
        for (size_t i = 0; i < w->run_count; i++)
            if (w->runs[i].ends < next) next = w->runs[i].ends;
        if (w->t >= until) break;
        w->t = next > w->t ? next : w->t + 1000;
    }
    w->t = until;
}

/* ---- a year ---- */

static void disturb(struct world *w, bool steps)
{
    switch (dice(w, steps ? 6 : 4)) {
    case 0: /* killed, and started again at once or later */
        crash(w);
        pass(w, dice(w, 2) ? (int64_t)dice(w, 5) * 1000000 : (int64_t)dice(w, 3000) * MINUTE);
        start_service(w);
        break;
    case 1: { /* the machine sleeps */
        int64_t slept = (int64_t)dice(w, 2000) * MINUTE;
        for (size_t i = 0; i < w->run_count; i++) w->runs[i].ends += slept;
        w->t += slept;
        break;
    }
    case 2: /* the file is read again, as it was */
        assert_int_equal(lp_agenda_look(&w->agenda, now(w), &err), LP_OK);
        lp_agenda_begin_at(&w->agenda, now(w));
        break;
    case 3: break;
    case 4: w->offset += (int64_t)dice(w, 300) * MINUTE / 10; break;
    case 5: w->offset -= (int64_t)dice(w, 300) * MINUTE / 10; break;
    }
    if (w->offset > 30 * HOUR || w->offset < -30 * HOUR) w->offset = 0;
}

/* One that is due every two minutes lives for a month. */
static void live(struct world *w, bool steps, int64_t span)
{
    start_service(w);
    while (w->t < BEGIN + span) {
        pass(w, (int64_t)dice(w, 3000) * MINUTE / 2);
        disturb(w, steps);
    }
    pass(w, 3 * HOUR); /* what is left is caught up */
}

static const struct {
    const char *expression, *zone;
} schedules[] = {{"cron(0 18 * * ? *)", "UTC"},
                 {"cron(0/7 6-20 ? * MON-FRI *)", "Pacific/Chatham"},
                 {"rate(37 minutes)", "UTC"},
                 {"cron(30 1,2 * * ? *)", "America/New_York"},
                 {"cron(0 0 L * ? *)", "Australia/Lord_Howe"},
                 {"cron(0/2 * * * ? *)", "UTC"}};

static void no_slot_of_a_year_is_missed_or_written_twice(void **state)
{
    (void)state;
    for (size_t s = 0; s < LP_COUNT(schedules); s++)
        for (int overlap = LP_OVERLAP_QUEUE; overlap <= LP_OVERLAP_ALLOW; overlap++)
            for (int steps = 0; steps < 2; steps++) {
                struct world w;
                int64_t slot;
                uint64_t due = 0;
                world_init(&w, schedules[s].expression, schedules[s].zone, overlap, LP_CATCH_UP_ALL, s + 1);
                w.rules.catch_up_limit = s == 5 ? 1000 : 900;
                live(&w, steps, s == 5 ? 30 * LP_DAY_US : SPAN);
                int64_t end = w.furthest - 2 * HOUR, first = BEGIN;
                /* Before the first record there is nothing to tell that anything was missed. */
                while (!w.named[minute_of(first)]) first += MINUTE;
                for (int64_t at = first - 1; lp_expression_next(&w.expression, &w.zone, at, &slot) && slot < end; at = slot) {
                    size_t m = minute_of(slot);
                    due++;
                    if (s != 5 && w.written[m] != 1) fail_msg("%s: minute %zu was written %d times", schedules[s].expression, m, w.written[m]);
                    assert_in_range(w.written[m], 0, 1);
                }
                uint64_t all = 0;
                for (size_t i = 0; i < SLOTS; i++) all += w.written[i];
                assert_true(due >= 10 && all >= due * 9 / 10);
                /* What was written already is met again only where the clock went back. */
                if (!steps) assert_int_equal(w.refused, 0);
                world_release(&w);
            }
}

static void runs_that_fail_are_tried_again_and_never_written_twice(void **state)
{
    struct world w;
    int64_t slot;
    (void)state;
    world_init(&w, "cron(0 * * * ? *)", "UTC", LP_OVERLAP_QUEUE, LP_CATCH_UP_ALL, 99);
    w.failing = 30;
    live(&w, false, SPAN);
    uint64_t due = 0, written = 0;
    for (int64_t at = BEGIN; lp_expression_next(&w.expression, &w.zone, at, &slot) && slot < w.furthest - 2 * HOUR; at = slot) {
        assert_true(w.named[minute_of(slot)]);
        assert_in_range(w.written[minute_of(slot)], 0, 1);
        written += w.written[minute_of(slot)];
        due++;
    }
    assert_true(written > due * 96 / 100 && written < due); /* 0.3 to the third power fail for good */
    world_release(&w);
}

/* ---- rule by rule ---- */

static void down_from_to(struct world *w, int64_t from, int64_t to)
{
    start_service(w);
    pass(w, from - w->t);
    crash(w);
    pass(w, to - w->t);
    start_service(w);
    pass(w, 10 * MINUTE);
}

static size_t named_between(const struct world *w, int64_t from, int64_t to)
{
    size_t n = 0;
    for (int64_t at = from; at < to; at += MINUTE) n += w->named[minute_of(at)];
    return n;
}

static void missed_slots_are_caught_up_by_the_rule(void **state)
{
    static const struct {
        int rule, limit;
        size_t caught_up;
    } known[] = {{LP_CATCH_UP_NONE, 5, 0}, {LP_CATCH_UP_LATEST, 5, 1}, {LP_CATCH_UP_ALL, 5, 5}, {LP_CATCH_UP_ALL, 100, 9}};
    (void)state;
    for (size_t i = 0; i < LP_COUNT(known); i++) {
        struct world w;
        world_init(&w, "cron(0 * * * ? *)", "UTC", LP_OVERLAP_SKIP, known[i].rule, 5);
        w.rules.catch_up_limit = known[i].limit;
        down_from_to(&w, BEGIN + 3 * HOUR + 30 * MINUTE, BEGIN + 12 * HOUR + 30 * MINUTE); /* 4 to 12 are missed */
        assert_int_equal(named_between(&w, BEGIN + 4 * HOUR, BEGIN + 12 * HOUR + MINUTE), known[i].caught_up);
        if (known[i].caught_up) assert_int_equal(named_between(&w, BEGIN + 12 * HOUR, BEGIN + 12 * HOUR + MINUTE), 1);
        assert_int_equal(named_between(&w, BEGIN, BEGIN + 4 * HOUR), 3);
        world_release(&w);
    }
}

static void a_slot_that_is_hardly_late_is_run_whatever_the_rule(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, "cron(0 * * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE, 5);
    down_from_to(&w, BEGIN + 3 * HOUR - MINUTE, BEGIN + 3 * HOUR + MINUTE);
    assert_int_equal(named_between(&w, BEGIN + 3 * HOUR, BEGIN + 3 * HOUR + MINUTE), 1);
    world_release(&w);
}

static void a_pipeline_that_never_ran_has_missed_nothing(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, "cron(0 * * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_ALL, 5);
    w.t = BEGIN + 5 * HOUR + MINUTE;
    start_service(&w);
    pass(&w, 30 * MINUTE);
    assert_int_equal(w.fired, 0);
    world_release(&w);
}

static void who_takes_over_runs_what_fell_due_since_it_stood_by(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, "cron(0 * * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE, 5);
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN + 30 * MINUTE); /* stands by; nothing was ever run */
    w.t = BEGIN + HOUR + MINUTE / 2;
    lp_agenda_restart(&w.agenda, now(&w));
    assert_int_equal(lp_agenda_catch_up(&w.agenda, NULL, 0, false, BEGIN + 30 * MINUTE, now(&w), &err), LP_OK);
    w.up = true;
    pass(&w, MINUTE);
    assert_int_equal(named_between(&w, BEGIN + HOUR, BEGIN + HOUR + MINUTE), 1);
    world_release(&w);
}

/* Slots every minute, the first one runs for two and a half. */
static size_t run_with_overlap(int overlap, size_t *most_at_once)
{
    struct world w;
    struct lp_fire f;
    size_t at_work = 0, fires = 0;
    int64_t ends[8];
    bool again;
    struct lp_fire of[8];
    world_init(&w, "cron(* * * * ? *)", "UTC", overlap, LP_CATCH_UP_NONE, 5);
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    *most_at_once = 0;
    for (int64_t t = BEGIN; t < BEGIN + 5 * MINUTE; t += MINUTE / 4) {
        for (size_t i = 0; i < at_work;) {
            if (ends[i] > t) {
                i++;
                continue;
            }
            assert_int_equal(lp_agenda_done(&w.agenda, &of[i], LP_FIRE_DONE, t, &again, &err), LP_OK);
            at_work--;
            ends[i] = ends[at_work];
            of[i] = of[at_work];
        }
        assert_int_equal(lp_agenda_look(&w.agenda, t, &err), LP_OK);
        while (lp_agenda_take(&w.agenda, t, &f)) {
            of[at_work] = f;
            ends[at_work++] = t + (fires++ ? MINUTE / 4 : 5 * MINUTE / 2);
            if (at_work > *most_at_once) *most_at_once = at_work;
        }
    }
    world_release(&w);
    return fires;
}

static void runs_that_meet_are_left_out_queued_or_run_side_by_side(void **state)
{
    size_t most;
    (void)state;
    assert_int_equal(run_with_overlap(LP_OVERLAP_SKIP, &most), 3); /* 0, 3, 4 */
    assert_int_equal(most, 1);
    assert_int_equal(run_with_overlap(LP_OVERLAP_QUEUE, &most), 5);
    assert_int_equal(most, 1);
    assert_int_equal(run_with_overlap(LP_OVERLAP_ALLOW, &most), 5);
    assert_int_equal(most, 2);
}

static void a_failed_slot_is_tried_again_before_the_next_and_not_after_it(void **state)
{
    struct world w;
    struct lp_fire f;
    bool again;
    (void)state;
    world_init(&w, "cron(0/10 * * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE, 5);
    w.rules.retries = 9;
    w.rules.retry_after_ms = 120000;
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, BEGIN, &f));
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_FAILED, BEGIN + MINUTE, &again, &err), LP_OK);
    assert_true(again);
    assert_false(lp_agenda_take(&w.agenda, BEGIN + 2 * MINUTE, &f));
    assert_int_equal(lp_agenda_wake(&w.agenda, BEGIN + 2 * MINUTE), BEGIN + 3 * MINUTE);
    assert_true(lp_agenda_take(&w.agenda, BEGIN + 3 * MINUTE, &f));
    assert_int_equal(f.slot_us, BEGIN);
    assert_int_equal(f.tries, 1);
    /* Twice as long this time: four minutes, until 8. */
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_FAILED, BEGIN + 4 * MINUTE, &again, &err), LP_OK);
    assert_true(again && lp_agenda_take(&w.agenda, BEGIN + 8 * MINUTE, &f));
    /* The next try would be at 16; the next slot is at 10. */
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_FAILED, BEGIN + 8 * MINUTE, &again, &err), LP_OK);
    assert_false(again);
    world_release(&w);
}

static void a_slot_that_another_process_runs_is_looked_at_again_until_it_is_done(void **state)
{
    struct world w;
    struct lp_fire f;
    bool again;
    (void)state;
    world_init(&w, "cron(0 0 * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE, 5);
    w.rules.retries = 0;
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN, &err), LP_OK);
    int64_t t = BEGIN;
    for (unsigned i = 0; i < 5; i++, t += LP_BUSY_US) {
        assert_int_equal(lp_agenda_wake(&w.agenda, t), t);
        assert_true(lp_agenda_take(&w.agenda, t, &f));
        assert_int_equal(f.slot_us, BEGIN);
        assert_int_equal(f.waits, i);
        assert_int_equal(f.tries, 0);
        assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_BUSY, t, &again, &err), LP_OK);
        assert_true(again);
        assert_false(lp_agenda_take(&w.agenda, t + LP_BUSY_US - 1, &f));
    }
    assert_true(lp_agenda_take(&w.agenda, t, &f));
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_ELSEWHERE, t, &again, &err), LP_OK);
    assert_false(again);
    assert_int_equal(lp_agenda_wake(&w.agenda, t), BEGIN + LP_DAY_US);
    world_release(&w);
}

static void what_would_fail_again_is_not_tried_again(void **state)
{
    struct world w;
    struct lp_fire f;
    bool again;
    (void)state;
    world_init(&w, "cron(0 0 * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE, 5);
    lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, 1, BEGIN - 1);
    assert_int_equal(lp_agenda_look(&w.agenda, BEGIN, &err), LP_OK);
    assert_true(lp_agenda_take(&w.agenda, BEGIN, &f));
    assert_int_equal(lp_agenda_done(&w.agenda, &f, LP_FIRE_REFUSED, BEGIN, &again, &err), LP_OK);
    assert_false(again);
    assert_int_equal(lp_agenda_wake(&w.agenda, BEGIN), BEGIN + LP_DAY_US);
    world_release(&w);
}

static void jitter_spreads_pipelines_and_is_the_same_each_time(void **state)
{
    int64_t first[100], least = INT64_MAX, most = 0;
    (void)state;
    for (int round = 0; round < 2; round++)
        for (uint64_t i = 0; i < 100; i++) {
            struct world w;
            world_init(&w, "cron(0 0 * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_NONE, 5);
            w.rules.jitter_ms = 60000;
            lp_agenda_init(&w.agenda, &w.rules, &w.expression, &w.zone, i * 77, BEGIN - 1);
            assert_int_equal(lp_agenda_look(&w.agenda, BEGIN, &err), LP_OK);
            int64_t at = lp_agenda_wake(&w.agenda, BEGIN) - BEGIN;
            assert_in_range(at, 0, MINUTE - 1);
            if (round) assert_int_equal(at, first[i]);
            first[i] = at;
            if (at < least) least = at;
            if (at > most) most = at;
            world_release(&w);
        }
    assert_true(least < 5000000 && most > 55000000);
}

static void the_last_slots_before_an_instant_are_found_however_far_back(void **state)
{
    struct lp_expression e;
    struct lp_zone z = {0};
    int64_t out[3];
    size_t column, width;
    (void)state;
    assert_int_equal(lp_expression_parse(&e, "cron(0 0 29 2 ? *)", &column, &width, &err), LP_OK);
    assert_int_equal(lp_expression_last(&e, &z, 0, BEGIN, out, 3), 3);
    assert_int_equal(out[2], INT64_C(1709164800000000)); /* 2024-02-29 */
    assert_int_equal(out[0], INT64_C(1456704000000000)); /* 2016-02-29 */
    assert_int_equal(lp_expression_parse(&e, "cron(* * * * ? *)", &column, &width, &err), LP_OK);
    assert_int_equal(lp_expression_last(&e, &z, BEGIN - 2 * MINUTE, BEGIN, out, 3), 2);
    assert_int_equal(out[1], BEGIN);
    assert_int_equal(lp_expression_last(&e, &z, BEGIN - 200 * LP_DAY_US, BEGIN, out, 3), 3);
    assert_int_equal(out[0], BEGIN - 2 * MINUTE);
}

static void a_clock_that_was_far_ahead_and_is_put_right_does_not_stop_the_schedule(void **state)
{
    struct world w;
    (void)state;
    world_init(&w, "cron(0 * * * ? *)", "UTC", LP_OVERLAP_SKIP, LP_CATCH_UP_LATEST, 5);
    start_service(&w);
    pass(&w, HOUR + MINUTE);
    w.offset = 3 * LP_DAY_US;
    pass(&w, MINUTE);
    w.offset = 0;
    pass(&w, 3 * HOUR);
    assert_int_equal(named_between(&w, BEGIN, BEGIN + 4 * HOUR + 10 * MINUTE), 4);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_slot_of_a_year_is_missed_or_written_twice),
        cmocka_unit_test(runs_that_fail_are_tried_again_and_never_written_twice),
        cmocka_unit_test(missed_slots_are_caught_up_by_the_rule),
        cmocka_unit_test(a_slot_that_is_hardly_late_is_run_whatever_the_rule),
        cmocka_unit_test(a_pipeline_that_never_ran_has_missed_nothing),
        cmocka_unit_test(who_takes_over_runs_what_fell_due_since_it_stood_by),
        cmocka_unit_test(runs_that_meet_are_left_out_queued_or_run_side_by_side),
        cmocka_unit_test(a_failed_slot_is_tried_again_before_the_next_and_not_after_it),
        cmocka_unit_test(a_slot_that_another_process_runs_is_looked_at_again_until_it_is_done),
        cmocka_unit_test(what_would_fail_again_is_not_tried_again),
        cmocka_unit_test(jitter_spreads_pipelines_and_is_the_same_each_time),
        cmocka_unit_test(the_last_slots_before_an_instant_are_found_however_far_back),
        cmocka_unit_test(a_clock_that_was_far_ahead_and_is_put_right_does_not_stop_the_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
