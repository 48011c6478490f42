#include "serve/agenda.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_US INT64_C(60000000)
#define STEP_US   MINUTE_US /* a clock that goes back by less is waited for */

static int64_t next_of(const struct lp_agenda *a, int64_t after_us)
{
    int64_t next;
    return lp_expression_next(a->expression, a->zone, after_us, &next) ? next : INT64_MAX;
}

void lp_agenda_init(struct lp_agenda *a, const struct lp_schedule *rules, const struct lp_expression *e,
                    const struct lp_zone *z, uint64_t seed, int64_t now_us)
{
    *a = (struct lp_agenda){.rules = rules, .expression = e, .zone = z, .seed = seed, .decided_us = now_us, .taken_us = INT64_MIN};
    a->next_us = next_of(a, now_us);
}

void lp_agenda_begin_at(struct lp_agenda *a, int64_t now_us)
{
    a->decided_us = now_us;
    a->next_us = next_of(a, now_us);
}

void lp_agenda_restart(struct lp_agenda *a, int64_t now_us)
{
    a->waiting_count = 0;
    lp_agenda_begin_at(a, now_us);
}

void lp_agenda_stop(struct lp_agenda *a)
{
    a->waiting_count = 0;
    a->next_us = INT64_MAX;
}

void lp_agenda_release(struct lp_agenda *a)
{
    free(a->waiting);
    *a = (struct lp_agenda){0};
}

/* ---- what waits ---- */

/* Spread over the jitter by pipeline and slot alone (splitmix64), so that every service and every start agrees. */
static int64_t delay_us(const struct lp_agenda *a, int64_t slot_us)
{
    if (a->rules->jitter_ms <= 0) return 0;
    uint64_t x = a->seed ^ (uint64_t)slot_us;
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    x ^= x >> 31;
    return (int64_t)(x % ((uint64_t)a->rules->jitter_ms * 1000));
}

static void leave_out(struct lp_agenda *a, enum lp_left_out why)
{
    a->left_out++;
    a->left_out_why = why;
}

static void forget_waiting(struct lp_agenda *a, size_t i)
{
    memmove(a->waiting + i, a->waiting + i + 1, (--a->waiting_count - i) * sizeof *a->waiting);
}

static enum lp_code add_waiting(struct lp_agenda *a, const struct lp_fire *f, struct lp_err *err)
{
    size_t at = a->waiting_count;
    while (at && a->waiting[at - 1].slot_us > f->slot_us) at--;
    if (at && a->waiting[at - 1].slot_us == f->slot_us) return LP_OK;
    if (a->waiting_count == LP_AGENDA_WAITING) {
        leave_out(a, LP_LEFT_OUT_BY_NUMBER);
        if (!at) return LP_OK; /* it is the oldest itself */
        forget_waiting(a, 0);
        at--;
    }
    if (a->waiting_count == a->waiting_cap) {
        size_t cap = a->waiting_cap ? a->waiting_cap * 2 : 2;
        struct lp_fire *list = reallocarray(a->waiting, cap, sizeof *list);
        if (!list) return lp_nomem(err);
        a->waiting = list;
        a->waiting_cap = cap;
    }
    memmove(a->waiting + at + 1, a->waiting + at, (a->waiting_count++ - at) * sizeof *a->waiting);
    a->waiting[at] = *f;
    return LP_OK;
}

/* The next slot has come: those that failed before it have had their time. */
static void give_up_retries(struct lp_agenda *a)
{
    for (size_t i = a->waiting_count; i-- > 0;)
        if (a->waiting[i].tries && !a->waiting[i].caught_up) forget_waiting(a, i);
}

static bool on_time_waits(const struct lp_agenda *a)
{
    for (size_t i = 0; i < a->waiting_count; i++)
        if (!a->waiting[i].caught_up) return true;
    return false;
}

static enum lp_code come_due(struct lp_agenda *a, int64_t slot_us, struct lp_err *err)
{
    const struct lp_fire f = {.slot_us = slot_us, .not_before_us = slot_us + delay_us(a, slot_us)};
    give_up_retries(a);
    if (a->rules->overlap == LP_OVERLAP_SKIP && (a->on_time_at_work || on_time_waits(a))) {
        leave_out(a, LP_LEFT_OUT_BY_OVERLAP);
        return LP_OK;
    }
    return add_waiting(a, &f, err);
}

static enum lp_code add_missed(struct lp_agenda *a, int64_t slot_us, struct lp_err *err)
{
    const struct lp_fire f = {.slot_us = slot_us, .not_before_us = slot_us, .caught_up = true};
    return add_waiting(a, &f, err);
}

/* How many of the last slots are looked at. */
static size_t most_missed(const struct lp_agenda *a)
{
    return a->rules->catch_up == LP_CATCH_UP_ALL ? (size_t)a->rules->catch_up_limit : a->rules->catch_up == LP_CATCH_UP_LATEST;
}

/* Slots in (decided, until] that nobody woke up for. */
static enum lp_code miss(struct lp_agenda *a, int64_t until_us, struct lp_err *err)
{
    int64_t slots[1000];
    size_t n = most_missed(a);
    size_t count = lp_expression_last(a->expression, a->zone, a->decided_us, until_us, slots, n ? n : 1);
    /* How many were left out before the newest is not counted: it may be millions. */
    if (!n && count) leave_out(a, LP_LEFT_OUT_BY_CATCH_UP);
    for (size_t i = 0; i < count && n; i++) LP_TRY(add_missed(a, slots[i], err));
    a->decided_us = until_us;
    return LP_OK;
}

int64_t lp_agenda_retry_us(const struct lp_agenda *a, unsigned tries)
{
    int64_t wait_us = a->rules->retry_after_ms * 1000;
    for (unsigned i = 1; i < tries && wait_us < LP_DAY_US; i++) wait_us *= 2;
    return wait_us;
}

/* Slots that are still to come come due again when they do. */
static void go_back(struct lp_agenda *a, int64_t now_us)
{
    for (size_t i = a->waiting_count; i-- > 0;)
        if (a->waiting[i].slot_us > now_us) forget_waiting(a, i);
    if (a->taken_us > now_us) a->taken_us = now_us;
    lp_agenda_begin_at(a, now_us);
}

enum lp_code lp_agenda_look(struct lp_agenda *a, int64_t now_us, struct lp_err *err)
{
    if (a->decided_us > now_us + STEP_US) go_back(a, now_us); /* the clock has */
    for (size_t i = 0; i < a->waiting_count; i++) { /* nor does a retry wait for a clock that was ahead */
        struct lp_fire *f = &a->waiting[i];
        if (f->tries && f->not_before_us > now_us + lp_agenda_retry_us(a, f->tries))
            f->not_before_us = now_us + lp_agenda_retry_us(a, f->tries);
    }
    if (a->next_us <= now_us - LP_LATE_US) {
        LP_TRY(miss(a, now_us - LP_LATE_US, err));
        a->next_us = next_of(a, a->decided_us);
    }
    while (a->next_us <= now_us) {
        LP_TRY(come_due(a, a->next_us, err));
        a->decided_us = a->next_us;
        a->next_us = next_of(a, a->decided_us);
    }
    return LP_OK;
}

/* ---- what was missed before ---- */

int64_t lp_agenda_past(const struct lp_agenda *a, int64_t now_us)
{
    int64_t slots[1000];
    size_t n = most_missed(a);
    if (!n) return now_us - LP_LATE_US;
    size_t count = lp_expression_last(a->expression, a->zone, INT64_C(0), now_us, slots, n);
    return count && slots[0] < now_us - LP_LATE_US ? slots[0] : now_us - LP_LATE_US;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_recorded(const int64_t *recorded, size_t count, int64_t slot_us)
{
    return count && bsearch(&slot_us, recorded, count, sizeof *recorded, by_time);
}

enum lp_code lp_agenda_catch_up(struct lp_agenda *a, const int64_t *recorded, size_t count, bool has_older, int64_t since_us,
                                int64_t now_us, struct lp_err *err)
{
    int64_t slots[1000], first = count ? recorded[0] : INT64_MAX, next;
    size_t n = most_missed(a), found;
    if (has_older) first = INT64_MIN;
    if (since_us < first) first = since_us;
    for (size_t i = a->waiting_count; i-- > 0;) /* what waited may have been done by others */
        if (!a->waiting[i].tries && is_recorded(recorded, count, a->waiting[i].slot_us)) forget_waiting(a, i);
    found = lp_expression_last(a->expression, a->zone, 0, now_us, slots, n ? n : 1);
    for (size_t i = 0; i < found && n; i++)
        if (slots[i] > first && slots[i] <= now_us - LP_LATE_US && !is_recorded(recorded, count, slots[i]))
            LP_TRY(add_missed(a, slots[i], err));
    /* Those that are hardly late are due whatever the rule. */
    for (int64_t at = now_us - LP_LATE_US; lp_expression_next(a->expression, a->zone, at, &next) && next <= now_us; at = next)
        if (next > first && next > a->taken_us && !is_recorded(recorded, count, next)) LP_TRY(come_due(a, next, err));
    if (a->decided_us < now_us) a->decided_us = now_us;
    a->next_us = next_of(a, a->decided_us);
    return LP_OK;
}

enum lp_code lp_agenda_try_again(struct lp_agenda *a, int64_t slot_us, int64_t now_us, struct lp_err *err)
{
    const struct lp_fire f = {.slot_us = slot_us, .not_before_us = now_us, .tries = 1};
    if (a->rules->retries < 1 || next_of(a, slot_us) <= now_us) return LP_OK;
    return add_waiting(a, &f, err);
}

/* ---- runs ---- */

/* Its own slots come before what was missed: that has waited already, and what is asked for now may not be had later. */
static size_t ready(const struct lp_agenda *a, int64_t now_us)
{
    size_t found = SIZE_MAX;
    if (a->at_work && a->rules->overlap != LP_OVERLAP_ALLOW) return found;
    for (size_t i = 0; i < a->waiting_count; i++) {
        if (a->waiting[i].not_before_us > now_us) continue;
        if (!a->waiting[i].caught_up) return i;
        if (found == SIZE_MAX) found = i;
    }
    return found;
}

bool lp_agenda_take(struct lp_agenda *a, int64_t now_us, struct lp_fire *out)
{
    size_t i = ready(a, now_us);
    if (i == SIZE_MAX) return false;
    *out = a->waiting[i];
    forget_waiting(a, i);
    a->at_work++;
    a->on_time_at_work += !out->caught_up;
    if (out->slot_us > a->taken_us) a->taken_us = out->slot_us;
    return true;
}

enum lp_code lp_agenda_put_back(struct lp_agenda *a, const struct lp_fire *f, struct lp_err *err)
{
    a->at_work--;
    a->on_time_at_work -= !f->caught_up;
    return add_waiting(a, f, err);
}

enum lp_code lp_agenda_done(struct lp_agenda *a, const struct lp_fire *f, enum lp_fire_outcome outcome, int64_t now_us,
                            bool *again, struct lp_err *err)
{
    struct lp_fire retry = *f;
    *again = false;
    a->at_work--;
    a->on_time_at_work -= !f->caught_up;
    if (outcome == LP_FIRE_BUSY) {
        retry.not_before_us = now_us + LP_BUSY_US;
        retry.waits++;
        LP_TRY(add_waiting(a, &retry, err));
        *again = true;
    }
    if (outcome != LP_FIRE_FAILED || f->tries >= (unsigned)a->rules->retries) return LP_OK;
    retry.not_before_us = now_us + lp_agenda_retry_us(a, ++retry.tries);
    /* Before the next slot, or not at all. */
    if (!f->caught_up && a->next_us <= retry.not_before_us) return LP_OK;
    LP_TRY(add_waiting(a, &retry, err));
    *again = true;
    return LP_OK;
}

int64_t lp_agenda_wake(const struct lp_agenda *a, int64_t now_us)
{
    int64_t wake = a->next_us;
    if (a->at_work && a->rules->overlap != LP_OVERLAP_ALLOW) return wake;
    for (size_t i = 0; i < a->waiting_count; i++)
        if (a->waiting[i].not_before_us < wake) wake = a->waiting[i].not_before_us;
    return wake < now_us ? now_us : wake;
}

int64_t lp_agenda_waits_since(const struct lp_agenda *a, int64_t now_us, bool *caught_up)
{
    size_t i = ready(a, now_us);
    *caught_up = i != SIZE_MAX && a->waiting[i].caught_up;
    return i == SIZE_MAX ? INT64_MAX : a->waiting[i].not_before_us;
}
