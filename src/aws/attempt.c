/* One attempt of a call: its place, its headers, its signature. */
#include "aws/call.h"

#include "base/clock.h"

#include <stdio.h>

#define ATTEMPT_BYTES ((size_t)512 * 1024)
#define DEFAULT_MS    INT64_C(60000)
#define ADDED_HEADERS 8

/* What is built for one attempt; libcurl copies it. */
struct attempt {
    struct lp_arena arena;
    struct lp_aws_place place;
    struct lp_signature signature;
    const char *headers[LP_SIGN_HEADERS_MAX + 1]; /* the first is Host, which libcurl writes by itself */
    size_t count;
    const char *path;
};

static void attempt_release(struct attempt *a)
{
    lp_arena_release(&a->arena);
    lp_aws_place_release(&a->place);
    lp_signature_release(&a->signature);
}

static enum lp_code add(struct attempt *a, struct lp_err *err, const char *format, ...) LP_PRINTF(3, 4);
static enum lp_code add(struct attempt *a, struct lp_err *err, const char *format, ...)
{
    char *text = NULL;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len >= 0 && (text = lp_arena_alloc(&a->arena, (size_t)len + 1)))
        vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    if (!text) return lp_arena_code(&a->arena, err);
    a->headers[a->count++] = text;
    return LP_OK;
}

static bool has_header(const struct lp_aws_request *q, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < q->header_count; i++)
        if (!strncasecmp(q->headers[i], name, n) && q->headers[i][n] == ':') return true;
    return false;
}

static const char *content_type(const struct lp_aws_request *q)
{
    static const char *const forms[] = {"sns", "sts", "iam"};
    if (q->target) return "application/x-amz-json-1.1";
    if (!q->body || !strcmp(q->service, "s3")) return NULL;
    for (size_t i = 0; i < LP_COUNT(forms); i++)
        if (!strcmp(q->service, forms[i])) return "application/x-www-form-urlencoded; charset=utf-8";
    return "application/json";
}

/* The body's hash is the same for all attempts; over http it protects the body, so it is never left out there. */
static void hash_payload(struct lp_aws_call *c, bool secure)
{
    bool s3 = !strcmp(c->q.service, "s3");
    if (s3 && c->q.unsigned_payload && secure && c->q.body)
        snprintf(c->payload_hash, sizeof c->payload_hash, LP_SIGN_UNSIGNED);
    else if (!*c->payload_hash || !strcmp(c->payload_hash, LP_SIGN_UNSIGNED))
        lp_sha256_hex(c->q.body ? c->q.body : "", c->q.body ? c->q.body_len : 0, c->payload_hash);
}

static enum lp_code add_headers(struct lp_aws_call *c, struct attempt *a, const char *time,
                                const struct lp_aws_credentials *keys, struct lp_err *err)
{
    const struct lp_aws_request *q = &c->q;
    const char *type = has_header(q, "content-type") ? NULL : content_type(q);
    if (q->header_count > LP_SIGN_HEADERS_MAX - ADDED_HEADERS)
        return lp_fail(err, LP_CONFIG, "a call to %s has more than %d headers", q->service,
                       LP_SIGN_HEADERS_MAX - ADDED_HEADERS);
    LP_TRY(add(a, err, "Host: %.*s", (int)a->place.host_len, a->place.host));
    for (size_t i = 0; i < q->header_count; i++) a->headers[a->count++] = q->headers[i];
    if (type) LP_TRY(add(a, err, "Content-Type: %s", type));
    if (q->target) LP_TRY(add(a, err, "X-Amz-Target: %s", q->target));
    if (!keys) return LP_OK;
    LP_TRY(add(a, err, "X-Amz-Date: %s", time));
    if (!strcmp(q->service, "s3")) LP_TRY(add(a, err, "X-Amz-Content-Sha256: %s", c->payload_hash));
    if (keys->session_token) LP_TRY(add(a, err, "X-Amz-Security-Token: %s", keys->session_token));
    return LP_OK;
}

static enum lp_code sign(struct lp_aws *aws, struct lp_aws_call *c, struct attempt *a, struct lp_err *err)
{
    const struct lp_aws_request *q = &c->q;
    const struct lp_aws_credentials *keys = NULL;
    char time[LP_SIGN_TIME_BYTES];
    if (!q->anonymous) LP_TRY(lp_aws_keyring_get(&aws->keys, aws->settings, &keys, err));
    c->skew_us = aws->skew_us;
    lp_sign_time(lp_clock_now_us() + c->skew_us, time);
    hash_payload(c, !strncmp(a->place.url.data, "https:", 6));
    LP_TRY(add_headers(c, a, time, keys, err));
    if (!keys) return LP_OK;
    const struct lp_sign_request s = {
        .method = q->method,
        .path = a->path,
        .query = q->query,
        .headers = a->headers,
        .header_count = a->count,
        .payload_hash = c->payload_hash,
        .time = time,
        .region = a->place.region,
        .service = q->service,
        .access_key = keys->access_key,
        .secret_key = keys->secret_key,
        .path_rule = strcmp(q->service, "s3") ? LP_SIGN_PATH_NORMAL : LP_SIGN_PATH_AS_SENT,
    };
    LP_TRY(lp_sign(&s, &a->signature, err));
    return add(a, err, "Authorization: %s", a->signature.authorization.data);
}

/* An object's address as people write it. */
static void describe_object(struct lp_aws_call *c)
{
    LP_AUTO(lp_buf) key = {0}, visible = {0};
    lp_percent_decode(&key, c->q.path, strlen(c->q.path), false);
    lp_text_put_visible(&visible, lp_buf_text(&key), key.len);
    snprintf(c->what, sizeof c->what, "%s s3://%.70s%.150s", c->q.method, c->q.bucket, lp_buf_text(&visible));
}

/* Which of them: the operation where it is told, else method and path. */
static void describe(struct lp_aws_call *c)
{
    const struct lp_aws_request *q = &c->q;
    const char *dot = q->target ? strrchr(q->target, '.') : NULL, *body = q->body;
    size_t n = sizeof c->what;
    if (dot) {
        snprintf(c->what, n, "%s %.100s in %s", q->service, dot + 1, c->region);
    } else if (body && q->body_len > 7 && !strncmp(body, "Action=", 7)) {
        const char *end = memchr(body, '&', q->body_len);
        size_t len = (end ? (size_t)(end - body) : q->body_len) - 7;
        snprintf(c->what, n, "%s %.*s in %s", q->service, (int)(len < 100 ? len : 100), body + 7, c->region);
    } else if (q->bucket) {
        describe_object(c);
    } else {
        snprintf(c->what, n, "%s %s %.150s in %s", q->service, q->method, q->path, c->region);
    }
}

static enum lp_code find_place(struct lp_aws *aws, struct lp_aws_call *c, struct attempt *a, struct lp_err *err)
{
    const char *region = c->q.bucket ? lp_aws_bucket_region(aws, c->q.bucket) : NULL;
    if (!region) region = c->q.region;
    if (!region && lp_aws_service_global(c->q.service) && !aws->settings->region) region = "us-east-1";
    if (!region) LP_TRY(lp_aws_region(aws, &region, err));
    LP_TRY(lp_aws_place_find(aws->settings, c->q.service, region, c->q.bucket, &a->place, err));
    memcpy(c->region, a->place.region, sizeof c->region);
    describe(c);
    a->path = lp_arena_printf(&a->arena, "%s%s", a->place.path, c->q.path);
    return a->path ? LP_OK : lp_arena_code(&a->arena, err);
}

static int64_t time_limit_ms(const struct lp_aws_call *c)
{
    int64_t one = c->q.total_ms > 0 ? c->q.total_ms : DEFAULT_MS;
    int64_t left = (c->until_us - lp_clock_monotonic_us()) / 1000;
    return left < 1 ? 1 : left < one ? left : one;
}

static enum lp_code build_and_send(struct lp_aws *aws, struct lp_aws_call *c, struct attempt *a, struct lp_err *err)
{
    const struct lp_aws_request *q = &c->q;
    LP_TRY(find_place(aws, c, a, err));
    LP_TRY(sign(aws, c, a, err));
    bool asks = q->query && *q->query;
    const char *url =
        lp_arena_printf(&a->arena, "%s%s%s%s", a->place.url.data, q->path, asks ? "?" : "", asks ? q->query : "");
    if (!url) return lp_arena_code(&a->arena, err);
    const struct lp_http_request r = {.url = url,
                                      .headers = a->headers + 1,
                                      .header_count = a->count - 1,
                                      .method = q->method,
                                      .body = q->body,
                                      .body_len = q->body_len,
                                      .total_ms = time_limit_ms(c),
                                      .fresh_connection = c->fresh_connection || q->once || q->counted,
                                      .no_redirects = true,
                                      .as_stored = true,
                                      .user = c};
    return lp_http_start(aws->http, &r, err);
}

enum lp_code lp_aws_attempt(struct lp_aws *aws, struct lp_aws_call *c, struct lp_err *err)
{
    struct attempt a = {.count = 0};
    lp_arena_init(&a.arena, ATTEMPT_BYTES);
    enum lp_code code = build_and_send(aws, c, &a, err);
    attempt_release(&a);
    return code;
}
