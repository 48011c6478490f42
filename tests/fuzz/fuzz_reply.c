/* What AWS answers: status, headers and a body of JSON, XML or anything else. The first byte chooses status and service,
 * the headers end at the first NUL. */
#include "fuzz.h"

#include "aws/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int statuses[] = {200, 301, 400, 403, 404, 429, 500, 503};
    static const char *const services[] = {"s3", "glue", "sns", "lambda"};
    if (!len) return 0;
    const uint8_t *end = memchr(bytes + 1, 0, len - 1), *body = end ? end + 1 : bytes + len;
    char region[LP_AWS_REGION_BYTES];
    struct lp_err err = {0};
    struct lp_aws_reply r = {.status = statuses[*bytes & 7], .attempts = 1};
    const struct lp_aws_request q = {.service = services[*bytes >> 3 & 3], .method = "PUT", .path = "/key"};
    lp_buf_put(&r.headers, bytes + 1, (size_t)((end ? end : bytes + len) - bytes - 1));
    lp_buf_put(&r.body, body, (size_t)(bytes + len - body));
    enum lp_aws_verdict verdict = lp_aws_reply_judge(&r, &q, region);
    LP_HOLDS(verdict != LP_AWS_FINE || r.status == 200);
    LP_HOLDS(verdict == LP_AWS_FINE || *r.error_code);
    LP_HOLDS(verdict != LP_AWS_ELSEWHERE || lp_aws_region_valid(region));
    for (const char *c = r.message; *c; c++) LP_HOLDS((unsigned char)*c >= ' ' || *c == '\n' || *c == '\t');
    if (verdict != LP_AWS_FINE) {
        enum lp_code code = lp_aws_reply_fail(&r, "what", &err);
        LP_HOLDS(code && code == err.code && !strncmp(err.text, "what: ", 6));
    }
    lp_aws_reply_release(&r);
    return 0;
}
