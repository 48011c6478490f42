/* The room aws by itself, for tests that compare it with botocore: one JSON line in, one out.
 *   aws_probe [--profile P] [--region R] [--endpoint-url U] [--at-once N]
 * Each line says what to do: "sign" (a request as lp_sign takes it), "call", "calls", "identify", "keys", "region",
 * "endpoint", "secret"; one session for all lines.
 * It prints keys: it is for tests alone. */
#include "aws/aws.h"
#include "aws/sign.h"
#include "base/clock.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char *text_of(const json_t *o, const char *name)
{
    return json_string_value(json_object_get(o, name));
}

static size_t headers_of(const json_t *o, const char **headers, size_t max)
{
    const json_t *list = json_object_get(o, "headers");
    size_t n = json_array_size(list);
    for (size_t i = 0; i < n && i < max; i++) headers[i] = json_string_value(json_array_get(list, i));
    return n;
}

static json_t *text_in(const struct lp_buf *b)
{
    json_t *text = json_stringn(lp_buf_text(b), b->len);
    return text ? text : json_null();
}

static json_t *outcome(enum lp_code code, const struct lp_err *err)
{
    return json_pack("{ss ss}", "code", lp_code_info(code)->name, "error", code ? err->text : "");
}

static json_t *sign(const json_t *o)
{
    struct lp_err err = {0};
    const char *headers[LP_SIGN_HEADERS_MAX + 1];
    LP_AUTO(lp_signature) s = {0};
    struct lp_sign_request q = {
        .method = text_of(o, "method"),
        .path = text_of(o, "path"),
        .query = text_of(o, "query"),
        .headers = headers,
        .header_count = headers_of(o, headers, LP_COUNT(headers)),
        .payload_hash = text_of(o, "payload_hash"),
        .time = text_of(o, "time"),
        .region = text_of(o, "region"),
        .service = text_of(o, "service"),
        .access_key = text_of(o, "access_key"),
        .secret_key = text_of(o, "secret_key"),
        .path_rule = json_is_true(json_object_get(o, "s3")) ? LP_SIGN_PATH_AS_SENT : LP_SIGN_PATH_NORMAL,
    };
    json_t *out = outcome(lp_sign(&q, &s, &err), &err);
    json_object_set_new(out, "canonical", text_in(&s.canonical));
    json_object_set_new(out, "to_sign", text_in(&s.to_sign));
    json_object_set_new(out, "authorization", text_in(&s.authorization));
    return out;
}

static json_t *put_reply(json_t *out, struct lp_aws_reply *r)
{
    json_object_set_new(out, "status", json_integer(r->status));
    json_object_set_new(out, "body", text_in(&r->body));
    json_object_set_new(out, "headers", text_in(&r->headers));
    json_object_set_new(out, "error_code", json_string(r->error_code));
    json_object_set_new(out, "message", json_string(r->message));
    json_object_set_new(out, "request_id", json_string(r->request_id));
    json_object_set_new(out, "attempts", json_integer(r->attempts));
    lp_aws_reply_release(r);
    return out;
}

struct asked {
    const char *headers[64];
    struct lp_aws_request q;
    char *filler;
};

static void ask(const json_t *o, struct asked *a)
{
    const char *body = text_of(o, "body");
    a->q = (struct lp_aws_request){
        .service = text_of(o, "service"),
        .region = text_of(o, "region"),
        .bucket = text_of(o, "bucket"),
        .method = text_of(o, "method"),
        .path = text_of(o, "path"),
        .query = text_of(o, "query"),
        .target = text_of(o, "target"),
        .headers = a->headers,
        .header_count = headers_of(o, a->headers, LP_COUNT(a->headers)),
        .body = body,
        .body_len = body ? strlen(body) : 0,
        .total_ms = json_integer_value(json_object_get(o, "total_ms")),
        .unsigned_payload = json_is_true(json_object_get(o, "unsigned_payload")),
        .once = json_is_true(json_object_get(o, "once")),
        .anonymous = json_is_true(json_object_get(o, "anonymous")),
    };
    size_t filler = (size_t)json_integer_value(json_object_get(o, "body_bytes"));
    if (filler && (a->filler = malloc(filler))) {
        memset(a->filler, 'x', filler);
        a->q.body = a->filler;
        a->q.body_len = filler;
    }
}

static json_t *call(struct lp_aws *aws, const json_t *o)
{
    struct lp_err err = {0};
    struct lp_aws_reply reply;
    struct asked a = {0};
    ask(o, &a);
    int64_t begun = lp_clock_monotonic_us();
    enum lp_code code = lp_aws_call(aws, &a.q, &reply, &err);
    json_t *out = put_reply(outcome(code, &err), &reply);
    json_object_set_new(out, "ms", json_integer((lp_clock_monotonic_us() - begun) / 1000));
    free(a.filler);
    return out;
}

/* All started, then finished from the last to the first; those named by "cancel" are given up. */
static json_t *calls(struct lp_aws *aws, const json_t *o)
{
    const json_t *list = json_object_get(o, "calls");
    size_t n = json_array_size(list);
    struct asked *asked = calloc(n + 1, sizeof *asked);
    struct lp_aws_call **under_way = calloc(n + 1, sizeof *under_way);
    json_t *out = json_array();
    struct lp_err err = {0};
    for (size_t i = 0; i < n; i++) {
        ask(json_array_get(list, i), &asked[i]);
        if (lp_aws_start(aws, &asked[i].q, &under_way[i], &err)) fprintf(stderr, "%s\n", err.text);
    }
    for (size_t i = n; i-- > 0;) {
        struct lp_aws_reply reply;
        if (json_is_true(json_object_get(json_array_get(list, i), "cancel"))) {
            lp_aws_cancel(aws, &under_way[i]);
            json_array_insert_new(out, 0, json_null());
            continue;
        }
        enum lp_code code = lp_aws_finish(aws, &under_way[i], &reply, &err);
        json_array_insert_new(out, 0, put_reply(outcome(code, &err), &reply));
    }
    for (size_t i = 0; i < n; i++) free(asked[i].filler);
    free(asked);
    free(under_way);
    return out;
}

static json_t *identify(struct lp_aws *aws)
{
    struct lp_err err = {0};
    struct lp_aws_identity who;
    json_t *out = outcome(lp_aws_identify(aws, &who, &err), &err);
    json_object_set_new(out, "access_key", json_string(who.access_key));
    json_object_set_new(out, "source", json_string(who.source));
    json_object_set_new(out, "expires_us", json_integer(who.expires_us));
    return out;
}

static json_t *keys(struct lp_aws *aws)
{
    struct lp_err err = {0};
    struct lp_aws_keys k;
    json_t *out = outcome(lp_aws_keys_get(aws, &k, &err), &err);
    json_object_set_new(out, "access_key", k.access_key ? json_string(k.access_key) : json_null());
    json_object_set_new(out, "secret_key", k.secret_key ? json_string(k.secret_key) : json_null());
    json_object_set_new(out, "session_token", k.session_token ? json_string(k.session_token) : json_null());
    lp_aws_keys_release(&k);
    return out;
}

static json_t *answer(struct lp_aws *aws, const json_t *o)
{
    struct lp_err err = {0};
    LP_AUTO(lp_buf) text = {0};
    const char *what = text_of(o, "do"), *value = NULL;
    enum lp_code code;
    if (!strcmp(what, "sign")) return sign(o);
    if (!strcmp(what, "call")) return call(aws, o);
    if (!strcmp(what, "calls")) return calls(aws, o);
    if (!strcmp(what, "identify")) return identify(aws);
    if (!strcmp(what, "keys")) return keys(aws);
    if (!strcmp(what, "region")) {
        code = lp_aws_region(aws, &value, &err);
    } else if (!strcmp(what, "endpoint")) {
        code = lp_aws_put_endpoint(aws, text_of(o, "service"), &text, &err);
        value = lp_buf_text(&text);
    } else {
        code = lp_aws_secret(aws, text_of(o, "place"), &value, &err);
    }
    json_t *out = outcome(code, &err);
    json_object_set_new(out, "value", value ? json_string(value) : json_null());
    return out;
}

int main(int argc, char **argv)
{
    struct lp_aws_options options = {0};
    struct lp_err err = {0};
    struct lp_aws *aws;
    char *line = NULL;
    size_t room = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--profile")) options.profile = argv[i + 1];
        if (!strcmp(argv[i], "--region")) options.region = argv[i + 1];
        if (!strcmp(argv[i], "--endpoint-url")) options.endpoint_url = argv[i + 1];
        if (!strcmp(argv[i], "--at-once")) options.at_once = (size_t)atoi(argv[i + 1]);
    }
    if (lp_aws_new(&options, &aws, &err)) return 1;
    while (getline(&line, &room, stdin) > 0) {
        json_t *o = json_loads(line, 0, NULL), *out = o ? answer(aws, o) : NULL;
        if (!out || json_dumpf(out, stdout, JSON_COMPACT)) return 1;
        putchar('\n');
        fflush(stdout);
        json_decref(o);
        json_decref(out);
    }
    free(line);
    lp_aws_free(aws);
    return 0;
}
