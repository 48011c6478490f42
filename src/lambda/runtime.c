#include "lambda/runtime.h"

#include "base/cancel.h"
#include "base/number.h"
#include "lambda/cause.h"

#include <stdio.h>
#include <stdlib.h>

#define FOR_EVER_MS     (INT64_C(40) * 86400000)
#define ANSWER_MS       INT64_C(30000) /* for an answer of 6 MiB, over the machine's own network */
#define CONNECT_MS      INT64_C(1000)
#define TRIES           6 /* of one request, with 0.1, 0.2, 0.4, 0.8, 1.6 s between them */
#define EVENT_MAX_BYTES ((size_t)8 << 20)
#define SHORT_TEXT      300
#define TRACE_BYTES     1024

struct runtime {
    const char *api;
    struct lp_http *http;
    struct lp_log *log;
};

/* A request, and what came back; `reply` is to be finished. */
struct exchange {
    struct lp_http_request q;
    struct lp_http_reply reply;
    bool broke; /* a try before this one may have arrived */
};

static enum lp_code open_runtime(struct runtime *r, const char *api, struct lp_log *log, struct lp_err *err)
{
    static const char *const headers[] = {"lambda-runtime-aws-request-id", "lambda-runtime-deadline-ms",
                                          "lambda-runtime-trace-id", "lambda-runtime-invocation-id", NULL};
    const struct lp_http_options o = {.connect_ms = CONNECT_MS,
                                      .total_ms = FOR_EVER_MS,
                                      .max_body_bytes = EVENT_MAX_BYTES,
                                      .at_once = 2, /* an event is held while its answer goes out */
                                      .user_agent = "lambda-pipeline/" LP_VERSION,
                                      .keep_also = headers};
    *r = (struct runtime){.api = api, .log = log};
    return lp_http_new(&o, &r->http, err);
}

static enum lp_code pause_before(struct runtime *r, unsigned attempt, struct lp_err *err)
{
    struct lp_http_reply none;
    bool got;
    return attempt ? lp_http_wait(r->http, INT64_C(50) << attempt, &none, &got, err) : LP_OK;
}

/* Sends until an answer comes, whatever it says. Being frozen and thawed may break a connection at any time. */
static enum lp_code ask(struct runtime *r, struct exchange *x, struct lp_err *err)
{
    char why[LP_HTTP_ERROR_BYTES] = "";
    for (unsigned attempt = 0; attempt < TRIES; attempt++) {
        bool got;
        LP_TRY(pause_before(r, attempt, err));
        x->q.fresh_connection = attempt > 0;
        LP_TRY(lp_http_start(r->http, &x->q, err));
        LP_TRY(lp_http_wait(r->http, -1, &x->reply, &got, err));
        if (x->reply.outcome == LP_HTTP_ANSWERED || x->reply.outcome == LP_HTTP_TOO_LARGE) return LP_OK;
        x->broke |= x->reply.outcome != LP_HTTP_CONNECT_FAILED;
        snprintf(why, sizeof why, "%s", x->reply.error);
        lp_http_finish(r->http, &x->reply);
        x->reply = (struct lp_http_reply){0};
        lp_log_say(r->log, LP_LOG_WARN, "the runtime API at %s: %s", r->api, why);
    }
    return lp_fail(err, LP_BUSY, "the runtime API at %s does not answer: %s", r->api, why);
}

static enum lp_code unexpected(const struct runtime *r, const struct lp_http_reply *reply, const char *what,
                               struct lp_err *err)
{
    int len = (int)(reply->body.len > SHORT_TEXT ? SHORT_TEXT : reply->body.len);
    return lp_fail(err, LP_REMOTE, "the runtime API at %s answers %s with %d%s%.*s", r->api, what, reply->status,
                   len ? ": " : "", len, reply->body.at);
}

/* ---- an event ---- */

struct event {
    struct exchange x;
    char id[LP_REQUEST_ID_BYTES];
    struct lp_buf echo; /* the header that an answer has to repeat; empty: none */
    int64_t deadline_us;
};

/* The trace lies in an array of our own: setenv would keep every value there ever was. */
static void set_trace(const struct lp_http_reply *reply)
{
    static char variable[TRACE_BYTES];
    struct lp_slice value;
    unsetenv("_X_AMZN_TRACE_ID");
    if (!lp_http_header(reply, "lambda-runtime-trace-id", &value) || !value.len) return;
    int len = snprintf(variable, sizeof variable, "_X_AMZN_TRACE_ID=%.*s", (int)value.len, value.at);
    if (len > 0 && (size_t)len < sizeof variable) putenv(variable);
}

static void read_deadline(struct runtime *r, struct event *e)
{
    struct lp_slice value;
    int64_t ms = 0;
    bool there = lp_http_header(&e->x.reply, "lambda-runtime-deadline-ms", &value);
    bool good = there && lp_int64_parse(value.at, value.len, &ms) && ms > 0 && ms < INT64_MAX / 1000;
    e->deadline_us = good ? ms * 1000 : 0;
    if (!good) lp_log_say(r->log, LP_LOG_WARN, "the event came without a deadline, so that its run has no time limit");
}

static enum lp_code next(struct runtime *r, struct event *e, struct lp_err *err)
{
    char url[300];
    struct lp_slice value;
    snprintf(url, sizeof url, "http://%s/2018-06-01/runtime/invocation/next", r->api);
    e->x = (struct exchange){.q = {.url = url, .no_redirects = true, .as_stored = true}};
    LP_TRY(ask(r, &e->x, err));
    const struct lp_http_reply *reply = &e->x.reply;
    if (reply->status != 200) return unexpected(r, reply, "the question for an event", err);
    if (!lp_http_header(reply, "lambda-runtime-aws-request-id", &value) || !value.len)
        return lp_fail(err, LP_REMOTE, "the runtime API at %s gave an event without a request id", r->api);
    if (value.len >= sizeof e->id)
        return lp_fail(err, LP_REMOTE, "the runtime API at %s gave an event with a request id of %zu bytes; at most %zu are read",
                       r->api, value.len, sizeof e->id - 1);
    snprintf(e->id, sizeof e->id, "%.*s", (int)value.len, value.at);
    if (lp_http_header(reply, "lambda-runtime-invocation-id", &value))
        lp_buf_printf(&e->echo, "Lambda-Runtime-Invocation-Id: %.*s", (int)value.len, value.at);
    lp_log_set_request(r->log, e->id);
    set_trace(reply);
    read_deadline(r, e);
    return lp_buf_code(&e->echo, "the invocation's id", err);
}

/* ---- an answer ---- */

/* What the service says to an answer; only what it cannot recover from is an error. */
static enum lp_code judge(struct runtime *r, const struct exchange *x, struct lp_err *err)
{
    const struct lp_http_reply *reply = &x->reply;
    struct lp_err local;
    if (reply->outcome == LP_HTTP_ANSWERED && reply->status / 100 == 2) return LP_OK;
    if (reply->status == 500) return unexpected(r, reply, "an answer", err);
    (void)!unexpected(r, reply, "an answer", &local);
    const char *so = reply->status == 410   ? "; the invocation was over already, and another may be under way"
                     : reply->status == 413 ? "; the caller was told that the answer is too large"
                     : x->broke             ? "; a try before this one may have arrived"
                                            : "";
    lp_log_say(r->log, x->broke ? LP_LOG_WARN : LP_LOG_ERROR, "%s%s", local.text, so);
    return LP_OK;
}

/* The last words after a signal go out all the same. */
static enum lp_code post(struct runtime *r, struct exchange *x, struct lp_err *err)
{
    lp_cancel_wind_up();
    enum lp_code code = ask(r, x, err);
    lp_cancel_heed();
    if (code) return code;
    code = judge(r, x, err);
    lp_http_finish(r->http, &x->reply);
    return code;
}

static enum lp_code answer(struct runtime *r, const struct event *e, const struct lp_outcome *o, struct lp_err *err)
{
    LP_AUTO(lp_buf) url = {0};
    char type[120];
    const char *headers[4] = {"Content-Type: application/json"};
    size_t count = 1;
    lp_buf_printf(&url, "http://%s/2018-06-01/runtime/invocation/", r->api);
    lp_percent_encode(&url, e->id, strlen(e->id), "");
    lp_buf_puts(&url, o->error_type ? "/error" : "/response");
    LP_TRY(lp_buf_code(&url, "an address", err));
    if (e->echo.len) headers[count++] = lp_buf_text(&e->echo);
    snprintf(type, sizeof type, "Lambda-Runtime-Function-Error-Type: %s", o->error_type ? o->error_type : "");
    if (o->error_type) headers[count++] = type;
    if (o->error_type && o->cause.len && !o->cause.failed) headers[count++] = lp_buf_text(&o->cause);
    struct exchange x = {.q = {.url = lp_buf_text(&url),
                               .headers = headers,
                               .header_count = count,
                               .method = "POST",
                               .body = o->text,
                               .body_len = o->text_len,
                               .total_ms = ANSWER_MS,
                               .no_redirects = true,
                               .as_stored = true}};
    return post(r, &x, err);
}

static enum lp_code serve_one(struct runtime *r, struct lp_function *f, struct lp_err *err)
{
    struct event e = {0};
    struct lp_outcome o;
    enum lp_code code = next(r, &e, err);
    if (!code) {
        const struct lp_http_reply *reply = &e.x.reply;
        const struct lp_call call = {.event = reply->body.at,
                                     .event_len = reply->body.len,
                                     .event_cut = reply->outcome == LP_HTTP_TOO_LARGE,
                                     .request_id = e.id,
                                     .deadline_us = e.deadline_us};
        lp_function_call(f, &call, &o);
        code = answer(r, &e, &o, err);
        lp_outcome_release(&o);
    }
    if (e.x.reply.status) lp_http_finish(r->http, &e.x.reply);
    lp_buf_release(&e.echo);
    lp_log_set_request(r->log, "");
    return code ? code : lp_cancel_check(err);
}

enum lp_code lp_runtime_serve(const char *api, struct lp_function *f, struct lp_err *err)
{
    struct runtime r;
    LP_TRY(open_runtime(&r, api, f->log, err));
    const char *many = getenv("AWS_LAMBDA_MAX_CONCURRENCY");
    if (many && *many)
        lp_log_say(f->log, LP_LOG_WARN, "AWS_LAMBDA_MAX_CONCURRENCY is set; one event is served at a time");
    enum lp_code code = LP_OK;
    while (!code) code = serve_one(&r, f, err);
    lp_http_free(r.http);
    return code;
}

enum lp_code lp_runtime_refuse(const char *api, const char *type, const char *why, struct lp_err *err)
{
    LP_AUTO(lp_buf) body = {0}, cause = {0};
    struct lp_log silent = {0};
    struct runtime r;
    char url[300], header[120];
    snprintf(url, sizeof url, "http://%s/2018-06-01/runtime/init/error", api);
    snprintf(header, sizeof header, "Lambda-Runtime-Function-Error-Type: %s", type);
    lp_error_put_json(type, why, NULL, NULL, &body);
    LP_TRY(lp_buf_code(&body, "the error", err));
    lp_cause_put_header(type, why, &cause);
    const char *const headers[] = {"Content-Type: application/json", header, lp_buf_text(&cause)};
    LP_TRY(open_runtime(&r, api, &silent, err));
    struct exchange x = {.q = {.url = url,
                               .headers = headers,
                               .header_count = LP_COUNT(headers) - (cause.failed ? 1 : 0),
                               .method = "POST",
                               .body = body.data,
                               .body_len = body.len,
                               .total_ms = ANSWER_MS,
                               .no_redirects = true,
                               .as_stored = true}};
    enum lp_code code = post(&r, &x, err);
    lp_http_free(r.http);
    return code;
}
