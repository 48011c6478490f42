/* call.h — one call under way, for the files of this room alone; aws.h is its contract.
 * Model:   WAITING (for a slot, or for its next attempt) → FLYING → WAITING … → DONE. An attempt is built anew each time:
 *          its time, its keys and its place may have changed.
 * Owns:    its texts, the reply until it is taken, the error. What the request points to is the caller's.
 * Units:   microseconds of the monotonic clock.
 * Errors:  those of aws.h.
 * Threads: one thread per session.
 */
#ifndef LP_AWS_CALL_H
#define LP_AWS_CALL_H

#include "aws/session.h"
#include "aws/sign.h"

enum lp_aws_call_state { LP_AWS_WAITING, LP_AWS_FLYING, LP_AWS_DONE };

struct lp_aws_call {
    struct lp_aws_call *next;
    struct lp_aws_request q;
    enum lp_aws_call_state state;
    int64_t due_us;   /* WAITING: not before */
    int64_t skew_us;  /* what the last attempt added to our clock */
    int64_t until_us; /* no attempt begins or lasts past this; INT64_MAX: no limit */
    char payload_hash[LP_SHA256_HEX_BYTES];
    char region[LP_AWS_REGION_BYTES]; /* of the last attempt */
    char what[300];                   /* "glue GetTable in us-west-2", for errors */
    int cost;                         /* tokens of the last retry */
    bool clock_corrected, region_corrected, keys_renewed, fresh_connection;
    struct lp_aws_reply reply;
    struct lp_err err;
    enum lp_code code; /* DONE: the outcome */
};

/* Builds and signs the next attempt and puts it on the wire. */
enum lp_code lp_aws_attempt(struct lp_aws *aws, struct lp_aws_call *c, struct lp_err *err) LP_CHECKED;
/* "s3:PutObject": what IAM would have to allow for this request; false when that cannot be told from it. */
bool lp_aws_action(const struct lp_aws_request *q, char *out, size_t out_bytes);

#endif
