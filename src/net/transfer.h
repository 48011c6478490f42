/* transfer.h — one HTTP transfer on one libcurl handle, which is used again and again; http.c runs many of them.
 * Model:   set → (the handle runs) → follow, while that says true the handle runs once more → reply → recycle.
 * Owns:    the handle, its header list and what arrives; the options and what the request's `body` and `user` point to
 *          are borrowed. A reply's slices are borrowed until the next set or recycle.
 * Units:   milliseconds and bytes, in the names; MAX is libcurl's for what it counts itself (its header, 300 KB).
 * Errors:  LP_CONFIG (an address or header that cannot be sent), LP_NOMEM.
 * Threads: one thread per transfer.
 */
#ifndef LP_NET_TRANSFER_H
#define LP_NET_TRANSFER_H

#include "net/http.h"

#include <curl/curl.h>

struct lp_transfer {
    const struct lp_http_options *options; /* no zeros left in it */
    CURL *easy;                            /* CURLINFO_PRIVATE leads back here */
    struct curl_slist *headers;
    struct lp_buf body, kept_headers;
    char curl_error[CURL_ERROR_SIZE];
    CURLcode result; /* set by who ran the handle, before follow and reply */
    bool too_large, repeatable, secure, security_set, tls_ready;
    bool stays;            /* redirects are answers */
    bool redirect_refused; /* the reason is in curl_error */
    int64_t started_us, total_ms;
    int redirects;
    void *user;
};

enum lp_code lp_transfer_set(struct lp_transfer *t, const struct lp_http_options *options,
                             const struct lp_http_request *q, struct lp_err *err) LP_CHECKED;
/* True when the answer was a redirect within the same origin and the handle is set to go there. */
bool lp_transfer_follow(struct lp_transfer *t);
void lp_transfer_reply(struct lp_transfer *t, struct lp_http_reply *reply);
/* Gives back memory that is too large to keep. */
void lp_transfer_recycle(struct lp_transfer *t);
void lp_transfer_release(struct lp_transfer *t);

/* libcurl made ready, once; for those who hold handles of their own (mail.c), as is what certificates are checked by. */
bool lp_transfer_library(void);
void lp_transfer_set_certificates(CURL *easy, const char *bundle); /* NULL: the environment's, or the system's */

#endif
