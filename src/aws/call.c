/* Calls on their way: started, tried again, finished. All that are under way move whenever one is waited for. */
#include "aws/call.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "net/retry.h"

#include <stdio.h>
#include <stdlib.h>

#define TURN_US       20000 /* the longest that a turn moves bytes */
#define SKEW_WORTH_US INT64_C(240000000) /* less is within what AWS lets pass */

/* ---- the end of an attempt ---- */

static void settle(struct lp_aws_call *c, enum lp_code code)
{
    c->state = LP_AWS_DONE;
    c->code = code;
}

static void again(struct lp_aws_call *c, int64_t wait_ms)
{
    c->state = LP_AWS_WAITING;
    c->due_us = lp_clock_monotonic_us() + wait_ms * 1000;
}

static int64_t hint_ms(const struct lp_aws_reply *r)
{
    struct lp_slice v;
    char text[24];
    if (!lp_aws_reply_header(r, "x-amz-retry-after", &v) || v.len >= sizeof text) return -1;
    snprintf(text, sizeof text, "%.*s", (int)v.len, v.at);
    char *end;
    long long ms = strtoll(text, &end, 10);
    return end > text && !*end && ms >= 0 ? (int64_t)ms : -1;
}

/* True when the call is tried again. */
static bool retry(struct lp_aws *aws, struct lp_aws_call *c, enum lp_aws_trouble trouble)
{
    int64_t wait_ms;
    if (c->q.once || !lp_aws_budget_retry(&aws->budget, c->reply.attempts, trouble, hint_ms(&c->reply),
                                          lp_retry_random(&aws->random), &wait_ms, &c->cost))
        return false;
    if (wait_ms * 1000 >= c->until_us - lp_clock_monotonic_us()) return false;
    again(c, wait_ms);
    return true;
}

/* No answer came, or not all of it. */
static void land_broken(struct lp_aws *aws, struct lp_aws_call *c, const struct lp_http_reply *r)
{
    bool timed_out = r->outcome == LP_HTTP_TIMED_OUT;
    bool passing = timed_out || r->outcome == LP_HTTP_CONNECT_FAILED || r->outcome == LP_HTTP_CUT_SHORT ||
                   r->outcome == LP_HTTP_GARBLED;
    c->fresh_connection = true;
    c->reply.status = 0;
    if (passing && retry(aws, c, timed_out ? LP_AWS_TIMED_OUT : LP_AWS_BROKEN)) return;
    enum lp_code code = r->outcome == LP_HTTP_TOO_LARGE ? LP_LIMIT : passing ? LP_BUSY : LP_REMOTE;
    char tries[40] = "";
    if (c->reply.attempts > 1) snprintf(tries, sizeof tries, "; tried %u times", c->reply.attempts);
    settle(c, lp_fail(&c->err, code, "%s: %s: %s%s", c->what, lp_http_outcome_name(r->outcome), r->error, tries));
}

/* The server's clock counts, where its difference explains the refusal. */
static bool correct_clock(struct lp_aws *aws, struct lp_aws_call *c, const struct lp_http_reply *r)
{
    char date[64];
    int64_t theirs;
    if (c->clock_corrected || !r->date.len || r->date.len >= sizeof date) return false;
    snprintf(date, sizeof date, "%.*s", (int)r->date.len, r->date.at);
    if (!lp_time_parse_http(date, &theirs)) return false;
    int64_t skew = theirs - lp_clock_now_us(), change = skew - c->skew_us; /* another call may have learned it already */
    if (change < SKEW_WORTH_US && change > -SKEW_WORTH_US) return false;
    aws->skew_us = skew;
    c->clock_corrected = true;
    again(c, 0);
    return true;
}

static bool correct_region(struct lp_aws *aws, struct lp_aws_call *c, const char *region)
{
    if (c->region_corrected || !c->q.bucket || !strcmp(region, c->region)) return false;
    if (lp_aws_bucket_learn(aws, c->q.bucket, region, NULL)) return false;
    c->region_corrected = true;
    again(c, 0);
    return true;
}

static bool correct_keys(struct lp_aws *aws, struct lp_aws_call *c)
{
    if (c->keys_renewed || c->q.anonymous || !lp_aws_keyring_expire(&aws->keys)) return false;
    c->keys_renewed = true;
    again(c, 0);
    return true;
}

/* Newer words of AWS's name it; S3's older ones and those of others do not, and an answer to HEAD has no words at all. */
static bool lacks_action(const struct lp_aws_reply *r)
{
    bool denied = !strncmp(r->error_code, "AccessDenied", strlen("AccessDenied")) || !strcmp(r->error_code, "403");
    return denied && !strstr(r->message, "perform: ");
}

static void fail(struct lp_aws *aws, struct lp_aws_call *c, enum lp_aws_verdict verdict)
{
    enum lp_code code = lp_aws_reply_fail(&c->reply, c->what, &c->err);
    size_t n = strlen(c->err.text);
    const char *key = aws->keys.now.access_key, *more = NULL;
    if (verdict == LP_AWS_ELSEWHERE) more = "; the bucket lies in another region: set it with AWS_REGION";
    if (verdict == LP_AWS_EXPIRED) more = "; get new keys";
    char action[80];
    if (code == LP_AUTH && lacks_action(&c->reply) && lp_aws_action(&c->q, action, sizeof action)) {
        snprintf(c->err.text + n, sizeof c->err.text - n, "; it needs %s", action);
        n = strlen(c->err.text);
    }
    if (more) snprintf(c->err.text + n, sizeof c->err.text - n, "%s", more);
    else if (code == LP_AUTH && key && !c->q.anonymous && strlen(key) > 8)
        snprintf(c->err.text + n, sizeof c->err.text - n, "; signed with the key …%s from %s", key + strlen(key) - 4,
                 aws->keys.now.source);
    settle(c, code);
}

static void land(struct lp_aws *aws, struct lp_aws_call *c, const struct lp_http_reply *r)
{
    char region[LP_AWS_REGION_BYTES];
    c->reply.attempts++;
    c->reply.error_code[0] = c->reply.message[0] = c->reply.request_id[0] = '\0';
    lp_buf_clear(&c->reply.body);
    lp_buf_clear(&c->reply.headers);
    lp_buf_put(&c->reply.headers, r->headers.at, r->headers.len);
    if (r->outcome != LP_HTTP_ANSWERED) {
        land_broken(aws, c, r);
        return;
    }
    c->reply.status = r->status;
    c->fresh_connection = false;
    lp_buf_put(&c->reply.body, r->body.at, r->body.len);
    if (lp_buf_code(&c->reply.body, c->what, &c->err) || lp_buf_code(&c->reply.headers, c->what, &c->err)) {
        settle(c, c->err.code);
        return;
    }
    enum lp_aws_verdict verdict = lp_aws_reply_judge(&c->reply, &c->q, region);
    switch (verdict) {
    case LP_AWS_FINE:
        lp_aws_budget_succeed(&aws->budget, c->cost);
        settle(c, LP_OK);
        return;
    case LP_AWS_TROUBLED:
        if (retry(aws, c, LP_AWS_BROKEN)) return;
        break;
    case LP_AWS_SLOWER:
        if (retry(aws, c, LP_AWS_THROTTLED)) return;
        break;
    case LP_AWS_CLOCK:
        if (correct_clock(aws, c, r)) return;
        break;
    case LP_AWS_ELSEWHERE:
        if (correct_region(aws, c, region)) return;
        break;
    case LP_AWS_EXPIRED:
        if (correct_keys(aws, c)) return;
        break;
    case LP_AWS_REFUSED: break;
    }
    fail(aws, c, verdict);
}

/* ---- moving all on ---- */

/* Starts what is due, as far as there is room, and tells when the next will be; -1: none waits for its time. */
static int64_t start_due(struct lp_aws *aws)
{
    int64_t now = lp_clock_monotonic_us(), next_us = -1;
    for (struct lp_aws_call *c = aws->calls; c; c = c->next) {
        if (c->state != LP_AWS_WAITING) continue;
        if (c->due_us > now) {
            if (next_us < 0 || c->due_us < next_us) next_us = c->due_us;
        } else if (lp_http_room(aws->http)) {
            c->state = LP_AWS_FLYING;
            enum lp_code code = lp_aws_attempt(aws, c, &c->err);
            if (code) settle(c, code);
        }
    }
    return next_us;
}

/* One step: waits at most timeout_ms (-1: as long as something is under way) for one reply. */
static enum lp_code step(struct lp_aws *aws, int64_t timeout_ms, bool *landed, struct lp_err *err)
{
    struct lp_http_reply r;
    int64_t next_us = start_due(aws);
    if (next_us >= 0) {
        int64_t wait_ms = (next_us - lp_clock_monotonic_us() + 999) / 1000;
        if (wait_ms < 0) wait_ms = 0;
        if (timeout_ms < 0 || wait_ms < timeout_ms) timeout_ms = wait_ms;
    }
    LP_TRY(lp_http_wait(aws->http, timeout_ms, &r, landed, err));
    if (!*landed) return LP_OK;
    land(aws, r.user, &r);
    lp_http_finish(aws->http, &r);
    return LP_OK;
}

enum lp_code lp_aws_turn(struct lp_aws *aws, struct lp_err *err)
{
    bool landed = true;
    int64_t until = lp_clock_monotonic_us() + TURN_US;
    if (!aws->calls) return LP_OK;
    while (landed || (lp_http_moved(aws->http) && lp_clock_monotonic_us() < until))
        LP_TRY(step(aws, 0, &landed, err));
    start_due(aws);
    return LP_OK;
}

/* ---- the contract ---- */

enum lp_code lp_aws_start(struct lp_aws *aws, const struct lp_aws_request *q, struct lp_aws_call **out,
                          struct lp_err *err)
{
    *out = NULL;
    LP_TRY(lp_aws_open(aws, err));
    struct lp_aws_call *c = calloc(1, sizeof *c), **at = &aws->calls;
    if (!c) return lp_nomem(err);
    c->q = *q;
    c->until_us = q->within_ms > 0 ? lp_clock_monotonic_us() + q->within_ms * 1000 : INT64_MAX;
    if (!c->q.method) c->q.method = "POST";
    if (!c->q.path) c->q.path = "/";
    lp_buf_init(&c->reply.body, LP_AWS_BODY_BYTES + 1);
    while (*at) at = &(*at)->next; /* the oldest first */
    *out = *at = c;
    start_due(aws);
    return LP_OK;
}

static void drop(struct lp_aws *aws, struct lp_aws_call **call)
{
    for (struct lp_aws_call **at = &aws->calls; *at; at = &(*at)->next) {
        if (*at != *call) continue;
        *at = (*call)->next;
        break;
    }
    lp_aws_reply_release(&(*call)->reply);
    free(*call);
    *call = NULL;
}

enum lp_code lp_aws_finish(struct lp_aws *aws, struct lp_aws_call **call, struct lp_aws_reply *reply,
                           struct lp_err *err)
{
    struct lp_aws_call *c = *call;
    enum lp_code code = LP_OK;
    bool landed;
    while (!code && c->state != LP_AWS_DONE) code = step(aws, -1, &landed, err);
    *reply = c->reply;
    c->reply = (struct lp_aws_reply){0};
    if (code) {
        if (code == LP_LIMIT && *c->what) lp_wrap(err, code, "%s", c->what); /* what the time went by with */
        lp_aws_cancel(aws, call);
        return code;
    }
    code = c->code;
    if (code && err) *err = c->err;
    drop(aws, call);
    return code;
}

void lp_aws_cancel(struct lp_aws *aws, struct lp_aws_call **call)
{
    if (!*call) return;
    if ((*call)->state == LP_AWS_FLYING) lp_http_cancel(aws->http, *call);
    drop(aws, call);
}

enum lp_code lp_aws_call(struct lp_aws *aws, const struct lp_aws_request *q, struct lp_aws_reply *reply,
                         struct lp_err *err)
{
    struct lp_aws_call *call;
    *reply = (struct lp_aws_reply){0};
    LP_TRY(lp_aws_start(aws, q, &call, err));
    return lp_aws_finish(aws, &call, reply, err);
}
