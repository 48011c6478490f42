#include "cli/backfill.h"

#include "base/cancel.h"

#include <poll.h>
#include <stdio.h>
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

/* The records of the slots from this one on; fewer at a time where others were at work on them not long ago. */
static enum lp_code read_past(struct lp_backfill *b, int64_t slot_us, struct lp_err *err)
{
    int64_t last_us = slot_us;
    size_t ahead = b->ahead ? b->ahead : LP_BACKFILL_AHEAD;
    b->ahead = ahead * 2 < LP_BACKFILL_AHEAD ? ahead * 2 : LP_BACKFILL_AHEAD;
    lp_range_count(&b->range, ahead - 1, &last_us);
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

/* ---- the process of a run ---- */

struct task {
    struct lp_backfill *b;
    int64_t slot_us;
};

static void tell_end(const struct lp_record *rec, enum lp_code code, const struct lp_err *err, struct lp_backfill_end *end)
{
    const char *label = rec->failure_count ? rec->failures[0].label : NULL;
    end->code = code;
    end->status = code ? LP_RUN_FAILED : rec->status;
    end->duration_ms = rec->duration_ms;
    end->rows = rec->rows.written;
    if (code) snprintf(end->error, sizeof end->error, "%s", err->text);
    else if (rec->failure_count)
        snprintf(end->error, sizeof end->error, "%s%s%s", label ? label : "", label && *label ? ": " : "", rec->failures[0].error);
}

static enum lp_code run_slot(void *arg, struct lp_buf *out, struct lp_err *err)
{
    const struct task *task = arg;
    struct lp_pipeline *p = task->b->pipeline;
    struct lp_backfill_end end = {.slot_us = task->slot_us};
    struct lp_record rec = {0};
    struct lp_err why = {0};
    struct lp_aws *aws = NULL;
    lp_cancel_install();
    p->notify.to.count = 0;
    enum lp_code code = lp_aws_new(task->b->aws, &aws, &why);
    const struct lp_run_options o = {.slot_us = task->slot_us, .replay_folder = task->b->replay_folder, .aws = aws};
    if (!code) code = lp_run(p, &o, &rec, &why);
    tell_end(&rec, code, &why, &end);
    lp_buf_put(out, (const char *)&end, sizeof end);
    lp_aws_free(aws);
    lp_record_release(&rec);
    return lp_buf_code(out, "what came of a run", err);
}

/* ---- all of them ---- */

static enum lp_code start(struct lp_backfill *b, int64_t slot_us, struct lp_err *err)
{
    const struct lp_errand_limits limits = {sizeof(struct lp_backfill_end) + 64, LP_ERRAND_FOREVER_MS};
    struct task task = {b, slot_us};
    size_t i = 0;
    while (b->runs[i].errand) i++; /* at_once is at most as many */
    LP_TRY(lp_errand_start(&b->errands, run_slot, &task, &limits, &b->runs[i].errand, err));
    b->runs[i].slot_us = slot_us;
    b->running++;
    return LP_OK;
}

static void keep_trouble(struct lp_backfill *b, const struct lp_backfill_end *end)
{
    if (b->trouble_count == LP_BACKFILL_TROUBLES) return;
    if (!b->troubles) b->troubles = calloc(LP_BACKFILL_TROUBLES, sizeof *b->troubles);
    char *why = b->troubles ? strdup(end->error) : NULL;
    if (why) b->troubles[b->trouble_count++] = (struct lp_backfill_trouble){end->slot_us, (enum lp_run_status)end->status, why};
}

static void note(struct lp_backfill *b, const struct lp_backfill_end *end)
{
    if (end->code == LP_CANCELLED) return; /* it is still to do */
    if (end->code == LP_LOCKED) { /* who runs it may have run others as well: what was read of them is old */
        b->elsewhere++;
        b->past_until_us = INT64_MIN;
        b->ahead = LP_BACKFILL_NEAR;
        return;
    }
    b->count[end->status]++;
    b->rows[end->status] += end->rows;
    b->run_ms[end->status] += end->duration_ms;
    if (end->status != LP_RUN_OK) keep_trouble(b, end);
    if (end->code == LP_AUTH || end->code == LP_CONFIG || end->code == LP_USAGE) b->given_up = true;
}

/* What it says, or, when it says nothing, how it ended. One that a signal of ours met before it could heed it was stopped. */
static void take(struct lp_backfill *b, struct lp_backfill_run *r)
{
    struct lp_backfill_end end;
    struct lp_err why = {0};
    enum lp_errand_state state = lp_errand_turn(r->errand, &why);
    if (state == LP_ERRAND_RUNNING) return;
    const struct lp_buf *answer = lp_errand_answer(r->errand);
    if (state == LP_ERRAND_DONE && answer->len == sizeof end) {
        memcpy(&end, lp_buf_text(answer), sizeof end);
    } else {
        end = (struct lp_backfill_end){.slot_us = r->slot_us, .code = b->asked_to_stop ? LP_CANCELLED : LP_IO, .status = LP_RUN_FAILED};
        snprintf(end.error, sizeof end.error, "%s", why.text);
    }
    lp_errand_free(&r->errand);
    lp_errands_reap(&b->errands);
    b->running--;
    note(b, &end);
}

/* The first signal lets them wind up, each further one is passed on as well. */
static void heed_signals(struct lp_backfill *b)
{
    if (!lp_cancel_signal() || (b->asked_to_stop && lp_cancel_check(NULL) != LP_CANCELLED)) return;
    for (size_t i = 0; i < LP_BACKFILL_AT_ONCE; i++)
        if (b->runs[i].errand) lp_errand_signal(b->runs[i].errand, lp_cancel_signal());
    lp_cancel_wind_up();
    b->asked_to_stop = true;
}

/* For what ends, but not longer than until the bar is to move. */
static void wait_for_ends(struct lp_backfill *b)
{
    struct pollfd polls[LP_BACKFILL_AT_ONCE];
    for (size_t i = 0; i < LP_BACKFILL_AT_ONCE; i++)
        polls[i] = (struct pollfd){.fd = b->runs[i].errand ? lp_errand_fd(b->runs[i].errand) : -1, .events = POLLIN};
    heed_signals(b);
    if (poll(polls, LP_BACKFILL_AT_ONCE, GLANCE_MS) <= 0) return;
    for (size_t i = 0; i < LP_BACKFILL_AT_ONCE; i++)
        if (polls[i].fd >= 0 && polls[i].revents) take(b, &b->runs[i]);
}

static int by_slot(const void *left, const void *right)
{
    const struct lp_backfill_trouble *a = left, *b = right;
    return a->slot_us < b->slot_us ? -1 : a->slot_us > b->slot_us;
}

enum lp_code lp_backfill_work(struct lp_backfill *b, struct lp_err *err)
{
    enum lp_code code = LP_OK;
    bool more = true;
    int64_t slot_us;
    while (more || b->running) {
        if (code || b->given_up || lp_cancel_signal()) more = false;
        while (more && !code && b->running < b->at_once && b->errands.left_count < LP_ERRANDS_LEFT / 2) {
            code = next_slot(b, &slot_us, &more, err);
            if (!code && more && lp_cancel_signal()) more = false;
            if (!code && more) code = start(b, slot_us, err);
        }
        if (b->running || more) wait_for_ends(b);
        lp_errands_reap(&b->errands);
        show(b);
    }
    if (b->trouble_count) qsort(b->troubles, b->trouble_count, sizeof *b->troubles, by_slot);
    return code;
}

uint64_t lp_backfill_left(const struct lp_backfill *b)
{
    return b->slots - b->passed_over - b->elsewhere - b->count[LP_RUN_OK] - b->count[LP_RUN_PARTIAL] - b->count[LP_RUN_FAILED];
}

void lp_backfill_release(struct lp_backfill *b)
{
    if (!b) return;
    for (size_t i = 0; i < LP_BACKFILL_AT_ONCE; i++) lp_errand_free(&b->runs[i].errand);
    for (size_t i = 0; i < b->trouble_count; i++) free(b->troubles[i].why);
    free(b->troubles);
    lp_past_release(&b->past);
    lp_store_free(b->store);
    lp_range_release(&b->range);
}
