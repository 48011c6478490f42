/* session.h — what a session to AWS holds, for the files of this room alone; aws.h is its contract.
 * Model:   opened by the first call: settings read, transport made. Its own session of fixed keys, with the same settings,
 *          asks STS for other keys.
 * Owns:    everything in it; settings only when `own` holds them.
 * Units:   microseconds and bytes, in the names.
 * Errors:  those of aws.h.
 * Threads: one thread per session.
 */
#ifndef LP_AWS_SESSION_H
#define LP_AWS_SESSION_H

#include "aws/budget.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "net/http.h"

struct lp_aws_bucket; /* where a bucket turned out to be */
struct lp_aws_kept_secret;

struct lp_aws {
    struct lp_aws_options options; /* its texts are owned */
    bool open;
    struct lp_aws_settings own;
    const struct lp_aws_settings *settings; /* &own, or another session's */
    struct lp_http *http;
    char *ca_bundle; /* that http borrows */
    struct lp_aws_budget budget;
    struct lp_aws_keyring keys;
    char machine_region[LP_AWS_REGION_BYTES]; /* asked of the machine's metadata where nobody said one */
    bool asked_machine;
    int64_t skew_us; /* how far AWS's clock is ahead of ours */
    uint64_t random;
    struct lp_aws_call *calls; /* not yet finished */
    struct lp_aws_bucket *buckets;
    struct lp_aws_kept_secret *secrets;
};

/* Reads settings and makes the transport, once. */
enum lp_code lp_aws_open(struct lp_aws *aws, struct lp_err *err) LP_CHECKED;
/* A session that signs with these keys (copied), or not at all (NULL: for unsigned calls alone), and borrows settings. */
enum lp_code lp_aws_new_with(const struct lp_aws_settings *s, const struct lp_aws_credentials *keys,
                             struct lp_aws **out, struct lp_err *err) LP_CHECKED;

const char *lp_aws_bucket_region(const struct lp_aws *aws, const char *bucket); /* NULL: not known */
enum lp_code lp_aws_bucket_learn(struct lp_aws *aws, const char *bucket, const char *region,
                                 struct lp_err *err) LP_CHECKED;
void lp_aws_secrets_free(struct lp_aws *aws);

#endif
