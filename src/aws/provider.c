#include "aws/provider.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"

#include <stdio.h>

#define ANSWER_BYTES ((size_t)256 * 1024)
#define TREE_BYTES   ((size_t)4 << 20)

void lp_aws_wipe(struct lp_buf *b)
{
    if (b->data) explicit_bzero(b->data, b->cap);
    lp_buf_release(b);
}

void lp_aws_answer_release(struct lp_aws_answer *a)
{
    lp_aws_wipe(&a->body);
}

static enum lp_code ask_once(struct lp_http *http, const struct lp_aws_question *q, struct lp_aws_answer *out,
                             struct lp_err *err)
{
    const struct lp_http_request r = {.url = q->url,
                                      .method = q->method,
                                      .headers = q->headers,
                                      .header_count = q->header_count,
                                      .no_redirects = true,
                                      .as_stored = true};
    struct lp_http_reply reply;
    bool got;
    lp_aws_answer_release(out);
    LP_TRY(lp_http_start(http, &r, err));
    LP_TRY(lp_http_wait(http, -1, &reply, &got, err));
    if (!got) return lp_fail(err, LP_BUG, "a request went and did not end");
    out->outcome = reply.outcome;
    out->status = reply.outcome == LP_HTTP_ANSWERED ? reply.status : 0;
    memcpy(out->error, reply.error, sizeof out->error);
    lp_buf_reserve(&out->body, reply.body.len); /* so that it never moves and leaves a copy behind */
    lp_buf_put(&out->body, reply.body.at, reply.body.len);
    lp_http_finish(http, &reply);
    return lp_buf_code(&out->body, "an answer with keys", err);
}

/* In a transport of its own: its time limits are others, and it must not take slots from the calls that wait for keys. */
enum lp_code lp_aws_question_ask(const struct lp_aws_settings *s, const struct lp_aws_question *q,
                                 struct lp_aws_answer *out, struct lp_err *err)
{
    const struct lp_http_options o = {.connect_ms = q->timeout_ms,
                                      .total_ms = q->timeout_ms,
                                      .max_body_bytes = ANSWER_BYTES,
                                      .at_once = 1,
                                      .ca_bundle = s->ca_bundle,
                                      .user_agent = "lambda-pipeline/" LP_VERSION};
    struct lp_http *http;
    struct lp_http_reply none;
    bool got;
    *out = (struct lp_aws_answer){0};
    LP_TRY(lp_http_new(&o, &http, err));
    enum lp_code code = LP_OK;
    for (unsigned attempt = 1; !code; attempt++) {
        code = ask_once(http, q, out, err);
        if (code || out->status == 200 || attempt >= q->attempts) break;
        code = lp_http_wait(http, q->pause_ms, &none, &got, err);
    }
    lp_http_free(http);
    if (code) lp_aws_answer_release(out);
    return code;
}

static enum lp_code take_keys(struct lp_arena *a, const struct lp_buf *text, const struct lp_aws_key_names *names,
                              const char *what, struct lp_aws_credentials *out, struct lp_err *err)
{
    json_t *root;
    enum lp_code code = lp_json_parse(a, lp_buf_text(text), text->len, &root, err);
    if (code) return lp_fail(err, code == LP_NOMEM ? code : LP_AUTH, "%s is no JSON that can be read", what);
    const char *key = json_string_value(json_object_get(root, names->access_key));
    const char *secret = json_string_value(json_object_get(root, names->secret_key));
    const char *token = json_string_value(json_object_get(root, names->token));
    const char *expires = json_string_value(json_object_get(root, names->expires));
    if (!key || !*key || !secret || !*secret)
        return lp_fail(err, LP_AUTH, "%s holds no %s", what, key && *key ? names->secret_key : names->access_key);
    if (expires && !lp_time_parse_iso(expires, strlen(expires), &out->expires_us))
        return lp_fail(err, LP_AUTH, "%s has an %s that is no time: \"%.40s\"", what, names->expires, expires);
    return lp_aws_credentials_set(out, key, secret, token, err);
}

enum lp_code lp_aws_keys_from_json(const struct lp_buf *text, const struct lp_aws_key_names *names, const char *what,
                                   struct lp_aws_credentials *out, struct lp_err *err)
{
    LP_AUTO(lp_arena) arena = {0};
    lp_arena_init(&arena, TREE_BYTES);
    return take_keys(&arena, text, names, what, out, err);
}
