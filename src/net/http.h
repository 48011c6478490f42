/* http.h — many HTTP transfers at once, in one thread.
 * Model:   start → wait → finish. lp_http_start takes one of at_once slots and puts the request on the wire at once;
 *          lp_http_wait hands out finished transfers in the order they end; lp_http_finish gives the slot back.
 *          Connections are kept alive and shared, HTTP/2 is used over TLS where offered, gzip is inflated. A transfer
 *          is one attempt: retries, rates and order are the caller's (retry.h, rate.h). Only a kept connection that turns
 *          out to be closed is replaced without a word.
 *          Redirects are followed for GET and HEAD within the same scheme, host and port, five at most.
 *          Certificates are always verified, against the file of the options, or that named by CURL_CA_BUNDLE or
 *          SSL_CERT_FILE, else the folder SSL_CERT_DIR, else the system's folder, or its bundle where there is none. HTTPS_PROXY, ALL_PROXY and NO_PROXY
 *          mean what they mean to curl for https; plain http goes through no proxy.
 * Owns:    what lp_http_start is given is copied, except `body` and `user`: borrowed until lp_http_finish. A reply's
 *          slices are borrowed until lp_http_finish, error text is inside the struct. lp_http_free ends what is in
 *          flight.
 * Units:   milliseconds and bytes, in the names. The body cap counts bytes after inflation.
 * Errors:  what happens to one transfer is its outcome, never an error code. lp_http_start: LP_CONFIG (an address or
 *          header that cannot be sent), LP_BUSY (no slot is free), LP_NOMEM, LP_IO. lp_http_wait: LP_CANCELLED when a
 *          signal asked to stop, LP_IO, LP_NOMEM.
 * Threads: one thread per lp_http; the first lp_http_start of the process before other threads start.
 */
#ifndef LP_NET_HTTP_H
#define LP_NET_HTTP_H

#include "base/buf.h"
#include "base/error.h"
#include "base/text.h"

#include <stdint.h>

#define LP_HTTP_REDIRECTS   5
#define LP_HTTP_ERROR_BYTES 256
#define LP_HTTP_AT_ONCE_MAX 1024

struct lp_http_options {    /* a zero means the default named behind it */
    int64_t connect_ms;     /* 10,000 */
    int64_t total_ms;       /* 30,000: from start to last byte, redirects included */
    size_t max_body_bytes;  /* 16 MB */
    size_t at_once;         /* 8; at most LP_HTTP_AT_ONCE_MAX */
    const char *user_agent; /* "lambda-pipeline"; copied */
    const char *ca_bundle;  /* a file of certificates; NULL: as said above; borrowed like keep_also */
    /* Further headers to keep, by name or by a beginning that ends in '-'; NULL-terminated, NULL: none. */
    const char *const *keep_also;
};

struct lp_http_request {
    const char *url;            /* http:// or https://, percent-encoded, without user or fragment */
    const char *const *headers; /* "Name: value"; may hold secrets; no CR or LF */
    size_t header_count;
    const char *method; /* NULL: GET, or POST when there is a body */
    const void *body;   /* NULL: none */
    size_t body_len;
    const char *basic_user; /* NULL: no basic authentication */
    const char *basic_secret;
    int64_t total_ms;      /* 0: the option's; else the smaller of both counts */
    bool fresh_connection; /* not one that is kept alive: for a retry after one that broke */
    bool no_redirects;     /* a redirect is an answer like others */
    bool as_stored;        /* no gzip: the body's bytes as they lie on the server */
    void *user;            /* comes back in the reply */
};

enum lp_http_outcome {
    LP_HTTP_ANSWERED,         /* status, headers and the whole body are there, whatever the status */
    LP_HTTP_CONNECT_FAILED,   /* name, connection, proxy, or a handshake that broke off */
    LP_HTTP_TIMED_OUT,        /* connect_ms or total_ms */
    LP_HTTP_CUT_SHORT,        /* the connection ended before the answer did, or before it began */
    LP_HTTP_GARBLED,          /* what came is not HTTP, or cannot be inflated, or its header has no end */
    LP_HTTP_TOO_LARGE,        /* the body passes max_body_bytes */
    LP_HTTP_TLS_FAILED,       /* certificate or protocol refused */
    LP_HTTP_REDIRECT_REFUSED, /* to another origin, too many, or for a method that is not repeated */
    LP_HTTP_FAILED,           /* ours: memory, or an address libcurl does not take */
    LP_HTTP_OUTCOME_COUNT
};
/* "answered", "connect failed", … */
const char *lp_http_outcome_name(enum lp_http_outcome outcome);

struct lp_http_reply {
    void *user;
    enum lp_http_outcome outcome;
    int status;           /* of the last answer whose header came, 0 when none did */
    struct lp_slice body; /* NUL-terminated; what arrived of it when the outcome is not ANSWERED */
    /* The headers that matter — content-type, retry-after, date, etag, last-modified, x-ratelimit-*, ratelimit-* — as
     * "Name: value\r\n" lines, 8 KB at most. */
    struct lp_slice headers;
    /* Values out of `headers`, trimmed; len 0 when absent. Not NUL-terminated. */
    struct lp_slice content_type, retry_after, date;
    int64_t elapsed_ms;
    int redirects;                   /* followed */
    char error[LP_HTTP_ERROR_BYTES]; /* a phrase in plain words, "" when ANSWERED; no query string, secrets masked */
    size_t slot;                     /* private: which slot lp_http_finish gives back */
};

/* The value of a header among those that matter, name without regard to case; false when absent. */
bool lp_http_header(const struct lp_http_reply *reply, const char *name, struct lp_slice *value);

struct lp_http;

/* Costs nothing until the first start: no libcurl, no TLS, no descriptor. */
enum lp_code lp_http_new(const struct lp_http_options *options, struct lp_http **out, struct lp_err *err) LP_CHECKED;
void lp_http_free(struct lp_http *http);

enum lp_code lp_http_start(struct lp_http *http, const struct lp_http_request *request, struct lp_err *err) LP_CHECKED;
/* The next finished transfer: *got is true and *reply filled, at once when one is ready. False when none ended within
 * timeout_ms (0: look only; -1: no limit) or none is in flight; with none in flight it still waits timeout_ms out, so
 * that it serves as the caller's sleep (-1 then returns at once). Call it even when no slot is free: it drives all. */
enum lp_code lp_http_wait(struct lp_http *http, int64_t timeout_ms, struct lp_http_reply *reply, bool *got,
                          struct lp_err *err) LP_CHECKED;
/* Gives the slot back; the reply's slices end here. */
void lp_http_finish(struct lp_http *http, struct lp_http_reply *reply);

/* Ends the transfer of this `user`, wherever it is, and gives its slot back; nothing happens when there is none. */
void lp_http_cancel(struct lp_http *http, const void *user);

/* Did the last lp_http_wait find bytes to move? Then there may be more at once. */
bool lp_http_moved(const struct lp_http *http);
size_t lp_http_in_flight(const struct lp_http *http); /* started and not yet handed out by lp_http_wait */
size_t lp_http_room(const struct lp_http *http);      /* how many more may be started now */

#endif
