#include "base/clock.h"
#include "base/number.h"
#include "serve/service.h"

#include <string.h>

#define AGAIN_US INT64_C(10000000) /* the system had no process to give */

bool lp_service_cannot_start(const struct lp_service *v)
{
    return v->start_again_us && lp_clock_monotonic_us() < v->start_again_us;
}

static struct lp_firing *free_place(struct lp_service *v)
{
    for (size_t i = 0; i < v->options->at_once; i++)
        if (!v->firings[i].errand) return &v->firings[i];
    return NULL;
}

static void tell_left_out(struct lp_service *v, struct lp_served *s)
{
    static const char *const why[] = {
        [LP_LEFT_OUT_BY_OVERLAP] = "a slot came due while another one is run; it is left out (overlap: skip)",
        [LP_LEFT_OUT_BY_CATCH_UP] = "slots that were missed are left out (catch_up: none)",
        [LP_LEFT_OUT_BY_NUMBER] = "too many slots wait for their turn; the oldest are left out",
    };
    if (s->agenda.left_out == s->shown.slots_skipped) return;
    s->shown.slots_skipped = s->agenda.left_out;
    lp_service_say(v, LP_SERVE_WARN, s, INT64_MIN, "%s", why[s->agenda.left_out_why]);
}

/* Takes in what has come due, of all; where memory is short the next turn tries again. */
static void look_at_agendas(struct lp_service *v)
{
    struct lp_err err;
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        if (!s->scheduled || !s->fires || s->gone || v->stopping) continue;
        if (!lp_agenda_look(&s->agenda, v->now_us, &err)) tell_left_out(v, s);
    }
}

/* Of those that could start now the one that has waited longest, so that no pipeline holds up another for ever; what was
 * missed comes behind what is due. */
static struct lp_served *longest_waiting(const struct lp_service *v)
{
    struct lp_served *best = NULL;
    int64_t best_us = INT64_MAX;
    bool best_caught_up = true, caught_up;
    for (size_t i = 0; i < v->roster.count; i++) {
        struct lp_served *s = v->roster.list[i];
        if (!s->scheduled || !s->fires || s->gone || !s->agenda.waiting_count) continue;
        int64_t since = lp_agenda_waits_since(&s->agenda, v->now_us, &caught_up);
        if (since == INT64_MAX || (best && (caught_up != best_caught_up ? caught_up : since >= best_us))) continue;
        best = s;
        best_us = since;
        best_caught_up = caught_up;
    }
    return best;
}

static void start(struct lp_service *v, struct lp_served *s, struct lp_firing *place)
{
    struct lp_err err;
    *place = (struct lp_firing){.served = s};
    if (!lp_agenda_take(&s->agenda, v->now_us, &place->fire)) return;
    enum lp_code code = lp_firing_start(place, &v->errands, &v->roster, v->now_us, &err);
    if (!code) {
        if (v->start_again_us) lp_service_say(v, LP_SERVE_INFO, NULL, INT64_MIN, "runs can be started again");
        v->start_again_us = 0;
        v->at_work++;
        s->shown.last_lateness_ms = (v->now_us - place->fire.slot_us) / 1000;
        return;
    }
    if (!v->start_again_us)
        lp_service_say(v, LP_SERVE_ERROR, s, place->fire.slot_us, "no run can be started: %s; what is due waits until it can", err.text);
    v->start_again_us = lp_clock_monotonic_us() + AGAIN_US;
    place->errand = NULL;
    (void)!lp_agenda_put_back(&s->agenda, &place->fire, &err);
}

void lp_service_run_due(struct lp_service *v)
{
    struct lp_firing *place;
    struct lp_served *s;
    look_at_agendas(v);
    while (!v->stopping && !lp_service_cannot_start(v) && (place = free_place(v)) && (s = longest_waiting(v))) start(v, s, place);
}

/* ---- how it ended ---- */

static void put_rows(struct lp_buf *out, uint64_t n, const char *one, const char *many)
{
    char text[LP_NUMBER_TEXT_BYTES];
    lp_count_format(n, text);
    lp_buf_printf(out, "%s %s", text, n == 1 ? one : many);
}

static void tell_end(struct lp_service *v, const struct lp_firing *f, const struct lp_fire_report *r, enum lp_fire_outcome outcome,
                     bool again)
{
    LP_AUTO(lp_buf) text = {0};
    char took[LP_TIME_TEXT_BYTES];
    enum lp_serve_level level = LP_SERVE_INFO;
    lp_duration_format(r->duration_ms, took);
    if (outcome == LP_FIRE_BUSY && f->fire.waits) return; /* it has been said */
    if (outcome == LP_FIRE_ELSEWHERE || outcome == LP_FIRE_BUSY) {
        lp_buf_printf(&text, "left to another: %s", r->error);
    } else if (outcome == LP_FIRE_DONE) {
        level = LP_SERVE_GOOD;
        put_rows(&text, r->rows, "row", "rows");
        lp_buf_printf(&text, " in %s", took);
        if (r->quarantined) {
            lp_buf_puts(&text, ", ");
            put_rows(&text, r->quarantined, "row quarantined", "rows quarantined");
        }
        if (r->status == LP_RUN_PARTIAL) {
            level = LP_SERVE_WARN;
            lp_buf_puts(&text, ", ");
            put_rows(&text, r->failed, "item failed", "items failed");
            lp_buf_printf(&text, ": %s", r->error);
        }
    } else {
        level = LP_SERVE_ERROR;
        lp_buf_printf(&text, "failed after %s: %s", took, r->error);
        if (again) {
            char wait[LP_TIME_TEXT_BYTES];
            lp_duration_format(lp_agenda_retry_us(&f->served->agenda, f->fire.tries + 1) / 1000, wait);
            lp_buf_printf(&text, "; it is tried again in %s", wait);
        }
    }
    if (f->fire.caught_up) lp_buf_puts(&text, " (caught up)");
    else if (f->fire.tries) lp_buf_printf(&text, " (try %u)", f->fire.tries + 1);
    lp_service_say(v, level, f->served, f->fire.slot_us, "%s", lp_buf_text(&text));
    if (*r->notice) lp_service_say(v, level, f->served, f->fire.slot_us, "notify: %s", r->notice);
    if (*r->said) lp_service_say(v, LP_SERVE_WARN, f->served, f->fire.slot_us, "%s", r->said);
}

static void end(struct lp_service *v, struct lp_firing *f, const struct lp_fire_report *r, enum lp_fire_outcome outcome)
{
    struct lp_err err;
    bool again = false;
    struct lp_served *s = f->served;
    /* A run that was asked to stop with the service is no failure of the pipeline; its slot is met again by the next start. */
    bool stopped = v->stopping && f->asked && r->code == LP_CANCELLED;
    bool is_final = stopped || !s->scheduled; /* its schedule may have been taken away meanwhile */
    if (lp_agenda_done(&s->agenda, &f->fire, is_final ? LP_FIRE_REFUSED : outcome, v->now_us, &again, &err)) again = false;
    if (outcome != LP_FIRE_ELSEWHERE && outcome != LP_FIRE_BUSY && !stopped) lp_service_show_run(s, f, r);
    if (stopped)
        lp_service_say(v, LP_SERVE_WARN, s, f->fire.slot_us, "stopped with the service%s",
                       s->rules.retries ? "; the next start takes it up" : "");
    else tell_end(v, f, r, outcome, again);
    lp_firing_release(f);
    v->at_work--;
}

void lp_service_hear_runs(struct lp_service *v)
{
    struct lp_fire_report report;
    enum lp_fire_outcome outcome;
    for (size_t i = 0; i < v->options->at_once; i++) {
        struct lp_firing *f = &v->firings[i];
        if (f->errand && lp_firing_turn(f, &report, &outcome)) end(v, f, &report, outcome);
    }
}

void lp_service_stop_runs(struct lp_service *v)
{
    for (size_t i = 0; i < v->options->at_once; i++)
        if (v->firings[i].errand) lp_firing_stop(&v->firings[i]);
}
