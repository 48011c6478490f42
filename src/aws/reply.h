/* reply.h — what AWS said: its error's code, words and ids out of any of its four protocols, and what that means.
 * Model:   the form is seen by the body itself (JSON, XML, or neither), headers come before the body where AWS's own
 *          parsers let them.
 * Owns:    nothing; texts go into the reply's arrays, cut to fit, with control characters made visible.
 * Units:   bytes.
 * Errors:  a body that cannot be read is the message itself; without memory fields stay empty.
 * Threads: as base/json.h.
 * Source:  botocore's parsers.py.
 */
#ifndef LP_AWS_REPLY_H
#define LP_AWS_REPLY_H

#include "aws/aws.h"

#define LP_AWS_REGION_BYTES 64

/* What kind of answer it is, by what can be done about it. */
enum lp_aws_verdict {
    LP_AWS_FINE,
    LP_AWS_REFUSED,  /* for good */
    LP_AWS_TROUBLED, /* broken inside; may pass */
    LP_AWS_SLOWER,   /* asked too often; may pass */
    LP_AWS_CLOCK,    /* the signature's time, or the signature as a whole */
    LP_AWS_EXPIRED,  /* the keys are over */
    LP_AWS_ELSEWHERE /* an S3 bucket of another region, named in `region` */
};

/* Fills error_code, message and request_id from status, headers and body. `region`: where the bucket is, or "". */
enum lp_aws_verdict lp_aws_reply_judge(struct lp_aws_reply *r, const struct lp_aws_request *q,
                                       char region[LP_AWS_REGION_BYTES]);
/* Fails with the code that aws.h promises and a sentence that begins with `what` ("glue GetTable in us-west-2"). */
enum lp_code lp_aws_reply_fail(const struct lp_aws_reply *r, const char *what, struct lp_err *err);

/* Letters, digits and '-', as a part of a host's name may have them. */
bool lp_aws_region_valid(const char *region);

#endif
