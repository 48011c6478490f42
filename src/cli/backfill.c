#include "cli/backfill.h"

#include "base/cancel.h"

#include <stdlib.h>

#define GLANCE_MS 100 /* how often the bar moves while nothing ends */

static void show(struct lp_backfill *b)
{
    struct lp_fetch_watch watch = lp_progress_watch(b->progress);
    struct lp_fetch_stats stats = {.ok = b->count[LP_RUN_OK] + b->count[LP_RUN_PARTIAL],
                                   .failed = b->count[LP_RUN_FAILED],
                                   .expected = b->slots - b->passed_over};
    if (watch.tick) watch.tick(watch.who, &stats);
}

/* The records of the slots from this one on, LP_BACKFILL_AHEAD of them. */
static enum lp_code read_past(struct lp_backfill *b, int64_t slot_us, struct lp_err *err)
{
    int64_t last_us = slot_us;
    lp_range_count(&b->range, LP_BACKFILL_AHEAD - 1, &last_us);
    struct lp_past_wanted wanted = {.from_us = slot_us, .until_us = last_us + 1, .whole_only = true};
    lp_past_release(&b->past);
    b->past = (struct lp_past){0};
    b->past_at = 0;
    b->past_until_us = wanted.until_us;
    return lp_past_read(b->store, b->pipeline->name, &wanted, &b->past, err);
}

static enum lp_code is_done(struct lp_backfill *b, int64_t slot_us, bool *done, struct lp_err *err)
{
    *done = false;
    if (b->all) return LP_OK;
    if (slot_us >= b->past_until_us) LP_TRY(read_past(b, slot_us, err));
    while (b->past_at < b->past.count && b->past.list[b->past_at].slot_us < slot_us) b->past_at++;
    const struct lp_past_run *run = b->past_at < b->past.count ? &b->past.list[b->past_at] : NULL;
    *done = run && run->slot_us == slot_us && run->status == LP_PAST_OK;
    return LP_OK;
}

/* The next slot that is to be run; *more false: there is none. */
static enum lp_code next_slot(struct lp_backfill *b, int64_t *slot_us, bool *more, struct lp_err *err)
{
    bool done = true;
    while (done) {
        *more = lp_range_next(&b->range, slot_us);
        if (!*more) return LP_OK;
        LP_TRY(is_done(b, *slot_us, &done, err));
        b->passed_over += done;
    }
    return LP_OK;
}

static void keep_trouble(struct lp_backfill *b, const struct lp_child_end *end)
{
    if (b->trouble_count == LP_BACKFILL_TROUBLES) return;
    if (!b->troubles) b->troubles = calloc(LP_BACKFILL_TROUBLES, sizeof *b->troubles);
    char *why = b->troubles ? strdup(end->error) : NULL;
    if (why) b->troubles[b->trouble_count++] = (struct lp_backfill_trouble){end->slot_us, end->status, why};
}

static void note(struct lp_backfill *b, const struct lp_child_end *end)
{
    if (end->code == LP_CANCELLED) {
        b->stopped++;
        return;
    }
    b->count[end->status]++;
    b->rows[end->status] += end->rows;
    b->run_ms[end->status] += end->duration_ms;
    if (end->status != LP_RUN_OK) keep_trouble(b, end);
    if (end->code == LP_AUTH || end->code == LP_CONFIG || end->code == LP_USAGE) b->given_up = true;
}

enum lp_code lp_backfill_work(struct lp_backfill *b, struct lp_err *err)
{
    enum lp_code code = LP_OK;
    bool more = true;
    int64_t slot_us;
    while (more || b->children.running) {
        struct lp_child_end end;
        if (code || b->given_up || lp_cancel_signal()) more = false;
        while (more && !code && b->children.running < b->at_once) {
            code = next_slot(b, &slot_us, &more, err);
            if (!code && more && !lp_cancel_signal()) code = lp_children_start(&b->children, slot_us, err);
            else if (!code && more) more = false;
            if (!code && more) b->started++;
        }
        if (b->children.running && lp_children_next(&b->children, GLANCE_MS, &end)) note(b, &end);
        show(b);
    }
    return code;
}

uint64_t lp_backfill_left(const struct lp_backfill *b)
{
    return b->slots - b->passed_over - b->count[LP_RUN_OK] - b->count[LP_RUN_PARTIAL] - b->count[LP_RUN_FAILED];
}

void lp_backfill_release(struct lp_backfill *b)
{
    if (!b) return;
    lp_children_release(&b->children);
    for (size_t i = 0; i < b->trouble_count; i++) free(b->troubles[i].why);
    free(b->troubles);
    lp_past_release(&b->past);
    lp_store_free(b->store);
    lp_range_release(&b->range);
}
