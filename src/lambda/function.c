#include "lambda/function.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "lambda/event.h"
#include "lambda/report.h"
#include "pipeline/merge.h"

#include <stdlib.h>

/* What is left to the record, the lock, those who are told and the answer once the run's own time is over; of a short time
 * a share of it. */
#define WIND_UP_US (3 * INT64_C(1000000))
#define ANSWER_US  INT64_C(500000)

void lp_function_release(struct lp_function *f)
{
    lp_http_free(f->http);
    lp_aws_free(f->aws);
    lp_pipeline_release(&f->pipeline);
    *f = (struct lp_function){0};
}

void lp_outcome_release(struct lp_outcome *o)
{
    lp_buf_release(&o->body);
    lp_buf_release(&o->cause);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void begin_time(const struct lp_call *call)
{
    if (!call->deadline_us) return;
    int64_t left_us = call->deadline_us - lp_clock_now_us(), now_us = lp_clock_monotonic_us();
    if (left_us < 0) left_us = 0;
    lp_cancel_at(now_us + left_us - smaller(WIND_UP_US, left_us / 4),
                 now_us + left_us - smaller(ANSWER_US, left_us / 8));
}

static const char *error_type(enum lp_code code)
{
    if (code == LP_LIMIT && lp_cancel_was_over()) return "Function.TimeOver";
    switch (code) {
    case LP_GATE: return "Function.GateRefused";
    case LP_LOCKED: return "Function.SlotLocked";
    case LP_AUTH: return "Function.NotAllowed";
    case LP_CONFIG: return "Function.ConfigInvalid";
    case LP_CANCELLED: return "Function.Stopped";
    case LP_NOMEM: return "Function.OutOfMemory";
    default: return "Function.RunFailed";
    }
}

/* notify: { to: stderr } means the log, which hears of what was written in any case. */
static void hear(void *who, const struct lp_notice *n, const struct lp_message *message)
{
    const struct lp_function *f = who;
    if (n->event == LP_ON_SUCCESS || n->event == LP_ON_PARTIAL) return;
    lp_log_say(f->log, n->event == LP_ON_FAILURE ? LP_LOG_ERROR : LP_LOG_INFO, "notify: %s",
               lp_buf_text(&message->subject));
}

static void note_try(void *who, const char *line)
{
    const struct lp_function *f = who;
    lp_log_put(f->log, LP_LOG_DEBUG, NULL, line);
}

static enum lp_code read_event(const struct lp_function *f, const struct lp_call *call, struct lp_event *event,
                               struct lp_err *err)
{
    if (call->event_cut)
        return lp_fail(err, LP_DATA, "event: it is far larger than the %zu bytes that are read at most", LP_EVENT_BYTES);
    LP_TRY(lp_event_read(call->event, call->event_len, lp_clock_now_us(), event, err));
    if (event->shards < 2 || !f->pipeline.sink.file_name) return LP_OK;
    return lp_fail(err, LP_DATA,
                   "event: shard: shards would replace each other in the one file %.100s; name a directory in sink.to",
                   f->pipeline.sink.to);
}

static void run(struct lp_function *f, const struct lp_event *event, struct lp_record *rec, struct lp_outcome *out,
                struct lp_err *err)
{
    bool debug = lp_log_wants(f->log, LP_LOG_DEBUG);
    const struct lp_run_options o = {.slot_us = event->slot_us,
                                     .shard = event->shard,
                                     .shards = event->merge ? event->merge : event->shards,
                                     .replay_folder = f->replay_folder,
                                     .aws = f->aws,
                                     .http = &f->http,
                                     .watch = {.who = f, .say = debug ? note_try : NULL},
                                     .say = hear,
                                     .who_says = f};
    lp_aws_renew(f->aws);
    out->code = event->merge ? lp_merge(&f->pipeline, &o, rec, err) : lp_run(&f->pipeline, &o, rec, err);
    lp_source_release(&f->pipeline.source); /* its secret is read anew by the next call */
    out->partial = !out->code && rec->status == LP_RUN_PARTIAL;
    if (out->code) out->error_type = error_type(out->code);
}

void lp_function_call(struct lp_function *f, const struct lp_call *call, struct lp_outcome *out)
{
    struct lp_record rec = {0};
    struct lp_event event = {0};
    struct lp_err err = {0};
    *out = (struct lp_outcome){.body.max_bytes = LP_ANSWER_BYTES};
    lp_log_set_request(f->log, call->request_id);
    begin_time(call);
    out->code = read_event(f, call, &event, &err);
    bool ran = !out->code;
    if (!ran) out->error_type = out->code == LP_NOMEM ? "Function.OutOfMemory" : "Function.EventInvalid";
    else run(f, &event, &rec, out, &err);
    if (event.shards > 1 || event.merge)
        out->body.max_bytes = out->error_type ? LP_STATE_ERROR_BYTES : LP_STATE_BYTES;
    lp_cancel_at(0, 0);
    lp_report_log(f, &rec, out, &err);
    lp_report_answer(&rec, call->request_id, out, &err);
    if (f->metrics) lp_report_metrics(f, &rec, out, ran && event.shards > 1);
    f->warm = true;
    lp_record_release(&rec);
}
