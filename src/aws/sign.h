/* sign.h — Signature Version 4: from a request to its Authorization header.
 * Model:   a pure function. The canonical request, the text that is signed and the signature are all there to be looked at.
 *          Signed are all headers that are given but those a proxy may change (connection, user-agent, …).
 *          It hashes with OpenSSL's SHA-256 itself: the EVP layer above it would load providers, which costs a short run
 *          more than its signatures do.
 * Owns:    the caller's struct lp_signature owns its texts. Keys are borrowed; what is derived from them is wiped.
 * Units:   microseconds since 1970, UTC.
 * Errors:  LP_CONFIG (a header whose name is none or with a line break, more than LP_SIGN_HEADERS_MAX), LP_LIMIT, LP_NOMEM.
 * Threads: no shared state.
 * Source:  AWS's "Signature Version 4 signing process"; its own suite of signing tests.
 */
#ifndef LP_AWS_SIGN_H
#define LP_AWS_SIGN_H

#include "base/buf.h"

#include <stdint.h>

#define LP_SIGN_HEADERS_MAX 64
#define LP_SHA256_HEX_BYTES 65
#define LP_SIGN_TIME_BYTES  17 /* "20150830T123600Z" */
#define LP_SIGN_UNSIGNED    "UNSIGNED-PAYLOAD"

void lp_sha256_hex(const void *bytes, size_t len, char out[LP_SHA256_HEX_BYTES]);
void lp_sign_time(int64_t us, char out[LP_SIGN_TIME_BYTES]);

/* How the path becomes part of what is signed. */
enum lp_sign_path {
    LP_SIGN_PATH_NORMAL,  /* without ".", ".." and double slashes, percent-encoded once more: all services but S3 */
    LP_SIGN_PATH_ENCODED, /* only percent-encoded once more */
    LP_SIGN_PATH_AS_SENT  /* S3 */
};

struct lp_sign_request {
    const char *method, *path;  /* as sent, percent-encoded once */
    const char *query;          /* as sent; NULL: none */
    const char *const *headers; /* "Name: value"; Host and X-Amz-Date among them */
    size_t header_count;
    const char *payload_hash; /* lp_sha256_hex of the body, or LP_SIGN_UNSIGNED */
    const char *time;         /* the value of X-Amz-Date */
    const char *region, *service, *access_key, *secret_key;
    enum lp_sign_path path_rule;
};

struct lp_signature {
    struct lp_buf canonical, to_sign;
    struct lp_buf authorization; /* the header's value */
    char hex[LP_SHA256_HEX_BYTES];
};
enum lp_code lp_sign(const struct lp_sign_request *q, struct lp_signature *out, struct lp_err *err) LP_CHECKED;
void lp_signature_release(struct lp_signature *s);

#endif
