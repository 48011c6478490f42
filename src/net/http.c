/* Transfers on libcurl's multi interface: its socket callback tells an epoll descriptor what to watch, its timer callback
 * one deadline; nothing is scanned. Easy handles are made once per slot and used again. */
#include "net/http.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/secret.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define MAX_HEADER_BYTES ((size_t)8192)
#define KEPT_BODY_BYTES ((size_t)256 * 1024) /* a slot's buffer past this is given back */
#define EVENTS 128

static const char *const outcome_names[LP_HTTP_OUTCOME_COUNT] = {
    [LP_HTTP_ANSWERED] = "answered",       [LP_HTTP_CONNECT_FAILED] = "connect failed", [LP_HTTP_TIMED_OUT] = "timed out",
    [LP_HTTP_CUT_SHORT] = "cut short",     [LP_HTTP_GARBLED] = "garbled",               [LP_HTTP_TOO_LARGE] = "too large",
    [LP_HTTP_TLS_FAILED] = "TLS failed",   [LP_HTTP_REDIRECT_REFUSED] = "redirect refused", [LP_HTTP_FAILED] = "failed"};

const char *lp_http_outcome_name(enum lp_http_outcome outcome)
{
    return outcome < LP_HTTP_OUTCOME_COUNT ? outcome_names[outcome] : "unknown";
}

enum slot_state { FREE, FLYING, LANDED, HANDED_OUT };

struct slot {
    struct lp_http *http;
    CURL *easy;
    struct curl_slist *headers;
    enum slot_state state;
    struct lp_buf body, kept_headers;
    char curl_error[CURL_ERROR_SIZE];
    bool too_large, tls_ready, repeatable;
    int64_t started_us, total_ms;
    int redirects;
    CURLcode result;
    enum lp_http_outcome refused; /* REDIRECT_REFUSED with its reason in curl_error, else ANSWERED */
    void *user;
    size_t next_landed;
};

struct lp_http {
    struct lp_http_options options;
    char *user_agent;
    CURLM *multi;
    int epoll_fd;
    int64_t timer_us; /* when libcurl wants to be called; -1: not */
    struct slot *slots;
    size_t *free_slots, free_count;
    size_t landed_first, landed_last; /* a list through next_landed; SIZE_MAX ends it */
    size_t flying;
};

static bool library_ready;

enum lp_code lp_http_new(const struct lp_http_options *options, struct lp_http **out, struct lp_err *err)
{
    struct lp_http *h = calloc(1, sizeof *h);
    *out = h;
    if (!h) return lp_nomem(err);
    h->options = *options;
    if (!h->options.connect_ms) h->options.connect_ms = 10000;
    if (!h->options.total_ms) h->options.total_ms = 30000;
    if (!h->options.max_body_bytes) h->options.max_body_bytes = 16000000;
    if (!h->options.at_once) h->options.at_once = 8;
    if (h->options.at_once > LP_HTTP_AT_ONCE_MAX) h->options.at_once = LP_HTTP_AT_ONCE_MAX;
    h->epoll_fd = -1;
    h->timer_us = -1;
    h->landed_first = h->landed_last = SIZE_MAX;
    h->user_agent = strdup(options->user_agent ? options->user_agent : "lambda-pipeline");
    h->slots = calloc(h->options.at_once, sizeof *h->slots);
    h->free_slots = calloc(h->options.at_once, sizeof *h->free_slots);
    if (h->user_agent && h->slots && h->free_slots) {
        for (size_t i = h->options.at_once; i-- > 0;) h->free_slots[h->free_count++] = i;
        return LP_OK;
    }
    lp_http_free(h);
    *out = NULL;
    return lp_nomem(err);
}

void lp_http_free(struct lp_http *h)
{
    if (!h) return;
    for (size_t i = 0; h->slots && i < h->options.at_once; i++) {
        struct slot *s = &h->slots[i];
        if (s->easy && h->multi) curl_multi_remove_handle(h->multi, s->easy);
        curl_easy_cleanup(s->easy);
        curl_slist_free_all(s->headers);
        lp_buf_release(&s->body);
        lp_buf_release(&s->kept_headers);
    }
    if (h->multi) curl_multi_cleanup(h->multi);
    if (h->epoll_fd >= 0) close(h->epoll_fd);
    free(h->slots);
    free(h->free_slots);
    free(h->user_agent);
    free(h);
}

/* ---- libcurl's two callbacks ---- */

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket_context)
{
    struct lp_http *h = context;
    struct epoll_event event = {.data.fd = fd};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(h->epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* may be closed already */
        return 0;
    }
    if (what & CURL_POLL_IN) event.events |= EPOLLIN;
    if (what & CURL_POLL_OUT) event.events |= EPOLLOUT;
    if (socket_context) {
        if (epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0) return 0;
        if (errno != ENOENT) return -1;
    }
    if (epoll_ctl(h->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 && (errno != EEXIST || epoll_ctl(h->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0))
        return -1;
    curl_multi_assign(h->multi, fd, h);
    return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *context)
{
    struct lp_http *h = context;
    (void)multi;
    h->timer_us = timeout_ms < 0 ? -1 : lp_clock_monotonic_us() + (int64_t)timeout_ms * 1000;
    return 0;
}

static enum lp_code begin(struct lp_http *h, struct lp_err *err)
{
    if (h->multi) return LP_OK;
    if (!library_ready && curl_global_init(CURL_GLOBAL_DEFAULT)) return lp_nomem(err);
    library_ready = true;
    h->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (h->epoll_fd < 0) return lp_fail_errno(err, "cannot watch connections");
    h->multi = curl_multi_init();
    if (!h->multi) {
        close(h->epoll_fd);
        h->epoll_fd = -1;
        return lp_nomem(err);
    }
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->options.at_once);
    return LP_OK;
}

/* ---- one transfer's bytes ---- */

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct slot *s = context;
    size_t n = size * count;
    if (n > s->http->options.max_body_bytes - s->body.len) {
        s->too_large = true;
        return 0;
    }
    lp_buf_put(&s->body, bytes, n);
    return s->body.failed ? 0 : n;
}

static bool matters(const char *line, size_t len)
{
    static const char *const names[] = {"content-type:", "retry-after:", "date:", "etag:", "last-modified:", "x-ratelimit-", "ratelimit-"};
    for (size_t i = 0; i < LP_COUNT(names); i++)
        if (len >= strlen(names[i]) && !strncasecmp(line, names[i], strlen(names[i]))) return true;
    return false;
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    struct slot *s = context;
    size_t n = size * count;
    /* Of several answers in a row (100 Continue, a redirect) the last one's headers count. */
    if (n >= 5 && !memcmp(line, "HTTP/", 5)) lp_buf_clear(&s->kept_headers);
    if (matters(line, n) && s->kept_headers.len + n <= MAX_HEADER_BYTES) lp_buf_put(&s->kept_headers, line, n);
    return n;
}

/* ---- starting ---- */

static const char *set_variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The library's own folder of certificates is looked into one file at a time; a bundle is read whole, which costs more
 * than the request. So a bundle is used where the environment names one, or where there is no such folder. */
static void set_certificates(CURL *easy)
{
    static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
    const char *bundle = set_variable("CURL_CA_BUNDLE"), *folder = set_variable("SSL_CERT_DIR");
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

/* What is the same for every request of a slot. */
static bool prepare(struct slot *s)
{
    const struct lp_http_options *o = &s->http->options;
    CURL *e = s->easy = curl_easy_init();
    if (!e) return false;
    curl_easy_setopt(e, CURLOPT_PRIVATE, s);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, s->curl_error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, s);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)o->max_body_bytes);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)o->connect_ms);
    curl_easy_setopt(e, CURLOPT_USERAGENT, s->http->user_agent);
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 16L * 1024);
    curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
    s->body.max_bytes = o->max_body_bytes + 1;
    s->kept_headers.max_bytes = MAX_HEADER_BYTES + 1;
    return true;
}

static bool set_headers(struct slot *s, const struct lp_http_request *q)
{
    curl_slist_free_all(s->headers);
    s->headers = NULL;
    for (size_t i = 0; i < q->header_count; i++) {
        struct curl_slist *more = curl_slist_append(s->headers, q->headers[i]);
        if (!more) return false;
        s->headers = more;
    }
    return curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, s->headers) == CURLE_OK;
}

static void set_method(struct slot *s, const struct lp_http_request *q)
{
    bool head = q->method && !strcmp(q->method, "HEAD");
    s->repeatable = !q->body && (!q->method || head || !strcmp(q->method, "GET"));
    if (!q->body && !q->method) {
        curl_easy_setopt(s->easy, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, NULL);
        return;
    }
    curl_easy_setopt(s->easy, CURLOPT_NOBODY, head ? 1L : 0L);
    if (q->body) {
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, q->body);
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->body_len);
    }
    curl_easy_setopt(s->easy, CURLOPT_CUSTOMREQUEST, q->method);
}

static enum lp_code set_request(struct slot *s, const struct lp_http_request *q, struct lp_err *err)
{
    if (strncmp(q->url, "http://", 7) && strncmp(q->url, "https://", 8)) return lp_fail(err, LP_CONFIG, "the address is neither http:// nor https://");
    for (size_t i = 0; i < q->header_count; i++)
        if (strpbrk(q->headers[i], "\r\n")) return lp_fail(err, LP_CONFIG, "a header holds a line break");
    if (!s->easy && !prepare(s)) return lp_nomem(err);
    if (!s->tls_ready && q->url[4] == 's') {
        set_certificates(s->easy);
        s->tls_ready = true;
    }
    set_method(s, q);
    if (!set_headers(s, q) || curl_easy_setopt(s->easy, CURLOPT_URL, q->url)) return lp_nomem(err);
    curl_easy_setopt(s->easy, CURLOPT_USERNAME, q->basic_user);
    curl_easy_setopt(s->easy, CURLOPT_PASSWORD, q->basic_user ? q->basic_secret : NULL);
    if (q->basic_user) curl_easy_setopt(s->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    s->total_ms = s->http->options.total_ms;
    if (q->total_ms > 0 && q->total_ms < s->total_ms) s->total_ms = q->total_ms;
    curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)s->total_ms);
    return LP_OK;
}

static enum lp_code add_to_multi(struct slot *s, struct lp_err *err)
{
    s->curl_error[0] = '\0';
    s->too_large = false;
    s->refused = LP_HTTP_ANSWERED;
    lp_buf_clear(&s->body);
    lp_buf_clear(&s->kept_headers);
    return curl_multi_add_handle(s->http->multi, s->easy) ? lp_nomem(err) : LP_OK;
}

enum lp_code lp_http_start(struct lp_http *h, const struct lp_http_request *q, struct lp_err *err)
{
    if (!h->free_count) return lp_fail(err, LP_BUSY, "%zu requests are in flight already", h->options.at_once);
    LP_TRY(begin(h, err));
    struct slot *s = &h->slots[h->free_slots[h->free_count - 1]];
    s->http = h;
    s->redirects = 0;
    s->user = q->user;
    s->started_us = lp_clock_monotonic_us();
    LP_TRY(set_request(s, q, err));
    LP_TRY(add_to_multi(s, err));
    h->free_count--;
    h->flying++;
    s->state = FLYING;
    return LP_OK;
}

/* ---- ends ---- */

static enum lp_http_outcome outcome_of(const struct slot *s, CURLcode code)
{
    if (s->too_large || code == CURLE_FILESIZE_EXCEEDED) return LP_HTTP_TOO_LARGE;
    switch (code) {
    case CURLE_OK: return s->refused;
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
    case CURLE_WRITE_ERROR: return s->body.failed ? LP_HTTP_FAILED : LP_HTTP_GARBLED; /* the inflater's too */
    default: return LP_HTTP_FAILED;
    }
}

static void describe(const struct slot *s, CURLcode code, enum lp_http_outcome outcome, struct lp_http_reply *r)
{
    char limit[LP_TIME_TEXT_BYTES];
    const char *detail = *s->curl_error ? s->curl_error : curl_easy_strerror(code);
    int64_t elapsed = r->elapsed_ms;
    size_t n = sizeof r->error;
    switch (outcome) {
    case LP_HTTP_ANSWERED: r->error[0] = '\0'; return;
    case LP_HTTP_TIMED_OUT:
        lp_duration_format(elapsed < s->total_ms - 1 ? s->http->options.connect_ms : s->total_ms, limit);
        snprintf(r->error, n, "no %s within %s", r->status ? "whole answer" : elapsed < s->total_ms - 1 ? "connection" : "answer", limit);
        break;
    case LP_HTTP_TOO_LARGE: snprintf(r->error, n, "the reply is larger than %zu bytes (limit.body)", s->http->options.max_body_bytes); break;
    case LP_HTTP_CUT_SHORT:
        snprintf(r->error, n, "%s", code == CURLE_GOT_NOTHING ? "the connection was closed without an answer" : "the reply was cut short");
        break;
    case LP_HTTP_TLS_FAILED: snprintf(r->error, n, "the server's certificate is refused: %.180s", detail); break;
    case LP_HTTP_REDIRECT_REFUSED: snprintf(r->error, n, "%.250s", s->curl_error); break;
    case LP_HTTP_GARBLED: snprintf(r->error, n, "the reply cannot be read: %.200s", detail); break;
    default: snprintf(r->error, n, "%.250s", detail); break;
    }
    lp_secret_mask_text(r->error, n);
}

/* scheme://host:port, as libcurl reads it; false when it cannot. */
static bool origin_of(const char *url, char out[300])
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    CURLU *u = curl_url();
    bool good = u && !curl_url_set(u, CURLUPART_URL, url, 0) && !curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) &&
                !curl_url_get(u, CURLUPART_HOST, &host, 0) && !curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
                snprintf(out, 300, "%s://%s:%s", scheme, host, port) < 300;
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(u);
    return good;
}

/* Goes on to where a redirect points, within the same origin; false when the transfer is over. */
static bool follow(struct slot *s)
{
    char *to = NULL, *from = NULL, here[300], there[300];
    long status = 0;
    struct lp_err err;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 301 || status > 308 || status == 304 || curl_easy_getinfo(s->easy, CURLINFO_REDIRECT_URL, &to) || !to) return false;
    curl_easy_getinfo(s->easy, CURLINFO_EFFECTIVE_URL, &from);
    s->refused = LP_HTTP_REDIRECT_REFUSED;
    if (!s->repeatable) {
        snprintf(s->curl_error, sizeof s->curl_error, "%ld: a redirect is followed for GET alone", status);
    } else if (s->redirects == LP_HTTP_REDIRECTS) {
        snprintf(s->curl_error, sizeof s->curl_error, "more than %d redirects in a row", LP_HTTP_REDIRECTS);
    } else if (!origin_of(from, here) || !origin_of(to, there) || strcasecmp(here, there)) {
        bool named = origin_of(to, there);
        snprintf(s->curl_error, sizeof s->curl_error, "%ld: a redirect to another place, %.150s, is not followed", status, named ? there : "elsewhere");
    } else {
        char *next = strdup(to); /* the handle owns `to` */
        s->redirects++;
        bool goes = next && !curl_easy_setopt(s->easy, CURLOPT_URL, next);
        free(next);
        int64_t left = s->total_ms - (lp_clock_monotonic_us() - s->started_us) / 1000;
        curl_easy_setopt(s->easy, CURLOPT_TIMEOUT_MS, (long)(left > 0 ? left : 1));
        return goes && !add_to_multi(s, &err);
    }
    return false;
}

static void land(struct lp_http *h, CURLMsg *message)
{
    struct slot *s;
    CURLcode code = message->data.result;
    char *private = NULL;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    s = (struct slot *)(void *)private;
    curl_multi_remove_handle(h->multi, s->easy);
    if (code == CURLE_OK && follow(s)) return;
    s->state = LANDED;
    s->next_landed = SIZE_MAX;
    size_t index = (size_t)(s - h->slots);
    if (h->landed_first == SIZE_MAX) h->landed_first = index;
    else h->slots[h->landed_last].next_landed = index;
    h->landed_last = index;
    s->result = code;
}

static void collect(struct lp_http *h)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(h->multi, &left)))
        if (message->msg == CURLMSG_DONE) land(h, message);
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

static void fill_reply(struct lp_http *h, size_t index, struct lp_http_reply *r)
{
    struct slot *s = &h->slots[index];
    long status = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    *r = (struct lp_http_reply){.user = s->user, .outcome = outcome_of(s, s->result), .status = (int)status, .redirects = s->redirects, .slot = index};
    r->elapsed_ms = (lp_clock_monotonic_us() - s->started_us) / 1000;
    r->body = (struct lp_slice){lp_buf_text(&s->body), s->body.len};
    r->headers = (struct lp_slice){lp_buf_text(&s->kept_headers), s->kept_headers.len};
    lp_http_header(r, "content-type", &r->content_type);
    lp_http_header(r, "retry-after", &r->retry_after);
    lp_http_header(r, "date", &r->date);
    describe(s, s->result, r->outcome, r);
}

/* ---- waiting ---- */

static enum lp_code turn(struct lp_http *h, int64_t wait_us, struct lp_err *err)
{
    struct epoll_event events[EVENTS];
    int running, n;
    int64_t now = lp_clock_monotonic_us();
    if (h->timer_us >= 0 && (wait_us < 0 || h->timer_us - now < wait_us)) wait_us = h->timer_us > now ? h->timer_us - now : 0;
    n = epoll_wait(h->epoll_fd, events, EVENTS, wait_us < 0 ? -1 : (int)((wait_us + 999) / 1000));
    if (n < 0 && errno != EINTR) return lp_fail_errno(err, "cannot watch connections");
    for (int i = 0; i < n; i++) {
        int what = (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? CURL_CSELECT_IN : 0) | (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0);
        curl_multi_socket_action(h->multi, events[i].data.fd, what, &running);
    }
    if (h->timer_us >= 0 && h->timer_us <= lp_clock_monotonic_us()) {
        h->timer_us = -1;
        curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect(h);
    return LP_OK;
}

static bool hand_out(struct lp_http *h, struct lp_http_reply *reply)
{
    size_t index = h->landed_first;
    if (index == SIZE_MAX) return false;
    h->landed_first = h->slots[index].next_landed;
    fill_reply(h, index, reply);
    h->slots[index].state = HANDED_OUT;
    h->flying--;
    return true;
}

enum lp_code lp_http_wait(struct lp_http *h, int64_t timeout_ms, struct lp_http_reply *reply, bool *got, struct lp_err *err)
{
    int64_t until = timeout_ms < 0 ? -1 : lp_clock_monotonic_us() + timeout_ms * 1000;
    *got = false;
    if (timeout_ms < 0 && !h->flying) return LP_OK;
    LP_TRY(begin(h, err));
    for (bool first = true;; first = false) {
        LP_TRY(lp_cancel_check(err));
        if ((*got = hand_out(h, reply))) return LP_OK;
        int64_t left = until < 0 ? -1 : until - lp_clock_monotonic_us();
        if (until >= 0 && left <= 0 && !first) return LP_OK;
        LP_TRY(turn(h, until < 0 ? -1 : left < 0 ? 0 : left, err));
    }
}

static void give_back(struct lp_http *h, struct slot *s)
{
    if (s->body.cap > KEPT_BODY_BYTES) lp_buf_release(&s->body);
    s->state = FREE;
    h->free_slots[h->free_count++] = (size_t)(s - h->slots);
}

void lp_http_finish(struct lp_http *h, struct lp_http_reply *reply)
{
    struct slot *s = &h->slots[reply->slot];
    if (s->state == HANDED_OUT) give_back(h, s);
}

void lp_http_finish_keep(struct lp_http *h, struct lp_http_reply *reply, struct lp_buf *body)
{
    struct slot *s = &h->slots[reply->slot];
    struct lp_buf mine = *body;
    if (s->state != HANDED_OUT) return;
    *body = s->body;
    s->body = mine;
    s->body.max_bytes = body->max_bytes;
    lp_buf_clear(&s->body);
    give_back(h, s);
}

size_t lp_http_in_flight(const struct lp_http *h)
{
    return h->flying;
}

size_t lp_http_room(const struct lp_http *h)
{
    return h->free_count;
}
