#include "serve/look.h"

#include "base/secret.h"
#include "pipeline/past.h"
#include "serve/service.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES ((size_t)4 << 20)
#define MOST_MS      120000
#define ERROR_BYTES  600

struct looking {
    const struct lp_roster *roster;
    const struct lp_look *look;
    int64_t past_us[LP_LOOK_BATCH]; /* from which slot on it matters which have a record */
};

/* What is said of one pipeline; bars and slots follow. */
struct finding {
    uint32_t failed; /* the lake could not be asked, `error` says why */
    uint32_t bar_count, slot_count;
    uint32_t has_older;
    int64_t last_success_us;
    char error[ERROR_BYTES]; /* else the last run's */
};

/* ---- the child ---- */

static enum lp_code open_lake(const struct looking *w, const struct lp_served *s, struct lp_aws *aws, struct lp_pipeline *p,
                              struct lp_store **store, struct lp_err *err)
{
    *p = (struct lp_pipeline){0};
    if (!lp_store_is_s3(s->lake)) return lp_store_open(s->lake, NULL, NULL, store, err);
    LP_TRY(lp_served_load(w->roster, s, p, err)); /* it says how the bucket is to be asked */
    return lp_store_open(p->sink.root, &p->sink.s3, aws, store, err);
}

static uint8_t state_of(enum lp_past_status s)
{
    return s == LP_PAST_OK ? LP_BAR_OK : s == LP_PAST_PARTIAL ? LP_BAR_PARTIAL : LP_BAR_FAILED;
}

static uint32_t capped(int64_t n)
{
    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static void put_bars(const struct lp_past *past, struct finding *f, struct lp_buf *bars)
{
    for (size_t i = 0; i < past->count; i++) {
        const struct lp_past_run *run = &past->list[i];
        const struct lp_bar bar = {.slot_us = run->slot_us, .duration_ms = capped(run->duration_ms),
                                   .rows = capped((int64_t)run->rows_written),
                                   .quarantined = capped((int64_t)run->rows_quarantined),
                                   .failed = capped((int64_t)run->requests_failed), .state = state_of(run->status)};
        lp_buf_put(bars, (const char *)&bar, sizeof bar);
        f->bar_count++;
        if (bar.state != LP_BAR_FAILED) f->last_success_us = run->slot_us;
        snprintf(f->error, sizeof f->error, "%.590s", bar.state == LP_BAR_OK ? "" : run->error);
    }
}

static enum lp_code find(struct lp_store *store, const struct lp_served *s, int64_t past_us, struct finding *f,
                         struct lp_buf *bars, struct lp_buf *slots, struct lp_err *err)
{
    LP_AUTO(lp_past) last = {0}, names = {0}, older = {0};
    const struct lp_past_wanted strip = {INT64_MIN, INT64_MAX, .last = LP_BOARD_BARS, .whole_only = true};
    const struct lp_past_wanted since = {past_us, INT64_MAX, .names_only = true, .whole_only = true};
    const struct lp_past_wanted before = {INT64_MIN, past_us, .last = 1, .names_only = true, .whole_only = true};
    LP_TRY(lp_past_read(store, s->name, &strip, &last, err));
    put_bars(&last, f, bars);
    if (!s->scheduled) return LP_OK;
    LP_TRY(lp_past_read(store, s->name, &since, &names, err));
    for (size_t i = 0; i < names.count; i++) lp_buf_put(slots, (const char *)&names.list[i].slot_us, sizeof(int64_t));
    f->slot_count = (uint32_t)names.count;
    f->has_older = last.more || (last.count && last.list[0].slot_us < past_us);
    if (f->has_older) return LP_OK;
    LP_TRY(lp_past_read(store, s->name, &before, &older, err));
    f->has_older = older.count > 0;
    return LP_OK;
}

static void look_at(const struct looking *w, size_t i, struct lp_aws *aws, struct lp_buf *out)
{
    LP_AUTO(lp_buf) bars = {0}, slots = {0};
    struct finding f = {.last_success_us = INT64_MIN};
    struct lp_pipeline p;
    struct lp_store *store = NULL;
    struct lp_err err;
    const struct lp_served *s = w->look->list[i];
    enum lp_code code = open_lake(w, s, aws, &p, &store, &err);
    if (!code) code = find(store, s, w->past_us[i], &f, &bars, &slots, &err);
    if (!code && (bars.failed || slots.failed)) code = lp_nomem(&err);
    if (code) {
        f = (struct finding){.failed = 1};
        snprintf(f.error, sizeof f.error, "%.590s", err.text);
        lp_buf_clear(&bars);
        lp_buf_clear(&slots);
    }
    lp_secret_mask_text(f.error, sizeof f.error);
    lp_buf_put(out, (const char *)&f, sizeof f);
    lp_buf_put(out, lp_buf_text(&bars), bars.len);
    lp_buf_put(out, lp_buf_text(&slots), slots.len);
    lp_store_free(store);
    lp_pipeline_release(&p);
}

static enum lp_code work(void *arg, struct lp_buf *out, struct lp_err *err)
{
    const struct looking *w = arg;
    struct lp_aws *aws;
    LP_TRY(lp_aws_new(&w->roster->aws, &aws, err));
    for (size_t i = 0; i < w->look->count; i++) look_at(w, i, aws, out);
    lp_aws_free(aws);
    return LP_OK;
}

/* ---- the service ---- */

enum lp_code lp_look_start(struct lp_look *l, struct lp_errands *all, const struct lp_roster *r, int64_t now_us, struct lp_err *err)
{
    struct looking w = {.roster = r, .look = l};
    const struct lp_errand_limits limits = {ANSWER_BYTES, MOST_MS};
    for (size_t i = 0; i < l->count; i++) {
        struct lp_served *s = l->list[i];
        w.past_us[i] = s->scheduled ? lp_agenda_past(&s->agenda, s->fires ? s->active_us : now_us) : now_us;
        l->active_us[i] = s->fires ? s->active_us : INT64_MIN;
        s->in_look = true;
    }
    return lp_errand_start(all, work, &w, &limits, &l->errand, err);
}

static void take(struct lp_served *s, const struct finding *f, const struct lp_bar *bars, const int64_t *slots, int64_t asked_us)
{
    struct lp_err err;
    struct lp_board_pipeline *b = &s->shown;
    lp_served_set(&s->past_fault, f->failed ? f->error : NULL);
    if (f->failed) return;
    lp_service_take_bars(s, bars, f->bar_count);
    if (f->last_success_us > b->last_success_us) b->last_success_us = f->last_success_us;
    lp_served_set(&s->last_error, *f->error ? f->error : NULL);
    if (f->bar_count && (b->last_duration_ms < 0 || !s->fires)) b->last_duration_ms = bars[f->bar_count - 1].duration_ms;
    if (s->fires && s->scheduled && s->active_us == asked_us &&
        lp_agenda_catch_up(&s->agenda, slots, f->slot_count, f->has_older, s->since_us, s->active_us, &err))
        return; /* no memory: looked at again */
    const struct lp_bar *last = f->bar_count ? &bars[f->bar_count - 1] : NULL;
    if (s->fires && s->scheduled && last && last->state == LP_BAR_FAILED &&
        lp_agenda_try_again(&s->agenda, last->slot_us, s->active_us, &err))
        return;
    s->looked = !s->fires || s->active_us == asked_us; /* it began to fire meanwhile: once more */
}

/* The answer holds what a child of the same program wrote; it is measured all the same. */
static void take_all(struct lp_look *l, const struct lp_buf *answer)
{
    const char *at = lp_buf_text(answer), *end = at + answer->len;
    for (size_t i = 0; i < l->count; i++) {
        struct finding f;
        struct lp_bar bars[LP_BOARD_BARS];
        if ((size_t)(end - at) < sizeof f) return;
        memcpy(&f, at, sizeof f);
        at += sizeof f;
        size_t bar_bytes = f.bar_count * sizeof *bars, slot_bytes = f.slot_count * sizeof(int64_t);
        if (f.bar_count > LP_BOARD_BARS || (size_t)(end - at) < bar_bytes + slot_bytes) return;
        int64_t *slots = malloc(slot_bytes + 1);
        if (!slots) return;
        memcpy(bars, at, bar_bytes);
        memcpy(slots, at + bar_bytes, slot_bytes);
        at += bar_bytes + slot_bytes;
        take(l->list[i], &f, bars, slots, l->active_us[i]);
        free(slots);
    }
}

bool lp_look_turn(struct lp_look *l)
{
    struct lp_err err = {0};
    enum lp_errand_state state = lp_errand_turn(l->errand, &err);
    if (state == LP_ERRAND_RUNNING) return false;
    if (state == LP_ERRAND_DONE) take_all(l, lp_errand_answer(l->errand));
    else
        for (size_t i = 0; i < l->count; i++) lp_served_set(&l->list[i]->past_fault, err.text);
    return true;
}

void lp_look_release(struct lp_look *l)
{
    for (size_t i = 0; i < l->count; i++) l->list[i]->in_look = false;
    lp_errand_free(&l->errand);
    l->count = 0;
}
