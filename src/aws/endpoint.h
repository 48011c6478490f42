/* endpoint.h — where the calls of a service go, and for which region they are signed.
 * Model:   a URL that somebody configured, else AWS's rules: FIPS, dual-stack, China and the other partitions, services
 *          that are the same for all regions. A bucket becomes part of the host where it may, else of the path.
 * Owns:    the caller's buffer.
 * Units:   none.
 * Errors:  LP_CONFIG (a region that cannot be part of a host's name, a URL that is none, a `services` section that is
 *          missing), LP_NOMEM.
 * Threads: no shared state.
 * Source:  botocore's endpoint rules.
 */
#ifndef LP_AWS_ENDPOINT_H
#define LP_AWS_ENDPOINT_H

#include "aws/reply.h"
#include "aws/settings.h"

struct lp_aws_place {
    struct lp_buf
        url; /* "https://bucket.s3.us-west-2.amazonaws.com" or "http://127.0.0.1:9000/bucket": no '/' at its end */
    const char *host; /* within url: what Host will be ... */
    size_t host_len;
    const char *path;                 /* ... and what comes before a call's own path: "" or "/bucket" */
    char region[LP_AWS_REGION_BYTES]; /* that is signed for */
    bool configured;                  /* by somebody: not AWS's own */
};

/* bucket: NULL, or put into host or path. */
enum lp_code lp_aws_place_find(const struct lp_aws_settings *s, const char *service, const char *region,
                               const char *bucket, struct lp_aws_place *out, struct lp_err *err) LP_CHECKED;
void lp_aws_place_release(struct lp_aws_place *p);
/* Is this service the same for all regions of AWS, so that none need be known? */
bool lp_aws_service_global(const char *service);

#endif
