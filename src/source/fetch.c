#include "source/fetch.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/secret.h"
#include "net/replay.h"
#include "source/answer.h"

#include <stdlib.h>

#define USER_AGENT "lambda-pipeline/" LP_VERSION
/* How far items may run ahead of one that is tried again and again; LP_FETCH_HELD_BYTES bounds what they hold. */
#define WINDOW          4096
#define REPLY_MAX_BYTES ((size_t)2 << 30) /* of memory for one parsed reply; limit.body bounds its text */

#define PUBLISH_US INT64_C(2000000) /* or a fifth of a short time */

enum state { FREE, WAITING, IN_FLIGHT, DONE };

struct entry {
    enum state state;
    struct lp_item item;
    unsigned attempts;
    int64_t first_us, due_us;
    struct lp_answer
        answer; /* its arena is taken from the spares when the reply comes, given back when it is handed out */
    bool ok;
};

struct lp_fetch {
    const struct lp_source *source;
    struct lp_fetch_options options;
    struct lp_http *http;
    struct lp_items items;
    struct lp_rate rate;
    struct lp_retry_policy policy;
    int64_t until_us; /* when the time for asking is over; INT64_MAX: never */
    struct lp_fetch_stats stats;
    struct lp_request request;
    struct lp_bindings bindings;
    struct lp_buf storage, name; /* of a replayed reply, of its file */
    char slot[LP_TIME_TEXT_BYTES];
    struct entry *window;
    size_t window_size, head, count; /* entries from head on, in the items' order */
    size_t used;                     /* entries that ever were */
    int64_t retry_due_us;            /* not before then is any retry due */
    bool item_ready;                 /* the entry behind the last one holds the next item already */
    size_t held_bytes;
    struct lp_arena *spares;
    size_t spare_count;
    uint64_t random;
    bool items_over, handed_out;
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- life ---- */

enum lp_code lp_fetch_new(const struct lp_source *s, const struct lp_fetch_options *o, struct lp_fetch **out,
                          struct lp_err *err)
{
    struct lp_fetch *f = calloc(1, sizeof *f);
    *out = f;
    if (!f) return lp_nomem(err);
    f->source = s;
    f->options = *o;
    if (o->http) f->http = *o->http;
    f->bindings = *o->run;
    f->stats.expected = o->expected;
    f->window_size = WINDOW;
    f->window = calloc(f->window_size, sizeof *f->window);
    f->spares = calloc(f->window_size, sizeof *f->spares);
    if (!f->window || !f->spares) return lp_nomem(err);
    f->policy =
        (struct lp_retry_policy){(unsigned)s->retry.attempts, s->retry.deadline_ms, s->retry.base_ms, s->retry.cap_ms};
    /* Where the time is bounded, what was answered until shortly before its end is still to be published. */
    int64_t left_us = lp_cancel_bound(-1);
    f->until_us = left_us < 0 ? INT64_MAX : lp_clock_monotonic_us() + left_us - smaller(PUBLISH_US, left_us / 5);
    lp_rate_init(&f->rate, s->limit.rate, lp_clock_monotonic_us());
    lp_time_format_slot(o->slot_us, f->slot);
    struct lp_http_options http = {.connect_ms = s->limit.connect_ms,
                                   .total_ms = s->limit.total_ms,
                                   .max_body_bytes = (size_t)s->limit.body_bytes,
                                   .at_once = (size_t)s->limit.at_once,
                                   .user_agent = USER_AGENT};
    if (!f->http) LP_TRY(lp_http_new(&http, &f->http, err));
    return lp_items_open(&f->items, &s->each, o->shard, o->shards, err);
}

/* A connection whose answer is still to come serves nobody else. */
static void give_back_http(struct lp_fetch *f)
{
    bool keeps = f->options.http && f->http && !lp_http_in_flight(f->http);
    if (!keeps) lp_http_free(f->http);
    if (f->options.http) *f->options.http = keeps ? f->http : NULL;
}

void lp_fetch_free(struct lp_fetch *f)
{
    if (!f) return;
    give_back_http(f);
    for (size_t i = 0; f->window && i < f->used; i++) {
        lp_item_release(&f->window[i].item);
        lp_arena_release(&f->window[i].answer.json);
        lp_buf_release(&f->window[i].answer.error);
    }
    for (size_t i = 0; i < f->spare_count; i++) lp_arena_release(&f->spares[i]);
    free(f->window);
    free(f->spares);
    lp_items_release(&f->items);
    lp_request_release(&f->request);
    lp_buf_release(&f->storage);
    lp_buf_release(&f->name);
    free(f);
}

const struct lp_fetch_stats *lp_fetch_stats(const struct lp_fetch *f)
{
    return &f->stats;
}

void lp_fetch_disown(struct lp_fetch *f)
{
    f->stats.ok--;
    f->stats.failed++;
}

/* ---- what a reply is ---- */

static void say(struct lp_fetch *f, const struct entry *e, const char *what)
{
    if (!f->options.watch.say) return;
    LP_AUTO(lp_buf) line = {0}, masked = {0};
    lp_item_put_label(&e->item, &line);
    lp_buf_printf(&line, ": %s", what);
    lp_secret_mask(lp_buf_text(&line), line.len, &masked);
    f->options.watch.say(f->options.watch.who, lp_buf_text(&masked));
}

static void take_arena(struct lp_fetch *f, struct entry *e)
{
    if (f->spare_count) e->answer.json = f->spares[--f->spare_count];
    else lp_arena_init(&e->answer.json, REPLY_MAX_BYTES);
}

static void give_arena(struct lp_fetch *f, struct entry *e)
{
    if (!e->answer.json.first) return;
    lp_arena_reset(&e->answer.json);
    f->spares[f->spare_count++] = e->answer.json;
    e->answer.json = (struct lp_arena){0};
    e->answer.root = NULL;
}

static enum lp_code write_record(struct lp_fetch *f, const struct entry *e, const struct lp_http_reply *r,
                                 struct lp_err *err)
{
    if (!f->options.record_folder || r->outcome != LP_HTTP_ANSWERED) return LP_OK;
    lp_buf_clear(&f->name);
    LP_TRY(lp_replay_name(e->item.values, e->item.value_count, &f->name, err));
    return lp_replay_write(f->options.record_folder, lp_buf_text(&f->name), r, err);
}

static void end_item(struct lp_fetch *f, struct entry *e, bool ok)
{
    e->state = DONE;
    e->ok = ok;
    if (ok) f->stats.ok++;
    else f->stats.failed++;
    if (!ok) give_arena(f, e);
    f->held_bytes += e->answer.json.used_bytes;
    say(f, e, ok ? "answered" : lp_buf_text(&e->answer.error));
}

/* The source's policy for an item, cut to what the time for asking allows. */
static struct lp_retry_policy policy_for(const struct lp_fetch *f, const struct entry *e)
{
    struct lp_retry_policy p = f->policy;
    if (f->until_us == INT64_MAX) return p;
    int64_t most_ms = (f->until_us - e->first_us) / 1000;
    p.deadline_ms = smaller(p.deadline_ms, most_ms > 1 ? most_ms : 1);
    return p;
}

static void wait_for_retry(struct lp_fetch *f, struct entry *e, int64_t wait_ms)
{
    e->state = WAITING;
    e->due_us = lp_clock_monotonic_us() + wait_ms * 1000;
    f->stats.retried++;
    f->stats.waited_ms += wait_ms;
    f->stats.waiting++;
    if (e->due_us < f->retry_due_us || f->stats.waiting == 1) f->retry_due_us = e->due_us;
}

static enum lp_code stop_run(const struct entry *e, struct lp_err *err)
{
    LP_AUTO(lp_buf) label = {0};
    lp_item_put_label(&e->item, &label);
    bool denied = e->answer.status == 401 || e->answer.status == 403;
    return lp_fail(err, denied ? LP_AUTH : LP_REMOTE, "%s: %s; on_status says to stop", lp_buf_text(&label),
                   lp_buf_text(&e->answer.error));
}

static enum lp_code take_reply(struct lp_fetch *f, struct entry *e, const struct lp_http_reply *r, struct lp_err *err)
{
    take_arena(f, e);
    enum lp_fate fate = lp_answer_read(&e->answer, f->source, r);
    bool replayed = f->options.replay_folder;
    if (fate == LP_FATE_STARVED) return lp_nomem(err);
    if (fate == LP_FATE_TRY_AGAIN && !replayed) {
        int64_t elapsed_ms = (lp_clock_monotonic_us() - e->first_us) / 1000;
        const struct lp_retry_policy policy = policy_for(f, e);
        struct lp_retry_verdict v =
            lp_retry_decide(&policy, e->attempts, elapsed_ms, true, lp_retry_after_ms(r, lp_clock_now_us()),
                            lp_retry_random(&f->random));
        char text[LP_ERR_TEXT_BYTES];
        snprintf(text, sizeof text, "%.800s; %s", lp_buf_text(&e->answer.error), v.why);
        lp_answer_fail(&e->answer, "%s", text);
        if (v.retry) {
            give_arena(f, e);
            say(f, e, lp_buf_text(&e->answer.error));
            wait_for_retry(f, e, v.wait_ms);
            return LP_OK;
        }
    } else if (fate == LP_FATE_GIVE_UP && r->outcome == LP_HTTP_ANSWERED) {
        enum lp_status_action ignored;
        char text[LP_ERR_TEXT_BYTES];
        snprintf(text, sizeof text, "%.800s; not retried%s", lp_buf_text(&e->answer.error),
                 lp_source_status(f->source, r->status, &ignored) ? " (on_status)" : "");
        lp_answer_fail(&e->answer, "%s", text);
    }
    LP_TRY(write_record(f, e, r, err));
    end_item(f, e, fate == LP_FATE_KEEP);
    return fate == LP_FATE_STOP ? stop_run(e, err) : LP_OK;
}

/* ---- sending ---- */

static void bind_item(struct lp_fetch *f, const struct lp_item *item, struct lp_bindings *b)
{
    if (b != &f->bindings) *b = f->bindings;
    for (size_t i = 0; i < item->value_count; i++) b->values[LP_VARIABLE_FIRST_ITEM + i] = item->values[i];
    b->count = LP_VARIABLE_FIRST_ITEM + item->value_count;
}

static enum lp_code replay(struct lp_fetch *f, struct entry *e, struct lp_err *err)
{
    struct lp_http_reply r = {0};
    struct lp_err local;
    LP_TRY(lp_cancel_check(err));
    lp_buf_clear(&f->name);
    LP_TRY(lp_replay_name(e->item.values, e->item.value_count, &f->name, err));
    enum lp_code code = lp_replay_read(f->options.replay_folder, f->slot, lp_buf_text(&f->name),
                                       (size_t)f->source->limit.body_bytes, &f->storage, &r, &local);
    if (!code) return take_reply(f, e, &r, err);
    if (code == LP_NOMEM) return lp_nomem(err);
    lp_answer_fail(&e->answer, "%s", local.text);
    end_item(f, e, false);
    return LP_OK;
}

static enum lp_code send_request(struct lp_fetch *f, struct entry *e, struct lp_err *err)
{
    struct lp_err local;
    e->attempts++;
    if (f->options.replay_folder) return replay(f, e, err);
    bind_item(f, &e->item, &f->bindings);
    enum lp_code code = lp_request_build(&f->request, f->source, &f->bindings, &local);
    if (!code) {
        int64_t now = lp_clock_monotonic_us();
        if (e->attempts == 1) e->first_us = now;
        const struct lp_auth *auth = &f->source->auth;
        bool basic = auth->kind == LP_AUTH_BASIC;
        const struct lp_retry_policy policy = policy_for(f, e);
        struct lp_http_request q = {.url = lp_buf_text(&f->request.url),
                                    .headers = f->request.headers,
                                    .header_count = f->request.header_count,
                                    .basic_user = basic ? auth->name : NULL,
                                    .basic_secret = basic ? auth->value : NULL,
                                    .user = e,
                                    .fresh_connection = e->answer.broke,
                                    .total_ms = lp_retry_time_left_ms(&policy, (now - e->first_us) / 1000)};
        code = lp_http_start(f->http, &q, &local);
    }
    if (!code) {
        e->state = IN_FLIGHT;
        return LP_OK;
    }
    if (code == LP_NOMEM || code == LP_IO) return lp_fail(err, code, "%s", local.text);
    lp_answer_fail(&e->answer, "%s", local.text);
    end_item(f, e, false);
    return LP_OK;
}

/* 0 when a request may go now, else how long until it may. */
static int64_t rate_wait_us(struct lp_fetch *f)
{
    return f->options.replay_folder ? 0 : lp_rate_take(&f->rate, lp_clock_monotonic_us());
}

static void earlier(int64_t *wait_us, int64_t candidate_us)
{
    if (*wait_us < 0 || candidate_us < *wait_us) *wait_us = candidate_us;
}

/* Sends one retry, or gives the item up when its time is over; *rate_us is how long it has to wait for the rate. */
static enum lp_code send_retry(struct lp_fetch *f, struct entry *e, int64_t *rate_us, struct lp_err *err)
{
    bool late = lp_clock_monotonic_us() - e->first_us >= policy_for(f, e).deadline_ms * 1000;
    *rate_us = late ? 0 : rate_wait_us(f);
    if (*rate_us) return LP_OK;
    f->stats.waiting--;
    if (!late) return send_request(f, e, err);
    f->stats.retried--;
    lp_buf_puts(&e->answer.error, "; its deadline passed while it waited for the rate");
    end_item(f, e, false);
    return LP_OK;
}

/* Sends what has waited long enough; *wait_us becomes the time until the next one has. */
static enum lp_code send_retries(struct lp_fetch *f, int64_t *wait_us, struct lp_err *err)
{
    int64_t now = lp_clock_monotonic_us(), next_us = INT64_MAX;
    if (!f->stats.waiting) return LP_OK;
    if (now < f->retry_due_us) {
        earlier(wait_us, f->retry_due_us - now);
        return LP_OK;
    }
    for (size_t i = 0; i < f->count; i++) {
        struct entry *e = &f->window[(f->head + i) % f->window_size];
        if (e->state != WAITING) continue;
        int64_t left = e->due_us - now, rate_us = 0;
        if (left <= 0 && lp_http_room(f->http)) {
            LP_TRY(send_retry(f, e, &rate_us, err));
            if (!rate_us) continue;
            left = rate_us;
        }
        if (left <= 0) left = 1000000; /* no room: a reply comes first, and looks here again */
        earlier(wait_us, left);
        if (e->due_us < next_us) next_us = e->due_us;
    }
    f->retry_due_us = next_us;
    return LP_OK;
}

static bool may_send_new(const struct lp_fetch *f)
{
    bool room = f->options.replay_folder ? !f->count : lp_http_room(f->http) > 0;
    return room && !f->items_over && f->count < f->window_size && (f->held_bytes < LP_FETCH_HELD_BYTES || !f->count);
}

/* Puts the next item into the entry behind the last one. An item is there before a token is asked for it, so that no
 * run waits for the rate to learn that there are no more. */
static enum lp_code ready_item(struct lp_fetch *f, struct lp_err *err)
{
    size_t index = (f->head + f->count) % f->window_size;
    bool more = !f->options.most_items || f->stats.total < f->options.most_items;
    if (index >= f->used) f->used = index + 1;
    for (bool wanted = false; more && !wanted;) {
        struct lp_item *item = &f->window[index].item;
        LP_TRY(lp_items_next(&f->items, item, &more, err));
        wanted = !f->options.wants || (more && f->options.wants(f->options.who_wants, item));
        if (!wanted && item->index % 1024 == 0) LP_TRY(lp_cancel_check(err));
    }
    f->items_over = !more;
    f->item_ready = more;
    return LP_OK;
}

static enum lp_code send_new(struct lp_fetch *f, int64_t *wait_us, struct lp_err *err)
{
    while (may_send_new(f)) {
        if (!f->item_ready) LP_TRY(ready_item(f, err));
        if (f->items_over) return LP_OK;
        if (lp_clock_monotonic_us() >= f->until_us)
            return lp_cancel_over(err, ", and not all items were asked yet");
        int64_t rate_us = rate_wait_us(f);
        if (rate_us) {
            earlier(wait_us, rate_us);
            return LP_OK;
        }
        struct entry *e = &f->window[(f->head + f->count) % f->window_size];
        f->item_ready = false;
        f->count++;
        f->stats.total++;
        e->attempts = 0;
        e->answer.broke = false;
        lp_buf_clear(&e->answer.error);
        LP_TRY(send_request(f, e, err));
    }
    return LP_OK;
}

/* ---- handing out ---- */

static enum lp_code receive(struct lp_fetch *f, int64_t wait_us, struct lp_err *err)
{
    struct lp_http_reply r;
    bool got;
    int64_t wait_ms = wait_us < 0 ? 200 : (wait_us + 999) / 1000;
    LP_TRY(lp_http_wait(f->http, wait_ms > 200 ? 200 : wait_ms, &r, &got, err));
    while (got) {
        enum lp_code code = take_reply(f, r.user, &r, err);
        lp_http_finish(f->http, &r);
        LP_TRY(code);
        LP_TRY(lp_http_wait(f->http, 0, &r, &got, err));
    }
    return LP_OK;
}

static void release_head(struct lp_fetch *f)
{
    struct entry *e = &f->window[f->head];
    f->held_bytes -= e->answer.json.used_bytes < f->held_bytes ? e->answer.json.used_bytes : f->held_bytes;
    give_arena(f, e);
    e->state = FREE;
    f->head = (f->head + 1) % f->window_size;
    f->count--;
    f->handed_out = false;
}

enum lp_code lp_fetch_next(struct lp_fetch *f, struct lp_reply *reply, bool *more, struct lp_err *err)
{
    if (f->handed_out) release_head(f);
    for (;;) {
        struct entry *head = &f->window[f->head];
        if (f->count && head->state == DONE) {
            *reply = (struct lp_reply){.item = &head->item,
                                       .ok = head->ok,
                                       .root = head->answer.root,
                                       .error = lp_buf_text(&head->answer.error),
                                       .status = head->answer.status};
            bind_item(f, &head->item, &reply->bindings);
            f->handed_out = *more = true;
            return LP_OK;
        }
        int64_t wait_us = -1;
        LP_TRY(send_retries(f, &wait_us, err));
        LP_TRY(send_new(f, &wait_us, err));
        if (f->options.watch.tick) f->options.watch.tick(f->options.watch.who, &f->stats);
        *more = f->count > 0;
        if (!f->count && f->items_over) return LP_OK;
        if (f->window[f->head].state != DONE || !f->count) LP_TRY(receive(f, wait_us, err));
    }
}
