/* A webhook: the message's JSON by POST; 2xx is success. */
#include "aws/secret_place.h"
#include "base/clock.h"
#include "net/retry.h"
#include "notify/messenger.h"

#include <stdlib.h>

#define ATTEMPT_MS  10000
#define REPLY_BYTES ((size_t)64 * 1024)

struct webhook {
    struct lp_messenger messenger;
    struct lp_buf url;
};

/* What the server's own words were, on one line. */
static void put_reply(const struct lp_http_reply *r, struct lp_buf *out)
{
    LP_AUTO(lp_buf) visible = {.max_bytes = 4096};
    lp_text_put_visible(&visible, r->body.at, r->body.len < 300 ? r->body.len : 300);
    if (visible.len) lp_buf_puts(out, " ");
    lp_text_cut(out, lp_buf_text(&visible), visible.len, 200);
}

static enum lp_code refuse(const struct lp_http_reply *r, const char *why, struct lp_err *err)
{
    LP_AUTO(lp_buf) said = {.max_bytes = 4096};
    bool later = lp_retry_outcome(r->outcome, r->status);
    if (r->outcome == LP_HTTP_REDIRECT_REFUSED)
        return lp_fail(err, LP_REMOTE,
                       "the webhook answers %d, a redirect, which is not followed; name the address that it leads to",
                       r->status);
    if (r->outcome != LP_HTTP_ANSWERED)
        return lp_fail(err, later ? LP_BUSY : LP_REMOTE, "the webhook cannot be told: %s%s%s", r->error,
                       *why ? "; " : "", why);
    put_reply(r, &said);
    if (r->status == 401 || r->status == 403 || r->status == 404 || r->status == 410)
        return lp_fail(err, LP_AUTH, "the webhook answers %d%s; see whether its address is still valid", r->status,
                       lp_buf_text(&said));
    return lp_fail(err, later ? LP_BUSY : LP_REMOTE, "the webhook answers %d%s%s%s", r->status, lp_buf_text(&said),
                   *why ? "; " : "", why);
}

/* One attempt; *again when another may help, after *wait_ms. */
static enum lp_code attempt(struct lp_http *http, const struct lp_http_request *q, const struct lp_retry_policy *policy,
                            unsigned number, int64_t began_us, int64_t *wait_ms, struct lp_err *err)
{
    static uint64_t random;
    struct lp_http_reply r;
    bool got = false;
    *wait_ms = -1;
    LP_TRY(lp_http_start(http, q, err));
    while (!got) LP_TRY(lp_http_wait(http, -1, &r, &got, err));
    enum lp_code code = LP_OK;
    if (r.outcome != LP_HTTP_ANSWERED || r.status < 200 || r.status > 299) {
        bool retryable = lp_retry_outcome(r.outcome, r.status);
        struct lp_retry_verdict v =
            lp_retry_decide(policy, number, (lp_clock_monotonic_us() - began_us) / 1000, retryable,
                            lp_retry_after_ms(&r, lp_clock_now_us()), lp_retry_random(&random));
        code = refuse(&r, retryable && !v.retry ? v.why : "", err);
        if (v.retry) *wait_ms = v.wait_ms;
    }
    lp_http_finish(http, &r);
    return code;
}

static enum lp_code post(struct lp_http *http, const char *url, const struct lp_message *message, int64_t limit_ms,
                         struct lp_err *err)
{
    static const char *const headers[] = {"Content-Type: application/json; charset=utf-8"};
    const struct lp_retry_policy policy = {.attempts = 4, .deadline_ms = limit_ms, .base_ms = 500, .cap_ms = 5000};
    struct lp_http_request q = {.url = url,
                                .headers = headers,
                                .header_count = 1,
                                .method = "POST",
                                .body = lp_buf_text(&message->json),
                                .body_len = message->json.len};
    int64_t began_us = lp_clock_monotonic_us(), wait_ms;
    for (unsigned number = 1;; number++) {
        q.total_ms = lp_retry_time_left_ms(&policy, (lp_clock_monotonic_us() - began_us) / 1000);
        q.fresh_connection = number > 1;
        enum lp_code code = attempt(http, &q, &policy, number, began_us, &wait_ms, err);
        if (!code || wait_ms < 0) return code;
        struct lp_http_reply none;
        bool got;
        LP_TRY(lp_http_wait(http, wait_ms, &none, &got, err)); /* with none in flight it sleeps */
    }
}

static enum lp_code webhook_send(struct lp_messenger *m, const struct lp_notice *n, const struct lp_message *message,
                                 int64_t limit_ms, struct lp_err *err)
{
    const struct lp_http_options o = {.at_once = 1,
                                      .connect_ms = limit_ms < ATTEMPT_MS ? limit_ms : ATTEMPT_MS,
                                      .total_ms = ATTEMPT_MS,
                                      .max_body_bytes = REPLY_BYTES};
    struct lp_http *http = NULL;
    (void)n;
    enum lp_code code = lp_http_new(&o, &http, err);
    if (!code) code = post(http, lp_buf_text(&((struct webhook *)m)->url), message, limit_ms, err);
    lp_http_free(http);
    return code;
}

static void webhook_free(struct lp_messenger *m)
{
    struct webhook *w = (struct webhook *)m;
    lp_secret_wipe(&w->url);
    free(w);
}

static enum lp_code set_url(struct webhook *w, const struct lp_address *a, const struct lp_messenger_means *means,
                            struct lp_err *err)
{
    if (a->text) lp_buf_puts(&w->url, a->text);
    else LP_TRY(lp_secret_load(means->aws, a->secret, means->folder, &w->url, err));
    LP_TRY(lp_buf_code(&w->url, "the webhook's address", err));
    return lp_webhook_check(lp_buf_text(&w->url), err);
}

enum lp_code lp_messenger_webhook_new(const struct lp_address *a, const struct lp_messenger_means *means,
                                      struct lp_messenger **out, struct lp_err *err)
{
    static const struct lp_messenger_ops ops = {"webhook", webhook_send, webhook_free};
    struct webhook *w = calloc(1, sizeof *w);
    if (!w) return lp_nomem(err);
    w->messenger.ops = &ops;
    enum lp_code code = set_url(w, a, means, err);
    if (code) webhook_free(&w->messenger);
    else *out = &w->messenger;
    return code;
}
