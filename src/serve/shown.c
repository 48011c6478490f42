#include "serve/service.h"

#include <stdlib.h>
#include <string.h>

/* Slots between two bars that have none: they were missed. */
static void add_bar(const struct lp_served *s, struct lp_bar *bars, size_t *count, const struct lp_bar *bar)
{
    int64_t missed[LP_BOARD_BARS];
    size_t n = 0;
    if (*count && s->scheduled && bars[*count - 1].slot_us < bar->slot_us)
        n = lp_expression_last(&s->expression, s->zone, bars[*count - 1].slot_us, bar->slot_us - 1, missed, LP_BOARD_BARS - 1);
    for (size_t i = 0; i <= n; i++) {
        if (*count == LP_BOARD_BARS) memmove(bars, bars + 1, --*count * sizeof *bars);
        bars[(*count)++] = i < n ? (struct lp_bar){.slot_us = missed[i], .state = LP_BAR_MISSED} : *bar;
    }
}

/* With what was missed in between; a slot that was run again replaces its bar. */
void lp_service_take_bars(struct lp_served *s, const struct lp_bar *more, size_t more_count)
{
    struct lp_bar all[2 * LP_BOARD_BARS], out[LP_BOARD_BARS];
    size_t count = 0, out_count = 0;
    const struct lp_board_pipeline *b = &s->shown;
    for (size_t i = 0; i < b->bar_count; i++) {
        bool again = b->bars[i].state == LP_BAR_MISSED;
        for (size_t j = 0; j < more_count; j++) again = again || more[j].slot_us == b->bars[i].slot_us;
        if (!again) all[count++] = b->bars[i];
    }
    for (size_t i = 0; i < more_count; i++) { /* each to its place */
        size_t at = count++;
        for (; at && all[at - 1].slot_us > more[i].slot_us; at--) all[at] = all[at - 1];
        all[at] = more[i];
    }
    for (size_t i = 0; i < count; i++) add_bar(s, out, &out_count, &all[i]);
    memcpy(s->shown.bars, out, out_count * sizeof *out);
    s->shown.bar_count = out_count;
}

static uint32_t capped(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

void lp_service_show_run(struct lp_served *s, const struct lp_firing *f, const struct lp_fire_report *r)
{
    struct lp_board_pipeline *b = &s->shown;
    const struct lp_bar bar = {.slot_us = f->fire.slot_us,
                               .duration_ms = capped((uint64_t)r->duration_ms),
                               .rows = capped(r->rows),
                               .quarantined = capped(r->quarantined),
                               .failed = capped(r->failed),
                               .state = r->code                        ? LP_BAR_FAILED
                                        : r->status == LP_RUN_PARTIAL ? LP_BAR_PARTIAL
                                                                      : LP_BAR_OK};
    lp_service_take_bars(s, &bar, 1);
    b->runs_failed += bar.state == LP_BAR_FAILED;
    b->runs_partial += bar.state == LP_BAR_PARTIAL;
    b->runs_ok += bar.state == LP_BAR_OK;
    b->rows_written += r->rows;
    b->rows_quarantined += r->quarantined;
    b->retries += r->retries;
    b->last_duration_ms = r->duration_ms;
    if (!r->code && f->fire.slot_us > b->last_success_us) b->last_success_us = f->fire.slot_us;
    lp_served_set(&s->last_error, *r->error ? r->error : NULL);
}

static void show(struct lp_service *v, const struct lp_served *s, struct lp_board_pipeline *b)
{
    *b = s->shown;
    b->path = s->path;
    b->name = s->name ? s->name : s->path;
    b->words = s->words;
    b->fault = s->fault ? s->fault : s->lake_fault ? s->lake_fault : s->past_fault;
    b->last_error = s->last_error ? s->last_error : "";
    b->next_us = lp_served_next_us(s, v->now_us);
    b->waiting = s->agenda.waiting_count;
    b->running_us = INT64_MIN;
    for (size_t i = 0; s->agenda.at_work && i < v->options->at_once; i++)
        if (v->firings[i].errand && v->firings[i].served == s) b->running_us = v->firings[i].fire.slot_us;
}

void lp_service_show(struct lp_service *v)
{
    struct lp_board *b = &v->board;
    struct lp_board_pipeline *list = reallocarray(b->list, v->roster.count + 1, sizeof *list);
    bool standing_by = v->keeper_count > 0;
    if (!list) return; /* what it showed before is shown again */
    b->list = list;
    b->count = v->roster.count;
    for (size_t i = 0; i < b->count; i++) show(v, v->roster.list[i], &b->list[i]);
    for (size_t i = 0; i < v->keeper_count; i++) standing_by = standing_by && v->keepers[i].state == LP_KEEPER_WAITS;
    b->now_us = v->now_us;
    b->started_us = v->started_us;
    b->standing_by = standing_by;
    b->ready = true;
    b->stopping = v->stopping;
    b->at_work = v->at_work;
    b->at_once = v->options->at_once;
    b->version = LP_VERSION;
}
