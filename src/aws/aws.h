/* aws.h — one signed call to an AWS service, and whose keys sign it.
 * Model:   a session finds credentials, region and endpoints when the first call needs them, in the order of AWS's own
 *          SDKs, and keeps them for the calls that follow; it refreshes what is about to expire. A call is signed
 *          (Signature Version 4), sent, and tried again as AWS's "standard" mode does, within the session's bucket of
 *          tokens; a clock that is wrong and an S3 bucket that lives elsewhere are corrected once.
 *          Several calls may be under way at a time: start each, then wait for them in any order; all move on while one is
 *          waited for.
 * Owns:    the session owns its connections and keys (which are masked everywhere from the moment they are known). What a
 *          request points to is borrowed until its call is finished. A reply owns its text.
 * Units:   milliseconds and bytes, in the names.
 * Errors:  a status that is not 2xx becomes a code with a sentence that holds AWS's own words and the request's id:
 *          LP_NOTFOUND (404, …NotFound…, NoSuch…), LP_AUTH (denied, or credentials missing, expired, half set), LP_BUSY
 *          (throttled or broken, and still so after the retries), LP_REMOTE (all else that was answered), LP_CONFIG (a
 *          profile or setting that is wrong), LP_LIMIT, LP_CANCELLED, LP_IO, LP_NOMEM. The reply tells the error's own
 *          code (EntityNotFoundException) in every case.
 * Threads: one thread per session.
 * Source:  the service models and SDKs of AWS, as they stood in 2026.
 */
#ifndef LP_AWS_AWS_H
#define LP_AWS_AWS_H

#include "base/buf.h"
#include "base/text.h"

#include <stdint.h>

#define LP_AWS_BODY_BYTES ((size_t)32 << 20) /* the largest reply that is taken */

struct lp_aws;

struct lp_aws_options {       /* what the command line says; all may be NULL or 0 */
    const char *profile;      /* --profile: then keys in the environment do not count */
    const char *region;       /* --region */
    const char *endpoint_url; /* --endpoint-url: for every service */
    size_t at_once;           /* calls under way at a time; 0: 8 */
};

/* Costs nothing until the first call. The options' texts are copied. */
enum lp_code lp_aws_new(const struct lp_aws_options *o, struct lp_aws **out, struct lp_err *err) LP_CHECKED;
void lp_aws_free(struct lp_aws *aws); /* may be NULL */
/* For a session that lasts longer than one run: the next call finds settings, keys and secrets anew; connections stay. */
void lp_aws_renew(struct lp_aws *aws);

struct lp_aws_request {
    const char *service;        /* s3 sns sts glue athena events scheduler lambda ecr ssm secretsmanager logs iam */
    const char *region;         /* NULL: the session's */
    const char *bucket;         /* s3: put into host or path, as the endpoint wants it; NULL: no bucket */
    const char *method;         /* NULL: POST */
    const char *path;           /* NULL: "/"; percent-encoded once; for s3 below the bucket: "/key" */
    const char *query;          /* NULL: none; percent-encoded, without '?' */
    const char *const *headers; /* "Name: value"; host, date, token and authorization are added */
    size_t header_count;
    const void *body;
    size_t body_len;
    const char *target;    /* JSON 1.1 services: "AWSGlue.GetTable" sets X-Amz-Target and the content type */
    int64_t total_ms;      /* of one attempt; 0: 60,000 */
    int64_t within_ms;     /* of all attempts and the waits between them; 0: no limit */
    bool unsigned_payload; /* s3 over https: the body is not hashed; elsewhere it is all the same */
    bool once;             /* never tried again: for what must not happen twice */
    bool counted;          /* reply->attempts counts every time it may have been carried out; costs a new connection */
    bool anonymous;        /* not signed, no keys needed */
};

struct lp_aws_reply {
    int status;            /* 0: no answer came */
    struct lp_buf body;    /* NUL-terminated behind its end */
    struct lp_buf headers; /* "Name: value\r\n" lines of those that matter: etag, date, content-*, x-amz*-… */
    char error_code[80];   /* "EntityNotFoundException", "NoSuchKey"; for an error without a body its status: "404" */
    char message[400];     /* AWS's words; "" without */
    char request_id[80];
    unsigned attempts;
};
void lp_aws_reply_release(struct lp_aws_reply *r);
/* The value of a reply's header, trimmed; false when absent. */
bool lp_aws_reply_header(const struct lp_aws_reply *r, const char *name, struct lp_slice *value);

/* One call to its end. The reply is filled (and to be released) whether or not the code is LP_OK. */
enum lp_code lp_aws_call(struct lp_aws *aws, const struct lp_aws_request *q, struct lp_aws_reply *reply,
                         struct lp_err *err) LP_CHECKED;

/* The same in two halves. finish waits for this one, while all others move on; it frees the call and sets it to NULL,
 * even when it fails. */
struct lp_aws_call;
enum lp_code lp_aws_start(struct lp_aws *aws, const struct lp_aws_request *q, struct lp_aws_call **out,
                          struct lp_err *err) LP_CHECKED;
enum lp_code lp_aws_finish(struct lp_aws *aws, struct lp_aws_call **call, struct lp_aws_reply *reply,
                           struct lp_err *err) LP_CHECKED;
void lp_aws_cancel(struct lp_aws *aws, struct lp_aws_call **call); /* *call may be NULL */
/* Lets what is under way move on without waiting for it: as long as bytes move, 20 ms at most. */
enum lp_code lp_aws_turn(struct lp_aws *aws, struct lp_err *err) LP_CHECKED;

/* The session's region, found the same way as for a call; borrowed from the session. */
enum lp_code lp_aws_region(struct lp_aws *aws, const char **region, struct lp_err *err) LP_CHECKED;
/* Where calls of a service go: "https://glue.us-west-2.amazonaws.com"; appended. */
enum lp_code lp_aws_put_endpoint(struct lp_aws *aws, const char *service, struct lp_buf *out,
                                 struct lp_err *err) LP_CHECKED;

/* Whose keys they are, for people. */
struct lp_aws_identity {
    char access_key[40]; /* masked but for its last four characters */
    char source[200];    /* "the environment (AWS_ACCESS_KEY_ID)", "profile dev in ~/.aws/credentials" */
    int64_t expires_us;  /* 0: they do not expire */
};
enum lp_code lp_aws_identify(struct lp_aws *aws, struct lp_aws_identity *out, struct lp_err *err) LP_CHECKED;

/* The keys themselves, for a child that signs for itself (SQL over S3). Masked values like all secrets; wiped by
 * lp_aws_keys_release. */
struct lp_aws_keys {
    char *access_key, *secret_key, *session_token; /* the last may be NULL */
};
enum lp_code lp_aws_keys_get(struct lp_aws *aws, struct lp_aws_keys *out, struct lp_err *err) LP_CHECKED;
void lp_aws_keys_release(struct lp_aws_keys *k);

/* A secret kept at AWS: "ssm:/path/name" or "secretsmanager:NAME" (with "#key" behind it: that member of a JSON secret).
 * Asked once per session. The value is masked everywhere from then on; borrowed from the session. */
enum lp_code lp_aws_secret(struct lp_aws *aws, const char *place, const char **value, struct lp_err *err) LP_CHECKED;

#endif
