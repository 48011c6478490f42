#include "aws/reply.h"

#include "base/json.h"
#include "base/secret.h"
#include "base/xml.h"

#include <stdio.h>

#define JSON_BYTES  ((size_t)4 << 20)
#define WORDS_BYTES ((size_t)64 << 10) /* of an error are looked at */

void lp_aws_reply_release(struct lp_aws_reply *r)
{
    if (!r) return;
    lp_buf_release(&r->body);
    lp_buf_release(&r->headers);
    *r = (struct lp_aws_reply){0};
}

bool lp_aws_reply_header(const struct lp_aws_reply *r, const char *name, struct lp_slice *value)
{
    const char *at = lp_buf_text(&r->headers), *end = at + r->headers.len;
    size_t n = strlen(name);
    for (const char *next; at < end; at = next) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        next = line_end ? line_end + 1 : end;
        if ((size_t)(next - at) <= n || strncasecmp(at, name, n) || at[n] != ':') continue;
        const char *from = at + n + 1, *to = next;
        while (from < to && (*from == ' ' || *from == '\t')) from++;
        while (to > from && strchr(" \t\r\n", to[-1])) to--;
        *value = (struct lp_slice){from, (size_t)(to - from)};
        return true;
    }
    *value = (struct lp_slice){"", 0};
    return false;
}

bool lp_aws_region_valid(const char *region)
{
    size_t n = strlen(region);
    if (!n || n >= LP_AWS_REGION_BYTES || region[0] == '-' || region[n - 1] == '-') return false;
    return strspn(region, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* ---- the error's parts ---- */

/* Others' words, so that they harm no terminal; cut at a whole character, and masked before: half a secret is not known for
 * one any more. */
static void set_text(char *out, size_t size, const char *text, size_t len)
{
    LP_AUTO(lp_buf) masked = {0}, visible = {0};
    lp_secret_mask(text, len < WORDS_BYTES ? len : WORDS_BYTES, &masked);
    lp_text_put_visible(&visible, lp_buf_text(&masked), masked.len < 4 * size ? masked.len : 4 * size);
    size_t n = visible.len < size - 1 ? visible.len : size - 1;
    while (n && n < visible.len && ((unsigned char)visible.data[n] & 0xC0) == 0x80) n--;
    memcpy(out, lp_buf_text(&visible), n);
    out[n] = '\0';
}

#define SET(array, text, len) set_text(array, sizeof array, text, len)

/* "com.amazonaws.glue#EntityNotFoundException:http://…" is known by its middle alone. */
static void set_type(struct lp_aws_reply *r, const char *text, size_t len)
{
    const char *colon = memchr(text, ':', len);
    if (colon) len = (size_t)(colon - text);
    for (size_t i = len; i-- > 0;) {
        if (text[i] != '#') continue;
        text += i + 1;
        len -= i + 1;
        break;
    }
    SET(r->error_code, text, len);
}

static void read_headers(struct lp_aws_reply *r)
{
    struct lp_slice v;
    if (lp_aws_reply_header(r, "x-amzn-query-error", &v)) {
        const char *semicolon = memchr(v.at, ';', v.len);
        SET(r->error_code, v.at, semicolon ? (size_t)(semicolon - v.at) : v.len);
    } else if (lp_aws_reply_header(r, "x-amzn-errortype", &v)) {
        set_type(r, v.at, v.len);
    }
    if (lp_aws_reply_header(r, "x-amzn-requestid", &v) || lp_aws_reply_header(r, "x-amz-request-id", &v) ||
        lp_aws_reply_header(r, "x-amzn-request-id", &v))
        SET(r->request_id, v.at, v.len);
}

static const char *member(const json_t *object, const char *const *names)
{
    for (; *names; names++) {
        const char *text = json_string_value(json_object_get(object, *names));
        if (text && *text) return text;
    }
    return NULL;
}

static bool read_json(struct lp_aws_reply *r)
{
    LP_AUTO(lp_arena) arena = {0};
    json_t *root;
    lp_arena_init(&arena, JSON_BYTES);
    if (lp_json_parse(&arena, lp_buf_text(&r->body), r->body.len, &root, NULL) || !json_is_object(root)) return false;
    const char *code = member(root, (const char *const[]){"__type", "code", "Code", "error", NULL});
    const char *message =
        member(root, (const char *const[]){"message", "Message", "errorMessage", "error_description", NULL});
    if (code && !*r->error_code) set_type(r, code, strlen(code));
    if (message) SET(r->message, message, strlen(message));
    return true;
}

struct xml_error {
    struct lp_aws_reply *reply;
    char *region;
    bool is_error;
};

static enum lp_code take_element(void *who, const char *path, const char *text, size_t len, struct lp_err *err)
{
    struct xml_error *x = who;
    struct lp_aws_reply *r = x->reply;
    const char *name = strrchr(path, '/');
    (void)err;
    if (!name) {
        x->is_error |= !strcmp(path, "Error") || !strcmp(path, "ErrorResponse") || !strcmp(path, "Response");
        return LP_OK;
    }
    size_t parent = (size_t)(name++ - path);
    if ((parent >= 5 && !strncmp(path + parent - 5, "Error", 5)) || !strcmp(path, "Error/RequestId")) {
        if (!strcmp(name, "Code") && !*r->error_code) SET(r->error_code, text, len);
        if (!strcmp(name, "Message")) SET(r->message, text, len);
        if (!strcmp(name, "Region") && len < LP_AWS_REGION_BYTES) snprintf(x->region, LP_AWS_REGION_BYTES, "%s", text);
    }
    if ((!strcasecmp(name, "RequestId") || !strcmp(name, "RequestID")) && !*r->request_id)
        SET(r->request_id, text, len);
    return LP_OK;
}

static bool read_xml(struct lp_aws_reply *r, char *region)
{
    struct xml_error x = {.reply = r, .region = region};
    const char *at = lp_buf_text(&r->body);
    size_t space = strspn(at, " \t\r\n"); /* sent to keep the connection alive; XML's declaration may not follow it */
    return lp_xml_read(at + space, r->body.len - space, take_element, &x, NULL) == LP_OK && x.is_error;
}

static void read_error(struct lp_aws_reply *r, char *region)
{
    const char *body = lp_buf_text(&r->body);
    char first = body[strspn(body, " \t\r\n")];
    bool read = first == '{' ? read_json(r) : first == '<' ? read_xml(r, region) : false;
    if (!read && !*r->message && first && first != '<') SET(r->message, body, r->body.len);
    if (!*r->error_code) snprintf(r->error_code, sizeof r->error_code, "%d", r->status);
}

/* ---- what it means ---- */

static bool is_one_of(const char *code, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(code, list[i])) return true;
    return false;
}

#define IS_ONE_OF(code, list) is_one_of(code, list, LP_COUNT(list))

static const char *const throttling[] = {"Throttling",
                                         "ThrottlingException",
                                         "ThrottledException",
                                         "RequestThrottled",
                                         "RequestThrottledException",
                                         "TooManyRequestsException",
                                         "ProvisionedThroughputExceededException",
                                         "TransactionInProgressException",
                                         "RequestLimitExceeded",
                                         "BandwidthLimitExceeded",
                                         "LimitExceededException",
                                         "SlowDown",
                                         "PriorRequestNotComplete",
                                         "EC2ThrottledException"};
static const char *const passing[] = {"RequestTimeout", "RequestTimeoutException", "IDPCommunicationError"};
static const char *const clocks[] = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture",
                                     "InvalidSignatureException", "SignatureDoesNotMatch"};
static const char *const expired[] = {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"};
static const char *const denials[] = {"AccessDenied",
                                      "AccessDeniedException",
                                      "AccessDeniedFault",
                                      "AuthFailure",
                                      "AuthorizationError",
                                      "AuthorizationErrorException",
                                      "UnauthorizedOperation",
                                      "NotAuthorized",
                                      "NotAuthorizedException",
                                      "UnauthorizedException",
                                      "UnrecognizedClientException",
                                      "InvalidClientTokenId",
                                      "InvalidAccessKeyId",
                                      "InvalidToken",
                                      "MissingAuthenticationToken",
                                      "MissingAuthenticationTokenException",
                                      "IncompleteSignature",
                                      "IncompleteSignatureException",
                                      "InvalidIdentityToken",
                                      "IDPRejectedClaim",
                                      "AllAccessDisabled",
                                      "AccountProblem",
                                      "OptInRequired",
                                      "KMSAccessDenied",
                                      "KMSAccessDeniedException",
                                      "401",
                                      "403"};

/* A 200 that turns out to be an error while S3 puts an object together. What GET brings below a bucket is an object,
 * whatever it looks like. */
static bool hides_error(struct lp_aws_reply *r, const struct lp_aws_request *q, char *region)
{
    const char *body = lp_buf_text(&r->body);
    bool object = q->method && !strcmp(q->method, "GET") && q->path && strcmp(q->path, "/");
    if (strcmp(q->service, "s3") || r->status != 200 || object || body[strspn(body, " \t\r\n")] != '<') return false;
    struct lp_aws_reply seen = {.body = r->body, .headers = r->headers};
    if (!read_xml(&seen, region)) {
        region[0] = '\0';
        return false;
    }
    if (*seen.error_code) memcpy(r->error_code, seen.error_code, sizeof r->error_code);
    else snprintf(r->error_code, sizeof r->error_code, "%d", r->status);
    memcpy(r->message, seen.message, sizeof r->message);
    if (!*r->request_id) memcpy(r->request_id, seen.request_id, sizeof r->request_id);
    return true;
}

static bool bucket_is_elsewhere(const struct lp_aws_reply *r, const struct lp_aws_request *q, char *region)
{
    struct lp_slice v;
    if (strcmp(q->service, "s3")) return false;
    if (r->status != 301 && r->status != 302 && r->status != 307 && r->status != 400) return false;
    if (r->status == 400 && strcmp(r->error_code, "AuthorizationHeaderMalformed") && strcmp(r->error_code, "400") &&
        strcmp(r->error_code, "IllegalLocationConstraintException"))
        return false;
    if (lp_aws_reply_header(r, "x-amz-bucket-region", &v) && v.len < LP_AWS_REGION_BYTES)
        snprintf(region, LP_AWS_REGION_BYTES, "%.*s", (int)v.len, v.at);
    return lp_aws_region_valid(region);
}

enum lp_aws_verdict lp_aws_reply_judge(struct lp_aws_reply *r, const struct lp_aws_request *q,
                                       char region[LP_AWS_REGION_BYTES])
{
    region[0] = '\0';
    read_headers(r);
    if (r->status >= 200 && r->status < 300) {
        r->error_code[0] = '\0';
        if (!hides_error(r, q, region)) return LP_AWS_FINE;
        return IS_ONE_OF(r->error_code, throttling) ? LP_AWS_SLOWER : LP_AWS_TROUBLED;
    }
    read_error(r, region);
    if (bucket_is_elsewhere(r, q, region)) return LP_AWS_ELSEWHERE;
    if (IS_ONE_OF(r->error_code, throttling)) return LP_AWS_SLOWER;
    if (IS_ONE_OF(r->error_code, passing)) return LP_AWS_TROUBLED;
    if (IS_ONE_OF(r->error_code, clocks)) return LP_AWS_CLOCK;
    if (IS_ONE_OF(r->error_code, expired)) return LP_AWS_EXPIRED;
    if (r->status == 500 || r->status == 502 || r->status == 503 || r->status == 504) return LP_AWS_TROUBLED;
    return LP_AWS_REFUSED;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static enum lp_code code_of(const struct lp_aws_reply *r)
{
    const char *code = r->error_code;
    if (IS_ONE_OF(code, throttling) || IS_ONE_OF(code, passing)) return LP_BUSY;
    if (IS_ONE_OF(code, denials) || IS_ONE_OF(code, clocks) || IS_ONE_OF(code, expired)) return LP_AUTH;
    if (ends_with(code, "AccessDenied") || ends_with(code, "AccessDeniedException")) return LP_AUTH;
    if (!strncmp(code, "NoSuch", 6) || strstr(code, "NotFound") || r->status == 404) return LP_NOTFOUND;
    if (r->status == 401) return LP_AUTH;
    if (r->status >= 200 && r->status < 300) return LP_BUSY; /* an error hidden in a 200 counts as 500 */
    if (r->status == 500 || r->status == 502 || r->status == 503 || r->status == 504 || r->status == 429)
        return LP_BUSY;
    return LP_REMOTE;
}

enum lp_code lp_aws_reply_fail(const struct lp_aws_reply *r, const char *what, struct lp_err *err)
{
    char status[16];
    bool named = snprintf(status, sizeof status, "%d", r->status) > 0 && strcmp(status, r->error_code) != 0;
    LP_AUTO(lp_buf) text = {0};
    lp_buf_puts(&text, what);
    if (named) lp_buf_printf(&text, ": %s (%d)", r->error_code, r->status);
    else lp_buf_printf(&text, ": status %d", r->status);
    if (*r->message) lp_buf_printf(&text, ": %s", r->message);
    if (r->attempts > 1) lp_buf_printf(&text, "; tried %u times", r->attempts);
    if (*r->request_id) lp_buf_printf(&text, " (request %s)", r->request_id);
    return lp_fail(err, code_of(r), "%s", lp_buf_text(&text));
}
