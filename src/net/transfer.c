#include "net/transfer.h"

#include "base/clock.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_HEADER_BYTES ((size_t)8192)
#define KEPT_BODY_BYTES  ((size_t)256 * 1024) /* a buffer past this is given back */

static const char *const outcome_names[LP_HTTP_OUTCOME_COUNT] = {
    [LP_HTTP_ANSWERED] = "answered",     [LP_HTTP_CONNECT_FAILED] = "connect failed",
    [LP_HTTP_TIMED_OUT] = "timed out",   [LP_HTTP_CUT_SHORT] = "cut short",
    [LP_HTTP_GARBLED] = "garbled",       [LP_HTTP_TOO_LARGE] = "too large",
    [LP_HTTP_TLS_FAILED] = "TLS failed", [LP_HTTP_REDIRECT_REFUSED] = "redirect refused",
    [LP_HTTP_FAILED] = "failed"};

const char *lp_http_outcome_name(enum lp_http_outcome outcome)
{
    return outcome < LP_HTTP_OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

/* ---- what comes ---- */

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct lp_transfer *t = context;
    size_t n = size * count;
    if (n > t->options->max_body_bytes - t->body.len) {
        t->too_large = true;
        return 0;
    }
    lp_buf_put(&t->body, bytes, n);
    return t->body.failed ? 0 : n;
}

static bool begins_with(const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);
    return len > n && !strncasecmp(line, name, n) && (name[n - 1] == '-' || name[n - 1] == ':' || line[n] == ':');
}

static bool matters(const struct lp_transfer *t, const char *line, size_t len)
{
    if (!len) return false;
    static const char *const names[] = {
        "content-type:", "retry-after:", "date:", "etag:", "last-modified:", "x-ratelimit-", "ratelimit-"};
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if ((line[0] | 32) == names[i][0] && len >= strlen(names[i]) && !strncasecmp(line, names[i], strlen(names[i])))
            return true;
    for (const char *const *name = t->options->keep_also; name && *name; name++)
        if (begins_with(line, len, *name)) return true;
    return false;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    struct lp_transfer *t = context;
    size_t n = size * count;
    /* Of several answers in a row (100 Continue, a redirect) the last one's headers count. */
    if (n >= 5 && !memcmp(line, "HTTP/", 5)) lp_buf_clear(&t->kept_headers);
    if (matters(t, line, n) && t->kept_headers.len + n <= MAX_HEADER_BYTES) lp_buf_put(&t->kept_headers, line, n);
    return t->kept_headers.failed ? 0 : n;
}

/* ---- what goes ---- */

bool lp_transfer_library(void)
{
    static bool ready;
    if (!ready) ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    return ready;
}

static const char *set_variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The library's own folder of certificates is looked into one file at a time; a bundle is read whole, which costs more
 * than the request. So a bundle is used where the environment names one, or where there is no such folder. */
void lp_transfer_set_certificates(CURL *easy, const char *bundle)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                          "/etc/ssl/cert.pem"};
    const char *folder = set_variable("SSL_CERT_DIR");
    if (!bundle) bundle = set_variable("CURL_CA_BUNDLE");
    if (!bundle) bundle = set_variable("SSL_CERT_FILE");
    if (bundle) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        return;
    }
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, folder ? folder : "/etc/ssl/certs");
    if (folder || access("/etc/ssl/certs/ca-certificates.crt", R_OK) == 0) return;
    for (size_t i = 1; i < LP_COUNT(bundles); i++) {
        if (access(bundles[i], R_OK)) continue;
        curl_easy_setopt(easy, CURLOPT_CAINFO, bundles[i]);
        return;
    }
}

/* What is the same for every request of a handle. */
static bool prepare(struct lp_transfer *t)
{
    const struct lp_http_options *o = t->options;
    CURL *e = t->easy = curl_easy_init();
    if (!e) return false;
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a name that is still being looked up holds nobody up */
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    curl_easy_setopt(e, CURLOPT_USERAGENT, o->user_agent);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 16L * 1024);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
    t->body.max_bytes = o->max_body_bytes + 1;
    t->kept_headers.max_bytes = MAX_HEADER_BYTES + 1;
    return true;
}

static bool add_header(struct lp_transfer *t, const char *line)
{
    struct curl_slist *more = curl_slist_append(t->headers, line);
    if (more) t->headers = more;
    return more != NULL;
}

/* Of a body libcurl would say that it is a form, and ask first whether a large one may come, which costs a second where
 * the server does not know that question. */
static bool set_headers(struct lp_transfer *t, const struct lp_http_request *q, bool has_body)
{
    bool typed = false;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    for (size_t i = 0; i < q->header_count; i++) {
        if (!add_header(t, q->headers[i])) return false;
        typed |= !strncasecmp(q->headers[i], "content-type:", 13);
    }
    if (has_body && (!add_header(t, "Expect:") || (!typed && q->method && !add_header(t, "Content-Type:"))))
        return false;
    return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK;
}

/* PUT, POST and PATCH have a body, if an empty one: the server wants its length. False without memory: what went out then
 * would be another method. */
static bool set_method(struct lp_transfer *t, const struct lp_http_request *q, bool *with_body)
{
    const char *method = q->method ? q->method : q->body ? "POST" : "GET";
    bool head = !strcmp(method, "HEAD");
    bool has_body = q->body || !strcmp(method, "PUT") || !strcmp(method, "POST") || !strcmp(method, "PATCH");
    t->repeatable = !q->body && (head || !strcmp(method, "GET"));
    curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L); /* forgets what the handle did before */
    curl_easy_setopt(t->easy, CURLOPT_NOBODY, head ? 1L : 0L);
    if (has_body) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, q->body ? q->body : "");
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(q->body ? q->body_len : 0));
    }
    CURLcode named = curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, q->method && !head ? q->method : NULL);
    /* What HEAD tells is not what would come. */
    curl_easy_setopt(t->easy, CURLOPT_MAXFILESIZE_LARGE, head ? (curl_off_t)0 : (curl_off_t)t->options->max_body_bytes);
    *with_body = has_body;
    return named == CURLE_OK;
}

/* What goes out unencrypted does not go by way of another machine, and never as HTTP/2. */
static bool set_security(struct lp_transfer *t, bool secure)
{
    if (t->security_set && secure == t->secure) return true;
    if (curl_easy_setopt(t->easy, CURLOPT_NOPROXY, secure ? NULL : "*") != CURLE_OK) return false;
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)(secure ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    t->secure = secure;
    t->security_set = true;
    return true;
}

static void begin_answer(struct lp_transfer *t)
{
    t->curl_error[0] = '\0';
    t->too_large = t->redirect_refused = false;
    lp_buf_clear(&t->body);
    lp_buf_clear(&t->kept_headers);
}

enum lp_code lp_transfer_set(struct lp_transfer *t, const struct lp_http_options *options,
                             const struct lp_http_request *q, struct lp_err *err)
{
    t->options = options;
    t->redirects = 0;
    t->user = q->user;
    t->started_us = lp_clock_monotonic_us();
    if (strncmp(q->url, "http://", 7) && strncmp(q->url, "https://", 8))
        return lp_fail(err, LP_CONFIG, "the address is neither http:// nor https://");
    for (size_t i = 0; i < q->header_count; i++)
        if (strpbrk(q->headers[i], "\r\n")) return lp_fail(err, LP_CONFIG, "a header holds a line break");
    if (!t->easy && !prepare(t)) return lp_nomem(err);
    if (!set_security(t, q->url[4] == 's')) return lp_nomem(err);
    if (!t->tls_ready && t->secure) {
        lp_transfer_set_certificates(t->easy, options->ca_bundle);
        /* Wait for a connection being made rather than make one more: it may turn out to be HTTP/2 and carry all. */
        curl_easy_setopt(t->easy, CURLOPT_PIPEWAIT, 1L);
        t->tls_ready = true;
    }
    bool with_body;
    if (!set_method(t, q, &with_body) || !set_headers(t, q, with_body) || curl_easy_setopt(t->easy, CURLOPT_URL, q->url)) return lp_nomem(err);
    curl_easy_setopt(t->easy, CURLOPT_USERNAME, q->basic_user);
    curl_easy_setopt(t->easy, CURLOPT_PASSWORD, q->basic_user ? q->basic_secret : NULL);
    if (q->basic_user) curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    t->total_ms = t->options->total_ms;
    if (q->total_ms > 0 && q->total_ms < t->total_ms) t->total_ms = q->total_ms;
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)t->total_ms);
    t->stays = q->no_redirects;
    curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, q->as_stored ? NULL : "gzip");
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, q->fresh_connection ? 1L : 0L);
    begin_answer(t);
    return LP_OK;
}

/* ---- ends ---- */

static bool out_of_memory(const struct lp_transfer *t)
{
    return t->body.failed || t->kept_headers.failed;
}

/* libcurl calls a header past its cap a lack of memory; bytes of an answer had come, then. */
static bool header_too_long(const struct lp_transfer *t)
{
    curl_off_t first_byte_us = 0;
    curl_easy_getinfo(t->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    return t->result == CURLE_OUT_OF_MEMORY && first_byte_us > 0 && !t->body.len;
}

/* What a proxy said to CONNECT when it was not 2xx; libcurl calls that a failed receive. */
static long proxy_refusal(const struct lp_transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    return t->result != CURLE_OK && status >= 300 ? status : 0;
}

static enum lp_http_outcome outcome_of(const struct lp_transfer *t)
{
    CURLcode code = t->result;
    if (t->too_large || code == CURLE_FILESIZE_EXCEEDED) return LP_HTTP_TOO_LARGE;
    if (proxy_refusal(t)) return LP_HTTP_CONNECT_FAILED;
    switch (code) {
    case CURLE_OK: return t->redirect_refused ? LP_HTTP_REDIRECT_REFUSED : LP_HTTP_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PROXY:
    case CURLE_SSL_CONNECT_ERROR: return LP_HTTP_CONNECT_FAILED;
    case CURLE_OPERATION_TIMEDOUT: return LP_HTTP_TIMED_OUT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return LP_HTTP_CUT_SHORT;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING: return LP_HTTP_GARBLED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR: return LP_HTTP_TLS_FAILED;
    case CURLE_WRITE_ERROR: return out_of_memory(t) ? LP_HTTP_FAILED : LP_HTTP_GARBLED; /* the inflater's too */
    default: return header_too_long(t) ? LP_HTTP_GARBLED : LP_HTTP_FAILED;
    }
}

static void describe(const struct lp_transfer *t, struct lp_http_reply *r)
{
    char limit[LP_TIME_TEXT_BYTES];
    const char *detail = *t->curl_error ? t->curl_error : curl_easy_strerror(t->result);
    if (header_too_long(t)) detail = "its header has no end, or memory ran out";
    if (out_of_memory(t)) detail = "out of memory";
    int64_t elapsed = r->elapsed_ms;
    size_t n = sizeof r->error;
    switch (r->outcome) {
    case LP_HTTP_ANSWERED: r->error[0] = '\0'; return;
    case LP_HTTP_TIMED_OUT:
        lp_duration_format(elapsed < t->total_ms - 1 ? t->options->connect_ms : t->total_ms, limit);
        snprintf(r->error, n, "no %s within %s",
                 r->status                   ? "whole answer"
                 : elapsed < t->total_ms - 1 ? "connection"
                                             : "answer",
                 limit);
        break;
    case LP_HTTP_TOO_LARGE:
        snprintf(r->error, n, "the reply is larger than %zu bytes (limit.body)", t->options->max_body_bytes);
        break;
    case LP_HTTP_CUT_SHORT:
        snprintf(r->error, n, "%s",
                 t->result == CURLE_GOT_NOTHING ? "the connection was closed without an answer"
                                                : "the reply was cut short");
        break;
    case LP_HTTP_TLS_FAILED: snprintf(r->error, n, "the server's certificate is refused: %.180s", detail); break;
    case LP_HTTP_REDIRECT_REFUSED: snprintf(r->error, n, "%.250s", t->curl_error); break;
    case LP_HTTP_GARBLED: snprintf(r->error, n, "the reply cannot be read: %.200s", detail); break;
    default:
        if (proxy_refusal(t)) snprintf(r->error, n, "the proxy refuses to connect: %ld", proxy_refusal(t));
        else snprintf(r->error, n, "%.250s", detail);
        break;
    }
    lp_secret_mask_text(r->error, n);
}

/* scheme://host:port, as libcurl reads it; false when it cannot. */
static bool origin_of(const char *url, char out[300])
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *u = curl_url();
    bool good = u && !curl_url_set(u, CURLUPART_URL, url, 0) && !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
                !curl_url_get(u, CURLUPART_HOST, &host, 0) &&
                !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
                snprintf(out, 300, "%s://%s:%s", scheme, host, port) < 300;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return good;
}

bool lp_transfer_follow(struct lp_transfer *t)
{
    char *to = NULL, *from = NULL, here[300], there[300];
    long status = 0;
    if (t->result != CURLE_OK || t->stays) return false;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 301 || status > 308 || status == 304 || curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &to) || !to)
        return false;
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &from);
    t->redirect_refused = true;
    if (!t->repeatable) {
        snprintf(t->curl_error, sizeof t->curl_error, "%ld: a redirect is followed for GET alone", status);
    } else if (t->redirects == LP_HTTP_REDIRECTS) {
        snprintf(t->curl_error, sizeof t->curl_error, "more than %d redirects in a row", LP_HTTP_REDIRECTS);
    } else if (!origin_of(from, here) || !origin_of(to, there) || strcasecmp(here, there)) {
        bool named = origin_of(to, there);
        snprintf(t->curl_error, sizeof t->curl_error, "%ld: a redirect to another place, %.150s, is not followed",
                 status, named ? there : "elsewhere");
    } else {
        char *next = strdup(to); /* the handle owns `to` */
        t->redirects++;
        bool goes = next && !curl_easy_setopt(t->easy, CURLOPT_URL, next);
        free(next);
        int64_t left = t->total_ms - (lp_clock_monotonic_us() - t->started_us) / 1000;
        curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1));
        if (goes) begin_answer(t);
        else t->result = CURLE_OUT_OF_MEMORY;
        return goes;
    }
    return false;
}

bool lp_http_header(const struct lp_http_reply *reply, const char *name, struct lp_slice *value)
{
    const char *at = reply->headers.at, *end = at + reply->headers.len;
    size_t n = strlen(name);
    while (at && at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at)), *next = line_end ? line_end + 1 : end;
        if ((size_t)(next - at) > n && !strncasecmp(at, name, n) && at[n] == ':') {
            const char *from = at + n + 1, *to = next;
            while (from < to && (*from == ' ' || *from == '\t')) from++;
            while (to > from && strchr(" \t\r\n", to[-1])) to--;
            *value = (struct lp_slice){from, (size_t)(to - from)};
            return true;
        }
        at = next;
    }
    *value = (struct lp_slice){"", 0};
    return false;
}

void lp_transfer_reply(struct lp_transfer *t, struct lp_http_reply *r)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    *r = (struct lp_http_reply){
        .user = t->user, .outcome = outcome_of(t), .status = (int)status, .redirects = t->redirects};
    r->elapsed_ms = (lp_clock_monotonic_us() - t->started_us) / 1000;
    r->body = (struct lp_slice){lp_buf_text(&t->body), t->body.len};
    r->headers = (struct lp_slice){lp_buf_text(&t->kept_headers), t->kept_headers.len};
    lp_http_header(r, "content-type", &r->content_type);
    lp_http_header(r, "retry-after", &r->retry_after);
    lp_http_header(r, "date", &r->date);
    describe(t, r);
}

void lp_transfer_recycle(struct lp_transfer *t)
{
    if (t->body.cap > KEPT_BODY_BYTES) lp_buf_release(&t->body);
}

void lp_transfer_release(struct lp_transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    lp_buf_release(&t->body);
    lp_buf_release(&t->kept_headers);
}
